"""Deadlines for what the driver waits for without end: it has no read timeout of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Deadline:
    """A moment that moves on with every answer; once it has passed, ``expire`` is called from the watch's thread."""

    def __init__(self, seconds: float, expire: Callable[[], None]) -> None:
        self.seconds = seconds
        self.expire = expire
        self.passed = False
        self.extend()

    def extend(self) -> None:
        """The server answered: it has as long again for the next answer."""
        self.at = time.monotonic() + self.seconds


class Watch:
    """One thread, started when first needed, that calls what has expired."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: set[Deadline] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def limit(self, seconds: float, expire: Callable[[], None]) -> Iterator[Deadline]:
        """Within it, ``expire`` is called once no answer has come for so long."""
        deadline = Deadline(seconds, expire)
        with self._changed:
            self._watched.add(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="aesg-neo4j-deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield deadline
        finally:
            with self._changed:
                self._watched.discard(deadline)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                passed = [deadline for deadline in self._watched if deadline.at <= now]
                self._watched.difference_update(passed)
                if not passed:
                    soonest = min((deadline.at for deadline in self._watched), default=None)
                    self._changed.wait(None if soonest is None else soonest - now)
            for deadline in passed:
                deadline.passed = True
                deadline.expire()
