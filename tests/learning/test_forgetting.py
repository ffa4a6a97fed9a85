"""What consolidation and capacity let go, and that lazy aging is eager aging."""

import math

import numpy as np
import pytest
from scenarios import rules

from aesg_graph import aging
from aesg_graph.learning import Mode
from aesg_graph.learning.aging import (
    PRUNE_CHUNK,
    consolidate,
    is_consolidation_due,
    plan_capacity,
    plan_consolidation,
    prune_quota,
)
from aesg_graph.operations import Advance, Prune


def test_every_interval_th_call_consolidates():
    assert [call for call in range(31) if is_consolidation_due(call, 10)] == [10, 20, 30]
    assert all(is_consolidation_due(call, 1) for call in range(1, 5))


@pytest.mark.parametrize(
    ("fraction", "count", "quota"),
    [(0.1, 100, 10), (0.1, 109, 10), (0.1, 9, 0), (0.29, 100, 29), (0.0, 100, 0), (1.0, 7, 7), (1.0, 0, 0)],
)
def test_a_consolidation_prunes_at_most_the_fraction_rounded_down(fraction, count, quota):
    chosen = rules(max_prune_fraction=fraction)
    assert prune_quota(count, chosen) == quota
    due = np.arange(count, dtype=np.int64)
    assert plan_consolidation(due, count, chosen).tolist() == list(range(quota))


def test_fewer_may_be_due_than_could_go():
    assert plan_consolidation(np.array([5, 3]), 100, rules()).tolist() == [5, 3]


def test_consolidation_moves_the_epoch_and_prunes_what_is_due_in_the_next():
    advance, prune = consolidate(np.array([8, 2, 5], np.int64), 20, 6, rules())
    assert isinstance(advance, Advance)
    assert advance.epoch == 7
    assert isinstance(prune, Prune)
    assert (prune.ids.tolist(), prune.epoch, prune.fades_at) == ([8, 2], 7, None)


@pytest.mark.parametrize("mode", [Mode.FINETUNE, Mode.ONLINE])
def test_other_learning_modes_only_move_the_epoch(mode):
    (advance,) = consolidate(np.arange(5, dtype=np.int64), 5, 6, rules(mode, max_prune_fraction=1.0))
    assert advance.epoch == 7


def test_inference_does_not_even_move_the_epoch():
    assert consolidate(np.arange(5, dtype=np.int64), 5, 6, rules(Mode.INFERENCE)) == ()


def test_no_operation_prunes_more_than_a_chunk():
    count = 2 * PRUNE_CHUNK + 1
    _, *prunes = consolidate(np.arange(count, dtype=np.int64), count, 0, rules(max_prune_fraction=1.0))
    assert [len(prune.ids) for prune in prunes] == [PRUNE_CHUNK, PRUNE_CHUNK, 1]
    assert np.concatenate([prune.ids for prune in prunes]).tolist() == list(range(count))


def test_over_capacity_the_weakest_go_as_weak_as_they_were_planned():
    (prune,) = plan_capacity(np.array([4, 9, 1]), np.array([-3.0, 0.5, 2.0]), 2)
    assert (prune.ids.tolist(), prune.fades_at.tolist(), prune.epoch) == ([4, 9], [-3.0, 0.5], None)


def test_within_capacity_nothing_goes():
    assert plan_capacity(np.array([4, 9]), np.array([1.0, 2.0]), 0) == ()
    assert plan_capacity(np.array([4, 9]), np.array([1.0, 2.0]), -5) == ()


def test_capacity_is_planned_in_chunks_that_keep_ids_and_limits_together():
    count = PRUNE_CHUNK + 3
    first, second = plan_capacity(np.arange(count), np.arange(count) / 2, count)
    assert (len(first.ids), second.ids.tolist()) == (PRUNE_CHUNK, [PRUNE_CHUNK, PRUNE_CHUNK + 1, PRUNE_CHUNK + 2])
    assert second.fades_at.tolist() == [(PRUNE_CHUNK + k) / 2 for k in range(3)]


class Eager:
    """A concept whose relevance is multiplied at every consolidation, as the aesg library does it."""

    def __init__(self, born):
        self.born, self.relevance, self.net = born, 1.0, 0


@pytest.mark.parametrize("seed", range(6))
def test_lazy_aging_equals_eager_aging_step_by_step(seed):
    rng = np.random.default_rng(seed)
    limits = aging.Thresholds(0.1, float(rng.choice([0.7, 0.9, 0.95])), 0.05, 5, int(rng.integers(0, 8)))
    eager: dict[int, Eager] = {}
    lazy: dict[int, list] = {}  # relevance, touched_epoch, born_epoch, uses, contradictions
    pruned = 0
    for epoch in range(120):
        for _ in range(int(rng.integers(0, 3))):
            new = len(eager) + pruned
            eager[new], lazy[new] = Eager(epoch), [1.0, epoch, epoch, 0, 0]
        for one in list(eager):
            if rng.random() < 0.03:
                uses, against = int(rng.integers(0, 4)), int(rng.integers(0, 2))
                eager[one].relevance += uses * limits.relevance_boost
                eager[one].net += uses - against
                relevance, touched = aging.touch(lazy[one][0], lazy[one][1], uses, epoch, limits)
                lazy[one] = [
                    float(relevance),
                    int(touched),
                    lazy[one][2],
                    lazy[one][3] + uses,
                    lazy[one][4] + against,
                ]
        # A consolidation: time passes, and what deserves it goes.
        for concept in eager.values():
            concept.relevance *= limits.relevance_decay
        now = epoch + 1
        gone = {
            one
            for one, concept in eager.items()
            if now - concept.born > limits.survival_min_age
            and concept.relevance < limits.survival_threshold_relevance
            and concept.net < limits.survival_threshold_frequency
        }
        if lazy:
            table = np.array(list(lazy.values()), np.float64)
            expires = aging.expires_epoch(*table.T, limits)
            due = {one for one, at in zip(lazy, expires.tolist(), strict=True) if at != aging.NEVER and at <= now}
            assert due == gone
            got = aging.current(table[:, 0], table[:, 1], now, limits)
            np.testing.assert_allclose(got, [concept.relevance for concept in eager.values()], rtol=1e-9)
            weakest = np.argsort(aging.fades_at(table[:, 0], table[:, 1], limits), kind="stable")
            np.testing.assert_allclose(np.sort(got), got[weakest], rtol=1e-9)
        for one in gone:
            del eager[one], lazy[one]
        pruned += len(gone)
    assert pruned > 5
    assert math.isfinite(sum(concept.relevance for concept in eager.values()))
