"""A connection to a Qdrant server: one gRPC channel, deadlines, the API key, and Qdrant's errors as ours.

Qdrant's own generated stubs are used (``qdrant_client.grpc``): only the gRPC port need be open, vectors go from numpy
into messages without a detour, and every call has a deadline.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import grpc
from qdrant_client.grpc import (
    collections_service_pb2_grpc,
    points_service_pb2_grpc,
    qdrant_pb2,
    qdrant_pb2_grpc,
)

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings

REST_PORT = 6333
MESSAGE_BYTES = 256 << 20
FIRST_RECONNECT_MS, LONGEST_RECONNECT_MS = 50, 1000
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    # A server that comes back is to be found soon.
    ("grpc.initial_reconnect_backoff_ms", FIRST_RECONNECT_MS),
    ("grpc.min_reconnect_backoff_ms", FIRST_RECONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MS),
    ("grpc.enable_retries", 0),
]
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
HINTS = {
    grpc.StatusCode.UNAUTHENTICATED: "; the settings api_key or api_key_file say what it is told",
    grpc.StatusCode.PERMISSION_DENIED: "; the settings api_key or api_key_file say what it is told",
    grpc.StatusCode.UNAVAILABLE: "; the settings vectors and grpc_port say where it is",
    grpc.StatusCode.DEADLINE_EXCEEDED: "; the setting request_timeout says how long it may take",
}


class ServerError(AESGStorageError):
    """Qdrant did not do as asked; ``code`` says how it put it."""

    def __init__(self, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[ServerError], tuple[object, ...]]:
        return type(self), (self.message,)


def address_of(settings: StoreSettings) -> str:
    """``host:port`` of the server's gRPC service."""
    parts = urlsplit(settings.vectors or "")
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{settings.grpc_port or (parts.port or REST_PORT) + 1}"


class Connection:
    """Calls to one server. Any thread may call; a forked child may not."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self.address = address_of(settings)
        self._process = os.getpid()
        self._closed = False
        self._lock = threading.Lock()
        self._answered = False
        self._key = self._read_key()
        self._channel = self._connect()
        self.points = points_service_pb2_grpc.PointsStub(self._channel)  # type: ignore[no-untyped-call]
        self.collections = collections_service_pb2_grpc.CollectionsStub(self._channel)  # type: ignore[no-untyped-call]
        self.server = qdrant_pb2_grpc.QdrantStub(self._channel)  # type: ignore[no-untyped-call]

    def _connect(self) -> grpc.Channel:
        if (self._settings.vectors or "").startswith("https:"):
            return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(), OPTIONS)
        return grpc.insecure_channel(self.address, OPTIONS)

    def _read_key(self) -> str | None:
        settings = self._settings
        if settings.api_key is not None:
            return settings.api_key.get_secret_value()
        if settings.api_key_file is None:
            return None
        try:
            return settings.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise AESGStorageError(f"The file of the setting api_key_file cannot be read: {error}") from None

    def call(self, doing: str, method: Callable[..., Any], request: Any) -> Any:
        """The answer to a request. AESGStorageError, in time, if there is none; ``doing`` says what was wanted."""
        self._require_ours()
        try:
            return self._called(method, request)
        except grpc.RpcError as error:
            first = error
        code = first.code()
        if code in REFUSED and self._settings.api_key_file is not None:
            with self._lock:  # it may have been rotated
                self._key = self._read_key()
        elif code is not grpc.StatusCode.UNAVAILABLE or not self._answered:
            raise self._told(doing, first) from None
        # A channel notices only by a call that the server went away; the next one connects anew.
        try:
            return self._called(method, request)
        except grpc.RpcError as again:
            raise self._told(doing, again) from None

    def _called(self, method: Callable[..., Any], request: Any) -> Any:
        key = self._key
        metadata = (("api-key", key),) if key is not None else ()
        settings = self._settings
        seconds = (
            settings.request_timeout if self._answered else min(settings.connect_timeout, settings.request_timeout)
        )
        answer = method(request, timeout=seconds, metadata=metadata)
        self._answered = True
        return answer

    def _told(self, doing: str, error: grpc.RpcError) -> ServerError:
        code, details = error.code(), error.details() or ""
        if self._key:
            details = details.replace(self._key, "**********")
        said = f"{code.name}: {details}" if details else code.name
        return ServerError(f"Cannot {doing} on the Qdrant server {self.address}: {said}{HINTS.get(code, '')}", code)

    def _require_ours(self) -> None:
        if self._closed:
            raise AESGStorageError(f"The connection to the Qdrant server {self.address} is closed")
        if os.getpid() != self._process:
            raise AESGStorageError(
                f"The connection to the Qdrant server {self.address} belongs to process {self._process}, and this is "
                "its forked child: open the memory here anew"
            )

    def version(self) -> str:
        """The server's version."""
        answer = self.call("ask for the version", self.server.HealthCheck, qdrant_pb2.HealthCheckRequest())
        return str(answer.version)

    def close(self) -> None:
        """Let go of the channel. Closing twice is allowed."""
        if not self._closed and os.getpid() == self._process:
            self._channel.close()
        self._closed = True
