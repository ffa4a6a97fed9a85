"""What the operations of one batch share while they are carried out: the connection, the stamp, and what to report."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aesg_graph.aging import NEVER, Thresholds, expires_epoch, fades_at
from aesg_graph.concepts import NO_ID, Doubles, Flags, Ids, Ints, Relations, among, distinct
from aesg_graph.operations import Batch
from aesg_graph.stores.abc import NO_IDS
from aesg_graph.stores.sqlite.reading import absent, id_column, listed

LIVES = "id, relevance, touched_epoch, born_epoch, use_frequency, contradictions"

HEIRS = """
WITH RECURSIVE chain (start, heir) AS (
    SELECT id, into_id FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN tombstones ON id = wanted
    WHERE into_id IS NOT NULL
    UNION
    SELECT start, into_id FROM chain CROSS JOIN tombstones ON id = heir WHERE into_id IS NOT NULL
)
SELECT start, heir FROM chain CROSS JOIN concepts ON id = heir
"""


class RefusedError(Exception):
    """A batch cannot be carried out for its content; the message is the outcome's reason."""


@dataclass
class Lives:
    """The rows of N concepts as far as aging knows them, in columns."""

    ids: Ids
    relevance: Doubles
    touched_epoch: Ints
    born_epoch: Ints
    use_frequency: Ints
    contradictions: Ints


def lives_table(rows: Sequence[tuple[int, float, int, int, int, int]]) -> Lives:
    """Rows of ``LIVES`` as columns."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    ids, relevance, touched, born, uses, against = columns
    return Lives(
        np.array(ids, np.int64),
        np.array(relevance, np.float64),
        np.array(touched, np.int64),
        np.array(born, np.int64),
        np.array(uses, np.int64),
        np.array(against, np.int64),
    )


def write_lives(connection: sqlite3.Connection, lives: Lives, limits: Thresholds) -> None:
    """Write rows back, with the expiry that follows from them."""
    columns = (lives.relevance, lives.touched_epoch, lives.born_epoch, lives.use_frequency, lives.contradictions)
    expires = expires_epoch(*columns, limits)
    fades = fades_at(lives.relevance, lives.touched_epoch, limits)
    connection.executemany(
        "UPDATE concepts SET relevance = ?, touched_epoch = ?, born_epoch = ?, use_frequency = ?, contradictions = ?, "
        f"expires_epoch = nullif(?, {NEVER}), fades_at = ? WHERE id = ?",
        zip(*(column.tolist() for column in (*columns, expires, fades, lives.ids)), strict=True),
    )


@dataclass
class Change:
    """One batch under way."""

    connection: sqlite3.Connection
    batch: Batch
    limits: Thresholds
    relations: Relations
    voided: int = 0
    _declined: list[Ids] = field(default_factory=list)
    _changed: list[Ids] = field(default_factory=list)

    def require(self, condition: bool, reason: str) -> None:
        """Refuse the batch unless ``condition`` holds."""
        if not condition:
            raise RefusedError(reason)

    def require_lengths(self, operation: str, ids: Ids, **columns: Sequence[object] | np.ndarray | None) -> None:
        """Refuse the batch unless every column that is given is as long as ``ids``."""
        for name, column in columns.items():
            if column is not None and len(column) != len(ids):
                raise RefusedError(f"{operation} has {len(ids)} ids and {len(column)} {name}; expected as many of each")

    def decline(self, ids: Ids) -> None:
        """Report concepts whose rows are not what the batch taken literally would give."""
        if ids.size:
            self._declined.append(ids)

    def stamp(self, ids: Ids) -> None:
        """Concepts changed: they get the batch's writer, sequence and time when the batch ends, once each."""
        if ids.size:
            self._changed.append(ids)

    def finish(self) -> Ids:
        """Write the stamps; the declined concepts, ascending."""
        if self._changed:
            changed = listed(distinct(np.concatenate(self._changed)))
            batch = self.batch
            self.connection.execute(
                "UPDATE concepts SET modified_at = ?, writer = ?, sequence = ? "
                "WHERE id IN (SELECT value FROM json_each(?))",
                (batch.at, batch.writer, batch.sequence, changed),
            )
        return np.unique(np.concatenate(self._declined)) if self._declined else NO_IDS

    def present(self, ids: Ids) -> Flags:
        """[N] whether each is a concept."""
        return ~among(ids, absent(self.connection, ids))

    def resolve(self, ids: Ids) -> Ids:
        """[N] the concept that each id means today: itself, what it merged into, or ``NO_ID``."""
        named, place = np.unique(ids, return_inverse=True)
        gone = ~self.present(named)
        if gone.any():
            rows = self.connection.execute(HEIRS, (listed(named[gone]),)).fetchall()
            heirs = dict(rows)
            named[gone] = [heirs.get(id, NO_ID) for id in named[gone].tolist()]
        resolved: Ids = named[place.reshape(-1)]
        return resolved

    def lives(self, ids: Ids) -> Lives:
        """The rows of the concepts among ``ids``, ascending."""
        sql = f"SELECT {LIVES} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN concepts ON id = wanted"
        return lives_table(self.connection.execute(sql, (listed(distinct(ids)),)).fetchall())

    def write(self, lives: Lives) -> None:
        """Write rows back with their expiry, and stamp them."""
        write_lives(self.connection, lives, self.limits)
        self.stamp(lives.ids)

    def bury(self, ids: Ids, into: int | None = None) -> None:
        """Delete existing concepts and their edges, stamp the neighbours, leave tombstones."""
        if not ids.size:
            return
        gone, run, batch = listed(ids), self.connection.execute, self.batch
        among = "IN (SELECT value FROM json_each(?1))"
        neighbours = (
            f"SELECT target FROM edges WHERE source {among} UNION SELECT source FROM edges WHERE target {among}"
        )
        self.stamp(id_column(run(neighbours, (gone,)).fetchall()))
        run(f"DELETE FROM edges WHERE source {among}", (gone,))
        run(f"DELETE FROM edges WHERE target {among}", (gone,))
        run(f"DELETE FROM concepts WHERE id {among}", (gone,))
        run(
            "INSERT INTO tombstones (id, into_id, writer, sequence, removed_at, vector_removed) "
            "SELECT value, ?2, ?3, ?4, ?5, 0 FROM json_each(?1)",
            (gone, into, batch.writer, batch.sequence, batch.at),
        )
