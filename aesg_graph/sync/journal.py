"""The journal: every acknowledged batch is here until it is in both stores.

One SQLite file in WAL mode. Appending is one transaction: the batch, its events, the writer's sequence and id counter.
Under ``durability="process"`` it survives the death of the process, under ``"power"`` that of the machine.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile, islice, takewhile
from pathlib import Path
from typing import Any

from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import Batch, Operation
from aesg_graph.stores.abc import WriterState
from aesg_graph.stores.sqlite.integrity import read_faults
from aesg_graph.sync import events as history
from aesg_graph.sync import journal_file
from aesg_graph.sync.events import Event
from aesg_graph.sync.failpoints import JOURNALLED, reach
from aesg_graph.sync.journal_file import Durability


@dataclass(frozen=True, eq=False)
class Refused:
    """A batch that was set aside at ``at`` (seconds since 1970), because a store would not carry it out."""

    writer: int
    sequence: int
    reason: str
    at: float
    batch: Batch | None
    """None where it cannot be read any more."""


class Journal:
    """An open journal. Any thread may call it; appends and everything else exclude each other.

    A read-only journal shows ``pending``, ``bytes_pending``, ``last_sequence``, ``counter``, ``writer`` and
    ``incarnation`` as they were when it was opened.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, durability: Durability, read_only: bool) -> None:
        """Use :meth:`create` or :meth:`open`."""
        self.path = path
        self.durability = durability
        self.read_only = read_only
        self._connection = connection
        self._checkpointer: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._closed = False
        self._load()

    @classmethod
    def create(cls, path: Path, identity: str, durability: Durability = "process") -> Journal:
        """A new journal for the directory of this identity. AESGStorageError if there is a file at ``path``."""
        return cls(path, journal_file.create(path, identity, durability), durability, False)

    @classmethod
    def open(cls, path: Path, durability: Durability = "process", read_only: bool = False) -> Journal:
        """The journal at ``path``. AESGStorageError, naming the file, if it is absent or damaged."""
        return cls(path, journal_file.connect(path, durability, read_only), durability, read_only)

    def _load(self) -> None:
        """Take the writer's state and the list of pending batches from the file."""
        with journal_file.reported(self.path, "read"):
            self.identity: str
            self.writer: int | None
            self.incarnation: int
            self.last_sequence: int
            self.counter: int
            row = self._connection.execute("SELECT identity, writer, incarnation, last_sequence, counter FROM meta")
            self.identity, self.writer, self.incarnation, self.last_sequence, self.counter = row.fetchone()
            lengths = self._connection.execute("SELECT sequence, length(payload) FROM batches ORDER BY sequence")
            self._pending: deque[tuple[int, int]] = deque(lengths.fetchall())
            self._event_bytes = history.total_bytes(self._connection)
        self._bytes_pending = sum(length for _, length in self._pending)

    def begin(self, state: WriterState, identity: str, counter: int | None = None) -> None:
        """Write from now on as ``state`` says.

        Another writer's number starts a new id counter, or ``counter`` says where it stands.
        AESGStorageError while batches of another writer are pending: they would lose their number.
        """
        with self._lock:
            if state.id != self.writer and self._pending:
                raise AESGStorageError(
                    f"The journal {self.path} still has {len(self._pending)} batches of writer {self.writer}; "
                    f"writer {state.id} cannot begin"
                )
            with self._transaction("begun"):
                self._record_writer(state, state.sequence, identity, counter)
            self._load()

    def reissue(self, state: WriterState, identity: str) -> None:
        """Begin as another writer, under whose next sequences every pending batch is recorded anew."""
        with self._lock:
            with self._transaction("reissued"):
                # Never above a sequence still to be read: the k-th pending batch has at least sequence k.
                for new, (old, _) in enumerate(list(self._pending), state.sequence + 1):
                    batch = replace(self.read(old), writer=state.id, incarnation=state.incarnation, sequence=new)
                    self._connection.execute("DELETE FROM batches WHERE sequence = ?", (old,))
                    self._insert(batch, batch.encode())
                self._record_writer(state, state.sequence + len(self._pending), identity)
            self._load()

    def _record_writer(self, state: WriterState, last_sequence: int, identity: str, counter: int | None = None) -> None:
        if counter is None:
            counter = self.counter if state.id == self.writer else 0
        self._connection.execute(
            "UPDATE meta SET identity = ?, writer = ?, incarnation = ?, last_sequence = ?, counter = ?",
            (identity, state.id, state.incarnation, last_sequence, counter),
        )

    def append(
        self,
        operations: Sequence[Operation],
        at: float,
        events: Sequence[Event] = (),
        counter: int | None = None,
        fence: int | None = None,
    ) -> Batch:
        """Record operations as the writer's next batch, with the events and the id counter that go with them.

        It is acknowledged once this returns. AESGStorageError, with nothing changed, if it cannot be written. The
        batch shares the operations' arrays: nobody may change them afterwards.
        """
        with self._lock:
            if self.writer is None:
                raise AESGStorageError(f"The journal {self.path} has no writer yet: begin() comes first")
            batch = Batch(self.writer, self.incarnation, self.last_sequence + 1, at, tuple(operations), fence)
            payload = batch.encode()
            counter = self.counter if counter is None else counter
            with self._transaction(f"extended by batch {batch.sequence} of {len(payload)} bytes"):
                self._insert(batch, payload)
                if events:
                    history.insert(self._connection, batch.sequence, at, events)
                self._connection.execute("UPDATE meta SET last_sequence = ?, counter = ?", (batch.sequence, counter))
                self.last_sequence, self.counter = batch.sequence, counter
                self._pending.append((batch.sequence, len(payload)))
                self._bytes_pending += len(payload)
                self._event_bytes += sum(event.size for event in events)
        reach(JOURNALLED)
        return batch

    def _insert(self, batch: Batch, payload: bytes) -> None:
        row = (batch.sequence, batch.writer, batch.incarnation, crc_of(batch.sequence, payload), payload)
        self._connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", row)

    @property
    def bytes_pending(self) -> int:
        """How many bytes of batches wait for the stores."""
        return self._bytes_pending

    def pending(self) -> list[int]:
        """The sequences that wait for the stores, ascending."""
        with self._lock:
            return [sequence for sequence, _ in self._pending]

    def backlog(self, up_to: int | None, batches: int, size: int, after: int = 0) -> list[int]:
        """The oldest pending sequences above ``after``, none above ``up_to``: at most so many and so many bytes, but
        one.
        """
        with self._lock:
            later = dropwhile(lambda entry: entry[0] <= after, self._pending)
            waiting = takewhile(lambda entry: up_to is None or entry[0] <= up_to, islice(later, batches))
            taken: list[int] = []
            for sequence, length in waiting:
                size -= length
                if taken and size < 0:
                    break
                taken.append(sequence)
            return taken

    def read(self, sequence: int) -> Batch:
        """A pending batch. AESGStorageError, naming its sequence, if it is not there or damaged."""
        with self._lock, journal_file.reported(self.path, f"read at batch {sequence}"):
            query = "SELECT crc, payload FROM batches WHERE sequence = ?"
            row = self._connection.execute(query, (sequence,)).fetchone()
        if row is None:
            raise AESGStorageError(f"The journal {self.path} has no batch {sequence}")
        return self._checked(sequence, *row)

    def _checked(self, sequence: int, crc: int, payload: Any) -> Batch:
        if not isinstance(payload, bytes) or crc_of(sequence, payload) != crc:
            raise AESGStorageError(
                f"The journal {self.path} is damaged: batch {sequence} is not as it was written (its checksum "
                "differs); 'aesg check --repair' sets it aside"
            )
        return Batch.decode(payload)

    def size(self, sequence: int) -> int:
        """How many bytes a pending batch takes, 0 if it is not pending. Quickest for the newest."""
        with self._lock:
            return next((length for pending, length in reversed(self._pending) if pending == sequence), 0)

    def drop(self, up_to: int, refused: Mapping[int, str] | None = None) -> None:
        """Forget pending batches up to this sequence: they are in both stores.

        Those in ``refused`` (sequence to reason) are set aside instead, in the same transaction.
        """
        with self._lock, self._transaction("shortened", durable=bool(refused)):
            for sequence, reason in (refused or {}).items():
                self._move_aside(sequence, reason)
            self._connection.execute("DELETE FROM batches WHERE sequence <= ?", (up_to,))
            excess = self._event_bytes - history.HISTORY_BYTES
            if excess > 0:  # a quarter at once, so that it is rarely done
                self._event_bytes -= history.forget_oldest(self._connection, excess + history.HISTORY_BYTES // 4)
            while self._pending and self._pending[0][0] <= up_to:
                self._bytes_pending -= self._pending.popleft()[1]
        self._checkpoint()

    def set_aside(self, sequence: int, reason: str) -> None:
        """Move a pending batch to the refused ones, for good and as it is, damaged or not."""
        with self._lock:
            with self._transaction(f"relieved of batch {sequence}"):
                self._move_aside(sequence, reason)
            self._load()

    def _move_aside(self, sequence: int, reason: str) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO refused "
            "SELECT writer, sequence, ?, ?, crc, payload FROM batches WHERE sequence = ?",
            (reason, time.time(), sequence),
        )
        self._connection.execute("DELETE FROM batches WHERE sequence = ?", (sequence,))

    def refused(self) -> list[Refused]:
        """Every batch that was ever set aside, oldest first."""
        with self._lock, journal_file.reported(self.path, "read"):
            query = "SELECT writer, sequence, reason, at, crc, payload FROM refused ORDER BY rowid"
            rows = self._connection.execute(query).fetchall()
        return [
            Refused(writer, sequence, reason, at, self._decoded(sequence, crc, payload))
            for writer, sequence, reason, at, crc, payload in rows
        ]

    def _decoded(self, sequence: int, crc: int, payload: Any) -> Batch | None:
        try:
            return self._checked(sequence, crc, payload)
        except AESGStorageError:
            return None

    def faults(self) -> list[str]:
        """What is wrong with the file itself; nothing where it is whole. Batches have checksums of their own."""
        with self._lock:
            return read_faults(self._connection)

    def events(
        self, limit: int | None = None, types: Sequence[str] | None = None, since: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """What happened, oldest first: ``{timestamp, type, id1, id2, val}`` for each concept or pair.

        ``limit`` keeps the newest so many, ``types`` some types, ``since`` (seconds since 1970) what happened then or
        later. AESGMemoryError for an unknown type or a negative limit.
        """
        unknown = sorted(set(types or ()) - set(history.EVENT_TYPES))
        if unknown:
            raise AESGMemoryError(f"Unknown event types {unknown}: expected some of {', '.join(history.EVENT_TYPES)}")
        if limit is None:
            return self._event_entries(types, since, newest=False)
        if limit < 0:
            raise AESGMemoryError(f"limit must be at least 0, got {limit}")
        newest = list(islice(self._event_entries(types, since, newest=True), limit))
        return iter(newest[::-1])

    def _event_entries(
        self, types: Sequence[str] | None, since: float | None, newest: bool
    ) -> Iterator[dict[str, Any]]:
        start: int | None = None
        while True:
            with self._lock, journal_file.reported(self.path, "read"):
                rows = history.page(self._connection, types, since, start, newest)
            for row in rows:
                entries = history.expand(row)
                yield from reversed(list(entries)) if newest else entries
            if len(rows) < history.PAGE:
                return
            start = rows[-1][0]

    def close(self) -> None:
        """Close the file; what is pending stays in it. Closing twice is allowed."""
        with self._lock, journal_file.reported(self.path, "closed"):
            if self._closed:
                return
            self._closed = True
            if self._checkpointer is not None:
                self._checkpointer.close()
            try:
                if not self.read_only:
                    journal_file.give_back_space(self._connection)
            finally:
                self._connection.close()

    def _checkpoint(self) -> None:
        if not journal_file.log_is_long(self.path):
            return
        with contextlib.suppress(sqlite3.Error):  # nothing depends on it, and the next drop tries again
            if self._checkpointer is None:
                self._checkpointer = journal_file.checkpointer(self.path)
            journal_file.checkpoint(self._checkpointer)  # most of it, while others append
            with self._lock:
                journal_file.checkpoint(self._connection)  # the rest, so that the log begins anew

    @contextlib.contextmanager
    def _transaction(self, doing: str, durable: bool = True) -> Iterator[None]:
        """All or nothing, in the file and in memory, whatever interrupts it.

        What need not be durable is not synced under "power" either.
        """
        relaxed = not durable and self.durability == "power"
        with journal_file.reported(self.path, doing):
            if relaxed:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._undo()
                raise
            finally:
                if relaxed:
                    self._connection.execute("PRAGMA synchronous = FULL")

    def _undo(self) -> None:
        """What the file says is true, also when the interruption came just after the commit."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._load()


def crc_of(sequence: int, payload: bytes) -> int:
    """The checksum of a batch's bytes in its place."""
    return zlib.crc32(payload, zlib.crc32(sequence.to_bytes(8, "little")))
