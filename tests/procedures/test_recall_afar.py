"""A recall whose seeds are mostly not in the cache: the graph store spreads, and the answer is as if we had."""

from dataclasses import replace

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID
from tests.served.world import CONFIG, V, teach, vectors

N, EDGES, LITTLE = 300, 1200, 8192
WIDE = replace(CONFIG, top_k=12, novelty_explanation_threshold=0.01)


@pytest.fixture
def ids(opened):
    """A memory that has no room in a small cache, made by a process that has gone."""
    engine = opened("maker", WIDE)
    rng = np.random.default_rng(3)
    ids = engine.create(vectors(N), vectors(N, 1, V))
    for type in ("ASSOCIATION", "CAUSAL", "CONTRADICTS"):
        ends = np.unique(np.sort(rng.integers(0, N, (EDGES, 2)), axis=1), axis=0)
        ends = ends[ends[:, 0] != ends[:, 1]]
        engine.link(ids[ends[:, 0]], ids[ends[:, 1]], type, rng.random(len(ends)))
    engine.close()
    return ids


class Counted:
    """A graph store of which is counted how often it spread."""

    def __init__(self, engine, monkeypatch):
        self.spreads = 0
        graph = engine.residency.graph
        real = graph.spread

        def spread(*given):
            self.spreads += 1
            return real(*given)

        monkeypatch.setattr(graph, "spread", spread)


@pytest.mark.parametrize("procedures", ["auto", "never"])
def test_the_store_spreads_for_the_whole_batch_and_warms_the_cache(opened, ids, procedures, monkeypatch):
    small = opened("small", WIDE, cache_bytes=LITTLE, procedures=procedures)
    other = opened("other", WIDE, cache_bytes=LITTLE)
    other.recaller.settled = lambda: False
    assert not small.residency.cache.complete
    assert small.residency.graph.procedures.has("spread") == (procedures == "auto")
    counted = Counted(small, monkeypatch)
    query = small.query(vectors(8, 7))
    before = small.residency.cache.resident
    far, near = small.recall(query), other.recall(query)
    assert (counted.spreads, far.degraded) == (1, False)
    np.testing.assert_allclose(far.energies, near.energies, rtol=1e-5)
    for column in ("ids", "keys", "values", "has_value", "stability", "novel"):
        np.testing.assert_array_equal(getattr(far, column), getattr(near, column))
    assert small.residency.cache.resident > before
    seeds = far.seeds.ids[far.seeds.ids != NO_ID]
    assert (small.residency.cache.lookup(seeds) >= 0).any()


def test_what_is_resident_is_spread_here(opened, ids, monkeypatch):
    small = opened("small", WIDE, cache_bytes=LITTLE)
    counted = Counted(small, monkeypatch)
    query = small.query(vectors(1, 7))
    for _ in range(3):
        small.recall(query)
    assert counted.spreads == 1


def test_filters_are_kept(opened, ids, monkeypatch):
    small = opened("small", WIDE, cache_bytes=LITTLE)
    counted = Counted(small, monkeypatch)
    assert (small.recall(small.query(vectors(2, 7), kind="cat")).ids == NO_ID).all()
    assert counted.spreads == 0


def test_own_lessons_that_the_store_lacks_are_recalled(opened, ids, monkeypatch):
    small = opened("small", WIDE, cache_bytes=LITTLE)
    counted = Counted(small, monkeypatch)
    with small.recorder.flusher().still():
        new = small.create(vectors(1, 99), vectors(1, 98, V))
        small.link(ids[:1], new, "ASSOCIATION", 1.0)
        asked = small.query(vectors(N)[:1])
        recalled = small.recall(asked)
        assert counted.spreads == 0
        assert new[0] in recalled.ids[0]
    small.flush()
    assert new[0] in opened("other", WIDE, cache_bytes=LITTLE).recall(asked).ids[0]


def test_a_concept_that_goes_between_the_two_questions_is_not_recalled(opened, ids, monkeypatch):
    small, other = opened("small", WIDE, cache_bytes=LITTLE), opened("other", WIDE)
    graph = small.residency.graph
    real = graph.spread

    def spread(*given):
        found = real(*given)
        other.remove(found.ids[1:2])
        other.flush()
        gone.append(int(found.ids[1]))
        return found

    gone = []
    monkeypatch.setattr(graph, "spread", spread)
    recalled = small.recall(small.query(vectors(1, 7)))
    assert gone[0] not in recalled.ids
    assert (recalled.ids != NO_ID).sum() > 1


def test_a_store_that_finds_it_too_much_leaves_it_to_the_engine(opened, ids, monkeypatch):
    small, other = opened("small", WIDE, cache_bytes=LITTLE), opened("other", WIDE)
    procedures = small.residency.graph.procedures
    real = procedures._params
    monkeypatch.setattr(procedures, "_params", lambda *given: real(*given) | {"max_visited": 2})
    query = small.query(vectors(2, 7))
    recalled = small.recall(query)
    assert not recalled.degraded
    np.testing.assert_allclose(recalled.energies, other.recall(query).energies, rtol=1e-5)


def test_learning_goes_on_where_the_store_spreads(opened, ids):
    small = opened("small", WIDE, cache_bytes=LITTLE)
    for seed in range(5):
        teach(small, vectors(2, seed), vectors(2, seed, V))
        small.flush()
    assert small.residency.graph.recount() == small.residency.graph.count()
