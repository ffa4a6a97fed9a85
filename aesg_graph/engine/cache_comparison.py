"""A cache that calls itself good against the stores: whether each of its rows says what they say."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import ConceptTable, EdgeTable, Flags, Ids, VectorTable, among, without
from aesg_graph.config import AESGConfig
from aesg_graph.engine.caching import seen_at
from aesg_graph.engine.outlook import NOWHERE, open_cache, stamp_of
from aesg_graph.stores.abc import NO_IDS, GraphStore, MemoryHead, Shared
from aesg_graph.sync import Finding, Freshness, Journal, Kind, MemoryDirectory, Window
from aesg_graph.sync.comparison import rows_of

NOBODY: dict[int, int] = {}
EXACT = (
    *("kinds", "encoders", "versions", "born_epoch", "touched_epoch", "use_frequency", "contradictions", "region_id"),
    "created_at",
)
RELEVANCE = 1e-9
"""Relevance is computed by the same formula on both sides, if not by the same code."""
WEIGHT = 1e-4
"""The cache keeps weights in float32, so rounding adds up over many uses."""
VECTOR = 1e-6


class CacheComparison:
    """Cache against stores, a window at a time; windows have vectors and edges."""

    def __init__(self, cache: ConceptCache, nowhere: Ids = NO_IDS, stale: Callable[[], Ids] = lambda: NO_IDS) -> None:
        """``nowhere``: what dangling edges name; no cache has such edges, and they are another finding. ``stale``: what
        others have changed by now since the cache was closed, which its next opening reads anew.
        """
        self._cache = cache
        self._nowhere = nowhere
        self._ask_stale = stale
        self._stale = stale()
        self._matched = int((cache.lookup(self._stale) >= 0).sum()) if self._stale.size else 0
        self._other: list[Ids] = []

    def look(self, window: Window) -> None:
        """Compare the concepts of a window that are resident, or ought to be."""
        concepts, vectors = window.concepts, window.vectors
        if vectors is None:
            return
        fresh = ~among(concepts.ids, self._stale)
        here = np.asarray(self._cache.lookup(concepts.ids) >= 0) & fresh
        self._matched += int(here.sum())
        if self._cache.complete:  # concepts without a vector are left out of every cache
            self._other.append(concepts.ids[~here & fresh & np.isin(concepts.ids, vectors.ids)])
        stored = rows_of(concepts, here)
        ids = stored.ids
        resident = self._cache.read(ids)
        self._other += [
            ids[_unlike(stored, resident.concepts)],
            _unlike_vectors(rows_of(vectors, np.isin(vectors.ids, ids)), self._cache.vectors(ids)),
            _unlike_edges(self._starting_at(ids, window.edges), self._starting_at(ids, resident.edges)),
        ]

    def _starting_at(self, ids: Ids, edges: EdgeTable) -> EdgeTable:
        return rows_of(edges, np.isin(edges.sources, ids) & ~np.isin(edges.targets, self._nowhere))

    def findings(self) -> list[Finding]:
        """What was found, once all windows have been looked at."""
        moved = without(self._ask_stale(), self._stale)
        other = without(np.concatenate([NO_IDS, *self._other]), moved)
        more = 0 if moved.size else self._cache.resident - self._matched
        if not other.size and not more:
            return []
        detail = f"{other.size} rows are not as the stores have them"
        if more:
            detail += f", and {more} are of concepts that the graph lacks"
        return [Finding(Kind.CACHE, other.size + abs(more), detail, other)]


@contextlib.contextmanager
def mirror_of(
    directory: MemoryDirectory | None,
    journal: Journal | None,
    graph: GraphStore,
    head: MemoryHead,
    config: AESGConfig,
    nowhere: Ids,
) -> Iterator[CacheComparison | None]:
    """The comparison of a directory's cache, if nobody uses it, it is good, and nothing of its own is on its way."""
    cache = None
    if directory is not None and journal is not None and not journal.pending():
        cache = open_cache(directory, journal, head, config)
    if cache is None or directory is None or journal is None:
        yield None
        return
    try:
        if isinstance(graph, Shared):
            seen = seen_at(directory.cache, stamp_of(journal, head))
            freshness = Freshness(graph, seen or NOBODY)
            known = seen is not None and not freshness.look(journal.writer).forgotten
            yield CacheComparison(cache, nowhere, lambda: freshness.look(journal.writer).ids) if known else None
        else:
            yield CacheComparison(cache, nowhere)
    finally:
        cache.close(NOWHERE, clean=False)


def _unlike(stored: ConceptTable, resident: ConceptTable) -> Flags:
    """Which rows of the same concepts differ."""
    unlike = ~np.isclose(stored.relevance, resident.relevance, rtol=RELEVANCE, atol=0)
    for name in EXACT:
        unlike |= np.asarray(getattr(stored, name)) != np.asarray(getattr(resident, name))
    return np.asarray(unlike)


def _unlike_vectors(stored: VectorTable, resident: VectorTable) -> Ids:
    """Concepts with other keys or values; one without a vector is another matter."""
    resident = rows_of(resident, np.isin(resident.ids, stored.ids))
    same = np.isclose(stored.keys, resident.keys, rtol=0, atol=VECTOR).all(axis=1)
    same &= np.isclose(stored.values, resident.values, rtol=VECTOR, atol=0).all(axis=1)
    same &= stored.has_value == resident.has_value
    unlike: Ids = stored.ids[~same]
    return unlike


def _unlike_edges(stored: EdgeTable, resident: EdgeTable) -> Ids:
    """Sources of edges that only one side has, or that differ."""
    columns = {n: np.concatenate([getattr(stored, n), getattr(resident, n)]) for n in stored.__dataclass_fields__}
    side = np.arange(len(columns["sources"])) >= len(stored)
    order = np.lexsort((side, columns["targets"], columns["types"], columns["sources"]))
    columns = {name: column[order] for name, column in columns.items()}
    first, second = slice(None, -1), slice(1, None)
    pair = np.ones(max(0, len(order) - 1), np.bool_)
    for name in ("sources", "types", "targets"):
        pair &= columns[name][first] == columns[name][second]
    equal = np.isclose(columns["weights"][first], columns["weights"][second], rtol=0, atol=WEIGHT)
    equal &= np.isclose(columns["confidences"][first], columns["confidences"][second], rtol=0, atol=WEIGHT)
    for name in ("use_counts", "created_at", "touched_epoch"):
        equal &= columns[name][first] == columns[name][second]
    good = np.zeros(len(order), np.bool_)
    good[first] |= pair & equal
    good[second] |= pair & equal
    return np.unique(columns["sources"][~good])
