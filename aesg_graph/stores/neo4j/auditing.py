"""Looking a graph over for what people wrote past this package, with Cypher of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from aesg_graph.aging import Thresholds, expires_epoch, fades_at
from aesg_graph.concepts import Ids, Relations
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import NO_IDS, Audit
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.heads import read_head
from aesg_graph.stores.neo4j.rows import known
from aesg_graph.stores.neo4j.statements import cypher

TOLERANCE = 1e-9
"""How far off, relatively, ``fades_at`` may be: another machine's logarithm differs in its last digits."""


def audit(transaction: Transaction, memory: str, relations: Relations, after: int, limit: int) -> Audit:
    """Look over the next concepts after an id. The server picks out who may be wrong, our own formulas decide."""
    limits = limits_of(transaction, memory)
    last, suspects = transaction.rows(
        cypher("audit_concepts"),
        memory=memory,
        after=after,
        limit=limit,
        threshold=limits.survival_threshold_relevance,
        frequency=limits.survival_threshold_frequency,
        age=limits.survival_min_age,
        rate=limits.rate,
        tolerance=TOLERANCE,
    )[0]
    if last is None:
        return Audit(None, NO_IDS, NO_IDS, np.empty((0, 2), np.int64), 0)
    suspects = known(suspects)
    rows = known(edge_faults(transaction, memory, relations, [[after + 1, last]]), columns=2)
    return Audit(
        int(last),
        np.array(sorted(row[0] for row in suspects if not row[1]), np.int64),
        _misdated([[row[0], *row[2:]] for row in suspects if row[1]], limits),
        np.array(sorted(row[:2] for row in rows if row[3]), np.int64).reshape(-1, 2),
        sum(not row[3] for row in rows),
    )


def limits_of(transaction: Transaction, memory: str) -> Thresholds:
    """The thresholds by which a memory's concepts age."""
    found = read_head(transaction, memory)
    if found is None:
        raise AESGStorageError(f"The memory {memory!r} is gone")
    return found[1]


def edge_faults(
    transaction: Transaction, memory: str, relations: Relations, ranges: list[list[int]]
) -> list[list[Any]]:
    """Edges that start at concepts in ranges of ids and are as no operation makes them: ends, type, whether that is
    declared, whether they stay within the memory.
    """
    return transaction.rows(
        cypher("audit_edges"),
        memory=memory,
        ranges=ranges,
        types=list(relations.names),
        symmetric=[relation.name for relation in relations.types if relation.symmetric],
    )


def _misdated(rows: list[list[Any]], limits: Thresholds) -> Ids:
    """Which concepts' expiry does not follow from the rest of their rows."""
    if not rows:
        return NO_IDS
    ids, relevance, touched, born, uses, against, expires, fades = zip(*rows, strict=True)
    due = expires_epoch(relevance, touched, born, uses, against, limits)
    fade = fades_at(relevance, touched, limits)
    same = (due == np.array(expires, np.int64)) & np.isclose(np.array(fades, np.float64), fade, TOLERANCE, TOLERANCE)
    wrong: Ids = np.sort(np.array(ids, np.int64)[~same])
    return wrong
