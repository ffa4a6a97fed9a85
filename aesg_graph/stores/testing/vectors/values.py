# ruff: noqa: D102 - a test says in its name what it shows
"""Values: kept to the bit, or absent."""

from __future__ import annotations

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGMemoryError
from aesg_graph.stores.abc import VectorStore
from aesg_graph.stores.testing.vectors.base import WRITER, VectorTests, directions


class ValueTests(VectorTests):
    """What holds where a memory has values, three numbers wide."""

    value_dim = 3

    def test_values_come_back_to_the_bit(self, store: VectorStore) -> None:
        tiny, large = np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max
        values = np.array([[0.1, -0.0, 1 / 3], [tiny, large, -large], [0, 0, 0]], np.float32)
        store.upsert(self.points([1, 2, 3], values=values))
        found = store.fetch(np.array([1, 2, 3], np.int64))
        assert found.values.tobytes() == values.tobytes()
        assert found.has_value.all()

    def test_a_concept_without_a_value_has_none(self, store: VectorStore) -> None:
        values = np.full((3, 3), np.nan, np.float32)
        values[1] = [1, 2, 3]
        store.upsert(self.points([1, 2, 3], values=values, has_value=[False, True, False]))
        for found in (store.fetch(np.array([1, 2, 3], np.int64)), store.page(NO_ID, 5)):
            assert found.has_value.tolist() == [False, True, False]
            assert found.values.tolist() == [[0, 0, 0], [1, 2, 3], [0, 0, 0]]

    def test_writing_without_a_value_removes_the_old_one(self, store: VectorStore) -> None:
        store.upsert(self.points([1]))
        store.upsert(self.points([1], has_value=[False], version=1))
        assert store.fetch(np.array([1], np.int64)).has_value.tolist() == [False]

    def test_rekey_keeps_values_to_the_bit_and_absent_ones_absent(self, store: VectorStore) -> None:
        written = self.points([1, 2], has_value=[True, False])
        store.upsert(written)
        store.rekey(written.ids, directions(2, 8, 9), 1, WRITER, 2)
        found = store.fetch(written.ids)
        assert found.has_value.tolist() == [True, False]
        assert found.values[0].tobytes() == written.values[0].tobytes()

    @pytest.mark.parametrize("number", [np.nan, np.inf])
    def test_values_that_are_no_numbers_are_refused_whole(self, store: VectorStore, number: float) -> None:
        values = np.ones((2, 3), np.float32)
        values[1, 2] = number
        with pytest.raises(AESGMemoryError, match="values"):
            store.upsert(self.points([1, 2], values=values))
        assert store.count() == 0


class NoValueTests(VectorTests):
    """What holds where a memory has no values."""

    value_dim = 0

    def test_a_value_is_refused_where_there_is_no_room_for_one(self, store: VectorStore) -> None:
        with pytest.raises(AESGMemoryError, match="value_dim is 0"):
            store.upsert(self.points([1, 2], has_value=[False, True]))
        assert store.count() == 0
