"""What is read from a cache: gathered rows, columns, tables, pages, what fades."""

from __future__ import annotations

import numpy as np
import pytest
from cache_checks import assert_same, audit
from plain_memory import LIMITS, STAMP, D, Opener, PlainMemory, V
from random_lessons import Lessons, births

from aesg_graph import aging
from aesg_graph.aging import Thresholds
from aesg_graph.cache import CacheLayout
from aesg_graph.concepts import Relations
from aesg_graph.errors import AESGMemoryError
from aesg_graph.operations import Create, Link, Prune, Touch


def pages(memory: PlainMemory, size: int) -> list[list[int]]:
    ids = sorted(memory.concepts)
    return [ids[first : first + size] for first in range(0, len(ids), size)]


def any_memory(seed: int, steps: int = 150) -> PlainMemory:
    memory = PlainMemory()
    lessons = Lessons(seed, memory)
    for n in range(steps):
        memory.apply(lessons.next(), float(n))
    return memory


def test_gathered_rows_have_the_shape_of_their_slots_and_are_padded(open_cache: Opener) -> None:
    cache = open_cache()
    operation = births(np.random.default_rng(0), np.arange(5))
    cache.apply(operation, 1, 1.0)
    cache.apply(Touch(np.array([3]), np.array([2]), np.array([1]), 1), 2, 2.0)
    slots = np.array([[3, -1, 0], [-1, -1, 4]], np.int32)
    found = cache.gather(slots)
    assert found.ids.tolist() == [[3, -1, 0], [-1, -1, 4]]
    assert (found.keys.shape, found.values.shape) == ((2, 3, D), (2, 3, V))
    np.testing.assert_array_equal(found.keys[0, 0], operation.keys[3])
    np.testing.assert_array_equal(found.values[1, 2], operation.values[4])
    assert not found.keys[slots < 0].any()
    assert not found.has_value[slots < 0].any()
    assert found.stability[0].tolist() == [3 / 5, 0.5, 0.5]
    flat = cache.gather(np.array([4, -1], np.int32))
    assert (flat.ids.tolist(), flat.keys.shape) == ([4, -1], (2, D))
    assert cache.gather(np.full((2, 0), -1, np.int32)).keys.shape == (2, 0, D)
    assert open_cache().gather(np.full((1, 2), -1, np.int32)).ids.tolist() == [[-1, -1]]


def test_a_memory_without_values_has_none(open_cache: Opener) -> None:
    cache = open_cache(layout=CacheLayout.of(D, 0, Relations()))
    keys = births(np.random.default_rng(0), np.arange(100)).keys
    cache.apply(Create(np.arange(100), keys, np.zeros((100, 0), np.float32), np.zeros(100, np.bool_), "c", 0), 1, 1.0)
    assert cache.gather(np.arange(6, dtype=np.int32).reshape(2, 3)).values.shape == (2, 3, 0)


def test_columns_are_views_that_cannot_be_written(open_cache: Opener) -> None:
    cache = open_cache()
    operation = births(np.random.default_rng(0), np.arange(5), epoch=4)
    cache.apply(operation, 7, 1.5)
    columns = cache.columns()
    np.testing.assert_array_equal(columns["key"], operation.keys)
    assert columns["id"].tolist() == [0, 1, 2, 3, 4]
    assert set(columns["born_epoch"].tolist()) == {4}
    assert set(columns["modified_at"].tolist()) == {1.5}
    assert [cache.strings()[c] for c in columns["kind"]] == ["concept"] * 5
    assert all(len(column) == cache.slots for column in columns.values())
    with pytest.raises(ValueError, match="read-only"):
        columns["relevance"][0] = 3.0


def test_one_row_and_its_edges(open_cache: Opener) -> None:
    cache, memory = open_cache(), PlainMemory()
    for n, operation in enumerate([births(np.random.default_rng(0), np.arange(4)), _link([0, 2], [1, 0])]):
        cache.apply(operation, 1, float(n))
        memory.apply(operation, float(n))
    row = cache.concept_row(0)
    assert row is not None
    assert (row.kinds, row.names, row.modified_at.tolist()) == (("concept",), (None,), [1.0])
    assert sorted(zip(*(c.tolist() for c in (cache.edges_of(0).sources, cache.edges_of(0).targets)), strict=True)) == [
        (0, 1),
        (2, 0),
    ]
    assert cache.concept_row(77) is None
    assert len(cache.edges_of(77)) == 0
    assert len(cache.read(np.array([0, 77]), edges=False).edges) == 0


def _link(sources: list[int], targets: list[int]) -> Link:
    n = len(sources)
    return Link("CAUSAL", np.array(sources), np.array(targets), np.ones(n, np.float32), np.zeros(n, np.int64), 0)


@pytest.mark.parametrize("size", [3, 50, 100_000])
def test_pages_of_concepts_with_the_edges_that_start_there_give_the_whole_graph(open_cache: Opener, size: int) -> None:
    memory, cache = any_memory(4), open_cache()
    for ids in pages(memory, size):
        names = [n for n in memory.bonds if n[0] in set(ids)]
        cache.load_page(memory.concept_table(ids), memory.vector_table(ids), memory.edge_table(names))
    cache.complete = True
    audit(cache)
    assert_same(cache, memory)
    lessons = Lessons(9, memory)
    lessons.next_id = 10_000
    for n in range(80):
        operation = lessons.next()
        memory.apply(operation, float(n))
        cache.apply(operation, 1, float(n))
    audit(cache)
    assert_same(cache, memory)


def test_a_paged_concept_without_a_vector_is_left_out_but_its_edges_are_known(open_cache: Opener) -> None:
    memory, cache = any_memory(5), open_cache()
    ids = sorted(memory.concepts)
    table = memory.edge_table(list(memory.bonds))
    cache.load_page(memory.concept_table(ids), memory.vector_table(ids[::2]), table)
    audit(cache)
    held = set(ids[::2])
    expected = {n for n in memory.bonds if n[0] in held}
    # An edge that starts at a concept which is not here is only listed with that concept.
    found = cache.read(np.array(ids)).edges
    assert set(zip(found.sources.tolist(), found.types.tolist(), found.targets.tolist(), strict=True)) == expected


def test_pages_belong_into_an_empty_cache(open_cache: Opener) -> None:
    memory, cache = any_memory(6), open_cache()
    cache.apply(births(np.random.default_rng(0), np.array([10**6])), 1, 1.0)
    ids = sorted(memory.concepts)
    with pytest.raises(AESGMemoryError, match="empty cache"):
        cache.load_page(memory.concept_table(ids), memory.vector_table(ids), memory.edge_table([]))


def test_an_emptied_cache_can_be_filled_again(open_cache: Opener) -> None:
    memory, cache = any_memory(7), open_cache()
    ids = sorted(memory.concepts)
    for _ in range(2):
        cache.clear()
        assert (cache.resident, cache.complete, cache.edge_count) == (0, False, 0)
        cache.load_page(memory.concept_table(ids), memory.vector_table(ids), memory.edge_table(list(memory.bonds)))
        cache.complete = True
        audit(cache)
        assert_same(cache, memory)


def test_a_sample_is_of_residents_and_repeatable(open_cache: Opener) -> None:
    cache = open_cache()
    assert len(cache.sample(10)[0]) == 0
    cache.apply(births(np.random.default_rng(0), np.arange(100)), 1, 1.0)
    cache.apply(Prune(np.arange(0, 100, 2), epoch=100), 2, 2.0)
    ids, keys = cache.sample(20)
    assert 5 <= len(ids) <= 20
    assert (ids % 2 == 1).all()
    np.testing.assert_array_equal(keys, cache.vectors(ids).keys)
    np.testing.assert_array_equal(ids, cache.sample(20)[0])
    assert len(cache.sample(1000)[0]) == 50


@pytest.mark.parametrize("seed", range(6))
def test_what_is_due_and_who_is_weakest_is_what_every_row_says(open_cache: Opener, seed: int) -> None:
    memory, cache = PlainMemory(), open_cache()
    lessons = Lessons(seed, memory)
    for sequence in range(1, 200):
        operation = lessons.next()
        memory.apply(operation, float(sequence))
        cache.apply(operation, sequence, float(sequence))
        epoch = lessons.epoch + int(lessons.rng.integers(0, 12))
        due, fades = cache.due(epoch)
        expected = [i for i in memory.concepts if memory.may_go(i, epoch)]
        assert sorted(due.tolist()) == sorted(expected)
        assert (np.lexsort((due, fades)) == np.arange(len(due))).all()
        assert cache.due(epoch, 3)[0].tolist() == due[:3].tolist()
    assert_same(cache, memory)
    table = cache.read(np.array(sorted(memory.concepts))).concepts
    all_fades = aging.fades_at(table.relevance, table.touched_epoch, LIMITS)
    order = np.lexsort((table.ids, all_fades))
    for count in (1, 7, 10**6):
        ids, fades = cache.weakest(count)
        np.testing.assert_array_equal(ids, table.ids[order][:count])
        np.testing.assert_array_equal(fades, all_fades[order][:count])


@pytest.mark.parametrize("paged", [True, False])
def test_what_was_read_from_the_stores_is_due_like_everything_else(open_cache: Opener, paged: bool) -> None:
    memory, cache = any_memory(3), open_cache()
    expected = [i for i in memory.concepts if memory.may_go(i, 100)]
    assert len(cache.due(100)[0]) == 0
    (cache.load_page if paged else cache.insert)(*memory.read(sorted(memory.concepts)))
    assert sorted(cache.due(100)[0].tolist()) == sorted(expected) != []


def test_other_thresholds_change_what_is_due(open_cache: Opener) -> None:
    cache = open_cache()
    cache.apply(births(np.random.default_rng(0), np.arange(4)), 1, 1.0)
    first = int(aging.expires_epoch(1.0, 0, 0, 0, 0, LIMITS))
    assert len(cache.due(first - 1)[0]) == 0
    assert len(cache.due(first)[0]) == 4
    cache.close(STAMP)
    eager = Thresholds(0.1, 0.5, 0.9, 5, 0)
    assert len(open_cache(limits=eager).due(first - 1)[0]) == 4


def test_the_adjacency_is_kept_until_something_moves(open_cache: Opener) -> None:
    cache = open_cache()
    cache.apply(births(np.random.default_rng(0), np.arange(10)), 1, 1.0)
    first = cache.adjacency()
    assert cache.adjacency() is first
    cache.apply(_link([1], [2]), 2, 2.0)
    assert first.degree[:3].tolist() == [0, 1, 1]
    cache.apply(births(np.random.default_rng(0), np.arange(10, 2000)), 3, 3.0)
    assert len(cache.adjacency()) == 2000
