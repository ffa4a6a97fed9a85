"""Writing the difference that batches made to the working copy back to Neo4j, in few statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aesg_graph.stores.neo4j.connecting import Pending, Transaction
from aesg_graph.stores.neo4j.labels import labels_of
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.neo4j.working import (
    BORN,
    CHANGED,
    DESCRIBED,
    EDGE,
    ENDS,
    ID,
    REMOVED,
    STAMPED,
    Form,
    Rows,
    WorkingCopy,
)

CHUNK = 10_000
"""Rows a statement: more would make the server hold too much at once."""


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
        self._send("concepts_create", BORN, created)
        self._send("concepts_change", CHANGED, copy.concepts_changed())
        self._send("concepts_stamp", STAMPED, copy.concepts_stamped())
        self._send("concepts_describe", DESCRIBED, copy.concepts_described())
        edges = self._write_edges(copy)
        self._send("concepts_delete", ID, deleted)
        self._send("removed_create", REMOVED, removed)
        return Added(len(created) - len(deleted), edges, len(removed))

    def _write_edges(self, copy: WorkingCopy) -> int:
        created, deleted = copy.edges_created(), copy.edges_deleted()
        for type, rows in deleted.items():
            self._send("edges_delete", ENDS, rows, type)
        for type, rows in created.items():
            self._send("edges_create", EDGE, rows, type)
        for type, rows in copy.edges_changed().items():
            self._send("edges_change", EDGE, rows, type)
        return sum(map(len, created.values())) - sum(map(len, deleted.values()))

    def send(self, statement: str, **parameters: Any) -> None:
        """Send one statement."""
        self._pending.append(self._transaction.send(cypher(statement), memory=self._memory, **parameters))

    def wait(self) -> None:
        """Wait until everything sent is carried out."""
        for pending in self._pending:
            pending.done()
        self._pending.clear()

    def _send(self, statement: str, form: Form, rows: Rows, type: str | None = None) -> None:
        """Send rows, so many at a time."""
        text = cypher(statement, type)
        for start in range(0, len(rows), CHUNK):
            groups = grouped(form, rows[start : start + CHUNK])
            pending = self._transaction.send(text, memory=self._memory, writer=self._writer, groups=groups)
            self._pending.append(pending)


def grouped(form: Form, rows: Rows) -> list[dict[str, Any]]:
    """Rows as maps: what they have in common once, everything else in lists (None for a list of Nones).

    Packing values for the server costs more than finding out what is the same.
    """
    width = len(form.common)
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        groups.setdefault(row[:width], []).append(row[width:])
    return [_as_map(form, common, rest) for common, rest in groups.items()]


def _as_map(form: Form, common: tuple[Any, ...], rest: Rows) -> dict[str, Any]:
    columns = map(_listed, zip(*rest, strict=True))
    group = dict(zip(form.common, common, strict=True)) | dict(zip(form.lists, columns, strict=True))
    return group | {"labels": labels_of(group["kind"])} if form is BORN else group


def _listed(column: tuple[Any, ...]) -> list[Any] | None:
    return None if column.count(None) == len(column) else list(column)
