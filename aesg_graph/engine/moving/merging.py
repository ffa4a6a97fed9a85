"""Adding a memory's concepts to another that is there: what ``aesg copy --into`` does.

Ids are kept but for those that are taken; they get new ones, and edges follow. What is relative is translated: epochs
(a concept stays as old as it is), types of edges, versions of keys. Regions are left out, since they are found anew;
tombstones too, since nothing is on its way to them.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from aesg_graph.concepts import COUNTER_BITS, NO_REGION, Ids, Ints, Relations, among, distinct, without
from aesg_graph.config import AESGConfig
from aesg_graph.engine.moving.places import Place
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import NO_IDS, GraphStore, MemoryHead, Points, VectorStore, WriterState
from aesg_graph.stores.portable import ConceptRows, EdgeRows, RowAdder
from aesg_graph.sync import MemoryDirectory
from aesg_graph.sync.backup import Archive, Part, Progress

Adding = Callable[[WriterState], AbstractContextManager[RowAdder]]
"""Gives what adds rows as a writer."""


@dataclass(frozen=True)
class Renumbering:
    """Ids that are taken (ascending), and what they become."""

    taken: Ids
    given: Ids

    def __call__(self, ids: Ids) -> Ids:
        """[N] what each id becomes."""
        if not len(self.taken):
            return ids
        place = np.minimum(np.searchsorted(self.taken, ids), len(self.taken) - 1)
        return np.where(self.taken[place] == ids, self.given[place], ids)


@dataclass(frozen=True)
class Existing:
    """A memory that is there, open to be added to."""

    graph: GraphStore
    vectors: VectorStore
    head: MemoryHead
    relations: Relations

    def taken(self, ids: Ids) -> Ids:
        """Those of ``ids`` that are or were concepts here."""
        return np.union1d(without(ids, self.graph.absent(ids)), self.graph.tombstones(ids).ids)


def merge(archive: Archive, place: Place, tell: Progress) -> int:
    """Add everything in a verified backup to the memory that is at ``place``; how many ids were taken.

    AESGStorageError, before anything is written, if dimensions or types of edges do not fit.
    """
    with _opened(place) as (existing, adding):
        codes = _fitting(archive, existing)
        found = [existing.taken(part.concepts.table.ids) for part in archive.parts()]
        taken = distinct(np.concatenate([NO_IDS, *found]))  # parts overlap
        writer = existing.graph.lease()
        given = (writer.id << COUNTER_BITS) + 1 + np.arange(len(taken), dtype=np.int64)
        moved = Moving(archive, existing, Renumbering(taken, given), codes, writer)
        _register(archive, existing, taken)
        with adding(writer) as adder:
            moved.add(adder, tell)
        return len(taken)


@dataclass(frozen=True)
class Moving:
    """One merge under way; ``codes`` [types] are the target's of each type of the source's."""

    archive: Archive
    existing: Existing
    renumbered: Renumbering
    codes: Ints
    writer: WriterState

    def add(self, adder: RowAdder, tell: Progress) -> None:
        """Vectors, then concepts, then edges."""
        held, done = self.archive.manifest.held, 0
        for part in self.archive.parts():
            rows = self._concepts(part)
            self._put_vectors(part, adder.sequence(len(rows)))
            adder.create_concepts(rows)
            done += len(rows)
            tell("concepts", done, held.concepts)
        self.existing.vectors.sync()
        for part in self.archive.parts():
            adder.link(self._edges(part))
        adder.finish()

    @property
    def _later(self) -> int:
        """By how many epochs the target is later."""
        return self.existing.head.epoch - self.archive.manifest.standing.head.epoch

    def _concepts(self, part: Part) -> ConceptRows:
        t = part.concepts.table
        version = np.full(len(t), self.existing.head.key_version, np.int64)
        table = replace(
            t,
            ids=self.renumbered(t.ids),
            versions=version,
            born_epoch=t.born_epoch + self._later,
            touched_epoch=t.touched_epoch + self._later,
            region_id=np.full(len(t), NO_REGION, np.int64),
        )
        return replace(part.concepts, table=table)

    def _put_vectors(self, part: Part, sequence: int) -> None:
        found, table = part.vectors, part.concepts.table
        kinds = tuple(table.kinds[row] for row in np.searchsorted(table.ids, found.ids).tolist())
        stamp = np.full(len(found), sequence), np.full(len(found), self.existing.head.key_version)
        ids = self.renumbered(found.ids)
        self.existing.vectors.upsert(
            Points(ids, found.keys, found.values, found.has_value, kinds, self.writer.id, *stamp)
        )

    def _edges(self, part: Part) -> EdgeRows:
        e = part.edges
        sources, targets, types = self.renumbered(e.sources), self.renumbered(e.targets), self.codes[e.types]
        turned = self.existing.relations.symmetric[types] & (sources > targets)
        low, high = np.where(turned, targets, sources), np.where(turned, sources, targets)
        kinds = types.astype(np.int16)
        return replace(e, sources=low, targets=high, types=kinds, touched_epoch=e.touched_epoch + self._later)


def _fitting(archive: Archive, existing: Existing) -> Ints:
    """The target's codes of the source's types of edges; AESGStorageError if the memories do not fit together."""
    head, there = archive.manifest.standing.head, existing.head
    if (head.vector_dim, head.value_dim) != (there.vector_dim, there.value_dim):
        raise AESGStorageError(
            f"The memory {head.name!r} has vector_dim={head.vector_dim} and value_dim={head.value_dim}, and the memory "
            f"{there.name!r} that it is to go into vector_dim={there.vector_dim} and value_dim={there.value_dim}"
        )
    ours, theirs = AESGConfig.from_json(head.config).vocabulary, existing.relations
    codes = np.full(len(ours.names), -1, np.int64)
    for code, name in enumerate(ours.names):
        if name in theirs.names and ours.symmetric[code] == theirs.symmetric[theirs.code(name)]:
            codes[code] = theirs.code(name)
    used = {int(code) for part in archive.parts() for code in np.unique(part.edges.types)}
    unfit = [ours.names[code] for code in sorted(used) if codes[code] < 0]
    if unfit:
        raise AESGStorageError(
            f"The memory {head.name!r} has edges of type {', '.join(unfit)}, which the memory {there.name!r} does not "
            "declare, or declares otherwise; expected the same in its AESGConfig.relations"
        )
    return codes


def _register(archive: Archive, existing: Existing, taken: Ids) -> None:
    """A writer for every number in the ids that are kept, so that leases skip it."""
    numbers: set[int] = set()
    for part in archive.parts():
        ids = part.concepts.table.ids
        numbers.update(np.unique(ids[~among(ids, taken)] >> COUNTER_BITS).tolist())
    for number in sorted(numbers):
        if existing.graph.writer(number) is None:
            existing.graph.lease(number)


@contextlib.contextmanager
def _opened(place: Place) -> Iterator[tuple[Existing, Adding]]:
    """The memory at a place, and what adds rows to it."""
    if place.path is None:
        with _on_servers(place.settings) as opened:
            yield opened
        return
    from aesg_graph.engine.embedded import open_embedded
    from aesg_graph.stores.sqlite import SqliteGraphStore
    from aesg_graph.stores.sqlite.portable import SqliteAdding

    MemoryDirectory.create_or_open(place.path, read_only=True)  # it must be there
    with contextlib.closing(open_embedded(place.path, None, place.settings)) as backend:
        if not backend.in_order():
            backend.take_up_writing()
        graph = backend.graph
        assert isinstance(graph, SqliteGraphStore)
        relations, limits = backend.config.vocabulary, graph.limits()
        existing = Existing(graph, backend.vectors(), graph.head(), relations)
        # It is built anew: nobody tells it.
        shutil.rmtree(backend.directory.cache, ignore_errors=True)
        yield existing, lambda w: contextlib.closing(SqliteAdding(graph.path, limits, relations, w))


@contextlib.contextmanager
def _on_servers(settings: StoreSettings) -> Iterator[tuple[Existing, Adding]]:
    from aesg_graph.engine.moving.sources import served_config
    from aesg_graph.stores.neo4j import Neo4jGraphStore
    from aesg_graph.stores.neo4j.filling import Neo4jAdding
    from aesg_graph.stores.qdrant import QdrantVectorStore

    relations = served_config(settings).vocabulary
    with contextlib.ExitStack() as opened:
        graph = Neo4jGraphStore.open(settings, relations)
        opened.callback(graph.close)
        head, limits = graph.head(), graph.limits()
        vectors = QdrantVectorStore.open(settings, head.vector_dim, head.value_dim)
        opened.callback(vectors.close)
        existing = Existing(graph, vectors, head, relations)
        yield existing, lambda w: contextlib.closing(Neo4jAdding(settings, limits, relations, w))
