"""Faults on command: a file says what the server does wrong, and for how many calls.

The test writes the file, the server reads it before each call: it needs no second channel, and survives a restart. The
server never writes it, so a fault that was cleared stays cleared; it counts in a file beside.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from qdrant_client import grpc as q
from qdrant_client.grpc import collections_service_pb2, points_service_pb2, qdrant_pb2

POLL = 0.02
ACTIONS = ("refuse", "hang", "die", "lose", "die after", "late")
METHODS = frozenset(
    name
    for file in (collections_service_pb2, points_service_pb2, qdrant_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods_by_name
    for name in (method, f"{service.name}/{method}")
)
HEALTH = "/qdrant.Qdrant/HealthCheck"


class FaultFile:
    """What is to go wrong, as the test says it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._counting = threading.Lock()

    def set(self, action: str, method: str = "", times: int = 1 << 30, code: str = "UNAVAILABLE") -> None:
        """From now on ``times`` calls of ``method`` (any if empty) go wrong; it takes the place of an earlier fault.

        ``action``: "refuse" (not done, an error), "hang" (no answer until :meth:`clear`, and done only then), "die"
        (not done, SIGKILL), "lose" (done, but an error is answered), "die after" (done, then SIGKILL before the
        answer), "late" (a write that is said to be in the log, but not applied yet). ``method``: "Upsert", or
        "Points/Get" where two services have one of that name. ValueError for what does not exist.
        """
        if action not in ACTIONS or (method and method not in METHODS) or not hasattr(grpc.StatusCode, code):
            raise ValueError(f"no such fault: {action!r} of the method {method!r} with the code {code!r}")
        draft = self.path.with_suffix(".new")
        fault = {"id": uuid.uuid4().hex, "action": action, "method": method, "times": times, "code": code}
        draft.write_text(json.dumps(fault))
        os.replace(draft, self.path)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.path.unlink(missing_ok=True)

    def stands(self, fault: dict[str, Any]) -> bool:
        """Whether this fault is still what the test says."""
        known = self._read()
        return known is not None and known["id"] == fault["id"]

    def take(self, method: str) -> dict[str, Any] | None:
        """The fault for a call of ``method`` ("Points/Get") that is about to be done, counted; None for none."""
        fault = self._read()
        if fault is None or fault["method"] not in ("", method, method.rsplit("/", 1)[-1]):
            return None
        count = self.path.with_suffix(f".{fault['id']}")
        with self._counting, open(count, "ab") as taken:
            if taken.tell() >= fault["times"]:
                return None
            taken.write(b".")
        return fault

    def _read(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return None


class FaultInterceptor(grpc.ServerInterceptor):  # type: ignore[misc, type-arg]
    """Does to calls what the fault file says."""

    def __init__(self, faults: FaultFile) -> None:
        self.faults = faults

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        if handler is None or not handler.unary_unary:
            return handler
        done = self._faulty(handler.unary_unary, details.method.rsplit(".", 1)[-1])
        return grpc.unary_unary_rpc_method_handler(done, handler.request_deserializer, handler.response_serializer)

    def _faulty(self, call: Callable[[Any, Any], Any], method: str) -> Callable[[Any, Any], Any]:
        def done(request: Any, context: Any) -> Any:
            fault = self.faults.take(method)
            if fault is None:
                return call(request, context)
            action, code = fault["action"], getattr(grpc.StatusCode, fault["code"])
            if action == "die":
                os.kill(os.getpid(), 9)
            if action == "refuse":
                context.abort(code, "refused on command")
            while action == "hang" and self.faults.stands(fault):
                time.sleep(POLL)
            answer = call(request, context)
            if action == "die after":
                os.kill(os.getpid(), 9)
            if action == "lose":
                context.abort(code, "done, but the answer is lost on command")
            if action == "late":
                results = answer.result if hasattr(answer.result, "add") else [answer.result]
                for result in results:
                    result.status = q.UpdateStatus.WaitTimeout
            return answer

        return done


class KeyInterceptor(grpc.ServerInterceptor):  # type: ignore[misc, type-arg]
    """Refuses calls without the API key that a file holds, with Qdrant's codes and words; its health anyone may ask."""

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        given = dict(details.invocation_metadata).get("api-key")
        if details.method == HEALTH or given == self.key_file.read_text().strip():
            return continuation(details)
        missing, wrong = "Must provide an API key or an Authorization bearer token", "Invalid API key or JWT"

        def refused(request: Any, context: Any) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, missing if given is None else wrong)

        return grpc.unary_unary_rpc_method_handler(refused)
