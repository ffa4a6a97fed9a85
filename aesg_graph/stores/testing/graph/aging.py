# ruff: noqa: D102 - a test says in its name what it shows
"""Lazy aging gives what aging every concept in every epoch would give."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from aesg_graph.aging import RELEVANCE_FLOOR, current
from aesg_graph.operations import Advance
from aesg_graph.stores.abc import GraphStore
from aesg_graph.stores.testing.graph.building import LIMITS, Scribe, row, touch

EPOCHS = 45


class EagerConcept:
    """A concept that ages the dumb way: its whole life is played again, epoch by epoch, whenever it is asked for."""

    def __init__(self, born: int) -> None:
        self.born = born
        self.uses: dict[int, int] = defaultdict(int)
        self.contradictions = 0

    def relevance(self, epoch: int) -> float:
        """Relevance in ``epoch``, from all uses known by now."""
        relevance = 1.0 + LIMITS.relevance_boost * self.uses[self.born]
        for passing in range(self.born + 1, epoch + 1):
            relevance = relevance * LIMITS.relevance_decay + LIMITS.relevance_boost * self.uses[passing]
        return max(RELEVANCE_FLOOR, relevance)

    def is_due(self, epoch: int) -> bool:
        """Whether it may be pruned in ``epoch``."""
        return (
            epoch - self.born > LIMITS.survival_min_age
            and self.relevance(epoch) < LIMITS.survival_threshold_relevance
            and sum(self.uses.values()) - self.contradictions < LIMITS.survival_threshold_frequency
        )


class AgingTests:
    """Lazy against eager."""

    @pytest.mark.parametrize("seed", range(4))
    def test_lazy_aging_equals_eager_aging(self, store: GraphStore, seed: int) -> None:
        rng = np.random.default_rng(seed)
        scribe = Scribe(store)
        twins: dict[int, EagerConcept] = {}
        for epoch in range(EPOCHS):
            if epoch < 8:
                twins |= {id: EagerConcept(epoch) for id in scribe.create(3, epoch=epoch).tolist()}
            for id, twin in twins.items():
                if rng.random() < 0.06:
                    when = int(rng.integers(max(twin.born, epoch - 4), epoch + 1))  # up to four epochs late
                    uses, against = int(rng.integers(0, 3)), int(rng.integers(0, 2))
                    scribe.write(touch([id], uses, against, epoch=when))
                    twin.uses[when] += uses
                    twin.contradictions += against
            due = [id for id, twin in twins.items() if twin.is_due(epoch)]
            assert sorted(store.due(epoch, 100).tolist()) == due, epoch
            scribe.write(Advance(epoch + 1))
        assert due
        assert len(due) < len(twins)
        for id, twin in twins.items():
            found = row(store, id)
            now = float(current(found.relevance, found.touched_epoch, EPOCHS, LIMITS))
            assert now == pytest.approx(twin.relevance(EPOCHS), rel=1e-9)
        weakest = store.weakest(100)[0].tolist()
        strengths = [twins[id].relevance(EPOCHS) for id in weakest]
        assert strengths == pytest.approx(sorted(strengths), rel=1e-9)
