# ruff: noqa: D102 - a test says in its name what it shows
"""Births, versions, replays, deletes and new keys."""

from __future__ import annotations

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID
from aesg_graph.stores.abc import VectorStore
from aesg_graph.stores.testing.vectors.base import (
    KEY_TOLERANCE,
    WRITER,
    VectorTests,
    directions,
)


class WritingTests(VectorTests):
    """What writing does, and what it leaves alone."""

    # Writing and reading back

    def test_a_new_store_is_empty(self, store: VectorStore) -> None:
        assert store.count() == 0
        assert len(store.page(NO_ID, 10)) == 0
        assert len(store.fetch(np.array([1, 2], np.int64))) == 0

    def test_points_come_back_as_written_in_ascending_id_order(self, store: VectorStore) -> None:
        written = self.points([30, 10, 20], sequence=[3, 1, 2], version=[0, 4, 2])
        store.upsert(written)
        found = store.fetch(np.array([20, 99, 30, 10], np.int64))
        order = np.argsort(written.ids)
        assert found.ids.tolist() == [10, 20, 30]
        np.testing.assert_allclose(found.keys, written.keys[order], rtol=0, atol=KEY_TOLERANCE)
        assert found.keys.dtype == found.values.dtype == np.float32
        assert found.sequences.tolist() == [1, 2, 3]
        assert found.versions.tolist() == [4, 2, 0]
        assert found.writers.tolist() == [WRITER] * 3
        assert found.has_value.tolist() == [self.value_dim > 0] * 3

    def test_keys_of_unit_length_come_back_within_a_millionth(self, store: VectorStore) -> None:
        written = self.points(range(1, 2001), seed=5)
        store.upsert(written)
        difference = np.abs(store.fetch(written.ids).keys - written.keys).max()
        assert difference <= KEY_TOLERANCE

    def test_the_smallest_and_largest_ids_are_kept_apart(self, store: VectorStore) -> None:
        ids = [0, 1, (1 << 53) + 1, 1 << 62, (1 << 62) + 1, (1 << 63) - 1]
        written = self.points(ids)
        store.upsert(written)
        assert store.fetch(np.array(ids[::-1], np.int64)).ids.tolist() == ids
        assert store.page(NO_ID, 10).ids.tolist() == ids
        nearest, _ = store.search(written.keys, 1)
        assert nearest[:, 0].tolist() == ids

    def test_many_ids_are_written_read_and_deleted_in_one_round_trip(self, store: VectorStore) -> None:
        written = self.points((np.arange(5000) * 7919 % 5003) << 20, seed=3)
        store.upsert(written)
        found = store.fetch(written.ids)
        order = np.argsort(written.ids)
        assert np.array_equal(found.ids, written.ids[order])
        np.testing.assert_allclose(found.keys, written.keys[order], rtol=0, atol=KEY_TOLERANCE)
        assert store.count() == 5000
        store.delete(written.ids[:4000])
        assert np.array_equal(store.fetch(written.ids).ids, np.sort(written.ids[4000:]))

    def test_ids_asked_for_twice_come_back_once(self, store: VectorStore) -> None:
        store.upsert(self.points([1, 2]))
        assert store.fetch(np.array([2, 1, 2, 1], np.int64)).ids.tolist() == [1, 2]

    def test_empty_batches_change_nothing(self, store: VectorStore) -> None:
        store.upsert(self.points([1]))
        nothing = np.empty(0, np.int64)
        store.upsert(self.points([]))
        store.rekey(nothing, np.empty((0, self.vector_dim), np.float32), 3, WRITER, 5)
        store.label(nothing, nothing)
        store.delete(nothing)
        assert store.count() == 1
        assert store.fetch(np.array([1], np.int64)).versions.tolist() == [0]

    def test_fetching_nothing_gives_a_table_of_the_right_widths(self, store: VectorStore) -> None:
        store.upsert(self.points([1]))
        found = store.fetch(np.empty(0, np.int64))
        assert len(found) == 0
        assert found.keys.shape == (0, self.vector_dim)
        assert found.values.shape == (0, self.value_dim)
        assert found.ids.dtype == found.versions.dtype == np.int64

    # Versions and replays

    def test_a_lower_version_never_replaces_a_higher_one(self, store: VectorStore) -> None:
        newer = self.points([1, 2], version=5, seed=1)
        store.upsert(newer)
        store.upsert(self.points([1, 2, 3], version=4, sequence=9, seed=2))
        found = store.fetch(np.array([1, 2, 3], np.int64))
        assert found.versions.tolist() == [5, 5, 4]
        assert found.sequences.tolist() == [1, 1, 9]
        np.testing.assert_allclose(found.keys[:2], newer.keys, rtol=0, atol=KEY_TOLERANCE)

    @pytest.mark.parametrize("version", [5, 6])
    def test_an_equal_or_higher_version_replaces(self, store: VectorStore, version: int) -> None:
        store.upsert(self.points([1, 2], version=5, seed=1))
        newer = self.points([1, 2], version=version, sequence=2, seed=2)
        store.upsert(newer)
        found = store.fetch(newer.ids)
        assert found.versions.tolist() == [version] * 2
        assert found.sequences.tolist() == [2, 2]
        np.testing.assert_allclose(found.keys, newer.keys, rtol=0, atol=KEY_TOLERANCE)

    def test_versions_are_compared_point_by_point(self, store: VectorStore) -> None:
        store.upsert(self.points([1, 2, 3], version=[1, 5, 9]))
        store.upsert(self.points([1, 2, 3, 4], version=[4, 4, 9, 0], sequence=2))
        found = store.fetch(np.array([1, 2, 3, 4], np.int64))
        assert found.versions.tolist() == [4, 5, 9, 0]
        assert found.sequences.tolist() == [2, 1, 2, 2]

    @pytest.mark.parametrize("versions", [[3, 7], [7, 3]])
    def test_of_two_versions_in_one_call_the_higher_wins(self, store: VectorStore, versions: list[int]) -> None:
        both = self.points([1, 1], version=versions)
        store.upsert(both)
        found = store.fetch(np.array([1], np.int64))
        assert found.versions.tolist() == [7]
        np.testing.assert_allclose(found.keys[0], both.keys[versions.index(7)], rtol=0, atol=KEY_TOLERANCE)

    def test_replaying_writes_changes_nothing(self, store: VectorStore) -> None:
        written = self.points([1, 2, 3], version=1)
        keys = directions(2, self.vector_dim, 9)

        def play() -> None:
            store.upsert(written)
            store.rekey(np.array([1, 2], np.int64), keys, 2, WRITER, 8)
            store.delete(np.array([3], np.int64))

        play()
        once = store.page(NO_ID, 10)
        play()
        twice = store.page(NO_ID, 10)
        assert twice.ids.tolist() == once.ids.tolist() == [1, 2]
        assert twice.versions.tolist() == once.versions.tolist() == [2, 2]
        assert np.array_equal(twice.keys, once.keys)
        assert np.array_equal(twice.values, once.values)

    # Deletes

    def test_deleted_points_are_gone_from_every_view(self, store: VectorStore) -> None:
        written = self.points([1, 2, 3])
        store.upsert(written)
        store.delete(np.array([2], np.int64))
        assert store.count() == 2
        assert store.fetch(written.ids).ids.tolist() == [1, 3]
        assert store.page(NO_ID, 10).ids.tolist() == [1, 3]
        ids, _ = store.search(written.keys[1:2], 3)
        assert sorted(ids[0].tolist()) == [NO_ID, 1, 3]

    def test_deleting_what_is_absent_is_no_error(self, store: VectorStore) -> None:
        store.upsert(self.points([1, 2]))
        store.delete(np.array([2, 5, 2, 1 << 60], np.int64))
        store.delete(np.array([2], np.int64))
        assert store.page(NO_ID, 10).ids.tolist() == [1]

    def test_a_deleted_point_may_be_written_again_with_any_version(self, store: VectorStore) -> None:
        store.upsert(self.points([1], version=9))
        store.delete(np.array([1], np.int64))
        store.upsert(self.points([1], version=0))
        assert store.fetch(np.array([1], np.int64)).versions.tolist() == [0]

    # Rekeying

    def test_rekey_replaces_keys_and_stamps_and_keeps_the_rest(self, store: VectorStore) -> None:
        written = self.points([1, 2, 3], kind=["concept", "rule", "rule"], version=1)
        store.upsert(written)
        store.label(written.ids, np.array([4, 4, 5], np.int64))
        keys = directions(2, self.vector_dim, 9)
        store.rekey(np.array([3, 1], np.int64), keys, 2, WRITER + 1, 12)
        found = store.fetch(written.ids)
        assert found.versions.tolist() == [2, 1, 2]
        assert found.writers.tolist() == [WRITER + 1, WRITER, WRITER + 1]
        assert found.sequences.tolist() == [12, 1, 12]
        np.testing.assert_allclose(found.keys[[2, 0]], keys, rtol=0, atol=KEY_TOLERANCE)
        np.testing.assert_allclose(found.keys[1], written.keys[1], rtol=0, atol=KEY_TOLERANCE)
        assert np.array_equal(found.values, written.values)
        assert self.nearest(store, keys[0], kind="rule", region=5) == [3]

    def test_rekey_leaves_higher_versions_and_absent_points_alone(self, store: VectorStore) -> None:
        written = self.points([1, 2, 3], version=[3, 4, 5])
        store.upsert(written)
        store.rekey(np.array([1, 2, 3, 9], np.int64), directions(4, self.vector_dim, 9), 4, WRITER, 2)
        found = store.page(NO_ID, 10)
        assert found.ids.tolist() == [1, 2, 3]
        assert found.versions.tolist() == [4, 4, 5]
        assert found.sequences.tolist() == [2, 2, 1]
        np.testing.assert_allclose(found.keys[2], written.keys[2], rtol=0, atol=KEY_TOLERANCE)

    def test_a_late_birth_does_not_undo_a_rekey(self, store: VectorStore) -> None:
        born = self.points([1])
        keys = directions(1, self.vector_dim, 9)
        store.upsert(born)
        store.rekey(born.ids, keys, 1, WRITER, 2)
        store.upsert(born)
        found = store.fetch(born.ids)
        assert found.versions.tolist() == [1]
        np.testing.assert_allclose(found.keys, keys, rtol=0, atol=KEY_TOLERANCE)
