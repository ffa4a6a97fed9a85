"""Graph against vectors, compared window by window in ascending order of ids.

What is needed of memory does not grow with the memory that is looked at. What a batch that still waits in the journal
names is left alone: it is on its way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from aesg_graph.concepts import ConceptTable, EdgeTable, Flags, Ids, VectorTable, among, without
from aesg_graph.stores.abc import NO_IDS, GraphStore, Labelled, Shared, VectorStore
from aesg_graph.sync.findings import Finding, Kind
from aesg_graph.sync.journal import Journal
from aesg_graph.sync.second_look import SecondLook

LAST = (1 << 63) - 1
CHUNK = 5_000
"""Concepts that are asked for again at once."""
SETTLING = 0.5
"""Seconds after which is asked again, where other processes may be between a commit and what follows it."""
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
    """Graph against vectors, a window at a time; what seems amiss is asked for once more at the end.

    Where other processes write to both, it is asked for until nothing more settles by itself, and their own counts,
    which move, are not compared.
    """

    def __init__(self, graph: GraphStore, vectors: VectorStore, journal: Journal | None, on_their_way: Ids) -> None:
        self._graph, self._vectors, self._on_their_way = graph, vectors, on_their_way
        self._shared = isinstance(graph, Shared)
        self._second = second_look(graph, vectors, journal)
        self._alone: list[Ids] = []
        self._found: dict[Kind, list[Ids]] = {}
        self._concepts = self._points = 0

    def look(self, window: Window) -> None:
        """Compare what is in a window, which has vectors."""
        concepts, points = window.concepts, window.vectors
        if points is None:
            return
        self._concepts, self._points = self._concepts + len(concepts), self._points + len(points)
        self._alone.append(self._settled(without(points.ids, concepts.ids)))
        self._note(Kind.LOST, without(concepts.ids, points.ids))
        both = points.ids[among(points.ids, concepts.ids)]
        here, there = np.searchsorted(concepts.ids, both), np.searchsorted(points.ids, both)
        self._note(Kind.VERSION, both[concepts.versions[here] != points.versions[there]])
        if isinstance(self._vectors, Labelled):
            ids, kinds, regions = self._vectors.labels(both)
            rows = np.searchsorted(concepts.ids, ids)
            other_kind = np.array([concepts.kinds[r] != k for r, k in zip(rows.tolist(), kinds, strict=True)], bool)
            self._note(Kind.PAYLOAD, ids[other_kind | (concepts.region_id[rows] != regions)])

    def _settled(self, ids: Ids) -> Ids:
        return ids[~among(ids, self._on_their_way)]

    def _note(self, kind: Kind, ids: Ids) -> None:
        ids = self._settled(ids)
        if ids.size:
            self._found.setdefault(kind, []).append(ids)

    def findings(self) -> list[Finding]:
        """What was found, once all windows have been looked at."""
        suspects = {kind: np.concatenate(ids) for kind, ids in self._found.items()}
        alone = np.concatenate([NO_IDS, *self._alone])
        if alone.size:
            suspects[Kind.ORPHANS] = alone
        found = self._asked_again(suspects) if suspects else {}
        told = [
            Finding(kind, ids.size, DETAILS[kind], ids) for kind in DETAILS if (ids := found.get(kind, NO_IDS)).size
        ]
        return told if self._shared else told + self._counts()

    def _asked_again(self, suspects: dict[Kind, Ids]) -> dict[Kind, Ids]:
        before = -1
        while True:
            if self._shared:
                time.sleep(SETTLING)
            found = self._ask(suspects)
            left = sum(ids.size for kind, ids in found.items() if kind is not Kind.AHEAD)
            if not self._shared or left == before:
                return found
            before = left

    def _ask(self, suspects: dict[Kind, Ids]) -> dict[Kind, Ids]:
        found: dict[Kind, list[Ids]] = {}
        for kind, ids in suspects.items():
            for part in chunks(ids):
                for told, which in self._second.ask(kind, part).items():
                    if told is not Kind.AHEAD or self._shared:
                        found.setdefault(told, []).append(which)
        return {kind: ids for kind, parts in found.items() if (ids := np.concatenate(parts)).size}

    def _counts(self) -> list[Finding]:
        found = []
        for kind, what, counted, seen in (
            (Kind.COUNTS, "the graph counts {} concepts and shows {}", self._graph.count().concepts, self._concepts),
            (Kind.VECTORS, "the vector store counts {} points and shows {}", self._vectors.count(), self._points),
        ):
            if counted != seen:
                found.append(Finding(kind, abs(counted - seen), what.format(counted, seen)))
        return found


def second_look(graph: GraphStore, vectors: VectorStore, journal: Journal | None) -> SecondLook:
    """A second look at a memory; where it is this journal's alone, by how far that one's writer is."""
    writer = None if journal is None else journal.writer
    if writer is None or isinstance(graph, Shared):
        return SecondLook(graph, vectors, {})
    state = graph.writer(writer)
    return SecondLook(graph, vectors, {writer: 0 if state is None else state.sequence})


def chunks(ids: Ids) -> Iterator[Ids]:
    """Ids, so many at a time that what is read of them is no burden."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


DETAILS = {
    Kind.ORPHANS: "vectors whose concept the graph has never had",
    Kind.REMAINS: "vectors whose concept was removed",
    Kind.LOST: "they cannot be recalled",
    Kind.VERSION: "the graph and the vector store name different versions of their keys",
    Kind.PAYLOAD: "their vectors name another kind or region than the graph",
    Kind.AHEAD: "their writers are at them, or will be when they are opened again",
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
