# ruff: noqa: D102 - a test says in its name what it shows
"""Input that a store refuses, with nothing written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGMemoryError
from aesg_graph.stores.abc import VectorStore
from aesg_graph.stores.testing.vectors.base import (
    WRITER,
    VectorTests,
    directions,
)


class RefusalTests(VectorTests):
    """AESGMemoryError for what no store may take."""

    @pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
    def test_keys_that_are_no_numbers_are_refused_whole(self, store: VectorStore, number: float) -> None:
        store.upsert(self.points([1]))
        bad = directions(2, self.vector_dim)
        bad[1, 0] = number
        with pytest.raises(AESGMemoryError, match="keys"):
            store.upsert(self.points([1, 2], keys=bad, version=3))
        with pytest.raises(AESGMemoryError, match="keys"):
            store.rekey(np.array([1, 2], np.int64), bad, 3, WRITER, 2)
        with pytest.raises(AESGMemoryError, match="queries"):
            store.search(bad, 3)
        assert store.count() == 1
        assert store.fetch(np.array([1], np.int64)).versions.tolist() == [0]

    def test_a_zero_key_is_refused(self, store: VectorStore) -> None:
        with pytest.raises(AESGMemoryError, match="zero"):
            store.upsert(self.points([1], keys=np.zeros((1, self.vector_dim), np.float32)))
        assert store.count() == 0

    def test_a_zero_query_has_cosine_zero_with_everything(self, store: VectorStore) -> None:
        store.upsert(self.points([1, 2]))
        _, scores = store.search(np.zeros((1, self.vector_dim), np.float32), 2)
        assert scores.tolist() == [[0, 0]]

    @pytest.mark.parametrize("shape", [(2, 7), (2, 9), (1, 8), (16,), (2, 8, 1)])
    def test_keys_of_a_wrong_shape_are_refused(self, store: VectorStore, shape: tuple[int, ...]) -> None:
        bad = np.ones(shape, np.float32)
        with pytest.raises(AESGMemoryError, match=r"expected \(2, 8\)"):
            store.upsert(self.points([1, 2], keys=bad))
        with pytest.raises(AESGMemoryError, match=r"expected \(2, 8\)"):
            store.rekey(np.array([1, 2], np.int64), bad, 1, WRITER, 1)
        assert store.count() == 0

    @pytest.mark.parametrize("shape", [(8,), (2, 7), (1, 2, 8), ()])
    def test_queries_of_a_wrong_shape_are_refused(self, store: VectorStore, shape: tuple[int, ...]) -> None:
        with pytest.raises(AESGMemoryError, match="queries"):
            store.search(np.ones(shape, np.float32), 3)

    @pytest.mark.parametrize("ids", [[-1, 2], [[1, 2]], [0.5, 1.0]])
    def test_ids_that_are_none_are_refused(self, store: VectorStore, ids: npt.ArrayLike) -> None:
        bad = np.array(ids)
        for use in (store.fetch, store.delete, lambda i: store.label(i, np.zeros(2, np.int64))):
            with pytest.raises(AESGMemoryError, match="ids"):
                use(bad)

    def test_values_of_a_wrong_width_are_refused(self, store: VectorStore) -> None:
        bad = np.ones((1, self.value_dim + 1), np.float32)
        with pytest.raises(AESGMemoryError, match="values"):
            store.upsert(self.points([1], values=bad))
        assert store.count() == 0

    def test_columns_of_other_lengths_are_refused(self, store: VectorStore) -> None:
        with pytest.raises(AESGMemoryError, match="kinds"):
            store.upsert(self.points([1, 2], kind=["concept"]))
        with pytest.raises(AESGMemoryError, match="has_value"):
            store.upsert(self.points([1, 2], has_value=[False]))
        with pytest.raises(AESGMemoryError, match="regions"):
            store.label(np.array([1, 2], np.int64), np.array([1], np.int64))
        assert store.count() == 0

    def test_a_negative_limit_is_refused(self, store: VectorStore) -> None:
        with pytest.raises(AESGMemoryError, match="limit"):
            store.search(directions(1, self.vector_dim), -1)
        with pytest.raises(AESGMemoryError, match="limit"):
            store.page(NO_ID, -1)
