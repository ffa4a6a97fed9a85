"""Small memories in columns, as planning sees them."""

import itertools

import numpy as np

from aesg_graph.config import AESGConfig
from aesg_graph.learning.reorganisation import Bonds, Landscape, ReorganisationRules

D, V = 8, 3
CONFIG = AESGConfig(vector_dim=D, value_dim=V)
SIMILARITY, ASSOCIATION, CAUSAL, CONTRADICTS, HIERARCHICAL = (
    CONFIG.vocabulary.code(name) for name in ("SIMILARITY", "ASSOCIATION", "CAUSAL", "CONTRADICTS", "HIERARCHICAL")
)


def rules(**changes):
    """The rules of a small memory."""
    return ReorganisationRules.of(AESGConfig(**{"vector_dim": D, "value_dim": V, **changes}))


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def land(keys, edges=(), values=None, kinds=None, uses=None, regions=None, first=10):
    """A memory with these keys; edges are (row, row, type) or (row, row, type, weight). Values of None: none."""
    keys = unit(keys)
    count = len(keys)
    kinds = ["concept"] * count if kinds is None else kinds
    names = tuple(dict.fromkeys(kinds))
    has_value = np.zeros(count, bool) if values is None else np.array([v is not None for v in values])
    given = np.zeros((count, V), np.float32)
    for row in np.flatnonzero(has_value):
        given[row] = values[row]
    rows = [(*edge, 0.5)[:4] for edge in edges]
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.empty(0)] * 4
    bonds = Bonds(*(column.astype(np.int64) for column in columns[:3]), columns[3].astype(np.float32))
    return Landscape(
        ids=np.arange(first, first + count),
        keys=keys,
        values=given,
        has_value=has_value,
        kinds=np.array([names.index(kind) for kind in kinds], np.int64),
        kind_names=names,
        uses=np.zeros(count, np.int64) if uses is None else np.array(uses, np.int64),
        regions=np.full(count, -1) if regions is None else np.array(regions, np.int64),
        versions=np.zeros(count, np.int64),
        bonds=bonds,
    )


def around(centre, count, spread, seed=0):
    """Rows near a centre [D]."""
    centre = np.asarray(centre, np.float64)
    return centre + spread * np.random.default_rng(seed).standard_normal((count, len(centre)))


def axes(*numbers):
    """Unit rows along axes."""
    return np.eye(D)[list(numbers)]


def allocator(first=1000):
    """Gives ids from ``first`` on."""
    counter = itertools.count(first)
    return lambda count: np.array([next(counter) for _ in range(count)], np.int64)


def clique(rows, type=ASSOCIATION, weight=0.5):
    """Every pair of rows joined."""
    return [(a, b, type, weight) for a, b in itertools.combinations(rows, 2)]
