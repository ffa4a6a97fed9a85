"""Neo4jGraphStore: the graph store of the served engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import Doubles, Ids, Relations, Subgraph, distinct, without
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import (
    NO_IDS,
    Audit,
    Counts,
    MemoryHead,
    Outcome,
    Tombstones,
    WriterPosition,
    WriterState,
)
from aesg_graph.stores.neo4j import correcting, heads, reading, writers
from aesg_graph.stores.neo4j.applying import apply_in
from aesg_graph.stores.neo4j.auditing import audit
from aesg_graph.stores.neo4j.connecting import Answer, Connection, Transaction
from aesg_graph.stores.neo4j.faults import place
from aesg_graph.stores.neo4j.migrating import Migrator
from aesg_graph.stores.neo4j.procedures import Procedures
from aesg_graph.stores.neo4j.pruning import Pruner
from aesg_graph.stores.neo4j.rows import known
from aesg_graph.stores.neo4j.statements import cypher, quoted
from aesg_graph.stores.spreading import Activations, Route

if TYPE_CHECKING:
    from aesg_graph.activation import SpreadParams

ROWS_IN_TIME = 50_000
"""Rows that a transaction may write in one request timeout; more get more time."""

PATIENCE = 20.0
"""Request timeouts that counting everything may take."""


class Neo4jGraphStore:
    """One memory in a Neo4j server, which others may read and write at the same time.

    Any number of threads may use it. A server that is away or hangs makes every call an AESGStorageError in time; the
    next call tries again. Make a memory with :meth:`establish`, then :meth:`open` it.
    """

    def __init__(self, connection: Connection, relations: Relations, read_only: bool) -> None:
        self._connection = connection
        self._memory = str(connection.settings.memory)
        self._relations = relations
        self._read_only = read_only
        self.procedures = Procedures(connection, self._memory, relations)

    @staticmethod
    def establish(settings: StoreSettings, head: MemoryHead, limits: Thresholds) -> MemoryHead:
        """Make the memory unless it is there; the head of the one that is there then, ours or another's."""
        with _connected(settings) as connection:
            Migrator(connection).require_applied()
            return heads.establish(connection, head, limits)

    @staticmethod
    def peek(settings: StoreSettings) -> MemoryHead | None:
        """The head of the memory, which says which relations it declares; None where there is no such memory."""
        with _connected(settings) as connection:
            memory = str(settings.memory)
            found = connection.read("read", lambda transaction: heads.read_head(transaction, memory))
            return None if found is None else found[0]

    @staticmethod
    def memories(settings: StoreSettings) -> list[MemoryHead]:
        """The heads of all memories on the server, by name."""
        with _connected(settings) as connection:
            rows = connection.read("list the memories beside", lambda t: t.rows(cypher("memory_list")))
        return [MemoryHead(*row) for row in rows]

    @staticmethod
    def destroy(settings: StoreSettings) -> None:
        """Delete the whole memory, its concepts first. What is not there is no error."""
        with _connected(settings) as connection:
            heads.destroy(connection, str(settings.memory))

    @classmethod
    def open(cls, settings: StoreSettings, relations: Relations, *, read_only: bool = False) -> Neo4jGraphStore:
        """Open a memory that exists. AESGStorageError where there is none, and for a server that is too old."""
        for name in relations.names:
            quoted(name)
        connection = Connection(settings)
        try:
            connection.expect_version()
            Migrator(connection).require_applied()
            heads.expected_head(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection, relations, read_only)

    def head(self) -> MemoryHead:
        """The memory's head as it is now."""
        return heads.expected_head(self._connection)[0]

    def limits(self) -> Thresholds:
        """The thresholds by which this memory's concepts age."""
        return heads.expected_head(self._connection)[1]

    def version(self) -> str:
        """The server's version."""
        return self._connection.version()

    def configure(self, config: str, limits: Thresholds) -> None:
        """Record another configuration; expiry of every concept is computed anew when the thresholds differ."""
        self._expect_writable("configure")
        heads.configure(self._connection, self._memory, config, limits)

    def lease(self, writer: int | None = None) -> WriterState:
        """Register a new writer (a free number is drawn when none is given; a taken one is an AESGStorageError)."""
        writers.expect_number(writer)
        return self._write("lease a writer number in", lambda t: writers.lease_writer(t, self._memory, writer))

    def renew(self, writer: int) -> WriterState:
        """Give a writer a new incarnation. AESGStorageError for an unknown number."""
        return self._write("renew a writer in", lambda t: writers.renew_writer(t, self._memory, writer))

    def writer(self, writer: int) -> WriterState | None:
        """A writer's state, or None for an unknown number."""
        return self._connection.read("read", lambda t: writers.read_writer(t, self._memory, writer))

    def apply(self, batches: Sequence[Batch], vectors_removed: Ids = NO_IDS) -> list[Outcome]:
        """Carry out consecutive batches of one writer in one transaction, exactly once each."""

        def work(transaction: Transaction) -> list[Outcome]:
            return apply_in(transaction, self._memory, self._relations, batches, vectors_removed)

        rows = sum(_size(operation) for batch in batches for operation in batch.operations)
        return self._write("write to", work, 1.0 + rows / ROWS_IN_TIME)

    def read(self, ids: Ids, edges: bool = True) -> Subgraph:
        """The concepts among ``ids``, and (if asked) every edge that touches one of them."""
        relations = self._relations
        return self._connection.read("read", lambda t: reading.read_subgraph(t, self._memory, ids, edges, relations))

    def page(self, after: int, limit: int, edges: bool = True) -> Subgraph:
        """The next ``limit`` concepts with an id above ``after``; with ``edges`` those that start at one of them."""
        arguments = (self._memory, after, limit, edges, self._relations)
        return self._connection.read("read", lambda t: reading.read_page(t, *arguments))

    def absent(self, ids: Ids) -> Ids:
        """Those of ``ids`` that are not concepts (never born, or removed), ascending and once each."""
        asked = distinct(ids)
        return without(asked, reading.id_column(self._rows("concepts_present", ids=asked.tolist())))

    def select(self, ids: Ids, predicate: str) -> Ids:
        """Those of ``ids`` of which a Cypher ``predicate`` over ``c`` is true; the server lets nothing be written."""
        text = cypher("concepts_where").replace("{predicate}", predicate)
        rows = self._connection.read("read", lambda t: t.rows(text, memory=self._memory, ids=distinct(ids).tolist()))
        return reading.id_column(rows)

    def tombstones(self, ids: Ids) -> Tombstones:
        """The tombstones among ``ids``."""
        return self._connection.read("read", lambda t: reading.read_tombstones(t, self._memory, ids))

    def unswept(self, limit: int) -> Ids:
        """Removed concepts whose vectors are not yet known to be gone, by id."""
        return reading.id_column(self._rows("removed_unswept", limit=limit))

    def forget(self, before: float) -> int:
        """Drop tombstones older than ``before`` (seconds since 1970) that nothing needs any more; how many went."""
        gone = 0
        while some := self._write("forget tombstones in", lambda t: writers.forget_some(t, self._memory, before)):
            gone += some
        return gone

    def due(self, epoch: int, limit: int) -> Ids:
        """Concepts that may be pruned in ``epoch``, weakest first (ties by id)."""
        return reading.id_column(self._rows("concepts_due", epoch=epoch, limit=limit))

    def weakest(self, limit: int) -> tuple[Ids, Doubles]:
        """The weakest concepts and their ``fades_at``, weakest first (ties by id)."""
        rows = known(self._rows("concepts_weakest", limit=limit), columns=2)
        return reading.id_column(rows), np.array([row[1] for row in rows], np.float64)

    def find(self, text: str, limit: int) -> Ids:
        """Concepts whose name or text contains ``text``, whatever the case; by id."""
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, as broken command lines hold: no stored text has one
            return NO_IDS
        return reading.id_column(self._rows("concepts_find", text=text, limit=limit))

    def count(self) -> Counts:
        """How much there is, as the writers add it up."""
        return Counts(*self._rows("count")[0])

    def recount(self) -> Counts:
        """How much there truly is, counted one by one."""
        return Counts(*self._rows("recount", types=list(self._relations.names))[0])

    def mend_counts(self) -> Counts:
        """Make :meth:`count` say what there truly is, under the lock of all writers; what it was off by."""

        def work(transaction: Transaction) -> Counts:
            transaction.send(cypher("writers_lock"), memory=self._memory).done()
            said = transaction.rows(cypher("count"), memory=self._memory)[0]
            true = transaction.rows(cypher("recount"), memory=self._memory, types=list(self._relations.names))[0]
            off = Counts(*(b - a for a, b in zip(said, true, strict=True)))
            transaction.send(cypher("counts_mend"), memory=self._memory, **asdict(off)).done()
            return off

        return self._write("mend the counts of", work, PATIENCE)

    def positions(self) -> list[WriterPosition]:
        """Every writer's position, by number."""
        return [WriterPosition(*row) for row in self._rows("writer_positions")]

    def changed(self, writer: int, after: int) -> Ids:
        """What carries the stamp of a writer's batch after ``after``: concepts and tombstones, ascending."""
        return distinct(reading.id_column(self._rows("writer_changed", writer=writer, after=after)))

    def acquire(self, holder: str, seconds: float) -> int | None:
        """Take the memory's lease for so long by the server's clock, or keep it: its fence; None if it is another's."""
        return self._write("take the lease of", lambda t: writers.acquire_lease(t, self._memory, holder, seconds))

    def leaseholder(self) -> tuple[str, int, float] | None:
        """Who has the lease, its fence, and for how many seconds more; None while nobody has it."""
        (row,) = self._rows("lease_holder")
        return None if row[0] is None or row[2] <= 0 else (str(row[0]), int(row[1]), float(row[2]))

    def release(self, fence: int) -> None:
        """Let go of the lease; nothing happens if it is another's by now."""
        self._write("release the lease of", lambda t: writers.release_lease(t, self._memory, fence))

    def retire(self, writer: int) -> None:
        """Nobody will be this writer again."""
        self._write("retire a writer in", lambda t: writers.retire_writer(t, self._memory, writer))

    def audit(self, after: int, limit: int) -> Audit:
        """Look over the next concepts after an id, and the edges that start there."""
        return self._connection.read("read", lambda t: audit(t, self._memory, self._relations, after, limit))

    def reshape(self, ids: Ids) -> None:
        """Give concepts the columns that they lack, as a newborn has them; everybody hears of it."""
        self._write("correct", lambda t: correcting.reshape(t, self._memory, ids))
        self._write("correct", lambda t: correcting.prove(t, self._memory))

    def redate(self, ids: Ids) -> None:
        """Compute when concepts expire and fade anew from their rows; everybody hears of it."""
        self._write("correct", lambda t: correcting.redate(t, self._memory, ids))
        self._write("correct", lambda t: correcting.prove(t, self._memory))

    def redraw(self, sources: Ids) -> None:
        """Put right the edges that :meth:`audit` finds to start at these concepts; everybody hears of it."""
        self._write("correct", lambda t: correcting.redraw(t, self._memory, self._relations, sources))
        self._write("correct", lambda t: correcting.prove(t, self._memory))

    def spread(
        self,
        seeds: Sequence[Sequence[tuple[int, float]]],
        gains: Doubles,
        params: SpreadParams,
        allowed: Ids | None = None,
    ) -> Activations | None:
        """What is activated by the seeds of each query, in one round trip; None where it would be too much for that."""
        return self.procedures.spread(seeds, gains, params, allowed)

    def explain(
        self, seeds: Sequence[tuple[int, float]], target: int, gains: Doubles, params: SpreadParams, limit: int
    ) -> list[Route] | None:
        """The strongest routes to a concept, strongest first; None where the server lacks the plugin."""
        return self.procedures.explain(seeds, target, gains, params, limit)

    def pruner(self) -> Pruner:
        """What prunes and consolidates by hand. AESGStorageError if the memory was opened read-only."""
        self._expect_writable("prune")
        return Pruner(self.procedures)

    def sync(self) -> None:
        """Nothing is left to do: Neo4j answers a commit only when it is on disk."""
        self._connection.expect_open()

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        self._connection.close()

    def _rows(self, statement: str, **parameters: Any) -> list[list[Any]]:
        return self._connection.read(
            "read", lambda transaction: transaction.rows(cypher(statement), memory=self._memory, **parameters)
        )

    def _write(self, doing: str, work: Callable[[Transaction], Answer], patience: float = 1.0) -> Answer:
        self._expect_writable(doing)
        return self._connection.write(doing, work, patience)

    def _expect_writable(self, doing: str) -> None:
        if self._read_only:
            raise AESGStorageError(f"Cannot {doing} {place(self._connection.settings)}: it was opened read-only")


def _connected(settings: StoreSettings) -> contextlib.closing[Connection]:
    return contextlib.closing(Connection(settings))


def _size(operation: Any) -> int:
    """About how many rows an operation writes."""
    return max((len(column) for column in vars(operation).values() if isinstance(column, np.ndarray)), default=1)
