"""Writing the difference that batches made to the working copy back to Neo4j, in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aesg_graph.stores.neo4j.connecting import Pending, Transaction
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.neo4j.working import CHANGED, CREATED, EDGE, Rows, WorkingCopy

CHUNK = 10_000
"""Rows a statement: more would make the server hold too much at once."""

ENDS = ("source", "target")


@dataclass(frozen=True)
class Added:
    """How many more there are than before; below 0, fewer."""

    concepts: int
    edges: int
    tombstones: int


class WritingBack:
    """One writing back under way: statements are sent one after another, and only then waited for."""

    def __init__(self, transaction: Transaction, memory: str, writer: int) -> None:
        self._transaction, self._memory, self._writer = transaction, memory, writer
        self._pending: list[Pending] = []

    def write(self, copy: WorkingCopy) -> Added:
        """Write everything that differs."""
        created, deleted, removed = copy.concepts_created(), copy.concepts_deleted(), copy.tombstones_created()
        self._send("concepts_create", names(CREATED), created)
        self._send("concepts_change", names(CHANGED), copy.concepts_changed())
        self._send("concepts_stamp", ("id", "modified_at", "sequence"), copy.concepts_stamped())
        self._send("concepts_describe", ("id", "name", "text"), copy.concepts_described())
        edges = self._write_edges(copy)
        self._send("concepts_delete", ("ids",), [(id,) for id in deleted])
        self._send("removed_create", ("id", "into", "sequence", "removed_at"), removed)
        return Added(len(created) - len(deleted), edges, len(removed))

    def _write_edges(self, copy: WorkingCopy) -> int:
        created, deleted = copy.edges_created(), copy.edges_deleted()
        for type, rows in deleted.items():
            self._send("edges_delete", ENDS, rows, type)
        for type, rows in created.items():
            self._send("edges_create", (*ENDS, *names(EDGE)), rows, type)
        for type, rows in copy.edges_changed().items():
            self._send("edges_change", (*ENDS, *names(EDGE)), rows, type)
        return sum(map(len, created.values())) - sum(map(len, deleted.values()))

    def send(self, statement: str, **parameters: Any) -> None:
        """Send one statement."""
        self._pending.append(self._transaction.send(cypher(statement), memory=self._memory, **parameters))

    def wait(self) -> None:
        """Wait until everything sent is carried out."""
        for pending in self._pending:
            pending.done()
        self._pending.clear()

    def _send(self, statement: str, columns: Sequence[str], rows: Rows, type: str | None = None) -> None:
        """Send rows as columns, so many at a time."""
        text = cypher(statement, type)
        for start in range(0, len(rows), CHUNK):
            chunk = zip(*rows[start : start + CHUNK], strict=True)
            parameters = dict(zip(columns, map(list, chunk), strict=True))
            self._pending.append(self._transaction.send(text, memory=self._memory, writer=self._writer, **parameters))


def names(columns: str) -> tuple[str, ...]:
    """The names in a list of columns."""
    return tuple(column.strip() for column in columns.split(","))
