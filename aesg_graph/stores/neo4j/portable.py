"""The rows of a memory in Neo4j, as they lie there: read while others write, and while nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from aesg_graph.concepts import Ids, Relations, distinct
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import WriterPosition
from aesg_graph.stores.neo4j.connecting import Connection, Transaction
from aesg_graph.stores.neo4j.heads import expected_head, read_head
from aesg_graph.stores.neo4j.rows import Rows, expecting_types, page_of_concepts, whole_concepts, whole_edges
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.portable import (
    Answer,
    ConceptRows,
    EdgeRows,
    GraphRows,
    RowReader,
    Standing,
    TombstoneRows,
    edge_rows,
    tombstone_rows,
)
from aesg_graph.stores.sqlite.reading import concept_table

PATIENCE = 10.0
"""Request timeouts for which writers may be kept waiting."""
WIDTH = 15
"""Columns of a concept before its stamp."""
Read = TypeVar("Read")


class TransactionRows:
    """Rows as one transaction sees them."""

    def __init__(self, transaction: Transaction, memory: str, relations: Relations) -> None:
        self._transaction, self._memory = transaction, memory
        self._codes = {name: code for code, name in enumerate(relations.names)}

    def standing(self) -> Standing:
        """Head, thresholds and writers."""
        rows = self._transaction.rows(cypher("writer_positions"), memory=self._memory)
        found = read_head(self._transaction, self._memory)
        if found is None:
            raise AESGStorageError(f"The memory {self._memory!r} is not there any more, expected it to stay")
        return Standing(*found, tuple(WriterPosition(*row) for row in rows))

    def page(self, after: int, limit: int) -> GraphRows:
        """The next concepts with an id above ``after``, and the edges that start at one of them."""
        rows = page_of_concepts(self._transaction, self._memory, "backup_page", after=after, limit=limit)
        concepts = self._concepts(rows)
        if not len(concepts):
            return GraphRows(concepts, self._edges([]))
        last = int(concepts.table.ids[-1])
        return GraphRows(concepts, self._edges(self._collected("edges_page", after=after, last=last)))

    def touching(self, ids: Ids) -> GraphRows:
        """The concepts among ``ids``, and every edge that touches one of ``ids``."""
        wanted = distinct(ids).tolist()
        concepts = self._concepts(
            whole_concepts(self._transaction, self._memory, self._collected("backup_read", ids=wanted))
        )
        return GraphRows(concepts, self._edges(self._collected("edges_read", ids=wanted) if wanted else []))

    def removed(self, after: int, limit: int) -> TombstoneRows:
        """The next tombstones with an id above ``after``."""
        return tombstone_rows(self._collected("backup_removed_page", after=after, limit=limit))

    def removed_among(self, ids: Ids) -> TombstoneRows:
        """The tombstones among ``ids``."""
        return tombstone_rows(sorted(self._collected("backup_removed_read", ids=distinct(ids).tolist())))

    def changed(self, writer: int, after: int) -> Ids:
        """What carries the stamp of a writer's batch after ``after``."""
        rows = self._transaction.rows(cypher("writer_changed"), memory=self._memory, writer=writer, after=after)
        return distinct(np.array([row[0] for row in rows], np.int64))

    def _collected(self, statement: str, **parameters: Any) -> list[Any]:
        return self._transaction.send(cypher(statement), memory=self._memory, **parameters).collected()

    def _concepts(self, given: Rows) -> ConceptRows:
        rows = sorted(map(tuple, given), key=lambda row: row[0])
        with expecting_types(self._memory):
            stamps = np.array([row[WIDTH:] for row in rows], np.int64).reshape(-1, 2)
            table = concept_table([row[:WIDTH] for row in rows])
        return ConceptRows(table, stamps[:, 0].copy(), stamps[:, 1].copy())

    def _edges(self, rows: list[Any]) -> EdgeRows:
        rows = whole_edges(self._transaction, self._memory, self._codes, rows)
        with expecting_types(self._memory):
            return edge_rows(rows, [self._codes[row[2]] for row in rows])


class Neo4jRows:
    """Rows of a memory that others may write to; each read is a transaction of its own."""

    def __init__(self, settings: StoreSettings, relations: Relations) -> None:
        """AESGStorageError where there is no such memory."""
        self._connection, self._memory = Connection(settings), str(settings.memory)
        self._relations = relations
        try:
            expected_head(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def standing(self) -> Standing:
        """Head, thresholds and writers."""
        return self._read(lambda rows: rows.standing())

    def page(self, after: int, limit: int) -> GraphRows:
        """The next concepts with an id above ``after``, and the edges that start at one of them."""
        return self._read(lambda rows: rows.page(after, limit))

    def touching(self, ids: Ids) -> GraphRows:
        """The concepts among ``ids``, and every edge that touches one of ``ids``."""
        return self._read(lambda rows: rows.touching(ids))

    def removed(self, after: int, limit: int) -> TombstoneRows:
        """The next tombstones with an id above ``after``."""
        return self._read(lambda rows: rows.removed(after, limit))

    def removed_among(self, ids: Ids) -> TombstoneRows:
        """The tombstones among ``ids``."""
        return self._read(lambda rows: rows.removed_among(ids))

    def changed(self, writer: int, after: int) -> Ids:
        """What carries the stamp of a writer's batch after ``after``."""
        return self._read(lambda rows: rows.changed(writer, after))

    def still(self, look: Callable[[RowReader], Answer]) -> Answer:
        """What ``look`` gives while every writer waits: the lease, then all writers by number are locked."""

        def work(transaction: Transaction) -> Answer:
            transaction.send(cypher("lease_lock"), memory=self._memory).done()
            transaction.send(cypher("writers_lock"), memory=self._memory).done()
            return look(self._rows(transaction))

        return self._connection.write("hold still", work, PATIENCE)

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        self._connection.close()

    def _read(self, ask: Callable[[TransactionRows], Read]) -> Read:
        return self._connection.read("read", lambda transaction: ask(self._rows(transaction)))

    def _rows(self, transaction: Transaction) -> TransactionRows:
        return TransactionRows(transaction, self._memory, self._relations)
