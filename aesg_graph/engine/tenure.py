"""Who does maintenance: one process at a time, under a lease that the graph store gives and takes by its own clock.

A holder that dies or is paused loses the lease; what it had planned under it carries the old fence number, and the
store refuses that. In the embedded engine there is nobody to share with.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import Shared

log = logging.getLogger("aesg_graph")

RENEWED_AFTER = 1 / 3
"""The share of a lease's time after which it is renewed."""


@dataclass(frozen=True)
class Tenure:
    """The right to do maintenance now. ``fence`` goes with every batch of it; None where no other process writes."""

    fence: int | None


class Lease:
    """This process's side of the memory's lease."""

    def __init__(self, shared: Shared | None, holder: Callable[[], str], seconds: float) -> None:
        self._shared = shared
        self._holder = holder
        self._seconds = seconds
        self._fence: int | None = None
        self._renewed = 0.0

    def hold(self) -> Tenure | None:
        """The right to do maintenance, taken or kept; None while another process has it, or no server answers."""
        if self._shared is None:
            return Tenure(None)
        if self._fence is None or time.monotonic() - self._renewed > self._seconds * RENEWED_AFTER:
            try:
                self._take(self._shared)
            except AESGStorageError as error:
                log.warning("maintenance is put off: %s", error.message)
                return None
        return None if self._fence is None else Tenure(self._fence)

    @contextlib.contextmanager
    def held(self) -> Iterator[Tenure | None]:
        """The right to do maintenance for a moment; let go of afterwards if this process did not have it before."""
        before = self._fence
        try:
            yield self.hold()
        finally:
            if before is None:
                self.release()

    def _take(self, shared: Shared) -> None:
        asked = time.monotonic()  # it runs from before the answer
        self._fence = shared.acquire(self._holder(), self._seconds)
        self._renewed = asked

    def keep(self) -> None:
        """Renew the lease if this process has it, and it is time."""
        if self._fence is not None:
            self.hold()

    def release(self) -> None:
        """Let another process have it. A server that does not answer takes it back in time."""
        if self._shared is not None and self._fence is not None:
            fence, self._fence = self._fence, None
            try:
                self._shared.release(fence)
            except AESGStorageError as error:
                log.info("the lease runs out by itself: %s", error.message)
