"""Writers: leasing their numbers, and what happens to the tombstones that they left."""

from __future__ import annotations

import secrets
import sqlite3

from aesg_graph.concepts import COUNTER_BITS, MAX_WRITER
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.stores.abc import WriterState

ATTEMPTS = 1000
FREE = """
SELECT NOT EXISTS (SELECT 1 FROM writers WHERE id = :number)
   AND NOT EXISTS (SELECT 1 FROM concepts WHERE id BETWEEN :low AND :high)
   AND NOT EXISTS (SELECT 1 FROM tombstones WHERE id BETWEEN :low AND :high)
"""


def read_writer(connection: sqlite3.Connection, number: int) -> WriterState | None:
    """A writer's state, or None."""
    row = connection.execute("SELECT id, incarnation, sequence FROM writers WHERE id = ?", (number,)).fetchone()
    return None if row is None else WriterState(*row)


def lease_writer(connection: sqlite3.Connection, number: int | None) -> WriterState:
    """Enter a new writer. A drawn number has never been in an id here; one that is given need only be unleased."""
    if number is None:
        number = _draw(connection)
    elif not 0 <= number <= MAX_WRITER:
        raise AESGMemoryError(f"The writer number {number} is out of range; expected 0 to {MAX_WRITER}")
    elif read_writer(connection, number) is not None:
        raise AESGStorageError(f"The writer number {number} is taken; expected a free one")
    connection.execute("INSERT INTO writers (id, incarnation, sequence, forgotten) VALUES (?, 1, 0, 0)", (number,))
    return WriterState(number, 1, 0)


def _draw(connection: sqlite3.Connection) -> int:
    """A free number, drawn at random so that memories can be copied together."""
    for _ in range(ATTEMPTS):
        number = secrets.randbelow(MAX_WRITER) + 1
        low = number << COUNTER_BITS
        values = {"number": number, "low": low, "high": low + (1 << COUNTER_BITS) - 1}
        if connection.execute(FREE, values).fetchone()[0]:
            return number
    raise AESGStorageError(f"No free writer number was found in {ATTEMPTS} draws from {MAX_WRITER}")


def renew_writer(connection: sqlite3.Connection, number: int) -> WriterState:
    """A writer's next incarnation."""
    connection.execute("UPDATE writers SET incarnation = incarnation + 1 WHERE id = ?", (number,))
    state = read_writer(connection, number)
    if state is None:
        raise AESGStorageError(f"Writer {number} is unknown to this graph; expected a leased one")
    return state


# A tombstone goes when nobody can need it: it is old, its vector is gone, its writer is past it (a sequence proves only
# those before it whole), and what it merged into is itself forgotten.
FORGET = """
DELETE FROM tombstones
WHERE {which} removed_at < ? AND vector_removed
  AND sequence < (SELECT sequence FROM writers WHERE writers.id = tombstones.writer)
  AND (into_id IS NULL OR (
      NOT EXISTS (SELECT 1 FROM concepts WHERE concepts.id = tombstones.into_id)
      AND NOT EXISTS (SELECT 1 FROM tombstones AS heir WHERE heir.id = tombstones.into_id)))
RETURNING id, writer, sequence
"""


def forget_tombstones(connection: sqlite3.Connection, before: float) -> int:
    """Drop what nobody needs; how many went. A chain of merges goes from its end, link by link."""
    gone = connection.execute(FORGET.format(which=""), (before,)).fetchall()
    dropped = list(gone)
    while gone:
        merged = FORGET.format(which="into_id = ? AND")
        gone = [row for (id, _, _) in gone for row in connection.execute(merged, (id, before)).fetchall()]
        dropped += gone
    forgotten: dict[int, int] = {}
    for _, writer, sequence in dropped:
        forgotten[writer] = max(sequence, forgotten.get(writer, 0))
    sql = "UPDATE writers SET forgotten = max(forgotten, ?) WHERE id = ?"
    connection.executemany(sql, [(sequence, writer) for writer, sequence in forgotten.items()])
    return len(dropped)
