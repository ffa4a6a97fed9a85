"""The rows of a graph file: taken out of one that nobody else writes meanwhile, put into another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from aesg_graph.aging import NEVER, Thresholds, expires_epoch, fades_at
from aesg_graph.concepts import NO_ID, NO_REGION, Ids, Relations
from aesg_graph.stores.abc import MemoryHead, WriterPosition, WriterState
from aesg_graph.stores.portable import (
    Answer,
    ConceptRows,
    EdgeRows,
    GraphRows,
    RowReader,
    Standing,
    TombstoneRows,
    by_type,
    columns_of,
    edge_rows,
    tombstone_rows,
)
from aesg_graph.stores.sqlite import reading
from aesg_graph.stores.sqlite.connecting import connect_writer, storage_errors, sync_log
from aesg_graph.stores.sqlite.linking import stored_code
from aesg_graph.stores.sqlite.schema import create_file, open_reader

CONCEPT = f"{reading.CONCEPT}, writer, sequence"
WIDTH = 15
"""Columns before the stamp."""
REMOVED = f"id, ifnull(into_id, {NO_ID}), writer, sequence, removed_at"
AMONG = "(SELECT value AS wanted FROM json_each(?))"

INSERT_CONCEPT = f"""
INSERT OR REPLACE INTO concepts
    (id, kind, name, text, source, encoder, version, created_at, modified_at, born_epoch, touched_epoch, relevance,
     use_frequency, contradictions, region_id, writer, sequence, expires_epoch, fades_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, {NO_REGION}), ?, ?, nullif(?, {NEVER}), ?)
"""
INSERT_EDGE = """
INSERT OR REPLACE INTO edges (type, source, target, weight, confidence, use_count, created_at, touched_epoch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_REMOVED = f"""
INSERT OR REPLACE INTO tombstones (id, into_id, writer, sequence, removed_at, vector_removed)
VALUES (?, nullif(?, {NO_ID}), ?, ?, ?, 1)
"""
HEAD = (
    "UPDATE head SET name = ?, incarnation = ?, epoch = ?, key_version = ?, vector_dim = ?, value_dim = ?, config = ?"
)


class SqliteRows:
    """Rows of a graph file as it was when this was opened, whoever writes since (one read transaction)."""

    def __init__(self, path: Path, relations: Relations) -> None:
        self._path = path
        with storage_errors(path, "open"):
            self._connection = open_reader(path)
            self._connection.execute("BEGIN")
            self._codes = reading.relation_codes(self._connection, relations)

    def standing(self) -> Standing:
        """Head, thresholds and writers."""
        with storage_errors(self._path, "read"):
            rows = self._connection.execute("SELECT id, incarnation, sequence, forgotten FROM writers ORDER BY id")
            writers = tuple(WriterPosition(id, life, last, last, gone) for id, life, last, gone in rows.fetchall())
            return Standing(reading.read_head(self._connection), reading.read_limits(self._connection), writers)

    def page(self, after: int, limit: int) -> GraphRows:
        """The next concepts with an id above ``after``, and the edges that start at one of them."""
        rows = self._rows(f"SELECT {CONCEPT} FROM concepts WHERE id > ? ORDER BY id LIMIT ?", after, limit)
        edges: list[Any] = []
        if rows:
            sql = f"SELECT {reading.EDGE} FROM edges WHERE source > ? AND source <= ?"
            edges = self._rows(sql, after, rows[-1][0])
        return GraphRows(_concept_rows(rows), self._edge_rows(edges))

    def touching(self, ids: Ids) -> GraphRows:
        """The concepts among ``ids``, and every edge that touches one of ``ids``."""
        wanted = reading.listed(np.unique(ids))
        rows = self._rows(f"SELECT {CONCEPT} FROM {AMONG} CROSS JOIN concepts ON id = wanted ORDER BY id", wanted)
        edges = self._rows(reading.EDGES_FROM, wanted) + self._rows(reading.EDGES_INTO, wanted)
        return GraphRows(_concept_rows(rows), self._edge_rows(edges))

    def removed(self, after: int, limit: int) -> TombstoneRows:
        """The next tombstones with an id above ``after``."""
        sql = f"SELECT {REMOVED} FROM tombstones WHERE id > ? ORDER BY id LIMIT ?"
        return tombstone_rows(self._rows(sql, after, limit))

    def removed_among(self, ids: Ids) -> TombstoneRows:
        """The tombstones among ``ids``."""
        sql = f"SELECT {REMOVED} FROM {AMONG} CROSS JOIN tombstones ON id = wanted ORDER BY id"
        return tombstone_rows(self._rows(sql, reading.listed(np.unique(ids))))

    def changed(self, writer: int, after: int) -> Ids:
        """What carries the stamp of a writer's batch after ``after``."""
        stamped = "WHERE writer = ?1 AND sequence > ?2"
        sql = f"SELECT id FROM concepts {stamped} UNION SELECT id FROM tombstones {stamped} ORDER BY id"
        return reading.id_column(self._rows(sql, writer, after))

    def still(self, look: Callable[[RowReader], Answer]) -> Answer:
        """What ``look`` gives: all that is read here is of one moment."""
        return look(self)

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        self._connection.close()

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with storage_errors(self._path, "read"):
            return self._connection.execute(sql, values).fetchall()

    def _edge_rows(self, rows: list[Any]) -> EdgeRows:
        return edge_rows(rows, self._codes[[row[2] for row in rows]].tolist() if rows else ())


def _concept_rows(rows: list[Any]) -> ConceptRows:
    stamps = np.array([row[WIDTH:] for row in rows], np.int64).reshape(-1, 2)
    return ConceptRows(reading.concept_table([row[:WIDTH] for row in rows]), stamps[:, 0].copy(), stamps[:, 1].copy())


class SqliteFilling:
    """A graph file that is being filled, in one transaction: until :meth:`finish` nothing of it is there."""

    def __init__(self, path: Path, limits: Thresholds, relations: Relations) -> None:
        self._path, self._limits, self._relations = path, limits, relations
        with contextlib.ExitStack() as undo, storage_errors(path, "write to"):
            self._connection = connect_writer(path, "process")
            undo.callback(self._connection.close)
            self._connection.execute("BEGIN IMMEDIATE")
            undo.pop_all()

    @classmethod
    def create(cls, path: Path, head: MemoryHead, limits: Thresholds, relations: Relations) -> SqliteFilling:
        """A new file. AESGStorageError if there is something at ``path`` already."""
        create_file(path, head, limits)
        return cls(path, limits, relations)

    def create_concepts(self, rows: ConceptRows) -> None:
        """Concepts come into being."""
        t = rows.table
        life = (t.relevance, t.touched_epoch)
        expires = expires_epoch(*life, t.born_epoch, t.use_frequency, t.contradictions, self._limits)
        numbers = (t.versions, t.created_at, t.modified_at, t.born_epoch, t.touched_epoch, t.relevance)
        counts = (t.use_frequency, t.contradictions, t.region_id, rows.writers, rows.sequences)
        later = (*numbers, *counts, expires, fades_at(*life, self._limits))
        columns = (t.kinds, t.names, t.texts, t.sources, t.encoders, *(column.tolist() for column in later))
        self._insert(INSERT_CONCEPT, zip(t.ids.tolist(), *columns, strict=True))

    def link(self, rows: EdgeRows) -> None:
        """Edges between concepts that are there."""
        columns = columns_of(rows)
        del columns[2]
        for name, places in by_type(rows, self._relations).items():
            with storage_errors(self._path, "write to"):
                code = stored_code(self._connection, self._relations, self._relations.code(name))
            picked = (column[places].tolist() for column in columns)
            self._insert(INSERT_EDGE, zip([code] * len(places), *picked, strict=True))

    def bury(self, rows: TombstoneRows) -> None:
        """Tombstones, whose vectors are gone."""
        self._insert(INSERT_REMOVED, zip(*(column.tolist() for column in columns_of(rows)), strict=True))

    def finish(self, standing: Standing) -> None:
        """Write head and writers, and commit; everything survives a power cut then."""
        with storage_errors(self._path, "write to"):
            self._connection.execute(HEAD, astuple(standing.head))
        self.commit(standing.writers)

    def commit(self, writers: Iterable[WriterPosition]) -> None:
        """Write writers, and commit; everything survives a power cut then."""
        sql = "INSERT OR REPLACE INTO writers (id, incarnation, sequence, forgotten) VALUES (?, ?, ?, ?)"
        with storage_errors(self._path, "write to"):
            for w in writers:
                self._connection.execute(sql, (w.id, w.incarnation, w.sequence, w.forgotten))
            self._connection.execute("COMMIT")
            sync_log(self._path)

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        with storage_errors(self._path, "close"):
            self._connection.close()

    def _insert(self, sql: str, rows: Any) -> None:
        with storage_errors(self._path, "write to"):
            self._connection.executemany(sql, rows)


class SqliteAdding:
    """Rows that are added to a graph file as one batch of a writer of their own."""

    def __init__(self, path: Path, limits: Thresholds, relations: Relations, writer: WriterState) -> None:
        self._filling, self._writer = SqliteFilling(path, limits, relations), writer

    def sequence(self, count: int) -> int:
        """The sequence that has added this many more concepts."""
        return self._writer.sequence + min(1, count)

    def create_concepts(self, rows: ConceptRows) -> None:
        """Concepts come into being."""
        stamp = np.full(len(rows), self._writer.id), np.full(len(rows), self._writer.sequence + 1)
        self._filling.create_concepts(ConceptRows(rows.table, *stamp))

    def link(self, rows: EdgeRows) -> None:
        """Edges between concepts that were added."""
        self._filling.link(rows)

    def finish(self) -> None:
        """Commit; everything survives a power cut then."""
        self._filling.commit((WriterPosition(self._writer.id, self._writer.incarnation, 2, 1, 0),))

    def close(self) -> None:
        """Release everything. Without :meth:`finish` nothing was added. Closing twice is allowed."""
        self._filling.close()
