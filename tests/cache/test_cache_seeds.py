"""The seed scan is exact, whatever the batch, the size, the ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_memory import D, Opener, V
from random_lessons import births, unit

from aesg_graph.cache import ConceptCache
from aesg_graph.cache.seeds import CHUNK_OF_ONE, LARGEST_CHUNK, SeedScan
from aesg_graph.operations import Create, Remove


def brute(
    keys: np.ndarray, ids: np.ndarray, queries: np.ndarray, count: int, threshold: float, allowed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Every cosine in float64, all of them sorted."""
    slots, cosines = np.full((len(queries), count), -1), np.zeros((len(queries), count))
    for b, query in enumerate(queries.astype(np.float64)):
        exact = np.array([sum(float(k) * float(q) for k, q in zip(key, query, strict=True)) for key in keys])
        keep = (exact > threshold) & (ids >= 0)
        if allowed is not None:
            keep &= allowed != 0
        order = np.lexsort((ids, -exact))
        order = order[keep[order]][:count]
        slots[b, : len(order)], cosines[b, : len(order)] = order, exact[order]
    return slots, cosines


def stored(cache: ConceptCache, keys: np.ndarray, first: int = 0) -> np.ndarray:
    """Concepts with these keys, ids falling with the slot so that ties are not settled by accident."""
    n = len(keys)
    ids = np.arange(first + n, first, -1)
    cache.apply(Create(ids, keys, np.zeros((n, V), np.float32), np.zeros(n, np.bool_), "concept", 0), 1, 1.0)
    return ids


@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 5),
    count=st.integers(1, 12),
    n=st.integers(0, 200),
    distinct=st.integers(1, 20),
    threshold=st.sampled_from([-1.0, -0.2, 0.0, 0.1, 0.6]),
    masked=st.booleans(),
)
def test_seeds_are_the_nearest_by_exact_cosine_with_ties_by_id(
    seed: int, rows: int, count: int, n: int, distinct: int, threshold: float, masked: bool
) -> None:
    rng = np.random.default_rng(seed)
    pool = unit(rng, distinct)
    # Many keys are equal to the bit, some differ in the last one.
    keys = pool[rng.integers(0, distinct, n)] * np.where(rng.random((n, 1)) < 0.2, np.float32(1 + 2e-7), np.float32(1))
    ids = rng.permutation(n).astype(np.int64)
    ids[rng.random(n) < 0.1] = -1
    keys[ids < 0] = 0
    allowed = (rng.random(n) < 0.7).astype(np.uint8) if masked else None
    queries = np.concatenate([pool, unit(rng, rows)])[-rows - 1 : -1]
    slots, cosines = SeedScan().search(keys, ids, queries, count, threshold, allowed)
    expected_slots, expected = brute(keys, ids, queries, count, threshold, allowed)
    np.testing.assert_array_equal(cosines, expected)
    np.testing.assert_array_equal(slots, expected_slots)


def test_thousands_of_equal_keys_give_the_lowest_ids(open_cache: Opener) -> None:
    cache, rng = open_cache(), np.random.default_rng(0)
    keys = unit(rng, 4000)
    keys[500:3500] = keys[0]
    ids = stored(cache, keys)
    slots, _ = cache.seeds(keys[:1], 5, 0.1)
    equal = np.concatenate([ids[:1], ids[500:3500]])
    np.testing.assert_array_equal(ids[slots[0]], np.sort(equal)[:5])


def test_an_answer_does_not_depend_on_the_batch_it_is_in() -> None:
    rng, scan = np.random.default_rng(0), SeedScan()
    keys, queries = unit(rng, 30_000, 33), unit(rng, 40, 33)
    ids = rng.permutation(30_000)
    whole = scan.search(keys, ids, queries, 7, 0.1, None)
    for begin, end in [(0, 1), (1, 2), (3, 8), (8, 40)]:
        part = scan.search(keys, ids, queries[begin:end], 7, 0.1, None)
        np.testing.assert_array_equal(part[0], whole[0][begin:end])
        np.testing.assert_array_equal(part[1], whole[1][begin:end])
    turned = scan.search(keys, ids, queries[::-1], 7, 0.1, None)
    np.testing.assert_array_equal(turned[1], whole[1][::-1])


@pytest.mark.parametrize(("rows", "chunk"), [(1, CHUNK_OF_ONE), (3, LARGEST_CHUNK)])
def test_chunks_meet_without_a_gap(rows: int, chunk: int) -> None:
    rng, scan = np.random.default_rng(1), SeedScan()
    n = 2 * chunk + 17
    keys = np.zeros((n, 4), np.float32)
    keys[:, 0] = 0.5
    planted = np.array([0, chunk - 1, chunk, n - 1])
    keys[planted] = unit(rng, 4, 4)
    keys[planted, 0] = [0.9, 0.8, 0.95, 0.7]
    queries = np.tile(np.array([[1, 0, 0, 0]], np.float32), (rows, 1))
    slots, cosines = scan.search(keys, np.arange(n), queries, 4, 0.5, None)
    assert slots.tolist() == [[chunk, 0, chunk - 1, n - 1]] * rows
    assert cosines[0, 0] == np.float64(np.float32(0.95))


def test_freed_slots_and_other_kinds_and_regions_are_left_out(open_cache: Opener) -> None:
    cache, rng = open_cache(), np.random.default_rng(0)
    cache.apply(births(rng, np.arange(40)), 1, 1.0)
    cache.apply(births(rng, np.arange(40, 60), kind="sense"), 2, 2.0)
    cache.apply(Remove(np.arange(0, 60, 3)), 3, 3.0)
    query = unit(rng, 1)
    slots, _ = cache.seeds(query, 60, -2.0)
    found = cache.gather(slots).ids[0]
    assert sorted(found[found >= 0].tolist()) == [i for i in range(60) if i % 3]
    slots, _ = cache.seeds(query, 60, -2.0, cache.mask(kind="sense"))
    found = cache.gather(slots).ids[0]
    assert sorted(found[found >= 0].tolist()) == [i for i in range(40, 60) if i % 3]
    assert cache.mask(kind="unheard of").sum() == 0
    assert cache.mask(region=-1).sum() == cache.resident


def test_the_threshold_itself_is_not_above_the_threshold(open_cache: Opener) -> None:
    cache = open_cache()
    keys = np.zeros((3, D), np.float32)
    keys[:, 0], keys[:, 1] = [0.5, 0.25, 1.0], 0.1
    ids = stored(cache, keys)
    query = np.eye(1, D, dtype=np.float32)
    slots, cosines = cache.seeds(query, 3, 0.5)
    assert ids[slots[0, 0]] == ids[2]
    assert slots[0, 1:].tolist() == [-1, -1]
    assert cosines[0].tolist() == [1.0, 0.0, 0.0]


def test_an_empty_cache_has_no_seeds(open_cache: Opener) -> None:
    slots, cosines = open_cache().seeds(unit(np.random.default_rng(0), 2), 3, 0.1)
    assert (slots == -1).all()
    assert (cosines == 0).all()
