"""What the parts of the suite share: points to write, and what is near enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from aesg_graph.concepts import NO_ID, Floats, Ids
from aesg_graph.stores.abc import Points, VectorStore

Reopen = Callable[[VectorStore], VectorStore]
"""Closes the store it is given and opens it again."""

WRITER = 77
KEY_TOLERANCE = 1e-6
SCORE_TOLERANCE = 1e-5


def directions(count: int, width: int, seed: int = 0) -> Floats:
    """``count`` random directions: unit length in float32, as keys are at birth."""
    drawn: Floats = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    lengths: Floats = np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn / lengths


class VectorTests:
    """What the parts of the suite share."""

    vector_dim = 8
    value_dim: int

    def points(
        self,
        ids: Sequence[int] | Ids,
        keys: Floats | None = None,
        values: Floats | None = None,
        has_value: Sequence[bool] | None = None,
        kind: str | Sequence[str] = "concept",
        version: int | Sequence[int] = 0,
        sequence: int | Sequence[int] = 1,
        seed: int = 0,
    ) -> Points:
        """Points to be written, random where nothing is said."""
        count = len(ids)
        keys = directions(count, self.vector_dim, seed) if keys is None else keys
        if values is None:
            drawn = np.random.default_rng(seed + 1).standard_normal((count, self.value_dim))
            values = drawn.astype(np.float32)
        flags = np.full(count, self.value_dim > 0) if has_value is None else np.array(has_value, np.bool_)
        kinds = (kind,) * count if isinstance(kind, str) else tuple(kind)
        sequences = np.broadcast_to(np.array(sequence, np.int64), count).copy()
        versions = np.broadcast_to(np.array(version, np.int64), count).copy()
        return Points(np.array(ids, np.int64), keys, values, flags, kinds, WRITER, sequences, versions)

    def nearest(self, store: VectorStore, query: Floats, **filters: str | int) -> list[int]:
        """Everything that one query finds, nearest first, without padding."""
        ids, _ = store.search(query[None], 10, **filters)  # type: ignore[arg-type]
        return [id for id in ids[0].tolist() if id != NO_ID]
