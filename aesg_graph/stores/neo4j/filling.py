"""Rows that are put into Neo4j: a whole memory that nobody reads before it is whole, or more of one that is in use."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from aesg_graph.aging import NEVER, Thresholds, expires_epoch, fades_at
from aesg_graph.concepts import NO_ID, NO_REGION, Ints, Relations
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import MemoryHead, WriterState
from aesg_graph.stores.neo4j.connecting import Connection, Transaction
from aesg_graph.stores.neo4j.faults import place
from aesg_graph.stores.neo4j.heads import destroy_rows, head_values, read_head
from aesg_graph.stores.neo4j.labels import labels_of
from aesg_graph.stores.neo4j.migrating import Migrator
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.neo4j.writers import read_writer
from aesg_graph.stores.portable import (
    ConceptRows,
    EdgeRows,
    Standing,
    TombstoneRows,
    by_type,
)

CHUNK = 5_000
"""Rows in one transaction."""
PATIENCE = 10.0
"""Request timeouts that one may take."""


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
        values = head_values(head, self._limits) | {"name": self._memory}
        for lock in ("lease_lock", "memory_lock", "writers_lock"):
            transaction.send(cypher(lock), memory=self._memory).done()
        transaction.send(cypher("restore_begin"), memory=self._memory, head=values, restore=self._restore).done()
        transaction.send(cypher("memory_destroy_writers"), memory=self._memory, limit=1 << 40).done()

    def create_concepts(self, rows: ConceptRows) -> None:
        """Concepts come into being."""
        self._put("restore_concepts", _concept_columns(rows, self._limits), len(rows))
        self._concepts += len(rows)

    def link(self, rows: EdgeRows) -> None:
        """Edges between concepts that are there."""
        for name, places in by_type(rows, self._relations).items():
            self._put("restore_edges", _edge_columns(rows, places), len(places), name)
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
        transaction.send(cypher("memory_lock"), memory=self._memory).done()
        if not transaction.rows(cypher("restore_go_on"), memory=self._memory, restore=self._restore):
            raise AESGStorageError(
                f"Cannot restore {place(self._connection.settings)}: another restore has taken it over"
            )


class Neo4jAdding:
    """Rows that are added to a memory that others use, as the batches of a writer of their own: they hear of it."""

    def __init__(self, settings: StoreSettings, limits: Thresholds, relations: Relations, writer: WriterState) -> None:
        self._connection, self._memory = Connection(settings), str(settings.memory)
        self._limits, self._relations, self._writer = limits, relations, writer

    def sequence(self, count: int) -> int:
        """The sequence that has added this many more concepts."""
        return self._writer.sequence + -(-count // CHUNK)

    def create_concepts(self, rows: ConceptRows) -> None:
        """Concepts come into being."""
        for some in _chunks(_concept_columns(rows, self._limits), len(rows)):
            count = len(some["id"])
            some |= {"writer": [self._writer.id] * count, "sequence": [self._writer.sequence + 1] * count}
            self._carry_out("restore_concepts", some, None, concepts=count)

    def link(self, rows: EdgeRows) -> None:
        """Edges between concepts that were added."""
        for name, places in by_type(rows, self._relations).items():
            for some in _chunks(_edge_columns(rows, places), len(places)):
                self._carry_out("restore_edges", some, name, edges=len(some["source"]))

    def finish(self) -> None:
        """One more, empty batch proves the last one whole."""
        self._carry_out(None, {}, None)

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        self._connection.close()

    def _carry_out(
        self, statement: str | None, columns: dict[str, Any], type: str | None, concepts: int = 0, edges: int = 0
    ) -> None:
        writer, sequence = self._writer.id, self._writer.sequence + 1
        counts = {"concepts": concepts, "edges": edges, "tombstones": 0}

        def work(transaction: Transaction) -> None:
            send = partial(transaction.send, memory=self._memory, writer=writer)
            send(cypher("writer_lock")).done()
            state = read_writer(transaction, self._memory, writer)
            if state is not None and state.sequence >= sequence:
                return  # the first attempt did it, and its answer was lost
            if statement is not None:
                transaction.send(cypher(statement, type), memory=self._memory, **columns).done()
            if edges:
                ends = sorted({*columns["source"], *columns["target"]})
                send(cypher("concepts_stamp"), groups=[{"id": ends, "modified_at": time.time(), "sequence": sequence}])
            content = sequence if statement is not None else None
            send(cypher("writer_record"), sequence=sequence, content=content, **counts).done()

        self._connection.write("add to", work, PATIENCE)
        self._writer = replace(self._writer, sequence=sequence)


def _concept_columns(rows: ConceptRows, limits: Thresholds) -> dict[str, Any]:
    t = rows.table
    life = (t.relevance, t.touched_epoch)
    expires = expires_epoch(*life, t.born_epoch, t.use_frequency, t.contradictions, limits)
    return {
        "id": t.ids.tolist(),
        "kind": t.kinds,
        "labels": list(map(labels_of, t.kinds)),
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
        "fades_at": fades_at(*life, limits).tolist(),
    }


def _edge_columns(rows: EdgeRows, places: Ints) -> dict[str, Any]:
    return {
        "source": rows.sources[places].tolist(),
        "target": rows.targets[places].tolist(),
        "weight": rows.weights[places].tolist(),
        "confidence": rows.confidences[places].tolist(),
        "use_count": rows.use_counts[places].tolist(),
        "created_at": rows.created_at[places].tolist(),
        "touched_epoch": rows.touched_epoch[places].tolist(),
    }


def _chunks(columns: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    for start in range(0, count, CHUNK):
        yield {name: list(column[start : start + CHUNK]) for name, column in columns.items()}


def _or_none(column: Ints, nothing: int) -> list[int | None]:
    return [None if value == nothing else value for value in column.tolist()]
