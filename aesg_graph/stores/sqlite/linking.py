"""Carrying out what is done to edges: linking concepts, and hanging edges over from one concept to another."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import numpy as np

from aesg_graph.concepts import NO_ID, Doubles, Ids, Ints, Relations
from aesg_graph.errors import AESGMemoryError
from aesg_graph.operations import WEAKNESS_KEPT, Link
from aesg_graph.stores.sqlite.change import Change, RefusedError

UPSERT = """
INSERT INTO edges (source, type, target, weight, confidence, use_count, created_at, touched_epoch)
VALUES (?, ?, ?, ?, 1.0, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    weight = 1.0 - (1.0 - weight) * ?,
    use_count = use_count + excluded.use_count + 1,
    touched_epoch = max(touched_epoch, excluded.touched_epoch)
"""

REHANG = """
INSERT INTO edges (source, type, target, weight, confidence, use_count, created_at, touched_epoch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    weight = max(weight, excluded.weight),
    confidence = max(confidence, excluded.confidence),
    use_count = use_count + excluded.use_count,
    created_at = min(created_at, excluded.created_at),
    touched_epoch = max(touched_epoch, excluded.touched_epoch)
"""

EdgeRow = tuple[int, int, int, float, float, int, float, int]


@dataclass
class Pairs:
    """M different pairs to be joined, each with its birth weight and the uses a newborn edge gets."""

    sources: Ids
    targets: Ids
    weights: Doubles
    uses: Ints


def link(change: Change, operation: Link) -> None:
    """Edges are born or strengthened."""
    op = operation
    pairs = _checked(change, op)
    ends = change.resolve(np.concatenate([pairs.sources, pairs.targets]))
    sources, targets = np.split(ends, 2)
    void = (sources == NO_ID) | (targets == NO_ID) | (sources == targets)
    moved = (sources != pairs.sources) | (targets != pairs.targets)
    odd = void | moved
    if odd.any():
        named = np.concatenate([pairs.sources[odd], pairs.targets[odd], sources[odd], targets[odd]])
        change.decline(named[named != NO_ID])
        change.voided += int(void.sum())
    live = ~void
    pairs = Pairs(sources[live], targets[live], pairs.weights[live], pairs.uses[live])
    code = change.relations.code(op.type)
    if change.relations.symmetric[code]:
        low, high = np.minimum(pairs.sources, pairs.targets), np.maximum(pairs.sources, pairs.targets)
        pairs = Pairs(low, high, pairs.weights, pairs.uses)
    if len(pairs.sources):
        _write(change, coalesced(pairs), stored_code(change.connection, change.relations, code), int(op.epoch))


def _checked(change: Change, op: Link) -> Pairs:
    try:
        change.relations.code(op.type)
    except AESGMemoryError as error:
        raise RefusedError(error.message) from error
    change.require_lengths("Link", op.sources, targets=op.targets, weights=op.weights, uses=op.uses)
    weights, uses = np.asarray(op.weights, np.float64), np.asarray(op.uses, np.int64)
    inside = (weights >= 0.0) & (weights <= 1.0)
    change.require(bool(inside.all()), f"Link has the weight {weights[~inside][:1]}; expected weights in [0, 1]")
    change.require(not (uses < 0).any(), "Link has negative uses; expected 0 or above")
    return Pairs(op.sources, op.targets, weights, uses)


def coalesced(pairs: Pairs) -> Pairs:
    """Each pair once: the first one's weight, and uses as if they had come one by one (a later one is one more)."""
    order = np.lexsort((pairs.targets, pairs.sources))  # stable: the first of equals stays first
    sources, targets = pairs.sources[order], pairs.targets[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (sources[1:] != sources[:-1]) | (targets[1:] != targets[:-1])
    first = np.flatnonzero(new)
    uses = np.add.reduceat(pairs.uses[order] + ~new, first)
    return Pairs(sources[first], targets[first], pairs.weights[order][first], uses)


def _write(change: Change, pairs: Pairs, code: int, epoch: int) -> None:
    born = 1.0 - (1.0 - pairs.weights) * WEAKNESS_KEPT**pairs.uses
    kept = WEAKNESS_KEPT ** (pairs.uses + 1)
    count, at = len(pairs.sources), change.batch.at
    rows = zip(
        *(pairs.sources.tolist(), [code] * count, pairs.targets.tolist(), born.tolist(), pairs.uses.tolist()),
        *([at] * count, [epoch] * count, kept.tolist()),
        strict=True,
    )
    change.connection.executemany(UPSERT, rows)
    change.stamp(pairs.sources)
    change.stamp(pairs.targets)


def stored_code(connection: sqlite3.Connection, relations: Relations, code: int) -> int:
    """The file's own code of a type, which is entered on its first use."""
    name, symmetric = relations.names[code], int(relations.symmetric[code])
    found = connection.execute("SELECT code FROM relations WHERE name = ?", (name,)).fetchone()
    if found is None:
        sql = "INSERT INTO relations (name, symmetric) VALUES (?, ?) RETURNING code"
        found = connection.execute(sql, (name, symmetric)).fetchone()
    return int(found[0])


def rehang(change: Change, rows: list[EdgeRow], old: int, new: int) -> None:
    """Move edges from one concept to another: parallel ones become one, self-loops go; all ends are stamped."""
    if not rows:
        return
    run: Any = change.connection.execute
    symmetric = {code for (code,) in run("SELECT code FROM relations WHERE symmetric").fetchall()}
    change.connection.executemany(
        "DELETE FROM edges WHERE source = ? AND type = ? AND target = ?", [row[:3] for row in rows]
    )
    moved = []
    for source, type, target, *rest in rows:
        source, target = new if source == old else source, new if target == old else target
        if source > target and type in symmetric:
            source, target = target, source
        if source != target:
            moved.append((source, type, target, *rest))
    change.connection.executemany(REHANG, moved)
    ends = [end for row in rows for end in (row[0], row[2])]
    change.stamp(np.array([*ends, new], np.int64))
