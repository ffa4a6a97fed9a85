"""What mending works with: the parts of a memory, as far as this process may write to them, and ways to do so."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import COUNTER_BITS, Ids, VectorTable
from aesg_graph.engine.checking import Site
from aesg_graph.engine.outlook import NOWHERE, open_cache, remembered_cache
from aesg_graph.engine.tenure import Lease
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch, Describe, Operation
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import GraphStore, Outcome, Points, Shared, VectorStore
from aesg_graph.sync import Event, Flusher, Journal, Kind, MemoryDirectory, take_up_writing
from aesg_graph.sync.carrier import Carrier
from aesg_graph.sync.comparison import rows_of

AT_ONCE = 2_000
"""Vectors that are written together."""


class Bench:
    """A memory under repair: locked, or on servers beside its living writers.

    lease: what keeps others from maintenance meanwhile; two repairs of which one lacks it mend different things.
    """

    def __init__(self, site: Site, settings: StoreSettings) -> None:
        self.site, self.settings = site, settings
        self.shared = site.graph if isinstance(site.graph, Shared) else None
        holder = f"repair:{secrets.token_hex(8)}"
        self.lease = Lease(self.shared, lambda: holder, settings.lease_seconds)
        self._guest: Guest | None = None

    def close(self) -> None:
        """Leave nothing behind that others wait for."""
        with contextlib.ExitStack() as last:
            last.callback(self.lease.release)
            if self._guest is not None:
                self._guest.leave()

    # -- parts ------------------------------------------------------------------------------------------------------

    def directory(self) -> MemoryDirectory:
        """The memory's directory. AESGStorageError if there is none, or another process has it open."""
        if self.site.ours is None:
            who = self.site.owner or "no directory that is known here"
            raise AESGStorageError(f"The journal and the cache of {self.site.place.name} belong to {who}")
        return self.site.ours

    def vectors(self) -> VectorStore:
        """The vector store. AESGStorageError if it cannot be opened."""
        if self.site.vectors is None:
            raise AESGStorageError(self.site.trouble[Kind.VECTORS])
        return self.site.vectors

    def journal(self) -> Journal:
        """The journal. AESGStorageError if it cannot be opened."""
        if self.site.journal is None:
            raise AESGStorageError(self.site.trouble[Kind.JOURNAL])
        return self.site.journal

    @contextlib.contextmanager
    def good_cache(self) -> Iterator[ConceptCache | None]:
        """The cache, if its vectors can be trusted: it was closed at the journal's sequence, or at the graph's."""
        site, ours, cache = self.site, self.site.ours, None
        if ours is not None:
            cache = None if site.journal is None else open_cache(ours, site.journal, site.head, site.config)
            cache = cache or remembered_cache(ours, site.graph, site.config)
        try:
            yield cache
        finally:
            if cache is not None:
                cache.close(NOWHERE, clean=False)

    def remembered(self, ids: Ids) -> VectorTable:
        """The vectors of those of ``ids`` that a good cache holds."""
        with self.good_cache() as cache:
            if cache is not None:
                return cache.vectors(ids)
        none, head = np.empty(0, np.int64), self.site.head
        keys, values = np.empty((0, head.vector_dim), np.float32), np.empty((0, head.value_dim), np.float32)
        return VectorTable(none, keys, values, np.empty(0, np.bool_), none, none, none)

    def drop_cache(self) -> None:
        """Delete the cache: the next opening builds it anew. Another process's hears of changes by itself."""
        if self.site.ours is None:
            return
        cache = self.directory().cache
        (cache / "header.bin").unlink(missing_ok=True)  # first of all: nobody trusts the rest without it
        shutil.rmtree(cache, ignore_errors=True)

    # -- writing ----------------------------------------------------------------------------------------------------

    def take_up(self) -> None:
        """Become the directory's writer, which sends everything that is pending."""
        take_up_writing(self.journal(), self.site.graph, self.directory().identity, self._recover)

    def _recover(self) -> list[Outcome]:
        outcomes = Flusher(self.journal(), self.site.graph, self.vectors).recover()
        if any(outcome.status == "refused" or outcome.declined.size for outcome in outcomes):
            self.drop_cache()  # what it applied is not what the stores carried out
        return outcomes

    def record(self, operation: Operation, events: Sequence[Event], fence: int | None) -> None:
        """Carry an operation out as a batch like any other: journal, then both stores.

        Where others write too it goes under a number of this repair's own, and they hear of it as of any other writer.
        """
        if self.shared is not None:
            self._guest = self._guest or Guest(self.site.graph, self.shared, self.vectors)
            self._guest.carry(operation, fence)
            return
        self.take_up()
        self.journal().append([operation], time.time(), events)
        self._recover()

    def announce(self, ids: Ids, fence: int | None) -> None:
        """Let other processes, if there are any, read concepts anew that they could not have read whole before."""
        if self.shared is not None and ids.size:
            self.record(Describe(ids, None, None), [], fence)

    def write(self, table: VectorTable) -> None:
        """Write vectors as the graph describes their concepts; rows that it lacks are left out."""
        for start in range(0, len(table), AT_ONCE):
            here = np.zeros(len(table), np.bool_)
            here[start : start + AT_ONCE] = True
            self._write(rows_of(table, here))

    def _write(self, table: VectorTable) -> None:
        rows = self.site.graph.read(table.ids, edges=False).concepts
        table = rows_of(table, np.isin(table.ids, rows.ids))
        kinds = dict(zip(rows.ids.tolist(), rows.kinds, strict=True))
        # A cache does not know who wrote a vector: whoever made the id, before all else.
        writers = table.writers if table.writers.any() else table.ids >> COUNTER_BITS
        for writer in np.unique(writers).tolist():
            own = rows_of(table, writers == writer)
            named = tuple(kinds[id] for id in own.ids.tolist())
            self.vectors().upsert(
                Points(own.ids, own.keys, own.values, own.has_value, named, writer, own.sequences, own.versions)
            )
        self.vectors().label(rows.ids, rows.region_id)
        # Whoever removes a concept deletes its vector after that, once: so it was before this one was written.
        gone = self.site.graph.absent(rows.ids)
        if gone.size:
            self.vectors().delete(gone)


class Guest:
    """A writer who comes to mend, and whose number nobody uses again: it is retired in the end."""

    def __init__(self, graph: GraphStore, shared: Shared, vectors: Callable[[], VectorStore]) -> None:
        self._shared = shared
        self._carrier = Carrier(graph, vectors, "process")
        self._state = graph.lease()
        self._sequence = self._state.sequence

    def carry(self, operation: Operation, fence: int | None) -> None:
        """Carry an operation out in both stores. AESGStorageError if the graph refuses it."""
        self._send((operation,), fence)

    def leave(self) -> None:
        """Prove the last batch whole by an empty one, tell of deleted vectors, and retire."""
        self._send((), None)
        self._carrier.report_removed()
        self._carrier.close()
        self._shared.retire(self._state.id)

    def _send(self, operations: tuple[Operation, ...], fence: int | None) -> None:
        self._sequence += 1
        batch = Batch(self._state.id, self._state.incarnation, self._sequence, time.time(), operations, fence)
        for outcome in self._carrier.carry([batch]):
            if outcome.status == "refused":
                raise AESGStorageError(f"The graph refused what was to mend it: {outcome.reason}")
