"""A connection to the server: one gRPC channel, deadlines, the API key, and a second try where it is worth one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

import grpc
from qdrant_client import grpc as q

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.qdrant.faults import REFUSED, UNREACHED, place, storage_error

REST_PORT = 6333
OLDEST = (1, 17)
"""The first version with conditional upserts that can also be told to make no points. Older ones ignore both."""


class ApiKey:
    """The API key, read again from its file when the server refuses the one known."""

    def __init__(self, settings: StoreSettings) -> None:
        self._file = settings.api_key_file
        if settings.api_key is not None:
            self.known: str | None = _checked(settings.api_key.get_secret_value(), "the setting api_key")
        else:
            self.known = self._read()

    def changed_since(self, refused: str | None) -> bool:
        """Read the file again: whether it holds another key than the one that was refused."""
        if self._file is None:
            return False
        self.known = self._read()
        return self.known != refused

    def _read(self) -> str | None:
        if self._file is None:
            return None
        try:
            return _checked(self._file.read_text(encoding="utf-8").strip(), f"api_key_file {self._file}")
        except (OSError, UnicodeDecodeError) as error:
            # Not the error itself where it is about the content: it would quote it.
            said = error.strerror if isinstance(error, OSError) else "it is no text"
            raise AESGStorageError(f"Cannot read api_key_file {self._file}: {said}") from None


def _checked(key: str, where: str) -> str:
    if not key or not key.isascii() or not key.isprintable():
        raise AESGStorageError(f"Cannot use the key in {where}: expected visible ASCII characters, at least one")
    return key


class Line:
    """One channel and its stubs."""

    def __init__(self, settings: StoreSettings) -> None:
        self.channel = _channel(settings)
        self.points: Any = q.PointsStub(self.channel)  # type: ignore[no-untyped-call]
        self.collections: Any = q.CollectionsStub(self.channel)  # type: ignore[no-untyped-call]
        self.server: Any = q.QdrantStub(self.channel)  # type: ignore[no-untyped-call]
        self.answered = self.retired = False
        self.users = 0


def _channel(settings: StoreSettings) -> Any:
    host, port = _address(settings)
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        # What gRPC calls the least time between two attempts is also how long one attempt may take.
        ("grpc.min_reconnect_backoff_ms", max(1, round(settings.connect_timeout * 1000))),
        # A new channel must try at once, whatever befell an old one to the same address.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if urlsplit(str(settings.vectors)).scheme == "https":
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
    return grpc.insecure_channel(target, options)


def _address(settings: StoreSettings) -> tuple[str, int]:
    """Host and gRPC port."""
    parts = urlsplit(settings.vectors or "")
    if not parts.hostname or settings.memory is None:
        raise AESGStorageError("The settings vectors and memory name no collection; expected an address and a name")
    return parts.hostname, settings.grpc_port or (parts.port or REST_PORT) + 1


class Connection:
    """The way to one server. The channel is made when first needed, and anew after it failed.

    Every call is harmless to repeat, so one that loses a connection which has worked before (the server was started
    anew) is tried once more at once. A child that was forked cannot use it: gRPC's threads are not there.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self._key = ApiKey(settings)
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._closed = False
        self._process = os.getpid()
        _address(settings)

    def call(self, doing: str, method: str, request: Any, seconds: float | None = None) -> Any:
        """Call a method ("points.Upsert"), and give its answer; AESGStorageError if there is none in time."""
        give_up = time.monotonic() + (self.settings.request_timeout if seconds is None else seconds)
        tried: set[str] = set()
        while True:
            key = self._key.known
            metadata = () if key is None else (("api-key", key),)
            with self._borrowed(doing) as line:
                try:
                    left = max(0.001, give_up - time.monotonic())
                    answer = attrgetter(method)(line)(request, timeout=left, metadata=metadata)
                    line.answered = True
                    return answer
                except grpc.RpcError as error:
                    reason = self._worth_another_try(error.code(), line, key)
                    if reason is None or reason in tried:
                        raise storage_error(self.settings, doing, error) from error
                    tried.add(reason)

    def _worth_another_try(self, code: grpc.StatusCode, line: Line, key: str | None) -> str | None:
        """Why it is, None if it is not."""
        if code in UNREACHED or code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._retire(line)
        if code in UNREACHED and line.answered:
            return "the connection was lost"
        if code in REFUSED and self._key.changed_since(key):
            return "there is another key"
        return None

    @contextmanager
    def _borrowed(self, doing: str) -> Iterator[Line]:
        if os.getpid() != self._process:
            forked = "this process was forked from the one that opened it"
            raise AESGStorageError(f"Cannot {doing} {place(self.settings)}: {forked}")
        with self._lock:
            if self._closed:
                raise AESGStorageError(f"Cannot {doing} {place(self.settings)}: it is closed")
            if self._line is None:
                self._line = Line(self.settings)
            line = self._line
            line.users += 1
        try:
            yield line
        finally:
            with self._lock:
                line.users -= 1
                unused = line.retired and not line.users
            if unused:
                line.channel.close()

    def _retire(self, line: Line) -> None:
        """Use another channel from now on; the last of its users closes this one."""
        with self._lock:
            line.retired = True
            if self._line is line:
                self._line = None

    def expect_version(self) -> None:
        """AESGStorageError for a server that is too old."""
        found = self.version()
        if release(found) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise AESGStorageError(
                f"Cannot use {place(self.settings)}: the server is Qdrant {found}, expected {oldest} or later"
            )

    def version(self) -> str:
        """The server's version."""
        return str(self.call("ask for the version of", "server.HealthCheck", q.HealthCheckRequest()).version)

    def close(self) -> None:
        """Release everything. Closing twice is allowed; calls under way end as they would have."""
        if os.getpid() != self._process:
            return
        with self._lock:
            line, self._line, self._closed = self._line, None, True
            if line is not None:
                line.retired = True
            unused = line is not None and not line.users
        if line is not None and unused:
            line.channel.close()


def release(version: str) -> tuple[int, int]:
    """The first two numbers of a version; (0, 0) for a text that has none."""
    first = version.split("-")[0].split(".")
    try:
        return int(first[0]), int(first[1])
    except (ValueError, IndexError):
        return 0, 0
