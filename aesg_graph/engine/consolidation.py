"""Consolidation and capacity: the epoch moves on, and what has faded or exceeds the capacity is pruned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aesg_graph import aging
from aesg_graph.concepts import Doubles, Ids
from aesg_graph.config import AESGConfig
from aesg_graph.engine.residency import Residency
from aesg_graph.engine.tenure import Lease
from aesg_graph.engine.writing import Recorder
from aesg_graph.learning import LearningRules
from aesg_graph.learning.aging import consolidate, plan_capacity, prune_quota

MARGIN = 2
"""How many times more candidates are asked of the graph store than may be pruned: some were used since."""


@dataclass(frozen=True)
class Consolidation:
    """What one consolidation did: the epoch that it began, and how many concepts it pruned."""

    epoch: int
    pruned: int


class Caretaker:
    """Plans consolidation and capacity from what cache and graph say, and records them."""

    def __init__(self, recorder: Recorder, residency: Residency, config: AESGConfig, lease: Lease) -> None:
        self.recorder = recorder
        self.residency = residency
        self.config = config
        self.lease = lease

    def consolidate(self, rules: LearningRules) -> Consolidation | None:
        """Epoch + 1; in modes that prune, what is due goes, weakest first, within ``max_prune_fraction``.

        None while another process looks after the memory.
        """
        tenure = self.lease.hold()
        if tenure is None:
            return None
        epoch, before = self.recorder.epoch, self.recorder.concepts
        due = self.due(epoch + 1, prune_quota(before, rules))
        self.recorder.record_in_parts(consolidate(due, before, epoch, rules), tenure.fence)
        return Consolidation(epoch + 1, before - self.recorder.concepts)

    def keep_capacity(self, rules: LearningRules) -> int:
        """Prune the weakest concepts over ``max_concepts``, in modes that prune; how many went."""
        excess = rules.excess(self.recorder.concepts)
        tenure = self.lease.hold() if excess > 0 else None
        if tenure is None:
            return 0
        before = self.recorder.concepts
        ids, fades = self.weakest(excess)
        self.recorder.record_in_parts(plan_capacity(ids, fades, excess), tenure.fence)
        return before - self.recorder.concepts

    def due(self, epoch: int, limit: int) -> Ids:
        """What may be pruned in ``epoch``, weakest first; where rows are resident the cache decides, being ahead."""
        if limit <= 0:
            return np.empty(0, np.int64)
        with self.recorder.lock:
            if self.residency.cache.complete:
                return self.residency.cache.due(epoch, limit)[0]
            here, fades = self.residency.cache.due(epoch)
            stored = self.residency.graph.due(epoch, limit * MARGIN + self.residency.cache.resident)
            here, fades = self._joined(here, fades, stored)
        return here[np.lexsort((here, fades))][:limit]

    def weakest(self, count: int) -> tuple[Ids, Doubles]:
        """The ``count`` weakest concepts and their ``fades_at``."""
        with self.recorder.lock:
            ids, fades = self.residency.cache.weakest(count)
            if self.residency.cache.complete:
                return ids, fades
            stored, _ = self.residency.graph.weakest(count + self.residency.cache.resident)
            ids, fades = self._joined(ids, fades, stored)
        order = np.lexsort((ids, fades))[:count]
        return ids[order], fades[order]

    def _joined(self, here: Ids, fades: Doubles, stored: Ids) -> tuple[Ids, Doubles]:
        """Resident candidates and those of the graph store that are not resident (nothing is pending on these)."""
        absent = self.residency.known(stored[self.residency.cache.lookup(stored) < 0])
        rows = self.residency.graph.read(absent, edges=False).concepts
        limits = self.config.thresholds
        return (
            np.concatenate([here, rows.ids]),
            np.concatenate([fades, aging.fades_at(rows.relevance, rows.touched_epoch, limits)]),
        )
