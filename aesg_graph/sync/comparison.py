"""Graph against vectors, compared window by window in ascending order of ids.

What is needed of memory does not grow with the memory that is looked at. What a batch that still waits in the journal
names is left alone: it is on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from aesg_graph.concepts import ConceptTable, EdgeTable, Flags, Ids, VectorTable
from aesg_graph.stores.abc import NO_IDS, GraphStore, Labelled, VectorStore
from aesg_graph.sync.findings import Finding, Kind
from aesg_graph.sync.journal import Journal

LAST = (1 << 63) - 1
NO_WRITER = -1
Table = TypeVar("Table", ConceptTable, EdgeTable, VectorTable)


@dataclass(frozen=True, eq=False)
class Window:
    """Everything with an id in some range: concepts and their outgoing edges, and vectors (None: not looked at)."""

    concepts: ConceptTable
    edges: EdgeTable
    vectors: VectorTable | None


def windows(graph: GraphStore, vectors: VectorStore | None, size: int, whole: bool) -> Iterator[Window]:
    """A memory in windows of at most ``size`` rows of each; edges and numbers of vectors only if ``whole``."""
    after = -1
    while True:
        page = graph.page(after, size, edges=whole)
        points = None if vectors is None else vectors.page(after, size, vectors=whole)
        full = [int(ids[-1]) for ids in (page.concepts.ids, _ids(points)) if len(ids) == size]
        if not len(page.concepts) and not len(_ids(points)):
            return
        last = min(full, default=LAST)
        yield Window(
            rows_of(page.concepts, page.concepts.ids <= last),
            rows_of(page.edges, page.edges.sources <= last),
            None if points is None else rows_of(points, points.ids <= last),
        )
        if last == LAST:
            return
        after = last


def _ids(points: VectorTable | None) -> Ids:
    return NO_IDS if points is None else points.ids


class Comparison:
    """Graph against vectors, a window at a time."""

    def __init__(self, graph: GraphStore, vectors: VectorStore, journal: Journal | None, on_their_way: Ids) -> None:
        self._graph, self._vectors, self._on_their_way = graph, vectors, on_their_way
        writer = None if journal is None else journal.writer
        state = None if writer is None else graph.writer(writer)
        self._writer = NO_WRITER if writer is None else writer
        self._done = 0 if state is None else state.sequence
        self._found: dict[Kind, list[Ids]] = {}
        self._concepts = self._points = 0

    def look(self, window: Window) -> None:
        """Compare what is in a window, which has vectors."""
        concepts, points = window.concepts, window.vectors
        if points is None:
            return
        self._concepts, self._points = self._concepts + len(concepts), self._points + len(points)
        self._alone(points, ~np.isin(points.ids, concepts.ids))
        self._note(Kind.LOST, np.setdiff1d(concepts.ids, points.ids))
        both = np.intersect1d(concepts.ids, points.ids)
        here, there = np.searchsorted(concepts.ids, both), np.searchsorted(points.ids, both)
        self._note(Kind.VERSION, both[concepts.versions[here] != points.versions[there]])
        if isinstance(self._vectors, Labelled):
            ids, kinds, regions = self._vectors.labels(both)
            rows = np.searchsorted(concepts.ids, ids)
            other_kind = np.array([concepts.kinds[r] != k for r, k in zip(rows.tolist(), kinds, strict=True)], bool)
            self._note(Kind.PAYLOAD, ids[other_kind | (concepts.region_id[rows] != regions)])

    def _alone(self, points: VectorTable, alone: Flags) -> None:
        """Vectors without a concept: those that their writer is past."""
        past = (points.writers != self._writer) | (points.sequences <= self._done)
        ids = points.ids[alone & past]
        removed = self._graph.tombstones(ids).ids if ids.size else ids
        self._note(Kind.REMAINS, removed)
        self._note(Kind.ORPHANS, np.setdiff1d(ids, removed))

    def _note(self, kind: Kind, ids: Ids) -> None:
        ids = ids[~np.isin(ids, self._on_their_way)]
        if ids.size:
            self._found.setdefault(kind, []).append(ids)

    def ids(self, kind: Kind) -> Ids:
        """Everything that was found so far of one kind."""
        return np.concatenate([NO_IDS, *self._found.get(kind, [])])

    def findings(self) -> list[Finding]:
        """What was found, once all windows have been looked at."""
        found = [
            Finding(kind, self.ids(kind).size, DETAILS[kind], self.ids(kind)) for kind in DETAILS if kind in self._found
        ]
        for kind, what, counted, seen in (
            (Kind.COUNTS, "the graph counts {} concepts and shows {}", self._graph.count().concepts, self._concepts),
            (Kind.VECTORS, "the vector store counts {} points and shows {}", self._vectors.count(), self._points),
        ):
            if counted != seen:
                found.append(Finding(kind, abs(counted - seen), what.format(counted, seen)))
        return found


DETAILS = {
    Kind.ORPHANS: "vectors whose concept the graph has never had",
    Kind.REMAINS: "vectors whose concept was removed",
    Kind.LOST: "they cannot be recalled",
    Kind.VERSION: "the graph and the vector store name different versions of their keys",
    Kind.PAYLOAD: "their vectors name another kind or region than the graph",
}


def rows_of(table: Table, keep: Flags) -> Table:
    """The rows of a table that a mask keeps."""
    if keep.all():
        return table
    rows = np.flatnonzero(keep)
    picked: dict[str, Any] = {}
    for name in table.__dataclass_fields__:
        column = getattr(table, name)
        picked[name] = column[rows] if isinstance(column, np.ndarray) else tuple(column[i] for i in rows.tolist())
    return type(table)(**picked)
