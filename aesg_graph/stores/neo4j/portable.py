"""The rows of a memory in Neo4j, as they lie there: read while others write, and written into a memory of one's own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from aesg_graph.aging import NEVER, Thresholds, expires_epoch, fades_at
from aesg_graph.concepts import NO_ID, NO_REGION, Ids, Ints, Relations, distinct
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import MemoryHead, WriterPosition
from aesg_graph.stores.neo4j.connecting import Connection, Transaction
from aesg_graph.stores.neo4j.faults import place
from aesg_graph.stores.neo4j.heads import destroy_rows, expected_head, read_head
from aesg_graph.stores.neo4j.migrating import Migrator
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.portable import (
    Answer,
    ConceptRows,
    EdgeRows,
    GraphRows,
    RowReader,
    Standing,
    TombstoneRows,
    by_type,
    edge_rows,
    tombstone_rows,
)
from aesg_graph.stores.sqlite.reading import concept_table

CHUNK = 5_000
"""Rows in one transaction of a restore."""
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
        concepts = self._concepts("backup_page", after=after, limit=limit)
        if not len(concepts):
            return GraphRows(concepts, self._edges([]))
        last = int(concepts.table.ids[-1])
        return GraphRows(concepts, self._edges(self._collected("edges_page", after=after, last=last)))

    def touching(self, ids: Ids) -> GraphRows:
        """The concepts among ``ids``, and every edge that touches one of ``ids``."""
        wanted = distinct(ids).tolist()
        concepts = self._concepts("backup_read", ids=wanted)
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

    def _concepts(self, statement: str, **parameters: Any) -> ConceptRows:
        rows = sorted(map(tuple, self._collected(statement, **parameters)), key=lambda row: row[0])
        try:
            stamps = np.array([row[WIDTH:] for row in rows], np.int64).reshape(-1, 2)
            table = concept_table([row[:WIDTH] for row in rows])
        except (TypeError, ValueError) as error:
            raise AESGStorageError(
                f"The memory {self._memory!r} has concepts that lack columns or have others than expected ({error}); "
                "'aesg check --repair' corrects them"
            ) from error
        return ConceptRows(table, stamps[:, 0].copy(), stamps[:, 1].copy())

    def _edges(self, rows: list[Any]) -> EdgeRows:
        """Without relationships that people drew themselves."""
        declared = [row for row in rows if row[2] in self._codes]
        return edge_rows(declared, [self._codes[row[2]] for row in declared])


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


class Neo4jFilling:
    """A memory that is being filled. Until :meth:`finish` its head says that it is unfinished, and nobody opens it.

    Whoever had it open is refused from the beginning on. Another filling of the same memory takes it away from this.
    """

    def __init__(self, settings: StoreSettings, head: MemoryHead, limits: Thresholds, relations: Relations) -> None:
        """Everything that the memory holds is deleted. AESGStorageError if the server fails or lacks a migration."""
        self._connection, self._memory = Connection(settings), str(settings.memory)
        self._limits, self._relations = limits, relations
        self._restore = secrets.token_hex(8)
        self._concepts = self._edges = self._tombstones = 0
        try:
            self._connection.expect_version()
            Migrator(self._connection).require_applied()
            self._connection.write("restore", lambda transaction: self._begin(transaction, head))
            destroy_rows(self._connection, self._memory)
        except BaseException:
            self._connection.close()
            raise

    def _begin(self, transaction: Transaction, head: MemoryHead) -> None:
        values = asdict(head) | asdict(self._limits) | {"name": self._memory}
        transaction.send(cypher("lease_lock"), memory=self._memory).done()
        transaction.send(cypher("writers_lock"), memory=self._memory).done()
        transaction.send(cypher("restore_begin"), memory=self._memory, head=values, restore=self._restore).done()
        transaction.send(cypher("memory_destroy_writers"), memory=self._memory, limit=1 << 40).done()

    def create_concepts(self, rows: ConceptRows) -> None:
        """Concepts come into being."""
        t = rows.table
        life = (t.relevance, t.touched_epoch)
        expires = expires_epoch(*life, t.born_epoch, t.use_frequency, t.contradictions, self._limits)
        columns: dict[str, Any] = {
            "id": t.ids.tolist(),
            "kind": t.kinds,
            "name": t.names,
            "text": t.texts,
            "source": t.sources,
            "encoder": t.encoders,
            "version": t.versions.tolist(),
            "created_at": t.created_at.tolist(),
            "modified_at": t.modified_at.tolist(),
            "born_epoch": t.born_epoch.tolist(),
            "touched_epoch": t.touched_epoch.tolist(),
            "relevance": t.relevance.tolist(),
            "use_frequency": t.use_frequency.tolist(),
            "contradictions": t.contradictions.tolist(),
            "region_id": _or_none(t.region_id, NO_REGION),
            "writer": rows.writers.tolist(),
            "sequence": rows.sequences.tolist(),
            "expires_epoch": _or_none(expires, NEVER),
            "fades_at": fades_at(*life, self._limits).tolist(),
        }
        self._put("restore_concepts", columns, len(rows))
        self._concepts += len(rows)

    def link(self, rows: EdgeRows) -> None:
        """Edges between concepts that are there."""
        for name, places in by_type(rows, self._relations).items():
            columns: dict[str, Any] = {
                "source": rows.sources[places].tolist(),
                "target": rows.targets[places].tolist(),
                "weight": rows.weights[places].tolist(),
                "confidence": rows.confidences[places].tolist(),
                "use_count": rows.use_counts[places].tolist(),
                "created_at": rows.created_at[places].tolist(),
                "touched_epoch": rows.touched_epoch[places].tolist(),
            }
            self._put("restore_edges", columns, len(places), name)
        self._edges += len(rows)

    def bury(self, rows: TombstoneRows) -> None:
        """Tombstones, whose vectors are gone."""
        columns: dict[str, Any] = {
            "id": rows.ids.tolist(),
            "into_id": _or_none(rows.into, NO_ID),
            "writer": rows.writers.tolist(),
            "sequence": rows.sequences.tolist(),
            "removed_at": rows.removed_at.tolist(),
        }
        self._put("restore_removed", columns, len(rows))
        self._tombstones += len(rows)

    def finish(self, standing: Standing) -> None:
        """Write writers and head in one transaction: from then on the memory can be opened."""
        writers: dict[str, Any] = {
            "id": [w.id for w in standing.writers],
            "incarnation": [w.incarnation for w in standing.writers],
            "sequence": [w.sequence for w in standing.writers],
            "content": [w.content for w in standing.writers],
            "forgotten": [w.forgotten for w in standing.writers],
        }
        totals = {"concepts": self._concepts, "edges": self._edges, "tombstones": self._tombstones}

        def work(transaction: Transaction) -> None:
            found = read_head(transaction, self._memory)
            if found is not None and found[0] == standing.head:
                return  # the first attempt did it, and its answer was lost
            self._expect_ours(transaction)
            transaction.send(cypher("restore_writers"), memory=self._memory, **writers).done()
            transaction.send(cypher("restore_end"), memory=self._memory, head=asdict(standing.head), **totals).done()

        self._connection.write("finish", work)

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        self._connection.close()

    def _put(self, statement: str, columns: dict[str, Any], count: int, type: str | None = None) -> None:
        for some in _chunks(columns, count):

            def work(transaction: Transaction, some: dict[str, Any] = some) -> None:
                self._expect_ours(transaction)
                transaction.send(cypher(statement, type), memory=self._memory, **some).done()

            self._connection.write("restore", work, PATIENCE)

    def _expect_ours(self, transaction: Transaction) -> None:
        if not transaction.rows(cypher("restore_go_on"), memory=self._memory, restore=self._restore):
            raise AESGStorageError(
                f"Cannot restore {place(self._connection.settings)}: another restore has taken it over"
            )


def _chunks(columns: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    for start in range(0, count, CHUNK):
        yield {name: list(column[start : start + CHUNK]) for name, column in columns.items()}


def _or_none(column: Ints, nothing: int) -> list[int | None]:
    return [None if value == nothing else value for value in column.tolist()]
