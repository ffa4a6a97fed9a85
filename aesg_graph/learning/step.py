"""The concepts born in the present step, which later rows and later calls of the step must consider."""

from __future__ import annotations

import numpy as np

from aesg_graph.concepts import CONCEPT, Doubles, Floats, Ids
from aesg_graph.learning.explaining import directions


class Step:
    """What was born since the memory that gives the answers was last looked at.

    A plain call has a step of its own. Calls inside ``memory.step()`` share one, because all of them are answered from
    the memory as it was on entry. A concept born without a value has a zero value here: to a query that means
    something, memory says nothing by it.

    Attributes
    ----------
    ids: int64 [N], in order of birth. keys: float32 [N, D]. values: float32 [N, V]. kinds: N names.
    """

    def __init__(self, vector_dim: int, value_dim: int) -> None:
        self.ids: Ids = np.empty(0, np.int64)
        self.keys: Floats = np.empty((0, vector_dim), np.float32)
        self.values: Floats = np.empty((0, value_dim), np.float32)
        self.kinds: list[str] = []

    def __len__(self) -> int:
        return len(self.ids)

    def extend(self, ids: Ids, keys: Floats, values: Floats, kind: str = CONCEPT) -> None:
        """Remember N concepts of a kind that were just born."""
        self.kinds += [kind] * len(ids)
        self.ids = np.concatenate([self.ids, ids])
        self.keys = np.concatenate([self.keys, keys])
        self.values = np.concatenate([self.values, values])

    def explain(self, queries: Doubles, meanings: Doubles | None, kind: str | None = None) -> Doubles:
        """How well the concepts of the step explain each of R queries, in [0, 1]; 0 where there are none.

        Only concepts of ``kind`` are considered, all for None. ``queries`` and ``meanings`` (the lesson's values, if it
        has any) are :func:`directions`.
        """
        keys, values = self.keys, self.values
        if kind is not None:
            of_kind = np.array([own == kind for own in self.kinds], np.bool_)
            keys, values = keys[of_kind], values[of_kind]
        each = explained(queries, meanings, directions(keys), directions(values))
        return np.asarray(each.max(axis=1, initial=0.0))


def explained(queries: Doubles, meanings: Doubles | None, keys: Doubles, values: Doubles) -> Doubles:
    """How well each of N newborn concepts explains each of R queries: [R, N], in [0, 1].

    The cosine of query and key, floored at 0, and where the queries have meanings the lesser of that and the cosine of
    meaning and value. All four are :func:`directions`.
    """
    found = np.clip(queries @ keys.T, 0.0, 1.0)
    if meanings is None:
        return found
    return np.minimum(found, np.clip(meanings @ values.T, 0.0, 1.0))
