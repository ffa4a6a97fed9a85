"""Mending what :mod:`aesg_graph.engine.checking` finds: what ``aesg check --repair`` does.

It takes the memory's lock, mends, and looks again until nothing more can be mended. The graph says which concepts there
are; vectors that are lost come back from a cache that is good, or their concepts go. Whatever leaves the journal or the
vector store because it is damaged is kept beside it, under a name that ends in ``.damaged``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import COUNTER_BITS, VectorTable
from aesg_graph.engine.checking import Progress, Report, Site, look, open_site, report
from aesg_graph.engine.outlook import NOWHERE, open_cache
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Operation, Rekey, Remove
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import Outcome, Points
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.sync import Event, Finding, Flusher, Journal, Kind, MemoryDirectory, take_up_writing
from aesg_graph.sync.comparison import rows_of

ROUNDS = 5
"""Mending one thing may bring up another, which a look at the whole then finds."""
DAMAGED = ".damaged"
SWEEP = 1000
PAGE = 10_000


def repair(
    directory: str | os.PathLike[str], settings: StoreSettings | None = None, progress: Progress | None = None
) -> Report:
    """Look a memory over and mend what can be mended; the report tells both.

    AESGStorageError if another process has the memory open, if there is none, or if its graph cannot be opened.
    """
    path = Path(directory).expanduser()
    MemoryDirectory.create_or_open(path, read_only=True, repair=True)  # there is a memory: nothing will be created
    with contextlib.ExitStack() as opened:
        where = MemoryDirectory.create_or_open(path, repair=True)
        opened.callback(where.close)
        site = open_site(where, None, settings or StoreSettings())
        opened.callback(site.close)
        mender = Mender(site, settings or StoreSettings())
        mended: list[Finding] = []
        left: list[Finding] = []
        for _ in range(ROUNDS):
            found = sorted(look(site, progress), key=lambda f: ORDER.index(f.kind))
            tried = [mender.mend(f) for f in found]
            mended += [f for f in tried if f.mended]
            left = [f for f in tried if not f.mended]
            if len(left) == len(tried):
                break
        mender.sweep()
        return report(site, mended + left)


ORDER = (
    *(Kind.GRAPH, Kind.DIMENSIONS, Kind.JOURNAL, Kind.VECTORS, Kind.BATCH, Kind.BEHIND, Kind.PENDING),
    *(Kind.LOST, Kind.VERSION, Kind.PAYLOAD, Kind.REMAINS, Kind.ORPHANS, Kind.DANGLING, Kind.CACHE),
    *(Kind.COUNTS, Kind.REFUSED, Kind.SKIPPED),
)
"""What is mended first: files, then what is on its way, then rows; while a good cache can still help."""


class Mender:
    """Mends one finding after the other, in a memory that this process has locked."""

    def __init__(self, site: Site, settings: StoreSettings) -> None:
        self._site, self._settings = site, settings
        self._ways: dict[Kind, Callable[[Finding], Finding]] = {
            Kind.DIMENSIONS: self._dimensions,
            Kind.JOURNAL: self._journal,
            Kind.VECTORS: self._vectors,
            Kind.BATCH: self._batches,
            Kind.BEHIND: self._send,
            Kind.PENDING: self._send,
            Kind.LOST: self._lost,
            Kind.VERSION: self._versions,
            Kind.PAYLOAD: self._payload,
            Kind.REMAINS: self._delete,
            Kind.ORPHANS: self._delete,
            Kind.DANGLING: self._dangling,
            Kind.CACHE: self._cache,
        }

    def mend(self, finding: Finding) -> Finding:
        """The finding as it is now: mended, or as it was, where nothing can be done."""
        way = self._ways.get(finding.kind)
        return finding if way is None else way(finding)

    # -- files ------------------------------------------------------------------------------------------------------

    def _dimensions(self, finding: Finding) -> Finding:
        head, form = self._site.head, self._site.directory.format
        self._site.directory.complete(head.vector_dim, head.value_dim, None if form is None else form.memory)
        return finding.done("format.json was written anew")

    def _journal(self, finding: Finding) -> Finding:
        """A new journal, under a new writer's number; what was pending goes to the stores first, if it can be read."""
        site = self._site
        if site.journal is not None:
            with contextlib.suppress(AESGStorageError):
                self._take_up()
            with contextlib.suppress(AESGStorageError):
                site.journal.close()
            site.journal = None
        kept = [
            _set_aside(file)
            for file in sorted(site.directory.path.glob(f"{site.directory.journal.name}*"))
            if not file.name.endswith(DAMAGED)
        ]
        site.journal = Journal.create(site.directory.journal, site.directory.identity, self._settings.durability)
        site.trouble.pop(Kind.JOURNAL, None)
        self._take_up()
        aside = f" ({kept[0].name} holds the old one)" if kept else ""
        return finding.done(f"a new one was written{aside}; lessons not yet flushed and the history are lost")

    def _vectors(self, finding: Finding) -> Finding:
        """A new shard, from a cache that is good and has everything."""
        site = self._site
        with self._good_cache() as cache:
            if cache is None or not cache.complete:
                return replace(finding, detail=f"{finding.detail}; there is no good cache to write it anew from")
            if site.vectors is not None:
                site.vectors.close()
            if site.directory.vectors.exists():
                _set_aside(site.directory.vectors)
            dims = site.head.vector_dim, site.head.value_dim
            site.vectors = EdgeVectorStore.create(site.directory.vectors, *dims, self._settings.durability)
            site.trouble.pop(Kind.VECTORS, None)
            after = -1
            while len(ids := site.graph.page(after, PAGE, edges=False).concepts.ids):
                after = int(ids[-1])
                self._write(cache.vectors(ids))
        return finding.done("it was written anew from the cache")

    def _cache(self, finding: Finding) -> Finding:
        self._drop_cache()
        return finding.done("it was deleted; the next opening builds it anew")

    def _drop_cache(self) -> None:
        cache = self._site.directory.cache
        (cache / "header.bin").unlink(missing_ok=True)  # first of all: nobody trusts the rest without it
        shutil.rmtree(cache, ignore_errors=True)

    # -- what is on its way -----------------------------------------------------------------------------------------

    def _batches(self, finding: Finding) -> Finding:
        journal = self._site.journal
        if journal is None or self._site.vectors is None:
            return finding
        for sequence in finding.ids.tolist():
            journal.set_aside(sequence, "damaged: set aside by a repair")
        self._take_up()
        return finding.done("they were set aside among the refused ones, and the rest was sent")

    def _send(self, finding: Finding) -> Finding:
        if self._site.journal is None or self._site.vectors is None:
            return finding
        self._take_up()
        if finding.kind is Kind.PENDING:
            return finding.done("they were sent")
        return finding.done("what was pending was sent, and a new writer's number leased")

    def _take_up(self) -> None:
        """Become the directory's writer, which sends everything that is pending."""
        journal = self._open_journal()
        take_up_writing(journal, self._site.graph, self._site.directory.identity, self._recover)

    def _recover(self) -> list[Outcome]:
        flusher = Flusher(self._open_journal(), self._site.graph, self._open_vectors)
        outcomes = flusher.recover()
        if any(outcome.status == "refused" or outcome.declined.size for outcome in outcomes):
            self._drop_cache()  # what it applied is not what the stores carried out
        return outcomes

    def _record(self, operations: Sequence[Operation], events: Sequence[Event]) -> None:
        """Carry operations out as a batch like any other: journal, then both stores."""
        self._take_up()
        self._open_journal().append(operations, time.time(), events)
        self._recover()

    # -- rows -------------------------------------------------------------------------------------------------------

    def _lost(self, finding: Finding) -> Finding:
        """Vectors from a good cache; a concept whose vector nobody has can never be recalled, so it goes."""
        lost = finding.ids
        with self._good_cache() as cache:
            found = _nothing(self._site) if cache is None else cache.vectors(lost)
            self._write(found)
        gone = np.setdiff1d(lost, found.ids)
        if 2 * gone.size > self._site.graph.count().concepts:
            detail = f"{finding.detail}; as these are more than half of all concepts, none was removed: restore a copy"
            return replace(finding, detail=detail, count=gone.size, ids=gone)
        if gone.size:
            self._record([Remove(gone)], [Event("REMOVE", gone, None, 0.0)])
        return finding.done(f"{len(found)} vectors came back from the cache, {gone.size} concepts were removed")

    def _write(self, table: VectorTable) -> None:
        """Write vectors as the graph describes their concepts; rows that it lacks are left out."""
        vectors = self._open_vectors()
        rows = self._site.graph.read(table.ids, edges=False).concepts
        there = np.isin(table.ids, rows.ids)
        writers = (table.ids >> COUNTER_BITS) if not table.writers.any() else table.writers
        place = np.searchsorted(rows.ids, table.ids)
        for writer in np.unique(writers[there]).tolist():
            own = there & (writers == writer)
            part, kinds = rows_of(table, own), tuple(rows.kinds[row] for row in place[own].tolist())
            vectors.upsert(
                Points(part.ids, part.keys, part.values, part.has_value, kinds, writer, part.sequences, part.versions)
            )
        vectors.label(rows.ids, rows.region_id)

    def _payload(self, finding: Finding) -> Finding:
        self._write(self._open_vectors().fetch(finding.ids))
        return finding.done("it was written anew from the graph")

    def _versions(self, finding: Finding) -> Finding:
        """Both get the higher version, with the key that belongs to it where it is known."""
        points = self._open_vectors().fetch(finding.ids)
        rows = self._site.graph.read(points.ids, edges=False).concepts
        with self._good_cache() as cache:
            spare = _nothing(self._site) if cache is None else cache.vectors(points.ids)
        keys = points.keys.copy()
        place = np.searchsorted(points.ids, spare.ids)
        newer = (spare.versions == rows.versions[place]) & (spare.versions > points.versions[place])
        keys[place[newer]] = spare.keys[newer]
        versions = np.maximum(rows.versions, points.versions)
        groups = sorted(set(zip(rows.encoders, versions.tolist(), strict=True)))
        for encoder, version in groups:
            own = np.array([e == encoder for e in rows.encoders], np.bool_) & (versions == version)
            rekey = Rekey(points.ids[own], np.ascontiguousarray(keys[own]), version, encoder)
            self._record([rekey], [Event("REKEY", points.ids[own], None, float(version))])
        return finding.done("both name the higher one now")

    def _delete(self, finding: Finding) -> Finding:
        self._open_vectors().delete(finding.ids)
        self._site.graph.apply([], finding.ids)
        return finding.done("they were deleted")

    def _dangling(self, finding: Finding) -> Finding:
        self._site.graph.cut_dangling()
        self._drop_cache()
        return finding.done("they were deleted")

    def sweep(self) -> None:
        """Tombstones learn that their vectors are gone, so that they can be forgotten in time."""
        while self._site.vectors is not None and (ids := self._site.graph.unswept(SWEEP)).size:
            self._site.vectors.delete(ids)
            self._site.graph.apply([], ids)

    # -- what there is to work with ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _good_cache(self) -> Iterator[ConceptCache | None]:
        site = self._site
        cache = None
        if site.journal is not None:
            cache = open_cache(site.directory, site.journal, site.head, site.config)
        try:
            yield cache
        finally:
            if cache is not None:
                cache.close(NOWHERE, clean=False)

    def _open_vectors(self) -> EdgeVectorStore:
        if self._site.vectors is None:
            raise AESGStorageError(self._site.trouble[Kind.VECTORS])
        return self._site.vectors

    def _open_journal(self) -> Journal:
        if self._site.journal is None:
            raise AESGStorageError(self._site.trouble[Kind.JOURNAL])
        return self._site.journal


def _nothing(site: Site) -> VectorTable:
    none, head = np.empty(0, np.int64), site.head
    keys, values = np.empty((0, head.vector_dim), np.float32), np.empty((0, head.value_dim), np.float32)
    return VectorTable(none, keys, values, np.empty(0, np.bool_), none, none, none)


def _set_aside(path: Path) -> Path:
    """Give a damaged file or folder another name, in place of what was set aside before."""
    aside = path.with_name(path.name + DAMAGED)
    if aside.is_dir():
        shutil.rmtree(aside)
    path.replace(aside)
    return aside
