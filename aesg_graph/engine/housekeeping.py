"""What nobody waits for: vectors that removed concepts left behind go, and old tombstones are forgotten."""

from __future__ import annotations

import time

from aesg_graph.engine.residency import Residency
from aesg_graph.engine.tenure import Lease

EVERY = 3600.0
"""Seconds from one round to the next; the first comes soon after opening."""
SWEEP = 1000
"""Tombstones that are swept at once."""


class Housekeeper:
    """Looks after what removal leaves, now and then, on the flusher's thread, in one process at a time."""

    def __init__(self, residency: Residency, lease: Lease, retention: float) -> None:
        self._residency = residency
        self._lease = lease
        self._retention = retention
        self._next = 0.0
        self._hastened = False
        self.forgotten = 0
        """Tombstones that this process has dropped."""

    def hasten(self) -> None:
        """Concepts were removed by hand, past every flusher: their vectors are to go the next time."""
        self._hastened = True

    def tend(self) -> None:
        """Sweep and forget, if it is time and nobody else does. Raises AESGStorageError if a store fails."""
        if self._hastened:
            self._sweep_now()
        if time.monotonic() < self._next:
            return
        with self._lease.held() as tenure:
            if tenure is not None:
                self._sweep()
                self.forgotten += self._residency.graph.forget(time.time() - self._retention)
        self._next = time.monotonic() + EVERY

    def _sweep_now(self) -> None:
        """Sweep unless another process does maintenance, which hears of it too; until it has, this one tries again."""
        if self._residency.graph.unswept(1).size:
            with self._lease.held() as tenure:
                if tenure is None:
                    return
                self._sweep()
        self._hastened = False

    def _sweep(self) -> None:
        """Delete vectors of removed concepts that nobody has said are gone: no flusher did it, or it died before."""
        graph = self._residency.graph
        while (ids := graph.unswept(SWEEP)).size:
            self._residency.vectors().delete(ids)
            graph.apply([], ids)
