"""The working copy: the part of a memory that some batches touch, in the tables of the SQLite store in memory.

What an operation does to rows is written once, for SQLite. Neo4j is read into this copy and gets the difference.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import Ids, Relations
from aesg_graph.stores.abc import MemoryHead, WriterState
from aesg_graph.stores.sqlite.linking import stored_code
from aesg_graph.stores.sqlite.reorganising import EDGE_ROW
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


@dataclass(frozen=True)
class Form:
    """The columns of rows to be written: first those that many rows have in common, then the others."""

    common: tuple[str, ...]
    lists: tuple[str, ...]

    def of(self, table: str) -> str:
        """The columns of a table, for SQL."""
        return ", ".join(f"{table}.{column}" for column in (*self.common, *self.lists))


STAMP = ("modified_at", "sequence")
COUNTS = ("use_frequency", "contradictions")
FADING = ("expires_epoch", "fades_at")
BORN = Form(
    (
        *("relevance", "touched_epoch", "born_epoch", *COUNTS, *FADING, *STAMP),
        *("created_at", "version", "region_id", "kind", "encoder"),
    ),
    ("id", "name", "text", "source"),
)
CHANGED = Form(
    (*STAMP, "version", "region_id", "encoder", "born_epoch"), ("id", "relevance", "touched_epoch", *COUNTS, *FADING)
)
STAMPED = Form(STAMP, ("id",))
DESCRIBED = Form((), ("id", "name", "text"))
ID = Form((), ("id",))
REMOVED = Form(("sequence", "removed_at"), ("id", "into_id"))
ENDS = Form((), ("source", "target"))
EDGE = Form(("confidence", "use_count", "created_at", "touched_epoch"), ("source", "target", "weight"))
KEY = ("source", "type", "target")

ROW = ("relevance", "touched_epoch", "born_epoch", *COUNTS, *FADING, "version", "region_id", "encoder")
JOINED = f"FROM concepts AS new JOIN concepts_before AS old USING (id) WHERE new.sequence > {UNSTAMPED}"
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
            f"INSERT OR IGNORE INTO edges ({EDGE_ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((source, codes[type], target, *rest) for source, target, type, *rest in rows),
        )

    def loaded(self) -> None:
        """Everything is there: from now on it is changed."""
        self.connection.executescript(BEFORE)

    def concepts_created(self) -> Rows:
        """Newborn concepts, by id."""
        sql = (
            f"SELECT {BORN.of('new')} FROM concepts AS new WHERE id NOT IN (SELECT id FROM concepts_before) ORDER BY id"
        )
        return self._rows(sql)

    def concepts_changed(self) -> Rows:
        """Concepts that live on otherwise, by id."""
        differs = f"({_of('new', ROW)}) IS NOT ({_of('old', ROW)})"
        return self._rows(f"SELECT {CHANGED.of('new')} {JOINED} AND {differs} ORDER BY new.id")

    def concepts_stamped(self) -> Rows:
        """Concepts that got nothing but a stamp, by id."""
        same = f"({_of('new', ROW)}) IS ({_of('old', ROW)})"
        return self._rows(f"SELECT {STAMPED.of('new')} {JOINED} AND {same} ORDER BY new.id")

    def concepts_described(self) -> Rows:
        """Concepts that have other names and texts than before, by id."""
        differs = "(new.name, new.text) IS NOT (old.name, old.text)"
        return self._rows(f"SELECT {DESCRIBED.of('new')} {JOINED} AND {differs} ORDER BY new.id")

    def concepts_deleted(self) -> Rows:
        """Concepts that went, by id."""
        return self._rows("SELECT id FROM concepts_before WHERE id NOT IN (SELECT id FROM concepts) ORDER BY id")

    def tombstones_created(self) -> Rows:
        """New tombstones, by id."""
        return self._rows(f"SELECT {REMOVED.of('new')} FROM tombstones AS new WHERE sequence > {UNSTAMPED} ORDER BY id")

    def edges_created(self) -> dict[str, Rows]:
        """New edges, by type and ends."""
        return self._by_type(
            f"SELECT type, {EDGE.of('new')} FROM edges AS new "
            f"WHERE NOT EXISTS (SELECT 1 FROM edges_before AS old WHERE ({_of('old', KEY)}) = ({_of('new', KEY)}))"
        )

    def edges_changed(self) -> dict[str, Rows]:
        """Edges that are otherwise than before, by type and ends."""
        columns = (*EDGE.common, "weight")
        return self._by_type(
            f"SELECT type, {EDGE.of('new')} FROM edges AS new JOIN edges_before AS old USING ({', '.join(KEY)}) "
            f"WHERE ({_of('new', columns)}) IS NOT ({_of('old', columns)})"
        )

    def edges_deleted(self) -> dict[str, Rows]:
        """Edges that went, by type and ends."""
        return self._by_type(
            f"SELECT type, {ENDS.of('old')} FROM edges_before AS old "
            f"WHERE NOT EXISTS (SELECT 1 FROM edges AS new WHERE ({_of('new', KEY)}) = ({_of('old', KEY)}))"
        )

    def _by_type(self, sql: str) -> dict[str, Rows]:
        names: dict[int, str] = dict(self._rows("SELECT code, name FROM relations"))
        found: dict[str, Rows] = {}
        for row in self._rows(f"{sql} ORDER BY type, source, target"):
            found.setdefault(names[row[0]], []).append(row[1:])
        return found

    def _rows(self, sql: str) -> Rows:
        return self.connection.execute(sql).fetchall()


def _of(table: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{table}.{column}" for column in columns)
