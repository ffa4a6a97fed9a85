"""What is read from Neo4j: rows into tables of columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from aesg_graph.concepts import ConceptTable, EdgeTable, Ids, Relations, Subgraph, distinct
from aesg_graph.stores.abc import NO_IDS, Tombstones
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.rows import Rows, expecting_types, known, page_of_concepts, whole_concepts, whole_edges
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.sqlite.reading import concept_table as table_of


def read_subgraph(transaction: Transaction, memory: str, ids: Ids, edges: bool, relations: Relations) -> Subgraph:
    """The concepts among ``ids`` and, if asked, every edge that touches one of them."""
    wanted = distinct(ids).tolist()
    sent = transaction.send(cypher("concepts_read"), memory=memory, ids=wanted)
    between = transaction.send(cypher("edges_read"), memory=memory, ids=wanted).collected() if edges else []
    concepts = whole_concepts(transaction, memory, sent.collected())
    return _subgraph(transaction, memory, concepts, between, relations)


def read_page(
    transaction: Transaction, memory: str, after: int, limit: int, edges: bool, relations: Relations
) -> Subgraph:
    """The next concepts after an id and, if asked, the edges that start at one of them."""
    concepts = page_of_concepts(transaction, memory, "concepts_page", after=after, limit=limit)
    between: Rows = []
    if edges and concepts:
        last = max(row[0] for row in concepts)
        between = transaction.send(cypher("edges_page"), memory=memory, after=after, last=last).collected()
    return _subgraph(transaction, memory, concepts, between, relations)


def _subgraph(transaction: Transaction, memory: str, concepts: Rows, edges: Rows, relations: Relations) -> Subgraph:
    edges = whole_edges(transaction, memory, relations.names, edges)
    with expecting_types(memory):
        return Subgraph(concept_table(concepts), edge_table(edges, relations))


def concept_table(rows: Rows) -> ConceptTable:
    """Rows of concepts as columns, by id."""
    return table_of(sorted(map(tuple, rows), key=_first))


def edge_table(rows: Rows, relations: Relations) -> EdgeTable:
    """Rows of edges as columns, in order of source, type and target."""
    codes = {name: code for code, name in enumerate(relations.names)}
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    sources, targets = np.array(columns[0], np.int64), np.array(columns[1], np.int64)
    types = np.array([codes[name] for name in columns[2]], np.int16)
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


def read_tombstones(transaction: Transaction, memory: str, ids: Ids) -> Tombstones:
    """The tombstones among ``ids``, by id."""
    rows = transaction.rows(cypher("removed_read"), memory=memory, ids=distinct(ids).tolist())
    table = np.array(sorted(rows, key=_first), np.int64).reshape(-1, 5)
    found, into, writers, sequences, removed = table.T.copy()
    return Tombstones(found, into, writers, sequences, removed.astype(np.bool_))


def id_column(rows: Rows) -> Ids:
    """Rows that begin with an id as a vector, without those of nodes that were deleted meanwhile."""
    return np.array([row[0] for row in known(rows)], np.int64) if rows else NO_IDS


def _first(row: Any) -> Any:
    return row[0]
