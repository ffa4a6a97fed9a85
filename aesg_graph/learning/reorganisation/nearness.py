"""Which concepts are nearer to each other than a bound: exactly, and in bounded memory.

Of N keys every pair has to be looked at, so the look is made cheap. Keys are turned so that their first k coordinates
hold as much of them as any k can (principal axes of the second moment). Then for two keys, with the rest of their
lengths after these k, ``x . y <= x_k . y_k + rest(x) rest(y)`` (Cauchy and Schwarz), which is a product of k + 1
coordinates in float32 with a margin for rounding. What passes is computed again in float64 from all coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from aesg_graph.concepts import Doubles, Floats
from aesg_graph.learning.reorganisation.landscape import Rows, unit

SAMPLE = 512
"""Rows by which k is chosen."""
PASSING = 1e-4
"""k is enough if so small a share of the sample's pairs passes."""
ACROSS, ALONG = 1024, 4096
"""Rows and columns of a block of products."""
AT_ONCE = 1 << 16
"""Pairs that are computed again together."""


@dataclass(frozen=True, eq=False)
class Nearness:
    """Keys [N, D], prepared for looking at pairs; a pair is near if its cosine is above ``bound``."""

    keys: Floats
    sketch: Floats
    """[N, k + 1] the first k coordinates of the turned keys and the length of the rest; [N, D] turned if k = D."""
    bound: float
    margin: float

    @classmethod
    def of(cls, keys: Floats, bound: float) -> Nearness:
        """Prepare N unit keys."""
        count, dims = keys.shape
        turned = _turned(keys)
        rounding = (dims + 8) * 2.0**-23
        sample = np.unique(np.linspace(0, max(0, count - 1), min(count, SAMPLE)).astype(np.int64))
        sketch, k = turned, 8
        while 2 * k <= dims:
            smaller = _sketched(turned, k)
            some = smaller[sample]
            # A row always passes with itself.
            if np.count_nonzero(some @ some.T > bound - rounding) - len(some) <= PASSING * len(some) ** 2:
                sketch = smaller
                break
            k *= 2
        return cls(keys, sketch, bound, rounding)

    def of_rows(self, rows: Rows) -> Nearness:
        """The same of some of the keys."""
        return replace(self, keys=self.keys[rows], sketch=self.sketch[rows])

    def pairs(self, rows: Rows, columns: Rows) -> Iterator[tuple[Rows, Rows, Doubles]]:
        """Near pairs of two lists of rows, some at a time: places in the one, places in the other, and cosines."""
        for top in range(0, len(rows), ACROSS):
            across = self.sketch[rows[top : top + ACROSS]]
            for left in range(0, len(columns), ALONG):
                products = across @ self.sketch[columns[left : left + ALONG]].T
                lines = np.flatnonzero(products.max(axis=1) > self.bound - self.margin)
                if not lines.size:
                    continue
                i, j = np.nonzero(products[lines] > self.bound - self.margin)
                i, j = lines[i] + top, j + left
                for start in range(0, len(i), AT_ONCE):
                    some = slice(start, start + AT_ONCE)
                    cosines = self.cosines(rows[i[some]], columns[j[some]])
                    near = cosines > self.bound
                    if near.any():
                        yield i[some][near], j[some][near], cosines[near]

    def cosines(self, rows: Rows, others: Rows) -> Doubles:
        """The cosines of pairs, in float64."""
        return np.asarray(np.minimum(np.einsum("nd,nd->n", unit(self.keys[rows]), unit(self.keys[others])), 1.0))

    def beside(self, rows: Rows, others: Rows) -> Rows:
        """Those of ``others`` that are near one of ``rows``."""
        found = np.zeros(len(others), np.bool_)
        for _, j, _ in self.pairs(rows, others):
            found[j] = True
        return others[found]


def _turned(keys: Floats) -> Floats:
    """Keys at unit length along their principal axes, the longest first."""
    moment = np.zeros((keys.shape[1], keys.shape[1]))
    for start in range(0, len(keys), AT_ONCE):
        some = unit(keys[start : start + AT_ONCE])
        moment += some.T @ some
    axes = np.linalg.eigh(moment)[1][:, ::-1]
    turned = np.empty(keys.shape, np.float32)
    for start in range(0, len(keys), AT_ONCE):
        turned[start : start + AT_ONCE] = unit(keys[start : start + AT_ONCE]) @ axes
    return turned


def _sketched(turned: Floats, k: int) -> Floats:
    rest = np.sqrt(np.einsum("nd,nd->n", turned[:, k:], turned[:, k:], dtype=np.float64))
    return np.column_stack([turned[:, :k], rest.astype(np.float32)])
