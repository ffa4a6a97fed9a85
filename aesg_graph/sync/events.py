"""The history of a memory: what happened to which concepts, kept in the journal's file beside the batches.

An event is columnar, like an operation; a person reads it as one entry for each concept or pair. The oldest events go
once all of them together take more than ``HISTORY_BYTES``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aesg_graph.concepts import Ids
from aesg_graph.errors import AESGMemoryError

EVENT_TYPES = ("CREATE", "LINK", "REMOVE", "MERGE", "SPLIT", "PRUNE", "CONSOLIDATE", "RESTRUCTURE", "REKEY")

HISTORY_BYTES = 64 << 20
ROW_BYTES = 40
"""About what an event takes on disk beside its ids."""
PAGE = 256

SCHEMA = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, at REAL NOT NULL, type TEXT NOT NULL,
    ids BLOB NOT NULL, others BLOB, value REAL NOT NULL
)
"""


@dataclass(frozen=True, eq=False)
class Event:
    """Something happened to concepts ``ids`` [N], each with its one of ``others`` [N] where the type is about pairs.

    LINK: sources and targets; MERGE: merged and survivors; SPLIT: sources and those born. ``value`` is what the type
    makes of it: an edge's weight, a relevance, an epoch. An event about the memory as a whole has no ids.
    """

    type: str
    ids: Ids
    others: Ids | None = None
    value: float = 1.0

    def __post_init__(self) -> None:
        if self.type not in EVENT_TYPES:
            raise AESGMemoryError(f"Unknown event type {self.type!r}: expected one of {', '.join(EVENT_TYPES)}")
        if self.others is not None and len(self.others) != len(self.ids):
            raise AESGMemoryError(f"An event with {len(self.ids)} ids needs as many others, got {len(self.others)}")

    @property
    def size(self) -> int:
        """About how many bytes it takes on disk."""
        return ROW_BYTES + self.ids.nbytes + (0 if self.others is None else self.others.nbytes)


def insert(connection: sqlite3.Connection, sequence: int, at: float, events: Sequence[Event]) -> None:
    """Record events that a batch brought about."""
    connection.executemany(
        "INSERT INTO events (sequence, at, type, ids, others, value) VALUES (?, ?, ?, ?, ?, ?)",
        [(sequence, at, e.type, _blob(e.ids), None if e.others is None else _blob(e.others), e.value) for e in events],
    )


def total_bytes(connection: sqlite3.Connection) -> int:
    """What all events take, by the measure of :attr:`Event.size`."""
    query = f"SELECT COALESCE(SUM({ROW_BYTES} + length(ids) + COALESCE(length(others), 0)), 0) FROM events"
    return int(connection.execute(query).fetchone()[0])


def forget_oldest(connection: sqlite3.Connection, excess: int) -> int:
    """Delete the oldest events that together take at least ``excess`` bytes; how many bytes went."""
    freed, last = 0, 0
    rows = connection.execute("SELECT number, length(ids), COALESCE(length(others), 0) FROM events ORDER BY number")
    for number, ids, others in rows:
        if freed >= excess:
            break
        freed, last = freed + ROW_BYTES + ids + others, number
    connection.execute("DELETE FROM events WHERE number <= ?", (last,))
    return freed


def page(
    connection: sqlite3.Connection, types: Sequence[str] | None, since: float | None, start: int | None, newest: bool
) -> list[tuple[Any, ...]]:
    """The next rows above (``newest``: below) number ``start``, in that direction."""
    conditions, values = ["1"], list[Any]()
    if types is not None:
        conditions.append(f"type IN ({', '.join('?' * len(types))})")
        values.extend(types)
    if since is not None:
        conditions.append("at >= ?")
        values.append(since)
    if start is not None:
        conditions.append("number < ?" if newest else "number > ?")
        values.append(start)
    query = (
        f"SELECT number, at, type, ids, others, value FROM events WHERE {' AND '.join(conditions)} "
        f"ORDER BY number {'DESC' if newest else 'ASC'} LIMIT {PAGE}"
    )
    return connection.execute(query, values).fetchall()


def expand(row: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """A row as one entry for each of its concepts or pairs: ``{timestamp, type, id1, id2, val}``, 0 for no id."""
    _, at, kind, ids, others, value = row
    first = np.frombuffer(ids, np.int64).tolist() or [0]
    second = np.frombuffer(others, np.int64).tolist() if others else [0] * len(first)
    for id1, id2 in zip(first, second, strict=True):
        yield {"timestamp": at, "type": kind, "id1": id1, "id2": id2, "val": value}


def _blob(ids: Ids) -> bytes:
    return np.ascontiguousarray(ids, np.int64).tobytes()
