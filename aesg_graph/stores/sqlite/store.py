"""SqliteGraphStore: the graph store of the embedded engine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import Doubles, Ids, Relations, Subgraph
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch
from aesg_graph.stores.abc import NO_IDS, Counts, MemoryHead, Outcome, Tombstones, WriterState
from aesg_graph.stores.sqlite import reading
from aesg_graph.stores.sqlite.applying import apply_batches, mark_vectors_removed
from aesg_graph.stores.sqlite.change import LIVES, lives_table, write_lives
from aesg_graph.stores.sqlite.connecting import (
    Durability,
    connect_writer,
    storage_errors,
    sync_log,
)
from aesg_graph.stores.sqlite.integrity import delete_dangling, read_dangling, read_faults
from aesg_graph.stores.sqlite.schema import create_file, open_reader
from aesg_graph.stores.sqlite.writers import forget_tombstones, lease_writer, read_writer, renew_writer

CHUNK = 50_000
"""Rows that are rewritten at a time when the thresholds change."""


class SqliteGraphStore:
    """A graph store in one SQLite file, for one writing process; others may read it at the same time.

    One connection writes and one reads, each under a lock of its own, so reads go on while another thread writes. Make
    one with :meth:`create` or :meth:`open`.
    """

    def __init__(
        self,
        path: Path,
        relations: Relations,
        writer: sqlite3.Connection | None,
        reader: sqlite3.Connection,
        power: bool,
    ) -> None:
        self.path = path
        self._relations = relations
        self._writer = writer
        self._reader = reader
        self._power = power
        self._unsynced = True  # a writer before us may have died with its last commits in the page cache
        self._closed = False
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        head: MemoryHead,
        limits: Thresholds,
        relations: Relations,
        *,
        durability: Durability = "process",
    ) -> SqliteGraphStore:
        """Make a new graph file and open it. AESGStorageError if there is something at ``path`` already."""
        create_file(Path(path), head, limits)
        return cls.open(path, relations, durability=durability)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        relations: Relations,
        *,
        read_only: bool = False,
        durability: Durability = "process",
    ) -> SqliteGraphStore:
        """Open a graph file, whose thresholds come from its head.

        ``durability``: with "process" what is applied survives the death of the process, and a power cut after
        :meth:`sync`; with "power" it survives both at once. AESGStorageError for a missing, damaged or foreign file,
        another format, or edges of a type that ``relations`` does not declare.
        """
        path = Path(path)
        with contextlib.ExitStack() as undo, storage_errors(path, "open"):
            reader = open_reader(path, from_outside=read_only)
            undo.callback(reader.close)
            reading.relation_codes(reader, relations)
            writer = None if read_only else connect_writer(path, durability)
            undo.pop_all()
        return cls(path, relations, writer, reader, durability == "power")

    @staticmethod
    def peek(path: str | os.PathLike[str], from_outside: bool = True) -> MemoryHead:
        """The head of the memory in a graph file that is not open: it says which relations the memory declares.

        ``from_outside``: every file is left as it is. Its owner, who need not, can always look, also after a kill.
        """
        path = Path(path)
        with storage_errors(path, "open"), contextlib.closing(open_reader(path, from_outside)) as reader:
            return reading.read_head(reader)

    def head(self) -> MemoryHead:
        """The memory's head as it is now."""
        with self._reading() as connection:
            return reading.read_head(connection)

    def limits(self) -> Thresholds:
        """The thresholds by which this memory's concepts age."""
        with self._reading() as connection:
            return reading.read_limits(connection)

    def configure(self, config: str, limits: Thresholds) -> None:
        """Record another configuration; expiry of every concept is computed anew when the thresholds differ."""
        with self._writing("configure") as connection:
            before = reading.read_limits(connection)
            connection.execute(
                "UPDATE head SET config = ?, relevance_boost = ?, relevance_decay = ?, "
                "survival_threshold_relevance = ?, survival_threshold_frequency = ?, survival_min_age = ?",
                (config, *astuple(limits)),
            )
            if before != limits:
                _rewrite_expiry(connection, limits)

    def lease(self, writer: int | None = None) -> WriterState:
        """Register a new writer (a free number is drawn when none is given; a taken one is an AESGStorageError)."""
        with self._writing("lease a writer number in") as connection:
            return lease_writer(connection, writer)

    def renew(self, writer: int) -> WriterState:
        """Give a writer a new incarnation. AESGStorageError for an unknown number."""
        with self._writing("renew a writer in") as connection:
            return renew_writer(connection, writer)

    def writer(self, writer: int) -> WriterState | None:
        """A writer's state, or None for an unknown number."""
        with self._reading() as connection:
            return read_writer(connection, writer)

    def apply(self, batches: Sequence[Batch], vectors_removed: Ids = NO_IDS) -> list[Outcome]:
        """Carry out consecutive batches of one writer in one transaction, exactly once each."""
        with self._writing("write to") as connection:
            outcomes = apply_batches(connection, batches, self._relations)
            mark_vectors_removed(connection, vectors_removed)
        return outcomes

    def read(self, ids: Ids, edges: bool = True) -> Subgraph:
        """The concepts among ``ids``, and (if asked) every edge that touches one of them."""
        with self._reading() as connection:
            return reading.read_subgraph(connection, ids, edges, self._relations)

    def page(self, after: int, limit: int, edges: bool = True) -> Subgraph:
        """The next ``limit`` concepts with an id above ``after``; with ``edges`` those that start at one of them."""
        with self._reading() as connection:
            return reading.read_page(connection, after, limit, edges, self._relations)

    def absent(self, ids: Ids) -> Ids:
        """Those of ``ids`` that are not concepts (never born, or removed), ascending and once each."""
        with self._reading() as connection:
            return reading.absent(connection, ids)

    def tombstones(self, ids: Ids) -> Tombstones:
        """The tombstones among ``ids``."""
        with self._reading() as connection:
            return reading.read_tombstones(connection, ids)

    def unswept(self, limit: int) -> Ids:
        """Removed concepts whose vectors are not yet known to be gone, by id."""
        sql = "SELECT id FROM tombstones WHERE vector_removed = 0 ORDER BY id LIMIT ?"
        with self._reading() as connection:
            return reading.id_column(connection.execute(sql, (limit,)).fetchall())

    def forget(self, before: float) -> int:
        """Drop tombstones older than ``before`` (seconds since 1970) that nothing needs any more; how many went."""
        with self._writing("forget tombstones in") as connection:
            return forget_tombstones(connection, before)

    def due(self, epoch: int, limit: int) -> Ids:
        """Concepts that may be pruned in ``epoch``, weakest first (ties by id)."""
        # Left to itself, SQLite walks the weakest first until it has found enough: all of them, when none is due.
        index = "INDEXED BY concepts_due"
        sql = f"SELECT id FROM concepts {index} WHERE expires_epoch <= ? ORDER BY fades_at, id LIMIT ?"
        with self._reading() as connection:
            return reading.id_column(connection.execute(sql, (epoch, limit)).fetchall())

    def weakest(self, limit: int) -> tuple[Ids, Doubles]:
        """The weakest concepts and their ``fades_at``, weakest first (ties by id)."""
        with self._reading() as connection:
            return reading.read_weakest(connection, limit)

    def find(self, text: str, limit: int) -> Ids:
        """Concepts whose name or text contains ``text``, whatever the case; by id."""
        with self._reading() as connection:
            return reading.find(connection, text, limit)

    def count(self) -> Counts:
        """How much there is."""
        with self._reading() as connection:
            return reading.read_counts(connection)

    def faults(self) -> list[str]:
        """What is wrong with the file itself; nothing where it is whole."""
        with self._read_lock:  # in no transaction: a damaged file may not even let one end
            self._expect_open()
            return read_faults(self._reader)

    def dangling(self) -> tuple[int, Ids]:
        """How many edges name a concept that does not exist, and which ids these are."""
        with self._reading() as connection:
            return read_dangling(connection)

    def reindex(self) -> None:
        """Build all indexes anew: one of them may lack rows that the tables have."""
        with self._writing("build the indexes anew of") as connection:
            connection.execute("REINDEX")

    def cut_dangling(self) -> int:
        """Delete edges that name a concept that does not exist; how many went."""
        with self._writing("delete edges from") as connection:
            return delete_dangling(connection)

    def sync(self) -> None:
        """Return when everything applied would survive a power cut."""
        with self._write_lock, storage_errors(self.path, "sync"):
            self._expect_open()
            if self._writer is not None and self._unsynced:
                sync_log(self.path)
                self._unsynced = False

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        with self._write_lock, self._read_lock:
            if not self._closed:
                self._closed = True
                with storage_errors(self.path, "close"):
                    self._reader.close()
                    if self._writer is not None:
                        self._writer.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The reading connection in one transaction: everything read is of one moment."""
        with self._read_lock, storage_errors(self.path, "read"):
            self._expect_open()
            with _transaction(self._reader, "BEGIN"):
                yield self._reader

    @contextlib.contextmanager
    def _writing(self, doing: str) -> Iterator[sqlite3.Connection]:
        """The writing connection in one transaction: all of it happens, or nothing."""
        with self._write_lock, storage_errors(self.path, doing):
            self._expect_open()
            if self._writer is None:
                raise AESGStorageError(f"Cannot {doing} {self.path}: it was opened read-only")
            with _transaction(self._writer, "BEGIN IMMEDIATE"):
                yield self._writer
            self._unsynced |= not self._power

    def _expect_open(self) -> None:
        if self._closed:
            raise AESGStorageError(f"The graph file {self.path} is closed")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise


def _rewrite_expiry(connection: sqlite3.Connection, limits: Thresholds) -> None:
    """Compute ``expires_epoch`` and ``fades_at`` of every concept anew."""
    sql = f"SELECT {LIVES} FROM concepts WHERE id > ? ORDER BY id LIMIT {CHUNK}"
    after = -1
    while rows := connection.execute(sql, (after,)).fetchall():
        lives = lives_table(rows)
        write_lives(connection, lives, limits)
        after = int(lives.ids[-1])
