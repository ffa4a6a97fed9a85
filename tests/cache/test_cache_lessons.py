"""Lessons mean in the cache what they mean in a plain memory."""

from __future__ import annotations

import numpy as np
import pytest
from cache_checks import assert_same, audit
from plain_memory import D, Opener, PlainMemory, V
from random_lessons import Lessons, births

from aesg_graph.cache import CacheLayout
from aesg_graph.concepts import Relations, RelationType
from aesg_graph.operations import Create, Link, Merge, Prune, Rekey, Remove, Split, Touch


def link(sources: list[int], targets: list[int], type: str = "ASSOCIATION", uses: int = 0, weight: float = 0.5) -> Link:
    n = len(sources)
    return Link(
        type, np.array(sources), np.array(targets), np.full(n, weight, np.float32), np.full(n, uses, np.int64), epoch=2
    )


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_lessons_gives_the_same_rows_and_edges_as_a_plain_memory(open_cache: Opener, seed: int) -> None:
    memory, cache = PlainMemory(), open_cache()
    lessons = Lessons(seed, memory)
    for sequence in range(1, 151):
        operation, at = lessons.next(), float(sequence)
        applied = cache.apply(operation, sequence, at)
        assert set(applied.declined.tolist()) == memory.apply(operation, at)
        if sequence % 15 == 0:
            audit(cache)
            assert_same(cache, memory)
    assert len(memory.bonds) > 20


def test_pairs_repeated_in_a_link_count_one_by_one(open_cache: Opener) -> None:
    memory, cache = PlainMemory(), open_cache()
    operations = [
        births(np.random.default_rng(0), np.arange(5)),
        link([1, 2, 1, 1], [2, 1, 2, 3], uses=1),
        link([3, 1], [1, 3], "CAUSAL"),
        link([3], [1], "CAUSAL", uses=2),
    ]
    for n, operation in enumerate(operations, 1):
        cache.apply(operation, n, float(n))
        memory.apply(operation, float(n))
    assert_same(cache, memory)
    # The pair (1, 2) was born with one use, and each of its two returns was two more.
    assert cache.edges_of(2).use_counts.tolist() == [5]


def test_declared_symmetric_types_run_from_the_lower_to_the_higher_id(open_cache: Opener) -> None:
    layout = CacheLayout.of(D, V, Relations([RelationType("RHYMES_WITH", 1.0, 1.0, symmetric=True)]))
    cache = open_cache(layout=layout)
    cache.apply(births(np.random.default_rng(0), np.arange(3)), 1, 1.0)
    cache.apply(link([2, 1], [1, 2], "RHYMES_WITH"), 2, 2.0)
    edges = cache.edges_of(1)
    assert (edges.sources.tolist(), edges.targets.tolist(), edges.use_counts.tolist()) == ([1], [2], [1])


def test_a_bulk_of_links_means_the_same_as_its_parts(open_cache: Opener) -> None:
    rng = np.random.default_rng(1)
    memory, cache = PlainMemory(), open_cache()
    operations = [births(rng, np.arange(300))]
    operations.append(
        Link(
            "CAUSAL",
            rng.integers(0, 300, 6000),
            rng.integers(0, 300, 6000),
            rng.random(6000).astype(np.float32),
            rng.integers(0, 2, 6000),
            1,
        )
    )
    for n, operation in enumerate(operations, 1):
        cache.apply(operation, n, float(n))
        memory.apply(operation, float(n))
    audit(cache)
    assert_same(cache, memory)


def test_a_concept_touched_twice_in_one_operation_is_used_twice(open_cache: Opener) -> None:
    memory, cache = PlainMemory(), open_cache()
    twice = Touch(np.array([1, 0, 1]), np.array([2, 1, 3]), np.array([1, 0, 1]), 4)
    for n, operation in enumerate([births(np.random.default_rng(0), np.arange(3)), twice], 1):
        cache.apply(operation, n, float(n))
        memory.apply(operation, float(n))
    assert_same(cache, memory)


def test_a_hub_is_linked_and_loses_all_its_neighbours(open_cache: Opener) -> None:
    cache = open_cache()
    cache.apply(births(np.random.default_rng(0), np.arange(20_001)), 1, 1.0)
    leaves = np.arange(1, 20_001)
    cache.apply(link([0] * 20_000, leaves.tolist()), 2, 2.0)
    assert cache.edge_count == 20_000
    cache.apply(Remove(leaves[5:]), 3, 3.0)
    assert sorted(cache.edges_of(0).targets.tolist()) == [1, 2, 3, 4, 5]
    audit(cache)


def test_merged_concepts_are_followed_within_an_operation(open_cache: Opener) -> None:
    memory, cache = PlainMemory(), open_cache()
    operations = [
        births(np.random.default_rng(0), np.arange(6)),
        link([0, 1, 2, 4], [3, 3, 5, 5], weight=0.3),
        link([1, 0], [3, 1], "CAUSAL"),
        Touch(np.array([1, 2]), np.array([4, 1]), np.array([0, 2]), 6),
        Merge(np.array([0, 1, 1]), np.array([1, 2, 0])),
    ]
    for n, operation in enumerate(operations, 1):
        declined = cache.apply(operation, n, float(n)).declined
        assert set(declined.tolist()) == memory.apply(operation, float(n))
    audit(cache)
    assert_same(cache, memory)
    assert set(memory.concepts) == {0, 3, 4, 5}


def test_a_split_takes_half_of_the_counts_and_the_edges_to_its_neighbours(open_cache: Opener) -> None:
    memory, cache = PlainMemory(), open_cache()
    rng = np.random.default_rng(0)
    operations = [
        births(rng, np.arange(6)),
        link([0, 0, 3], [1, 2, 0]),
        link([0, 4], [1, 0], "TEMPORAL"),
        Touch(np.array([0]), np.array([7]), np.array([3]), 1),
        Split(0, 100, births(rng, np.arange(1)).keys[0], np.ones(V, np.float32), True, np.array([1, 4, 5])),
        Split(99, 101, births(rng, np.arange(1)).keys[0], np.ones(V, np.float32), True, np.array([1])),
    ]
    for n, operation in enumerate(operations, 1):
        declined = cache.apply(operation, n, float(n)).declined
        assert set(declined.tolist()) == memory.apply(operation, float(n))
    audit(cache)
    assert_same(cache, memory)


def test_creating_what_is_here_changes_nothing_and_is_declined(open_cache: Opener) -> None:
    memory, cache = PlainMemory(), open_cache()
    first = births(np.random.default_rng(0), np.arange(4))
    memory.apply(first, 1.0)
    cache.apply(first, 1, 1.0)
    again = births(np.random.default_rng(1), np.array([2, 3, 9]))
    assert cache.apply(again, 2, 2.0).declined.tolist() == [2, 3]
    only_new = Create(
        again.ids[2:], again.keys[2:], again.values[2:], again.has_value[2:], "concept", 0, encoder="concept-encoder"
    )
    memory.apply(only_new, 2.0)
    assert_same(cache, memory)


def test_an_id_given_twice_is_born_once(open_cache: Opener) -> None:
    cache = open_cache()
    operation = births(np.random.default_rng(0), np.array([4, 2, 4, 2, 9]))
    assert sorted(cache.apply(operation, 1, 1.0).declined.tolist()) == [2, 4]
    audit(cache)
    np.testing.assert_array_equal(cache.vectors(np.array([2, 4, 9])).keys, operation.keys[[1, 0, 4]])


def test_keys_are_never_replaced_by_those_of_a_lower_version(open_cache: Opener) -> None:
    cache = open_cache()
    rng = np.random.default_rng(0)
    cache.apply(births(rng, np.arange(2)), 1, 1.0)
    newer, older = births(rng, np.arange(2)).keys, births(rng, np.arange(2)).keys
    cache.apply(Rekey(np.arange(2), newer, 4, "new"), 2, 2.0)
    assert cache.apply(Rekey(np.arange(2), older, 3, "old"), 3, 3.0).declined.tolist() == [0, 1]
    np.testing.assert_array_equal(cache.vectors(np.arange(2)).keys, newer)
    assert cache.rows(cache.lookup(np.arange(2))).encoders == ("new", "new")


def test_removing_everything_leaves_an_empty_cache_that_can_be_filled_again(open_cache: Opener) -> None:
    memory, cache = PlainMemory(), open_cache()
    rng = np.random.default_rng(0)
    cache.apply(births(rng, np.arange(500)), 1, 1.0)
    cache.apply(link(list(range(499)), list(range(1, 500))), 2, 2.0)
    cache.apply(Remove(np.arange(500)), 3, 3.0)
    audit(cache)
    assert (cache.resident, cache.edge_count, cache.slots) == (0, 0, 0)
    again = births(rng, np.arange(1000, 1100))
    cache.apply(again, 4, 4.0)
    memory.apply(again, 4.0)
    audit(cache)
    assert_same(cache, memory)


def test_pruning_takes_what_still_deserves_it(open_cache: Opener) -> None:
    cache = open_cache()
    cache.apply(births(np.random.default_rng(0), np.arange(3)), 1, 1.0)
    due, _ = cache.due(50)
    cache.apply(Touch(np.array([1]), np.array([3]), np.array([0]), 49), 2, 2.0)
    assert cache.apply(Prune(due, epoch=50), 3, 3.0).declined.tolist() == [1]
    assert cache.lookup(np.arange(3)).tolist() == [-1, 1, -1]
