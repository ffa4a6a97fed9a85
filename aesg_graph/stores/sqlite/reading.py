"""What is read from a graph file: rows into tables of columns. Every function runs inside its caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import numpy as np

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import (
    NO_ID,
    NO_REGION,
    ConceptTable,
    Doubles,
    EdgeTable,
    Ids,
    Relations,
    Subgraph,
    distinct,
)
from aesg_graph.stores.abc import NO_IDS, Counts, MemoryHead, Tombstones
from aesg_graph.stores.sqlite.connecting import UnfitError

CONCEPT = (
    "id, kind, name, text, source, encoder, version, created_at, modified_at, born_epoch, touched_epoch, relevance, "
    f"use_frequency, contradictions, ifnull(region_id, {NO_REGION})"
)
EDGE = "source, target, type, weight, confidence, use_count, created_at, touched_epoch"

# CROSS JOIN makes SQLite walk the list and look each id up, never the other way round.
CONCEPTS_AMONG = (
    f"SELECT {CONCEPT} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN concepts ON id = wanted ORDER BY id"
)
EDGES_FROM = f"SELECT {EDGE} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN edges ON source = wanted"
EDGES_INTO = (
    f"SELECT {EDGE} FROM (SELECT value AS wanted FROM json_each(?1)) CROSS JOIN edges ON target = wanted "
    "WHERE source NOT IN (SELECT value FROM json_each(?1))"
)


def listed(ids: Ids) -> str:
    """Ids as a JSON array: one bound parameter, however many they are."""
    return json.dumps(ids.tolist())


def id_column(rows: list[tuple[int]]) -> Ids:
    """Rows of one integer as a vector."""
    return np.array([row[0] for row in rows], np.int64)


def read_head(connection: sqlite3.Connection) -> MemoryHead:
    """The memory's head."""
    sql = "SELECT name, incarnation, epoch, key_version, vector_dim, value_dim, config FROM head"
    return MemoryHead(*connection.execute(sql).fetchone())


def read_limits(connection: sqlite3.Connection) -> Thresholds:
    """The memory's thresholds of aging."""
    sql = (
        "SELECT relevance_boost, relevance_decay, survival_threshold_relevance, survival_threshold_frequency, "
        "survival_min_age FROM head"
    )
    return Thresholds(*connection.execute(sql).fetchone())


def relation_codes(connection: sqlite3.Connection, relations: Relations) -> Ids:
    """For each code in the file the one in ``relations``; UnfitError for a type not declared as it was stored."""
    rows = connection.execute("SELECT code, name, symmetric FROM relations").fetchall()
    codes = np.full(max((row[0] for row in rows), default=0) + 1, -1, np.int64)
    for stored, name, symmetric in rows:
        if name not in relations.names:
            raise UnfitError(f"it holds edges of type {name!r}; expected that type in AESGConfig.relations")
        codes[stored] = relations.code(name)
        if bool(symmetric) != bool(relations.symmetric[codes[stored]]):
            was = "symmetric" if symmetric else "not symmetric"
            raise UnfitError(f"its edges of type {name!r} were stored as {was}, and the type is declared otherwise")
    return codes


def read_subgraph(connection: sqlite3.Connection, ids: Ids, edges: bool, relations: Relations) -> Subgraph:
    """The concepts among ``ids`` and, if asked, every edge that touches one of them."""
    wanted = listed(np.unique(ids))
    concepts = concept_table(connection.execute(CONCEPTS_AMONG, (wanted,)).fetchall())
    rows: list[tuple[Any, ...]] = []
    if edges:
        rows = connection.execute(EDGES_FROM, (wanted,)).fetchall()
        rows += connection.execute(EDGES_INTO, (wanted,)).fetchall()
    return Subgraph(concepts, edge_table(rows, relation_codes(connection, relations)))


def read_page(connection: sqlite3.Connection, after: int, limit: int, edges: bool, relations: Relations) -> Subgraph:
    """The next concepts after an id and, if asked, the edges that start at one of them."""
    sql = f"SELECT {CONCEPT} FROM concepts WHERE id > ? ORDER BY id LIMIT ?"
    concepts = concept_table(connection.execute(sql, (after, limit)).fetchall())
    rows: list[tuple[Any, ...]] = []
    if edges and len(concepts):
        sql = f"SELECT {EDGE} FROM edges WHERE source > ? AND source <= ?"
        rows = connection.execute(sql, (after, int(concepts.ids[-1]))).fetchall()
    return Subgraph(concepts, edge_table(rows, relation_codes(connection, relations)))


def concept_table(rows: list[tuple[Any, ...]]) -> ConceptTable:
    """Rows of ``CONCEPT`` as columns."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 15
    (
        ids,
        kinds,
        names,
        texts,
        sources,
        encoders,
        versions,
        created,
        modified,
        born,
        touched,
        relevance,
        uses,
        against,
        regions,
    ) = columns
    return ConceptTable(
        np.array(ids, np.int64),
        kinds,
        names,
        texts,
        sources,
        encoders,
        np.array(versions, np.int64),
        np.array(created, np.float64),
        np.array(modified, np.float64),
        np.array(born, np.int64),
        np.array(touched, np.int64),
        np.array(relevance, np.float64),
        np.array(uses, np.int64),
        np.array(against, np.int64),
        np.array(regions, np.int64),
    )


def edge_table(rows: list[tuple[Any, ...]], codes: Ids) -> EdgeTable:
    """Rows of ``EDGE`` as columns, in order of source, type and target."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    sources, targets = np.array(columns[0], np.int64), np.array(columns[1], np.int64)
    types = codes[np.array(columns[2], np.int64)].astype(np.int16)
    order = np.lexsort((targets, types, sources))
    return EdgeTable(
        sources[order],
        targets[order],
        types[order],
        np.array(columns[3], np.float32)[order],
        np.array(columns[4], np.float32)[order],
        np.array(columns[5], np.int64)[order],
        np.array(columns[6], np.float64)[order],
        np.array(columns[7], np.int64)[order],
    )


def absent(connection: sqlite3.Connection, ids: Ids) -> Ids:
    """Those of ``ids`` that are no concepts, ascending and once each. Usually few, and quickly asked for."""
    sql = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM concepts)"
    return distinct(id_column(connection.execute(sql, (listed(ids),)).fetchall()))


def read_tombstones(connection: sqlite3.Connection, ids: Ids) -> Tombstones:
    """The tombstones among ``ids``, by id."""
    sql = (
        f"SELECT id, ifnull(into_id, {NO_ID}), writer, sequence, vector_removed "
        "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN tombstones ON id = wanted ORDER BY id"
    )
    rows = connection.execute(sql, (listed(np.unique(ids)),)).fetchall()
    table = np.array(rows, np.int64).reshape(-1, 5)
    found, into, writers, sequences, removed = table.T.copy()
    return Tombstones(found, into, writers, sequences, removed.astype(np.bool_))


def read_weakest(connection: sqlite3.Connection, limit: int) -> tuple[Ids, Doubles]:
    """The weakest concepts and their ``fades_at``."""
    rows = connection.execute("SELECT id, fades_at FROM concepts ORDER BY fades_at, id LIMIT ?", (limit,)).fetchall()
    return id_column(rows), np.fromiter((row[1] for row in rows), np.float64, len(rows))


def find(connection: sqlite3.Connection, text: str, limit: int) -> Ids:
    """Concepts whose name or text contains ``text``, whatever the case (of any script, which SQLite's LIKE cannot)."""
    sql = (
        "SELECT id FROM concepts WHERE (name IS NOT NULL AND instr(folded(name), ?1)) "
        "OR (text IS NOT NULL AND instr(folded(text), ?1)) ORDER BY id LIMIT ?2"
    )
    try:
        return id_column(connection.execute(sql, (text.casefold(), limit)).fetchall())
    except UnicodeEncodeError:  # half of a surrogate pair, as broken command lines hold: no stored text has one
        return NO_IDS


def read_counts(connection: sqlite3.Connection) -> Counts:
    """How many concepts, edges and tombstones there are."""
    tables = ("concepts", "edges", "tombstones")
    return Counts(*(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables))
