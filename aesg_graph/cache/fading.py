"""Which concepts have faded: what may be pruned, and who is weakest. Columns are read in chunks, never copied whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aesg_graph import aging
from aesg_graph.aging import Thresholds
from aesg_graph.cache.layout import NEXT_DUE, RESIDENT, Slots
from aesg_graph.cache.slabs import Slabs
from aesg_graph.concepts import Doubles, Ids

CHUNK = 1 << 15
UNKNOWN = 0
NOTHING_EVER = np.iinfo(np.int64).max
SLACK = 1
"""Rounding may make a row expire an epoch earlier after a touch that added nothing."""


Place = Ids | Slots | slice


class Fading:
    """Aging as seen from the cache's columns.

    The header keeps the earliest epoch in which anything can be due, so that a consolidation with nothing to prune
    costs nothing. It is lowered by what is created and by contradictions (uses only put expiry off), becomes unknown
    when rows are read from the stores, and is found anew by the next look at all rows.
    """

    def __init__(self, slabs: Slabs, limits: Thresholds) -> None:
        self.slabs, self.limits = slabs, limits

    def adopt_limits(self) -> None:
        """The bound that is on disk may hold for other thresholds: then forget it."""
        header = self.slabs.header
        now = [float(n) for n in vars(self.limits).values()]
        if header.limits != now:
            header.begin()
            header.limits = now
            self.forget_bound()

    def forget_bound(self) -> None:
        """Rows have changed in unknown ways."""
        self.slabs.state[NEXT_DUE] = UNKNOWN

    def nobody_is_here(self) -> None:
        """The cache is empty."""
        self.slabs.state[NEXT_DUE] = NOTHING_EVER

    def changed(self, slots: Ids | Slots) -> None:
        """Rows may expire earlier than before."""
        if len(slots) and self.slabs.state[NEXT_DUE] != UNKNOWN:
            self._lower(self._expiry(slots))

    def born(self, epoch: int) -> None:
        """Concepts have been born in ``epoch``."""
        if self.slabs.state[NEXT_DUE] != UNKNOWN:
            self._lower(aging.expires_epoch([1.0], [epoch], [epoch], [0], [0], self.limits))

    def _lower(self, expiry: Ids) -> None:
        expiry = expiry[expiry != aging.NEVER]
        if len(expiry):
            bound = max(UNKNOWN + 1, int(expiry.min()) - SLACK)
            self.slabs.state[NEXT_DUE] = min(int(self.slabs.state[NEXT_DUE]), bound)

    def _expiry(self, place: Place) -> Ids:
        life = self.slabs.lives[place]
        return aging.expires_epoch(
            life["relevance"],
            life["touched_epoch"],
            life["born_epoch"],
            life["use_frequency"],
            life["contradictions"],
            self.limits,
        )

    def _chunks(self) -> Iterator[slice]:
        for first in range(0, self.slabs.slots, CHUNK):
            yield slice(first, min(first + CHUNK, self.slabs.slots))

    def may_go(
        self, slots: Slots, epoch: int | None, fades_at: Doubles | None
    ) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of ``slots`` a Prune may still take."""
        allowed = np.ones(len(slots), np.bool_)
        if epoch is not None:
            expiry = self._expiry(slots)
            allowed &= (expiry != aging.NEVER) & (expiry <= epoch)
        if fades_at is not None:
            allowed &= self.fades_at(slots) <= fades_at
        return allowed

    def fades_at(self, place: Place) -> Doubles:
        """When relevance was or will be 1."""
        life = self.slabs.lives[place]
        return aging.fades_at(life["relevance"], life["touched_epoch"], self.limits)

    def due(self, epoch: int, limit: int | None) -> tuple[Ids, Doubles]:
        """Resident concepts that may be pruned in ``epoch`` and their ``fades_at``, weakest first, ties by id."""
        state = self.slabs.state
        if state[NEXT_DUE] != UNKNOWN and epoch < state[NEXT_DUE]:
            return np.empty(0, np.int64), np.empty(0, np.float64)
        found = []
        self.slabs.header.begin()
        state[NEXT_DUE] = NOTHING_EVER
        for chunk in self._chunks():
            life = self.slabs.lives[chunk]
            little_used = life["use_frequency"] - life["contradictions"] < self.limits.survival_threshold_frequency
            candidates = chunk.start + np.flatnonzero(little_used & (self.slabs.ids[chunk] >= 0))
            expiry = self._expiry(candidates)
            self._lower(expiry)
            found.append(candidates[(expiry != aging.NEVER) & (expiry <= epoch)])
        slots = np.concatenate([np.empty(0, np.int64), *found])
        return self._weakest_of(self.slabs.ids[slots], self.fades_at(slots), limit)

    def weakest(self, limit: int) -> tuple[Ids, Doubles]:
        """The weakest resident concepts and their ``fades_at``, weakest first, ties by id."""
        count = int(self.slabs.state[RESIDENT])
        ids, fades = np.empty(count, np.int64), np.empty(count, np.float64)
        done = 0
        for chunk in self._chunks():
            resident = np.flatnonzero(self.slabs.ids[chunk] >= 0)
            ids[done : done + len(resident)] = self.slabs.ids[chunk][resident]
            fades[done : done + len(resident)] = self.fades_at(chunk)[resident]
            done += len(resident)
        return self._weakest_of(ids[:done], fades[:done], limit)

    @staticmethod
    def _weakest_of(ids: Ids, fades: Doubles, limit: int | None) -> tuple[Ids, Doubles]:
        if limit is not None and 0 < limit < len(ids):
            # Everything up to the limit-th value, so that ties there are settled by id.
            weak = np.flatnonzero(fades <= np.partition(fades, limit - 1)[limit - 1])
            ids, fades = ids[weak], fades[weak]
        order = np.lexsort((ids, fades))[:limit]
        return ids[order], fades[order]
