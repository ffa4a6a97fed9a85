"""Where novel queries collect until they are worth a concept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aesg_graph.concepts import CONCEPT, Doubles, Flags, Floats, Ints
from aesg_graph.learning.explaining import cosine

Vector = Floats | Doubles


class NoveltyBuffer:
    """A bounded set of running centroids of novel queries and of what they mean.

    Centroids are kept in the first ``len(self)`` rows, in no order; ``started`` tells their age. This is leader
    clustering in one pass (Hartigan 1975), with a bound and with values.

    Attributes
    ----------
    keys: float64 [capacity, D], running means of queries, not normalised.
    values: float64 [capacity, V], running means of values, zero where ``has_value`` is not set.
    hits: int64 [capacity], how many queries a centroid is the mean of.
    kinds: object [capacity], of what will be born.
    started: int64 [capacity], a number that grows with each centroid: the least is the oldest.
    """

    def __init__(self, capacity: int, vector_dim: int, value_dim: int) -> None:
        self.capacity = capacity
        self.keys: Doubles = np.zeros((capacity, vector_dim))
        self.values: Doubles = np.zeros((capacity, value_dim))
        self.has_value = np.zeros(capacity, np.bool_)
        self.hits = np.zeros(capacity, np.int64)
        self.started = np.zeros(capacity, np.int64)
        self.kinds = np.full(capacity, CONCEPT, np.object_)
        self._count = 0
        self._next = 0

    def __len__(self) -> int:
        return self._count

    @property
    def vector_dim(self) -> int:
        """D, the width of keys."""
        return int(self.keys.shape[1])

    @property
    def value_dim(self) -> int:
        """V, the width of values; may be 0."""
        return int(self.values.shape[1])

    def hit(self, key: Vector, value: Vector | None, threshold: float, kind: str = CONCEPT) -> int:
        """Let a query [D] (and its value [V]) hit a centroid; which row that is now, until the next change.

        It hits the nearest by key of those of its kind whose key cosine, and value cosine where there is a value, both
        reach ``threshold`` (ties go to the oldest), and otherwise starts a centroid of its own. When there is no place
        for that the oldest centroid leaves.
        """
        row = self._nearest(key, value, threshold, kind)
        if row is None:
            return self._start(key, value, kind)
        self.hits[row] += 1
        self.keys[row] += (key - self.keys[row]) / self.hits[row]
        if value is not None:
            self.values[row] += (value - self.values[row]) / self.hits[row]
        return row

    def take(self, row: int) -> tuple[Floats, Floats, bool] | None:
        """Take a centroid out: its key as a float32 unit vector, its value, and whether it has one.

        ``None`` if opposite queries have cancelled out: a mean without a direction is not the key of anything.
        """
        key, value, has_value = self.keys[row].copy(), self.values[row].astype(np.float32), bool(self.has_value[row])
        self._drop(row)
        length = np.sqrt(key @ key)
        if length == 0.0:
            return None
        return (key / length).astype(np.float32), value, has_value

    def oldest_first(self) -> Ints:
        """The rows in use, oldest first."""
        return np.argsort(self.started[: self._count], kind="stable").astype(np.int64)

    def clear(self) -> None:
        """Forget every centroid."""
        self._count = 0

    def append(self, keys: Doubles, values: Doubles, has_value: Flags, hits: Ints, kinds: Sequence[str]) -> None:
        """Put back centroids that were saved, oldest first; if there are too many the oldest are left out."""
        saved = list(zip(keys, values, has_value, hits, kinds, strict=True))
        for key, value, valued, count, kind in saved[-self.capacity :]:
            self.hits[self._start(key, value if valued else None, kind)] = count

    def _nearest(self, key: Vector, value: Vector | None, threshold: float, kind: str) -> int | None:
        n = self._count
        cosines = cosine(key, self.keys[:n])
        alike = (self.has_value[:n] == (value is not None)) & (self.kinds[:n] == kind)
        rows = np.flatnonzero((cosines >= threshold) & alike)
        if value is not None and len(rows):
            rows = rows[cosine(value, self.values[rows]) >= threshold]
        if not len(rows):
            return None
        nearest = rows[cosines[rows] == cosines[rows].max()]
        return int(nearest[self.started[nearest].argmin()])

    def _start(self, key: Vector, value: Vector | None, kind: str) -> int:
        if self._count == self.capacity:
            self._drop(int(self.started[: self._count].argmin()))
        row = self._count
        self.keys[row] = key
        self.values[row] = 0.0 if value is None else value
        self.has_value[row] = value is not None
        self.hits[row] = 1
        self.started[row] = self._next
        self.kinds[row] = kind
        self._count += 1
        self._next += 1
        return row

    def _drop(self, row: int) -> None:
        last = self._count - 1
        for column in (self.keys, self.values, self.has_value, self.hits, self.started, self.kinds):
            column[row] = column[last]
        self._count = last
