"""One lesson from top to bottom: operations, journal, cache; then the flusher takes it to the stores.

:class:`Recorder` is the only way into the journal. It allocates ids, assigns each batch the writer's next sequence by
appending it, and applies it to the cache, all under the engine's lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import COUNTER_BITS, Ids, Subgraph, VectorTable, among, distinct, without
from aesg_graph.engine.backend import Backend
from aesg_graph.engine.residency import Residency
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import (
    Advance,
    Batch,
    Create,
    Link,
    Merge,
    Operation,
    Prune,
    Regions,
    Rekey,
    Remove,
    Split,
    born_ids,
    doomed_ids,
    named_ids,
)
from aesg_graph.stores.abc import MemoryHead, Outcome
from aesg_graph.sync import CACHE_APPLIED, Between, Event, Flusher, reach


@dataclass(frozen=True, eq=False)
class Fetched:
    """What the stores said of some concepts, and of the memory as a whole."""

    ids: Ids
    found: Subgraph
    vectors: VectorTable
    head: MemoryHead
    concepts: int
    absent: Ids
    """What unsent batches would remove, and is not there."""


def _all(ids_of: Callable[[Operation], Ids], batches: Sequence[Batch]) -> Ids:
    """Ids of every operation in batches, ascending and once each."""
    return distinct(np.concatenate([np.empty(0, np.int64), *(ids_of(op) for b in batches for op in b.operations)]))


def _rebuilt(operations: Sequence[Operation]) -> Ids:
    """The concepts whose rows merges and splits compute from other rows, and whose edges they move."""
    rebuilt = [np.empty(0, np.int64)]
    for operation in operations:
        match operation:
            case Merge():
                rebuilt += operation.survivors, operation.merged
            case Split():
                rebuilt.append(np.array([operation.source, operation.id], np.int64))
    return np.concatenate(rebuilt)


class Recorder:
    """Records lessons exactly once and keeps the cache at the journal's last sequence."""

    def __init__(self, backend: Backend, residency: Residency, lock: threading.RLock) -> None:
        self.backend = backend
        self.residency = residency
        self.lock = lock
        head = backend.graph.head()
        self.concepts = backend.graph.count().concepts
        self.epoch, self.key_version, self.incarnation = head.epoch, head.key_version, head.incarnation
        self.changes = 0
        """How often the memory has changed since it was opened."""
        self.voided = 0
        self.births = self.removals = 0
        """Concepts that this process gave birth to, and that it removed or pruned."""
        self.broken: str | None = None
        self.writing = False
        """Whether this process has written, or is about to."""
        self.between: Between | None = None
        """What the flusher does between two transactions, at most every ``interval`` seconds."""
        self.interval = 0.0
        self._flusher: Flusher | None = None
        self._counter = 0
        self._recorded = self._sent = 0
        """The sequences of the last batch that tells of anything, and of the last that is in the stores."""
        self._unproven = False
        """Whether the last batch that changed anything is the last of all: nobody can be sure that it is seen whole."""
        self._again: list[tuple[int, Ids]] = []
        """What merges and splits that are unsent name, each with its sequence; it is read again once that is in the
        stores. They compute from rows, which may be behind here: a lesson about a merged concept is void in the cache
        until the graph has taken it to what the concept is now."""

    # -- life -------------------------------------------------------------------------------------------------------

    def flusher(self) -> Flusher:
        """The running flusher; the first call takes up writing in this directory."""
        with self.lock:
            if not self.writing:
                self.backend.take_up_writing()
                self._counter = self.backend.journal.counter
                self._unproven = self.backend.shared is not None
                self.writing = True
            return self.attendant()

    def attendant(self) -> Flusher:
        """The flusher, whether or not this process writes: it also looks after what others do."""
        with self.lock:
            if self._flusher is None:
                self._flusher = self.backend.flusher()
                self._flusher.on_settled = self._settled
                self._flusher.between, self._flusher.interval = self.between, self.interval
            return self._flusher

    def check(self) -> None:
        """Raise what went wrong in the background since the last call, if anything did."""
        if self.broken is not None:
            raise AESGStorageError(self.broken)
        if self._flusher is not None:
            self._flusher.raise_failure()

    def stop(self, timeout: float) -> None:
        """Flush and end the flusher."""
        if self._flusher is not None:
            try:
                if self.writing:
                    self._flusher.flush(timeout)
                    self.prove()
                    self._flusher.flush(timeout)
            finally:
                self._flusher.stop(timeout)

    @property
    def counter(self) -> int:
        """How many ids this process's writer has given out."""
        return self._counter if self.writing else self.backend.journal.counter

    @property
    def settled(self) -> bool:
        """Whether everything that this process recorded is in the stores."""
        return self._recorded <= self._sent

    # -- writing ----------------------------------------------------------------------------------------------------

    def allocate(self, count: int) -> Ids:
        """``count`` fresh ids; they are this writer's for good once a batch that uses them is journalled."""
        with self.lock:
            self.flusher()
            first = self._counter + 1
            self._counter += count
            ids: Ids = np.arange(first, first + count, dtype=np.int64)
            ids |= np.int64(self.backend.writer << COUNTER_BITS)
            return ids

    def make_room(self) -> None:
        """Wait while the journal is full. Called without the lock, before a lesson is taken."""
        self.flusher().wait_for_room(self.backend.settings.write_timeout)

    def record(
        self, operations: Sequence[Operation], events: Sequence[Event] | None = None, fence: int | None = None
    ) -> Batch | None:
        """Acknowledge operations: journal, then cache. None for no operations. ``fence``: of the lease they need."""
        if not operations:
            return None
        planned = tuple(operations)
        with self.lock:
            flusher = self.flusher()
            self.residency.prepare(planned)
            self.residency.cache.reserve(planned)
            happened = self.events(planned) if events is None else events
            leaving = self._leaving(planned)
            batch = self.backend.journal.append(planned, time.time(), happened, self._counter, fence)
            self.changes += 1
            self._recorded = batch.sequence
            if (rebuilt := _rebuilt(planned)).size:
                self._again.append((batch.sequence, rebuilt))
            self._unproven = self.backend.shared is not None
            self._apply(batch)
            reach(CACHE_APPLIED)
            born = sum(len(born_ids(operation)) for operation in planned)
            gone = int((self.residency.cache.lookup(leaving) < 0).sum())
            self.concepts += born - gone
            self.births, self.removals = self.births + born, self.removals + gone
            flusher.submit(batch)
            return batch

    def _leaving(self, planned: Sequence[Operation]) -> Ids:
        """What operations may remove, of what is there or is born by them, each once."""
        doomed = [ids for ids in map(doomed_ids, planned) if ids.size]
        if not doomed:
            return np.empty(0, np.int64)
        once = distinct(np.concatenate(doomed))
        born = np.concatenate([born_ids(operation) for operation in planned])
        return distinct(np.concatenate([self.residency.known(once), once[among(once, born)]]))

    def record_in_parts(self, operations: Sequence[Operation], fence: int | None = None) -> None:
        """Record large operations as one batch each, so that no transaction grows without bound."""
        for operation in operations:
            self.make_room()
            self.record([operation], fence=fence)

    def prove(self) -> None:
        """Once all is in the stores, an empty batch: seeing it, others know that what came before is whole."""
        with self.lock:
            if self.writing and self._unproven and not self.backend.journal.bytes_pending:
                batch = self.backend.journal.append((), time.time())
                self._unproven = False
                self.attendant().submit(batch)

    def _apply(self, batch: Batch) -> None:
        try:
            self.residency.apply(batch)
        except Exception as error:
            self.broken = (
                f"The cache could not take a journalled lesson ({error}); close and open the memory to rebuild it"
            )
            raise AESGStorageError(self.broken) from error
        for operation in batch.operations:
            if isinstance(operation, Advance):
                self.epoch = operation.epoch
            elif isinstance(operation, Rekey):
                self.key_version = max(self.key_version, operation.version)

    def _settled(self, outcomes: list[Outcome], sequence: int) -> None:
        """The flusher has taken batches up to ``sequence`` to the stores (called on its thread)."""
        with self.lock:
            self.voided += sum(o.voided for o in outcomes)
            self._sent = sequence
            self.residency.settle(sequence)
            again = [ids for until, ids in self._again if until <= sequence]
            self._again = [(until, ids) for until, ids in self._again if until > sequence]
        ids = distinct(np.concatenate([np.empty(0, np.int64), *map(self._disputed, outcomes), *again]))
        counted_on = any(o.status == "refused" or o.declined.size for o in outcomes)
        if ids.size or counted_on:
            self.take_over(self.fetch(ids, all_vectors=True), sequence, counted_on)

    # -- what the stores say ----------------------------------------------------------------------------------------

    def fetch(self, ids: Ids, all_vectors: bool) -> Fetched:
        """Read concepts from the stores, holding no lock; without ``all_vectors`` only those whose keys may differ."""
        graph = self.backend.graph
        with self.lock:
            here, versions = self.residency.versions(ids)
        found = graph.read(ids)
        rows = found.concepts
        wanted = rows.ids
        if not all_vectors and here.size:
            place = np.minimum(np.searchsorted(here, rows.ids), len(here) - 1)
            wanted = rows.ids[(here[place] != rows.ids) | (versions[place] != rows.versions)]
        doomed = _all(doomed_ids, self.unsent())
        absent = graph.absent(doomed) if doomed.size else doomed
        return Fetched(ids, found, self.residency.vectors().fetch(wanted), graph.head(), graph.count().concepts, absent)

    def take_over(self, fetched: Fetched, settled: int = 0, recount: bool = True) -> None:
        """Put what was fetched over what is in the cache, and what is unsent (after ``settled``) over that."""
        with self.lock:
            unsent = self.unsent(settled)
            if fetched.ids.size:
                self.residency.replace(fetched.ids, fetched.found, fetched.vectors, unsent)
                self.changes += 1
            if recount:
                self._resume_from_stores(fetched, unsent)

    def begin_anew(self, fetched: Fetched) -> None:
        """The cache was built anew, perhaps of another memory that took this one's place."""
        with self.lock:
            head = fetched.head
            self.incarnation, self.key_version = head.incarnation, head.key_version
            self.changes += 1
            self._resume_from_stores(fetched, self.unsent())

    def _disputed(self, outcome: Outcome) -> Ids:
        """The concepts whose rows in the stores may differ from those in the cache."""
        if outcome.status == "applied":
            return outcome.declined
        batch = self.backend.journal.read(outcome.sequence)
        return np.concatenate([outcome.declined, *(named_ids(op) for op in batch.operations)])

    def unsent(self, after: int = 0) -> list[Batch]:
        """Batches after a sequence that the stores do not have yet, read back from the journal."""
        journal = self.backend.journal
        found = []
        for sequence in journal.pending():
            try:
                if sequence > after:
                    found.append(journal.read(sequence))
            except AESGStorageError:
                if sequence in journal.pending():  # else the flusher was faster
                    raise
        return found

    def _resume_from_stores(self, fetched: Fetched, unsent: list[Batch]) -> None:
        """Epoch and count as the stores have them, and what is unsent on top."""
        later = [op for batch in unsent for op in batch.operations]
        self.epoch = max([fetched.head.epoch, *(op.epoch for op in later if isinstance(op, Advance))])
        self.key_version = max(self.key_version, fetched.head.key_version)
        born = _all(born_ids, unsent)
        gone = without(_all(doomed_ids, unsent), without(fetched.absent, born))
        self.concepts = fetched.concepts + len(born) - len(gone)

    # -- history ----------------------------------------------------------------------------------------------------

    def events(self, operations: Sequence[Operation]) -> list[Event]:
        """What the history will say of operations. Touches and descriptions are not events."""
        return [event for operation in operations for event in self._event(operation)]

    def _event(self, operation: Operation) -> list[Event]:
        match operation:
            case Create():
                return [Event("CREATE", operation.ids, None, 1.0)]
            case Link():
                return [Event("LINK", operation.sources, operation.targets, float(operation.weights.mean()))]
            case Remove():
                return [Event("REMOVE", operation.ids, None, 0.0)]
            case Prune():
                return [Event("PRUNE", operation.ids, None, 0.0)]
            case Merge():
                return [Event("MERGE", operation.survivors, operation.merged, 0.0)]
            case Split():
                return [Event("SPLIT", np.array([operation.source]), np.array([operation.id]), 0.0)]
            case Rekey():
                return [Event("REKEY", operation.ids, None, float(operation.version))]
            case Regions():
                return [Event("RESTRUCTURE", np.array([len(operation.ids)]), None, 0.0)]
            case Advance():
                return [Event("CONSOLIDATE", np.array([operation.epoch]), np.array([self.concepts]), 0.0)]
            case _:
                return []
