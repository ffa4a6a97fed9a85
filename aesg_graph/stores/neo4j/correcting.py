"""Putting right what people wrote past this package. What others must hear of is written as Writer 0, under its lock.

A row that no operation could have made is made one that an operation could; nothing of it is lost that can be kept.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from aesg_graph.aging import NEVER, expires_epoch, fades_at
from aesg_graph.concepts import Ids, Relations, distinct
from aesg_graph.stores.abc import HANDS
from aesg_graph.stores.neo4j.auditing import edge_faults, limits_of
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.heads import read_head
from aesg_graph.stores.neo4j.naming import ranges
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.neo4j.working import EDGE
from aesg_graph.stores.neo4j.writing_back import grouped


def reshape(transaction: Transaction, memory: str, ids: Ids) -> None:
    """Give concepts the columns that they lack, as a newborn has them."""
    sequence = _begin(transaction, memory)
    _lock(transaction, memory, ids)
    found = read_head(transaction, memory)
    epoch = 0 if found is None else found[0].epoch
    stamp = {"at": time.time(), "writer": HANDS, "sequence": sequence}
    transaction.send(cypher("correct_concepts"), memory=memory, ids=ids.tolist(), epoch=epoch, **stamp).done()
    _date(transaction, memory, ids)


def redate(transaction: Transaction, memory: str, ids: Ids) -> None:
    """Compute when concepts expire and fade anew from their rows. Somebody wrote to these, so caches read them anew."""
    sequence = _begin(transaction, memory)
    _lock(transaction, memory, ids)
    _date(transaction, memory, ids)
    _stamp(transaction, memory, ids, sequence)


def redraw(transaction: Transaction, memory: str, relations: Relations, sources: Ids) -> None:
    """Put right edges of declared types that start at some concepts.

    Those that begin where they end or lead out of the memory go; others are turned, joined with their doubles (greatest
    weight, summed uses) and brought into [0, 1].
    """
    if not sources.size:
        return
    sequence = _begin(transaction, memory)
    faults = [row for row in edge_faults(transaction, memory, relations, ranges(distinct(sources))) if row[3]]
    pairs = np.array(sorted({(min(row[:2]), max(row[:2])) for row in faults if row[4]}), np.int64).reshape(-1, 2)
    touched = distinct(np.concatenate([sources, pairs.reshape(-1)]))
    _lock(transaction, memory, touched)
    types = list(relations.names)
    transaction.send(cypher("edges_astray_delete"), memory=memory, ids=sources.tolist(), types=types).done()
    rows = transaction.send(
        cypher("edges_between"), memory=memory, sources=pairs[:, 0].tolist(), targets=pairs[:, 1].tolist()
    ).collected()
    _replace(transaction, memory, relations, [row for row in rows if row[2] in types])
    _stamp(transaction, memory, touched, sequence)


def prove(transaction: Transaction, memory: str) -> None:
    """A change of Writer 0's is whole for certain once another transaction of its follows."""
    transaction.send(cypher("writer_lock"), memory=memory, writer=HANDS).done()
    transaction.rows(cypher("writer_advance"), memory=memory, writer=HANDS, changed=False)


def _begin(transaction: Transaction, memory: str) -> int:
    """Lock Writer 0; the sequence under which it now changes something."""
    transaction.send(cypher("writer_lock"), memory=memory, writer=HANDS).done()
    return int(transaction.rows(cypher("writer_advance"), memory=memory, writer=HANDS, changed=True)[0][0])


def _lock(transaction: Transaction, memory: str, ids: Ids) -> None:
    transaction.send(cypher("concepts_lock"), memory=memory, ids=distinct(ids).tolist()).done()


def _stamp(transaction: Transaction, memory: str, ids: Ids, sequence: int) -> None:
    stamp = [{"id": ids.tolist(), "modified_at": time.time(), "sequence": sequence}]
    transaction.send(cypher("concepts_stamp"), memory=memory, writer=HANDS, groups=stamp).done()


def _date(transaction: Transaction, memory: str, ids: Ids) -> None:
    limits = limits_of(transaction, memory)
    rows = transaction.rows(cypher("concepts_expiry_page"), memory=memory, ids=ids.tolist())
    if not rows:
        return
    found, relevance, touched, born, uses, against = (np.array(column) for column in zip(*rows, strict=True))
    expires = expires_epoch(relevance, touched, born, uses, against, limits)
    transaction.send(
        cypher("concepts_expiry_write"),
        memory=memory,
        ids=found.tolist(),
        expires_epoch=[None if epoch == NEVER else epoch for epoch in expires.tolist()],
        fades_at=fades_at(relevance, touched, limits).tolist(),
    ).done()


@dataclass
class Strand:
    """One edge as it is to be, whatever was drawn for it."""

    weight: float
    confidence: float
    use_count: int
    created_at: float
    touched_epoch: int


def _replace(transaction: Transaction, memory: str, relations: Relations, rows: list[list[Any]]) -> None:
    """Delete the edges in ``rows``, and draw instead those that should be."""
    for type in sorted({row[2] for row in rows}):
        own = [row for row in rows if row[2] == type]
        symmetric = bool(relations.symmetric[relations.code(type)])
        ends = sorted({(row[0], row[1]) for row in own})
        gone = [{"source": [a for a, _ in ends], "target": [b for _, b in ends]}]
        transaction.send(cypher("edges_delete", type), memory=memory, groups=gone).done()
        kept = _kept(own, symmetric)
        if kept:
            groups = grouped(EDGE, kept)
            transaction.send(cypher("edges_create", type), memory=memory, groups=groups).done()


def _kept(rows: list[list[Any]], symmetric: bool) -> list[tuple[Any, ...]]:
    """Edges of one type as they should be, as :data:`EDGE` has them."""
    strands: dict[tuple[int, int], Strand] = {}
    for source, target, _, *values in rows:
        if source == target:
            continue
        ends = (min(source, target), max(source, target)) if symmetric else (source, target)
        drawn = _sound(values)
        before = strands.get(ends)
        strands[ends] = drawn if before is None else _joined(before, drawn)
    return [_as_edge(ends, strand) for ends, strand in sorted(strands.items())]


def _sound(values: list[Any]) -> Strand:
    """An edge's columns, each one that it could have; what is missing is as at birth."""
    weight, confidence, uses, created, touched = values
    return Strand(
        min(1.0, max(0.0, _number(weight, 0.0))),
        min(1.0, max(0.0, _number(confidence, 1.0))),
        max(0, int(_number(uses, 0.0))),
        _number(created, 0.0),
        int(_number(touched, 0.0)),
    )


def _number(value: Any, missing: float) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if known else missing


def _joined(one: Strand, other: Strand) -> Strand:
    return Strand(
        max(one.weight, other.weight),
        max(one.confidence, other.confidence),
        one.use_count + other.use_count,
        min(one.created_at, other.created_at),
        max(one.touched_epoch, other.touched_epoch),
    )


def _as_edge(ends: tuple[int, int], strand: Strand) -> tuple[Any, ...]:
    known = dict(zip(("source", "target"), ends, strict=True)) | vars(strand)
    return tuple(known[column] for column in (*EDGE.common, *EDGE.lists))
