"""What the compiled kernel needs besides the graph: memory for its workers, and the workers themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from aesg_graph.activation.pulses import Scratch

MISSING_CAPACITY = 1 << 16
PARALLEL_ABOVE = 16000
FIRST_GUESS = 500


class Workspaces:
    """Scratch memory that spreads reuse, and a pool of threads that large batches share. Many threads may use it.

    Each worker's memory is 4 bytes a slot, plus 28 bytes a visited node; it is made when first needed and grows with
    the graph. The threads are started by the first batch that is worth it.

    Parameters
    ----------
    workers: how many threads may work on one batch, the caller's own included; by default one a core, at most 4.
    parallel_above: how many visited nodes a batch must be expected to have before it is split.
    missing_capacity: how many missing ids a worker can report in one call.
    """

    def __init__(
        self,
        workers: int | None = None,
        parallel_above: int = PARALLEL_ABOVE,
        missing_capacity: int = MISSING_CAPACITY,
    ) -> None:
        self.workers = max(1, min(4, os.cpu_count() or 1) if workers is None else workers)
        self.parallel_above = parallel_above
        self.missing_capacity = missing_capacity
        self._free: list[Scratch] = []
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._visited_per_row = float(FIRST_GUESS)

    def take(self, slots: int, picks: int) -> Scratch:
        """Clean scratch memory for ``slots`` and for selections of ``picks``; give it back clean, or not at all."""
        with self._lock:
            scratch = self._free.pop() if self._free else None
        if scratch is not None and len(scratch.number) >= slots and len(scratch.picks) >= picks:
            scratch.counts[:] = 0
            return scratch
        # Untouched pages of these cost nothing, so they may be as large as the graph.
        return Scratch(
            number=np.zeros(slots, np.int32),
            visited=np.empty(slots, np.int32),
            energy=np.empty((slots, 3), np.float64),
            strengths=np.empty(picks, np.float64),
            pick_ids=np.empty(picks, np.int64),
            pick_arcs=np.empty(picks, np.int64),
            picks=np.empty(picks, np.int64),
            missing_rows=np.empty(self.missing_capacity, np.int64),
            missing_edges=np.empty(self.missing_capacity, np.int64),
            counts=np.zeros(4, np.int64),
        )

    def give(self, scratch: Scratch) -> None:
        """Take scratch memory back; what the workers of one batch need is kept."""
        with self._lock:
            if len(self._free) < self.workers:
                self._free.append(scratch)

    def parts(self, rows: int) -> list[tuple[int, int]]:
        """How to split a batch of ``rows``: first and last row (not included) of each part."""
        if rows < 2 or self.workers == 1 or rows * self._visited_per_row <= self.parallel_above:
            return [(0, rows)]
        # Two parts a worker even out rows of unequal cost.
        bounds = np.linspace(0, rows, min(rows, 2 * self.workers) + 1).astype(int).tolist()
        return list(pairwise(bounds))

    def observe(self, rows: int, visited: int) -> None:
        """Remember how large spreads are here, which decides whether the next batch is split."""
        if rows:
            self._visited_per_row += 0.2 * (visited / rows - self._visited_per_row)

    def run(self, work: Callable[[int, int], None], parts: list[tuple[int, int]]) -> None:
        """Call ``work`` on each part: on this thread alone if there is one, else with the pool's help."""
        if len(parts) == 1:
            work(*parts[0])
            return
        waiting = parts[::-1]

        def help_out() -> None:
            while waiting:
                try:
                    part = waiting.pop()
                except IndexError:  # another thread was faster
                    return
                work(*part)

        helpers = min(self.workers, len(parts)) - 1
        futures = [self._threads().submit(help_out) for _ in range(helpers)]
        try:
            help_out()
        finally:
            waiting.clear()
            for future in futures:
                if not future.cancel():
                    future.result()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max(1, self.workers - 1), thread_name_prefix="aesg-spread")
            return self._pool

    def close(self) -> None:
        """Stop the threads and release the memory. A spread may follow, which starts over."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._free.clear()
        if pool is not None:
            pool.shutdown()
