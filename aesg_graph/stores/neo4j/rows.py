"""Rows as Neo4j gives them, and which of them are whole.

Outside of locks a server reads what is committed, column by column: of a concept or an edge that is deleted meanwhile
the rest is null. Looked at again it is gone. A row that still lacks something then was spoilt by somebody's own Cypher,
and is an error that says what to do.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.statements import cypher

Row = Any
Rows = list[Row]
FIRST_AFTER_TEXTS = 5
"""Name, text and source of a concept may be absent; what stands from here on may not, nor its kind."""


def whole_concepts(transaction: Transaction, memory: str, rows: Rows) -> Rows:
    """Rows of concepts (as ``concepts_read`` gives them, or longer) without those that were deleted meanwhile."""
    if not any(map(_lacks_column, rows)):
        return rows
    ids = [row[0] for row in rows if _lacks_column(row) and row[0] is not None]
    again = transaction.send(cypher("concepts_read"), memory=memory, ids=ids).collected()
    expect_whole(memory, [row[0] for row in again if _lacks_column(row)])
    return [row for row in rows if not _lacks_column(row)]


def page_of_concepts(transaction: Transaction, memory: str, statement: str, **where: Any) -> Rows:
    """The rows of a page of concepts, without those that were deleted meanwhile. Empty only where there are no more."""
    while True:
        rows = transaction.send(cypher(statement), memory=memory, **where).collected()
        whole = whole_concepts(transaction, memory, rows)
        if whole or not rows:
            return whole


def whole_edges(transaction: Transaction, memory: str, types: Container[str], rows: Rows) -> Rows:
    """Rows of edges (as ``edges_read`` gives them) without those that were deleted meanwhile.

    Relationships of other types are people's own, and are left out.
    """
    rows = [row for row in rows if row[2] in types]
    broken = {tuple(row[:3]) for row in rows if None in row}
    if not broken:
        return rows
    ids = sorted({source for source, target, _ in broken if source is not None and target is not None})
    again = transaction.send(cypher("edges_read"), memory=memory, ids=ids).collected()
    expect_whole(memory, [row[0] for row in again if None in row and tuple(row[:3]) in broken])
    return [row for row in rows if None not in row]


def expect_whole(memory: str, ids: list[int]) -> None:
    """AESGStorageError if there are concepts that lack columns, or have edges that do."""
    if ids:
        named = ", ".join(map(str, ids[:3])) + (", ..." if len(ids) > 3 else "")
        raise AESGStorageError(
            f"The memory {memory!r} has {len(ids)} concepts that lack columns or have edges that do ({named}); "
            "'aesg check --repair' corrects them"
        )


@contextmanager
def expecting_types(memory: str) -> Iterator[None]:
    """Turn what columns of other types than expected lead to into an AESGStorageError."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise AESGStorageError(
            f"The memory {memory!r} has concepts or edges with other columns than expected ({error}); "
            "'aesg check --repair' corrects them"
        ) from error


def known(rows: Rows, columns: int = 1) -> Rows:
    """Rows without those whose first columns were null because their node was deleted meanwhile."""
    return [row for row in rows if None not in row[:columns]]


def _lacks_column(row: Row) -> bool:
    return row[0] is None or row[1] is None or None in row[FIRST_AFTER_TEXTS:]
