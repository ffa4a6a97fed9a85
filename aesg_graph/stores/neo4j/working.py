"""The working copy: the part of a memory that some batches touch, in the tables of the SQLite store in memory.

What an operation does to rows is written once, for SQLite. Neo4j is read into this copy and gets the difference.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import Ids, Relations
from aesg_graph.stores.abc import MemoryHead, WriterState
from aesg_graph.stores.sqlite.linking import stored_code
from aesg_graph.stores.sqlite.schema import create_tables

UNSTAMPED = -1
"""The sequence of whatever was loaded; what the batches stamp has theirs."""

LIVES = (
    "id, relevance, touched_epoch, born_epoch, use_frequency, contradictions, expires_epoch, fades_at, version, "
    "region_id, kind, encoder, name, text"
)
LOADED = (
    f"INSERT INTO concepts ({LIVES}, modified_at, writer, sequence, created_at, source) "
    f"VALUES ({'?, ' * 14} 0.0, -1, {UNSTAMPED}, 0.0, NULL)"
)
END = (1.0, 0, 0, 0, 0, None, 0.0, 0, None, "", "", None, None)
"""What stands for the row of a concept of which only the existence is of interest."""

BEFORE = """
CREATE TEMP TABLE concepts_before AS SELECT * FROM concepts;
CREATE UNIQUE INDEX temp.concepts_before_id ON concepts_before (id);
CREATE TEMP TABLE edges_before AS SELECT * FROM edges;
CREATE UNIQUE INDEX temp.edges_before_key ON edges_before (source, type, target);
"""
CREATED = (
    "id, relevance, touched_epoch, born_epoch, use_frequency, contradictions, expires_epoch, fades_at, modified_at, "
    "sequence, created_at, version, region_id, kind, encoder, name, text, source"
)
CHANGED = (
    "id, modified_at, sequence, relevance, touched_epoch, born_epoch, use_frequency, contradictions, expires_epoch, "
    "fades_at, version, region_id, encoder"
)
ROW = (
    "relevance, touched_epoch, born_epoch, use_frequency, contradictions, expires_epoch, fades_at, version, region_id, "
    "encoder"
)
JOINED = f"FROM concepts AS new JOIN concepts_before AS old USING (id) WHERE new.sequence > {UNSTAMPED}"
KEY = "source, type, target"
EDGE = "weight, confidence, use_count, created_at, touched_epoch"

Rows = list[tuple[Any, ...]]


class WorkingCopy:
    """Rows loaded, then changed by the rules of the SQLite store, then compared with what they were."""

    def __init__(self, connection: sqlite3.Connection, relations: Relations) -> None:
        self.connection = connection
        self._relations = relations

    @classmethod
    @contextmanager
    def of(
        cls, head: MemoryHead, limits: Thresholds, writer: WriterState, relations: Relations
    ) -> Iterator[WorkingCopy]:
        """An empty copy that knows the memory's head and one writer."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        try:
            create_tables(connection, head, limits)
            connection.execute(
                "INSERT INTO writers VALUES (?, ?, ?, 0)", (writer.id, writer.incarnation, writer.sequence)
            )
            yield cls(connection, relations)
        finally:
            connection.close()

    def load_lives(self, rows: Sequence[Sequence[Any]]) -> None:
        """Whole rows of concepts, as ``concepts_lives`` gives them."""
        self.connection.executemany(LOADED, rows)

    def load_ends(self, ids: Ids) -> None:
        """Concepts of which it matters only that they exist."""
        self.connection.executemany(LOADED, ((id, *END) for id in ids.tolist()))

    def load_removed(self, rows: Sequence[Sequence[Any]]) -> None:
        """Tombstones: id and what it merged into."""
        sql = f"INSERT OR IGNORE INTO tombstones VALUES (?, ?, -1, {UNSTAMPED}, 0.0, 1)"
        self.connection.executemany(sql, rows)

    def load_edges(self, rows: Sequence[Sequence[Any]]) -> None:
        """Edges as Neo4j gives them, with the names of their types."""
        codes = {
            name: stored_code(self.connection, self._relations, self._relations.code(name))
            for name in {row[2] for row in rows}
        }
        self.connection.executemany(
            f"INSERT OR IGNORE INTO edges (source, target, type, {EDGE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((source, target, codes[type], *rest) for source, target, type, *rest in rows),
        )

    def loaded(self) -> None:
        """Everything is there: from now on it is changed."""
        self.connection.executescript(BEFORE)

    def concepts_created(self) -> Rows:
        """Columns ``CREATED`` of newborn concepts, by id."""
        return self._rows(
            f"SELECT {CREATED} FROM concepts WHERE id NOT IN (SELECT id FROM concepts_before) ORDER BY id"
        )

    def concepts_changed(self) -> Rows:
        """Columns ``CHANGED`` of concepts that live on otherwise, by id."""
        return self._rows(
            f"SELECT {_of('new', CHANGED)} {JOINED} AND ({_of('new', ROW)}) IS NOT ({_of('old', ROW)}) ORDER BY id"
        )

    def concepts_stamped(self) -> Rows:
        """Id, date and sequence of concepts that got nothing but a stamp, by id."""
        return self._rows(
            f"SELECT new.id, new.modified_at, new.sequence {JOINED} "
            f"AND ({_of('new', ROW)}) IS ({_of('old', ROW)}) ORDER BY id"
        )

    def concepts_described(self) -> Rows:
        """Id, name and text of concepts that have others than before, by id."""
        return self._rows(
            f"SELECT id, new.name, new.text {JOINED} AND (new.name, new.text) IS NOT (old.name, old.text) ORDER BY id"
        )

    def concepts_deleted(self) -> list[int]:
        """Ids of concepts that went, ascending."""
        sql = "SELECT id FROM concepts_before WHERE id NOT IN (SELECT id FROM concepts) ORDER BY id"
        return [row[0] for row in self._rows(sql)]

    def tombstones_created(self) -> Rows:
        """Id, heir, sequence and date of new tombstones, by id."""
        return self._rows(
            f"SELECT id, into_id, sequence, removed_at FROM tombstones WHERE sequence > {UNSTAMPED} ORDER BY id"
        )

    def edges_created(self) -> dict[str, Rows]:
        """Source, target and columns ``EDGE`` of new edges, by type and ends."""
        return self._by_type(
            f"SELECT type, source, target, {EDGE} FROM edges AS new "
            f"WHERE NOT EXISTS (SELECT 1 FROM edges_before AS old WHERE ({_of('old', KEY)}) = ({_of('new', KEY)}))"
        )

    def edges_changed(self) -> dict[str, Rows]:
        """The same of edges that are otherwise than before."""
        return self._by_type(
            f"SELECT type, source, target, {_of('new', EDGE)} FROM edges AS new JOIN edges_before AS old USING ({KEY}) "
            f"WHERE ({_of('new', EDGE)}) IS NOT ({_of('old', EDGE)})"
        )

    def edges_deleted(self) -> dict[str, Rows]:
        """Source and target of edges that went."""
        return self._by_type(
            "SELECT type, source, target FROM edges_before AS old "
            f"WHERE NOT EXISTS (SELECT 1 FROM edges AS new WHERE ({_of('new', KEY)}) = ({_of('old', KEY)}))"
        )

    def _by_type(self, sql: str) -> dict[str, Rows]:
        names: dict[int, str] = dict(self._rows("SELECT code, name FROM relations"))
        found: dict[str, Rows] = {}
        for type, *rest in self._rows(f"{sql} ORDER BY type, source, target"):
            found.setdefault(names[type], []).append(tuple(rest))
        return found

    def _rows(self, sql: str) -> Rows:
        return self.connection.execute(sql).fetchall()


def _of(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column.strip()}" for column in columns.split(","))
