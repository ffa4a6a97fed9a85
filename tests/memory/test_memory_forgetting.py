"""Aging, pruning, capacity and modes, as people see them; and that no few concepts take all the credit."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, rows, tiny_cache, unit, uses
from sklearn.datasets import load_digits

from aesg_graph import AESGMemoryError

QUICK = {"survival_min_age": 2, "survival_threshold_relevance": 0.9, "survival_threshold_frequency": 3}
"""Relevance 0.95^3 is below 0.9, so a concept never used is due in the third epoch."""


@pytest.fixture(params=[None, tiny_cache()], ids=["roomy", "room for few"])
def room(request):
    return request.param


def epochs(memory, count):
    for _ in range(count):
        memory.cognitive_engine.consolidate()


def alive(memory):
    return memory.storage.nodes["id"].tolist()


def test_what_is_never_used_fades_and_goes_and_what_is_used_stays(opened, room):
    memory = opened(stores=room, **QUICK, max_prune_fraction=1.0)
    ids = memory.create(rows(200), rows(200, 1, V)).tolist()
    epochs(memory, 2)
    assert len(alive(memory)) == 200, "too young"
    memory(rows(200)[7])
    fresh = {i for i, (used, _) in uses(memory).items() if used}
    epochs(memory, 1)
    assert set(alive(memory)) == fresh
    assert ids[7] in fresh
    assert memory.concept(ids[7]).relevance == pytest.approx(min(1, (0.95**2 + 0.1) * 0.95))
    with pytest.raises(AESGMemoryError, match="does not exist"):
        memory.concept(ids[8] if ids[8] not in fresh else ids[9])


def test_net_uses_save_a_concept_for_good_until_contradictions_take_them_back(opened):
    memory = opened(**QUICK, max_prune_fraction=1.0)
    ids = memory.create(torch.eye(D)[:2], torch.eye(3)[:2]).tolist()
    for _ in range(3):
        memory(axis(0), axis(0, V))
        memory(axis(1), axis(1, V))
    epochs(memory, 60)
    assert alive(memory) == ids
    assert memory.concept(ids[0]).expires_epoch is None
    memory(axis(0), axis(2, V))
    assert memory.concept(ids[0]).expires_epoch is not None
    born = set(alive(memory)) - set(ids)
    epochs(memory, 1)
    assert set(alive(memory)) == {ids[1]} | born


def test_one_consolidation_prunes_at_most_its_share_weakest_first(opened, room):
    memory = opened(stores=room, **QUICK, max_prune_fraction=0.1)
    ids = memory.create(rows(100)).tolist()
    memory.flush()
    epochs(memory, 2)
    memory(rows(100)[:3])
    strong = {i for i, (used, _) in uses(memory).items() if used}
    counts = []
    for _ in range(4):
        before = memory.storage.node_count
        memory.cognitive_engine.consolidate()
        counts.append((before, before - memory.storage.node_count))
        assert strong <= set(alive(memory))
    assert all(gone == int(0.1 * before) for before, gone in counts), counts
    # Equally weak: the lower ids go first.
    weak = [i for i in ids if i not in strong]
    assert alive(memory) == sorted(strong | set(weak[sum(gone for _, gone in counts) :]))


def test_over_capacity_the_weakest_go_at_the_next_update(opened, room):
    memory = opened(stores=room, max_concepts=50, consolidation_epoch_interval=1000)
    old = memory.create(rows(50)).tolist()
    memory(rows(50)[10:13])
    memory.flush()
    epochs(memory, 1)
    used = {i for i, (n, _) in uses(memory).items() if n}
    young = memory.create(rows(20, 5)).tolist()
    assert memory.storage.node_count == 70, "until it is called for"
    memory.update_topology()
    assert memory.storage.node_count == 50
    left = [i for i in old if i not in used]
    assert set(alive(memory)) == used | set(young) | set(left[20:])
    assert [e["type"] for e in memory.history()].count("PRUNE") == 20


@pytest.mark.parametrize("mode", ["FINETUNE", "ONLINE"])
def test_other_modes_never_prune_but_their_concepts_age(opened, mode):
    memory = opened(**QUICK, max_prune_fraction=1.0, consolidation_epoch_interval=1)
    memory.create(rows(20))
    memory.set_mode(mode)
    for _ in range(10):
        memory.update_topology()
    assert memory.storage.node_count == 20
    assert memory.engine.recorder.epoch == 10
    assert memory.storage.nodes["relevance"].max() == pytest.approx(0.95**10)
    memory.set_mode("TRAIN")
    memory.update_topology()
    assert memory.storage.node_count == 0


@pytest.mark.parametrize("mode", ["FINETUNE", "ONLINE"])
def test_at_capacity_births_stop_where_nothing_is_pruned(opened, mode):
    memory = opened(max_concepts=3, novelty_birth_threshold=1)
    memory.create(torch.eye(D)[:2])
    memory.set_mode(mode)
    for _ in range(10):
        memory(torch.eye(D)[4:7])
    memory.update_topology()
    assert memory.storage.node_count == 3
    assert memory.stats()["births_blocked"] > 0
    assert memory.create(rows(1)).numel() == 0
    memory.set_mode("TRAIN")
    memory(torch.eye(D)[4:7])
    assert memory.storage.node_count == 5, "what waited is born when there is room"
    memory.update_topology()
    assert memory.storage.node_count == 3


def test_every_tenth_update_consolidates(opened):
    memory = opened(consolidation_epoch_interval=10)
    seen = []
    for _ in range(25):
        memory.update_topology()
        seen.append(memory.engine.recorder.epoch)
    assert seen == [0] * 9 + [1] * 10 + [2] * 6


def test_a_survival_threshold_of_zero_prunes_nothing_ever(opened):
    memory = opened(survival_threshold_relevance=0.0, survival_min_age=0, max_prune_fraction=1.0)
    memory.create(rows(10))
    epochs(memory, 50)
    assert memory.storage.node_count == 10


def test_pruned_concepts_are_gone_from_every_store(opened, room):
    memory = opened(stores=room, **QUICK, max_prune_fraction=1.0)
    ids = memory.create(rows(100))
    memory.link(ids[:-1], ids[1:], "CAUSAL")
    memory.retrieve(rows(100)[:1], rows(1, 1, V))
    kept = {i for i, (n, _) in uses(memory).items() if n}
    epochs(memory, 3)
    memory.flush()
    engine = memory.engine
    assert engine.residency.vectors().count() == engine.residency.graph.count().concepts == memory.storage.node_count
    assert kept <= set(alive(memory))
    found = set(memory.retrieve(rows(100), learn=False).activated_nodes)
    assert found == set(alive(memory))


def test_relevance_rises_by_use_and_is_read_clipped(opened):
    memory = opened()
    (id,) = memory.create(axis(0)[None]).tolist()
    for _ in range(5):
        memory(axis(0))
    assert memory.concept(id).relevance == 1.0
    epochs(memory, 10)
    # Stored unclipped: five uses count although nobody saw them.
    assert memory.concept(id).relevance == pytest.approx(1.5 * 0.95**10)


def test_a_batch_that_uses_a_concept_often_touches_it_once_with_all_counts(opened):
    memory = opened()
    (id,) = memory.create(axis(0)[None]).tolist()
    before = memory.engine.position
    memory(axis(0).repeat(7, 1))
    assert uses(memory) == {id: (7, 0)}
    assert memory.engine.position == before + 1


@pytest.mark.slow
def test_the_five_most_used_concepts_hold_under_a_fifth_of_the_touches_on_digits(opened):
    """10,000 batches of images in an endless shuffle, with consolidation: no hub may take the credit of all."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    values = np.eye(10, dtype=np.float32)[labels]
    memory = opened(
        vector_dim=64, value_dim=10, novelty_explanation_threshold=0.9, novelty_birth_threshold=1, max_concepts=400
    )
    random = np.random.default_rng(0)
    batches, rows_each = 10_000, 2
    order = np.concatenate([random.permutation(len(images)) for _ in range(1 + batches * rows_each // len(images))])
    touches: dict[int, int] = {}
    for batch in range(batches):
        chosen = order[batch * rows_each : (batch + 1) * rows_each]
        memory(images[chosen], values[chosen])
        memory.update_topology()
        if batch % 1000 == 999:  # what is pruned later must be counted too
            touches |= {i: u + c for i, (u, c) in uses(memory).items()}
    assert memory.engine.recorder.epoch == batches // memory.config.consolidation_epoch_interval
    assert 50 < memory.storage.node_count <= 400
    counts = sorted(touches.values(), reverse=True)
    assert sum(counts) > batches
    assert sum(counts[:5]) < 0.2 * sum(counts), counts[:10]


def test_reading_the_order_of_fading_agrees_with_relevance(opened):
    memory = opened(seeds=1)
    ids = memory.create(torch.eye(D)).tolist()
    for number in range(D):
        for _ in range(number):
            memory(axis(number))
        epochs(memory, 1)
    relevance = [memory.concept(i).relevance for i in ids]
    weakest, fades = memory.engine.caretaker.weakest(D)
    assert [ids.index(i) for i in weakest.tolist()] == np.argsort(relevance, kind="stable").tolist()
    assert all(a <= b for a, b in pairwise(fades.tolist()))
    assert np.allclose(unit(np.eye(D)), memory.storage.nodes["vector"])
