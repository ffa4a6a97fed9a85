# ruff: noqa: D102 - a test says in its name what it shows
"""Pages, counts, searches, labels and reopening."""

from __future__ import annotations

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID, NO_REGION
from aesg_graph.stores.abc import VectorStore
from aesg_graph.stores.testing.vectors.base import (
    KEY_TOLERANCE,
    SCORE_TOLERANCE,
    WRITER,
    Reopen,
    VectorTests,
    directions,
)


class ReadingTests(VectorTests):
    """What reading finds."""

    # Paging and counting

    @pytest.mark.parametrize("size", [1, 7, 1000, 2500])
    def test_pages_cover_everything_exactly_once_in_order(self, store: VectorStore, size: int) -> None:
        count = 40 if size == 1 else 2300
        written = self.points(np.random.default_rng(1).permutation(count) * 3)
        store.upsert(written)
        after, seen = NO_ID, []
        while len(page := store.page(after, size)):
            assert len(page) <= size
            seen += page.ids.tolist()
            after = seen[-1]
        assert seen == sorted(written.ids.tolist())

    def test_a_page_begins_above_the_given_id(self, store: VectorStore) -> None:
        store.upsert(self.points([10, 20, 30, (1 << 63) - 1]))
        assert store.page(10, 2).ids.tolist() == [20, 30]
        assert store.page(11, 1).ids.tolist() == [20]
        assert store.page(30, 5).ids.tolist() == [(1 << 63) - 1]
        assert len(store.page((1 << 63) - 1, 5)) == 0
        assert len(store.page(NO_ID, 0)) == 0

    def test_a_page_without_vectors_has_stamps_alone(self, store: VectorStore) -> None:
        store.upsert(self.points([1, 2], version=[3, 4], sequence=[5, 6]))
        page = store.page(NO_ID, 10, vectors=False)
        assert page.keys.shape == page.values.shape == (2, 0)
        assert page.versions.tolist() == [3, 4]
        assert page.sequences.tolist() == [5, 6]
        assert page.writers.tolist() == [WRITER, WRITER]

    def test_a_page_holds_the_vectors_that_fetch_gives(self, store: VectorStore) -> None:
        written = self.points([1, 2, 3])
        store.upsert(written)
        page, found = store.page(NO_ID, 10), store.fetch(written.ids)
        assert np.array_equal(page.keys, found.keys)
        assert np.array_equal(page.values, found.values)
        assert np.array_equal(page.has_value, found.has_value)

    def test_the_count_is_exact_after_births_replays_and_deletes(self, store: VectorStore) -> None:
        store.upsert(self.points(range(3000)))
        store.upsert(self.points(range(1000, 4000)))
        store.delete(np.arange(500, 700, dtype=np.int64))
        assert store.count() == 3800

    # Searching

    def test_search_finds_the_nearest_by_cosine_best_first(self, store: VectorStore) -> None:
        written = self.points(np.arange(300) * 5, seed=2)
        store.upsert(written)
        queries = np.random.default_rng(8).standard_normal((40, self.vector_dim)).astype(np.float32) * 3
        ids, scores = store.search(queries, 12)
        cosines = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ written.keys.T
        best = -np.sort(-cosines, axis=1)[:, :12]
        assert ids.shape == scores.shape == (40, 12)
        assert ids.dtype == np.int64
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, best, rtol=0, atol=SCORE_TOLERANCE)
        np.testing.assert_allclose(np.take_along_axis(cosines, ids // 5, axis=1), scores, rtol=0, atol=SCORE_TOLERANCE)
        assert all(len(set(row)) == 12 for row in ids.tolist())

    def test_equal_scores_come_in_id_order(self, store: VectorStore) -> None:
        keys = np.repeat(directions(1, self.vector_dim), 5, axis=0)
        store.upsert(self.points([50, 20, 40, 10, 30], keys=keys))
        ids, _ = store.search(keys[:1], 5)
        assert ids[0].tolist() == [10, 20, 30, 40, 50]

    def test_rows_are_padded_where_there_are_fewer(self, store: VectorStore) -> None:
        written = self.points([1, 2])
        store.upsert(written)
        ids, scores = store.search(written.keys, 4)
        assert ids[:, 0].tolist() == [1, 2]
        assert (ids[:, 2:] == NO_ID).all()
        assert (scores[:, 2:] == 0).all()

    def test_searching_an_empty_store_gives_padding(self, store: VectorStore) -> None:
        ids, scores = store.search(directions(2, self.vector_dim), 3)
        assert ids.tolist() == [[NO_ID] * 3] * 2
        assert scores.shape == (2, 3)

    def test_no_queries_or_no_limit_give_empty_answers(self, store: VectorStore) -> None:
        store.upsert(self.points([1]))
        assert store.search(np.empty((0, self.vector_dim), np.float32), 3)[0].shape == (0, 3)
        assert store.search(directions(2, self.vector_dim), 0)[1].shape == (2, 0)

    def test_search_keeps_to_a_kind_and_a_region(self, store: VectorStore) -> None:
        keys = np.repeat(directions(1, self.vector_dim), 4, axis=0)
        store.upsert(self.points([1, 2, 3, 4], keys=keys, kind=["concept", "rule", "concept", "rule"]))
        store.label(np.array([1, 2, 3], np.int64), np.array([7, 7, 8], np.int64))
        assert self.nearest(store, keys[0], kind="rule") == [2, 4]
        assert self.nearest(store, keys[0], region=7) == [1, 2]
        assert self.nearest(store, keys[0], kind="concept", region=8) == [3]
        assert self.nearest(store, keys[0], kind="none such") == []
        assert self.nearest(store, keys[0], region=9) == []

    def test_a_label_may_be_changed_and_removed_and_makes_no_points(self, store: VectorStore) -> None:
        written = self.points([1, 2])
        store.upsert(written)
        store.label(np.array([1, 2, 3], np.int64), np.array([5, 5, 5], np.int64))
        assert store.count() == 2
        store.label(written.ids, np.array([6, NO_REGION], np.int64))
        assert self.nearest(store, written.keys[0], region=5) == []
        assert self.nearest(store, written.keys[0], region=6) == [1]
        assert sorted(self.nearest(store, written.keys[0])) == [1, 2]
        found = store.fetch(written.ids)
        assert found.sequences.tolist() == [1, 1]
        np.testing.assert_allclose(found.keys, written.keys, rtol=0, atol=KEY_TOLERANCE)

    # Reopening

    def test_everything_is_there_after_reopening(self, store: VectorStore, reopen: Reopen) -> None:
        written = self.points(range(1500), version=2)
        store.upsert(written)
        store.label(np.array([3], np.int64), np.array([1], np.int64))
        store.delete(np.array([4], np.int64))
        before = store.page(NO_ID, 2000)
        store.sync()
        again = reopen(store)
        after = again.page(NO_ID, 2000)
        assert again.count() == 1499
        for column in ("ids", "keys", "values", "has_value", "versions", "writers", "sequences"):
            assert np.array_equal(getattr(after, column), getattr(before, column)), column
        assert self.nearest(again, written.keys[3], region=1) == [3]
        again.upsert(self.points([3, 9999], version=1))
        assert again.fetch(np.array([3, 9999], np.int64)).versions.tolist() == [2, 1]

    def test_closing_twice_is_allowed(self, store: VectorStore) -> None:
        store.upsert(self.points([1]))
        store.close()
        store.close()
