"""Faults on command: a file says what the server does wrong, and for how many calls.

The test writes the file, the server reads it before each call: it needs no second channel, and survives a restart.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from qdrant_client import grpc as q

POLL = 0.02


class FaultFile:
    """What is to go wrong, as the test says it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, action: str, method: str = "", times: int = 1 << 30, code: str = "UNAVAILABLE") -> None:
        """From now on ``times`` calls of ``method`` (any if empty) go wrong.

        ``action``: "refuse" (not done, an error), "hang" (not done, no answer until :meth:`clear`), "die" (not done,
        SIGKILL), "lose" (done, but an error is answered), "die after" (done, then SIGKILL before the answer),
        "late" (a write that is said to be in the log, but not applied yet).
        """
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps({"action": action, "method": method, "times": times, "code": code}))
        os.replace(draft, self.path)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.path.unlink(missing_ok=True)

    def take(self, method: str) -> dict[str, Any] | None:
        """The fault for a call that is about to be done, counted down; None for none."""
        try:
            fault = dict(json.loads(self.path.read_text()))
        except (OSError, ValueError):
            return None
        if fault["method"] not in ("", method) or fault["times"] <= 0:
            return None
        self.set(fault["action"], fault["method"], fault["times"] - 1, fault["code"])
        return fault


class FaultInterceptor(grpc.ServerInterceptor):  # type: ignore[misc, type-arg]
    """Does to calls what the fault file says."""

    def __init__(self, faults: FaultFile) -> None:
        self.faults = faults

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        if handler is None or not handler.unary_unary:
            return handler
        method = details.method.rsplit("/", 1)[-1]
        done = self._faulty(handler.unary_unary, method)
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
            while action == "hang" and self.faults.path.exists():
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
    """Refuses calls without the API key that a file holds, as Qdrant does."""

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        if dict(details.invocation_metadata).get("api-key") == self.key_file.read_text().strip():
            return continuation(details)

        def refused(request: Any, context: Any) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid API key or JWT")

        return grpc.unary_unary_rpc_method_handler(refused)
