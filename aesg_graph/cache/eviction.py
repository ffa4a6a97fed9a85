"""Who makes room: the least recently used concepts that owe the stores nothing."""

from __future__ import annotations

import numpy as np

from aesg_graph.cache.layout import ACKNOWLEDGED, COMPLETE, HELD, RESIDENT, Slots
from aesg_graph.cache.residents import Residents
from aesg_graph.cache.slabs import Slabs

SMALLEST_CAPACITY = 64
BATCH_SHARE = 8
"""One eighth of the residents leaves at a time: eviction looks at all rows, so it must not happen for every one."""
USUAL_ARCS = 16


class Eviction:
    """Keeps a cache within its capacity."""

    def __init__(self, slabs: Slabs, residents: Residents, capacity_bytes: int) -> None:
        self.slabs, self.residents = slabs, residents
        self.capacity_bytes = capacity_bytes
        self.evicted = 0

    @property
    def capacity(self) -> int:
        """About how many concepts fit, with as many edges as those that are here have."""
        state = self.slabs.state
        arcs = state[HELD] / state[RESIDENT] if state[RESIDENT] else USUAL_ARCS
        each = self.slabs.row_bytes + arcs * self.slabs.arc_bytes
        return max(SMALLEST_CAPACITY, int(self.capacity_bytes // each))

    def fits(self, concepts: int, edges: int) -> bool:
        """Whether so many concepts and edges would fit into an empty cache. Blocks are on average 3/4 full."""
        arcs = 2 * edges * 4 // 3
        size = concepts * self.slabs.row_bytes + arcs * self.slabs.arc_bytes
        return concepts <= SMALLEST_CAPACITY or size <= self.capacity_bytes

    def make_room(self, count: int, arcs: int, keep: Slots) -> None:
        """Evict until ``count`` more concepts with ``arcs`` more arcs fit, or only pinned ones and ``keep`` are left.

        Then the cache outgrows its capacity: a lesson never waits for the stores.
        """
        while (excess := self._excess(count, arcs)) > 0:
            victims = self._victims(max(excess, int(self.slabs.state[RESIDENT]) // BATCH_SHARE), keep)
            if not len(victims):
                return
            self.evict(victims)

    def evict(self, slots: Slots) -> None:
        """Let concepts go that the stores know as they are."""
        if len(slots):
            self.residents.leave(slots, cool=True)
            self.slabs.state[COMPLETE] = 0
            self.evicted += len(slots)

    def _excess(self, count: int, arcs: int) -> int:
        """How many concepts are too many, at least."""
        slabs, state = self.slabs, self.slabs.state
        resident = int(state[RESIDENT])
        if resident + count <= SMALLEST_CAPACITY:
            return 0
        over = slabs.used_bytes() + count * slabs.row_bytes + arcs * slabs.arc_bytes - self.capacity_bytes
        if over <= 0:
            return 0
        each = slabs.used_bytes() // max(1, resident)
        return min(-(-over // max(1, each)), resident + count - SMALLEST_CAPACITY)

    def _victims(self, count: int, keep: Slots) -> Slots:
        slabs = self.slabs
        free_to_go = slabs.ids[: slabs.slots] >= 0
        free_to_go &= slabs.pending[: slabs.slots] <= slabs.state[ACKNOWLEDGED]
        free_to_go[keep[keep >= 0]] = False
        candidates = np.flatnonzero(free_to_go).astype(np.int32)
        if len(candidates) > count:
            used = slabs.used[candidates]
            candidates = candidates[np.argpartition(used, count - 1)[:count]]
        return candidates
