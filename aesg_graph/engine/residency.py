"""Which concepts are in the cache, and how the others get there.

The rule that keeps the cache true: a concept with a lesson that the stores have not acknowledged is resident and
pinned. So whatever is read from the stores has nothing pending on top of it, except what is pending removal, which is
remembered here and never read back. Everything here runs under the engine's lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import ConceptTable, EdgeTable, Flags, Ids, Ints, Subgraph, VectorTable, among, without
from aesg_graph.operations import Batch, Operation, born_ids, doomed_ids, named_ids, restrict
from aesg_graph.stores.abc import GraphStore, Indexed, Shared, VectorStore
from aesg_graph.sync.freshness import positions_now

log = logging.getLogger("aesg_graph.cache")

Table = TypeVar("Table", ConceptTable, EdgeTable)

PAGE = 20_000
"""Concepts read from the stores at once when the cache is built."""


class Residency:
    """The cache together with the stores that it is filled from."""

    def __init__(
        self, cache: ConceptCache, graph: GraphStore, vectors: Callable[[], VectorStore], private: bool = False
    ) -> None:
        self.cache = cache
        self.private = private
        """Whether the cache is mapped copy-on-write, so that using it changes no byte on disk."""
        self.graph = graph
        self.vectors = vectors
        self.fetched = 0
        """Concepts read from the stores since the memory was opened."""
        self.seen: dict[int, int] = {}
        """Where other processes write too: up to which sequence each writer's changes are in the cache, as opened."""
        self._leaving: dict[int, int] = {}

    # -- building ---------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Fill an empty cache from the stores, if all of it fits."""
        if isinstance(self.graph, Shared):
            self.seen = positions_now(self.graph)  # before anything is read: what comes meanwhile is seen again
        total = self.graph.count()
        if total.concepts == 0:
            self.cache.complete = True
            return
        if not self.cache.fits(total.concepts, total.edges):
            return
        log.info("building the cache of %d concepts and %d edges from the stores", total.concepts, total.edges)
        vectors = self.vectors()
        missing, after = 0, -1
        while True:
            page = self.graph.page(after, PAGE)
            if len(page.concepts) == 0:
                break
            after = int(page.concepts.ids[-1])
            found = vectors.fetch(page.concepts.ids)
            missing += len(page.concepts) - len(found)
            self.cache.load_page(page.concepts, found, page.edges)
        if missing:
            log.warning("%d concepts have no vector and cannot be recalled; `aesg check` lists them", missing)
        self.cache.complete = True

    # -- loading ----------------------------------------------------------------------------------------------------

    def load(self, ids: Ids) -> None:
        """Bring concepts with their edges and vectors into the cache; what does not exist is skipped."""
        if self.cache.complete:
            return
        wanted = np.unique(ids)
        absent = self._not_resident(wanted)
        if absent.size:
            self.admit(self.graph.read(absent), keep=wanted)

    def admit(self, found: Subgraph, keep: Ids | None = None) -> None:
        """Put concepts that were read from the graph store into the cache, with their vectors; ``keep`` stays there."""
        ids = self._not_resident(found.concepts.ids)
        if ids.size:
            self.fetched += len(ids)
            rows = take(found.concepts, np.isin(found.concepts.ids, ids))
            self.cache.insert(rows, self.vectors().fetch(ids), self._without_leaving(found.edges), keep=keep)

    def read(self, ids: Ids, edges: bool = True) -> Subgraph:
        """Concepts from the graph store, less what this process has removed."""
        self.fetched += len(ids)
        found = self.graph.read(self._staying(ids), edges)
        return Subgraph(found.concepts, self._without_leaving(found.edges))

    def indexed(self) -> bool:
        """Whether the vector store has an index to search by."""
        store = self.vectors()
        return isinstance(store, Indexed) and store.indexed() > 0

    def _not_resident(self, ids: Ids) -> Ids:
        return self._staying(ids[self.cache.lookup(ids) < 0]) if ids.size else ids

    def _staying(self, ids: Ids) -> Ids:
        if not self._leaving:
            return ids
        return ids[~np.isin(ids, np.fromiter(self._leaving, np.int64, len(self._leaving)))]

    def _without_leaving(self, edges: EdgeTable) -> EdgeTable:
        if not self._leaving or not len(edges):
            return edges
        leaving = np.fromiter(self._leaving, np.int64, len(self._leaving))
        keep = ~(np.isin(edges.sources, leaving) | np.isin(edges.targets, leaving))
        return take_edges(edges, keep)

    def known(self, ids: Ids) -> Ids:
        """Those of ``ids`` that exist: resident, or in the graph store and not being removed."""
        resident = self.cache.lookup(ids) >= 0
        rest = self._staying(ids[~resident])
        if self.cache.complete or not rest.size:
            return ids[resident]
        absent = self.graph.absent(rest)
        return np.concatenate([ids[resident], rest[~among(rest, absent)]])

    # -- writing ----------------------------------------------------------------------------------------------------

    def prepare(self, operations: tuple[Operation, ...]) -> None:
        """Make what operations name resident, so that they can be applied and pinned."""
        if self.cache.complete:
            return
        named = [np.empty(0, np.int64), *(named_ids(operation) for operation in operations)]
        born = [np.empty(0, np.int64), *(born_ids(operation) for operation in operations)]
        old = np.setdiff1d(np.concatenate(named), np.concatenate(born))
        # All at once, so that loading one operation's concepts does not evict another's. Neighbours of merged concepts
        # change without being named: they are known once the merged ones are here.
        self.load(old)
        further = [self.cache.needed(operation) for operation in operations]
        self.load(np.concatenate([old, *further]))

    def apply(self, batch: Batch) -> None:
        """Carry a journalled batch out on the cache."""
        for operation in batch.operations:
            self.cache.apply(operation, batch.sequence, batch.at)
            doomed = doomed_ids(operation)
            if doomed.size:  # also while all is here: others may come, and something must make room
                gone = doomed[self.cache.lookup(doomed) < 0]
                self._leaving.update(dict.fromkeys(gone.tolist(), batch.sequence))

    def settle(self, sequence: int) -> None:
        """Everything up to ``sequence`` is in the stores: it may be evicted and read back."""
        self.cache.acknowledge(sequence)
        if self._leaving:
            self._leaving = {i: s for i, s in self._leaving.items() if s > sequence}

    def versions(self, ids: Ids) -> tuple[Ids, Ints]:
        """Those of ``ids`` that are resident, ascending, and the versions of their keys."""
        here = ids[self.cache.lookup(ids) >= 0]
        rows = self.cache.read(here, edges=False).concepts
        return rows.ids, rows.versions

    def replace(self, ids: Ids, found: Subgraph, vectors: VectorTable, unsent: list[Batch]) -> None:
        """Put rows of ``ids`` as the stores have them over those that are here, and apply unsent batches again.

        ``vectors`` has those of concepts that were not resident, or whose keys are of another version. What is not
        ``found`` is gone.
        """
        self.cache.forget(np.setdiff1d(ids, found.concepts.ids))
        staying = take(found.concepts, np.isin(found.concepts.ids, self._staying(found.concepts.ids)))
        if len(staying):
            here = self.cache.vectors(without(staying.ids, vectors.ids))
            self.cache.insert(staying, joined(here, vectors), self._without_leaving(found.edges))
        for batch in unsent:
            for operation in batch.operations:
                again = restrict(operation, ids)
                if again is not None:
                    self.cache.apply(again, batch.sequence, batch.at)


def joined(first: VectorTable, second: VectorTable) -> VectorTable:
    """Two tables of distinct ids as one, in ascending id order."""
    order = np.argsort(np.concatenate([first.ids, second.ids]))
    columns = {
        column.name: np.concatenate([getattr(first, column.name), getattr(second, column.name)])[order]
        for column in fields(VectorTable)
    }
    return VectorTable(**columns)


def take(table: ConceptTable, keep: Flags) -> ConceptTable:
    """The rows of a concept table that a mask keeps."""
    return table if keep.all() else _picked(table, np.flatnonzero(keep))


def take_edges(table: EdgeTable, keep: Flags) -> EdgeTable:
    """The rows of an edge table that a mask keeps."""
    return table if keep.all() else _picked(table, np.flatnonzero(keep))


def _picked(table: Table, rows: Ids) -> Table:
    """Some rows of a table, in every column."""
    chosen = rows.tolist()
    columns: dict[str, Any] = {}
    for column in fields(table):
        values = getattr(table, column.name)
        picked = values[rows] if isinstance(values, np.ndarray) else tuple(values[i] for i in chosen)
        columns[column.name] = picked
    return replace(table, **columns)
