"""Carrying out reorganisation: concepts that merge and concepts that split."""

from __future__ import annotations

import numpy as np

from aesg_graph.aging import NEVER, RELEVANCE_FLOOR, current, expires_epoch, fades_at
from aesg_graph.concepts import NO_ID, Ids
from aesg_graph.operations import Merge, Split
from aesg_graph.stores.sqlite.change import Change, Lives
from aesg_graph.stores.sqlite.linking import EdgeRow, rehang, stored_code
from aesg_graph.stores.sqlite.lives import BIRTH, refuse_taken
from aesg_graph.stores.sqlite.reading import listed

SPLIT_WEIGHT = 1.0
"""The weight of the SIMILARITY edge between the halves of a split concept: a graph store knows no cosine."""

EDGE_ROW = "source, type, target, weight, confidence, use_count, created_at, touched_epoch"


def merge(change: Change, operation: Merge) -> None:
    """Concepts disappear into others, pair by pair in order."""
    change.require_lengths("Merge", operation.survivors, merged=operation.merged)
    for pair in np.stack([operation.survivors, operation.merged], axis=1):
        heirs = change.resolve(pair)
        survivor, merged = heirs.tolist()
        if (heirs != pair).any():
            change.decline(np.concatenate([pair, heirs[heirs != NO_ID]]))
        if survivor == merged or NO_ID in (survivor, merged):
            change.decline(pair)
            change.voided += 1
        else:
            _merge_pair(change, survivor, merged)


def _merge_pair(change: Change, survivor: int, merged: int) -> None:
    lives = change.lives(np.array([survivor, merged], np.int64))
    later = int(lives.touched_epoch.max())
    relevance = current(lives.relevance, lives.touched_epoch, later, change.limits).sum()
    change.write(
        Lives(
            np.array([survivor], np.int64),
            np.array([max(RELEVANCE_FLOOR, relevance)]),
            np.array([later], np.int64),
            lives.born_epoch.min(keepdims=True),
            lives.use_frequency.sum(keepdims=True),
            lives.contradictions.sum(keepdims=True),
        )
    )
    # Edges between the two become self-loops and go.
    sql = f"SELECT {EDGE_ROW} FROM edges WHERE source = ?1 UNION SELECT {EDGE_ROW} FROM edges WHERE target = ?1"
    rows: list[EdgeRow] = change.connection.execute(sql, (merged,)).fetchall()
    rehang(change, rows, merged, survivor)
    change.bury(np.array([merged], np.int64), into=survivor)


def split(change: Change, operation: Split) -> None:
    """A concept is born out of another, and takes over some of its edges and half of its counts."""
    op, source, id = operation, int(operation.source), int(operation.id)
    born = np.array([id], np.int64)
    refuse_taken(change, born)
    lives = change.lives(np.array([source], np.int64))
    if not lives.ids.size:
        change.decline(np.concatenate([[source, id], op.neighbours]).astype(np.int64))
        change.voided += 1
        return
    uses, against = lives.use_frequency // 2, lives.contradictions // 2
    half = Lives(born, lives.relevance, lives.touched_epoch, lives.born_epoch, uses, against)
    lives.use_frequency, lives.contradictions = lives.use_frequency - uses, lives.contradictions - against
    _give_birth(change, half, source)
    change.write(lives)
    rehang(change, _edges_between(change, source, op.neighbours), source, id)
    _join(change, min(source, id), max(source, id), int(half.touched_epoch[0]))


def _give_birth(change: Change, half: Lives, source: int) -> None:
    h, batch = half, change.batch
    expires = expires_epoch(
        h.relevance, h.touched_epoch, h.born_epoch, h.use_frequency, h.contradictions, change.limits
    )
    columns = (h.ids, h.relevance, h.touched_epoch, h.born_epoch, h.use_frequency, h.contradictions, expires)
    row = (*(c.item() for c in columns), fades_at(h.relevance, h.touched_epoch, change.limits).item())
    change.connection.execute(
        f"{BIRTH} SELECT ?, ?, ?, ?, ?, ?, nullif(?, {NEVER}), ?, ?, ?, ?, ?, "
        "version, NULL, kind, encoder, NULL, NULL, NULL FROM concepts WHERE id = ?",
        (*row, batch.at, batch.writer, batch.sequence, batch.at, source),
    )


def _edges_between(change: Change, source: int, neighbours: Ids) -> list[EdgeRow]:
    among = "IN (SELECT value FROM json_each(?2))"
    sql = (
        f"SELECT {EDGE_ROW} FROM edges WHERE source = ?1 AND target {among} "
        f"UNION SELECT {EDGE_ROW} FROM edges WHERE target = ?1 AND source {among}"
    )
    rows: list[EdgeRow] = change.connection.execute(sql, (source, listed(neighbours))).fetchall()
    return rows


def _join(change: Change, low: int, high: int, epoch: int) -> None:
    code = stored_code(change.connection, change.relations, change.relations.code("SIMILARITY"))
    change.connection.execute(
        f"INSERT INTO edges ({EDGE_ROW}) VALUES (?, ?, ?, ?, 1.0, 0, ?, ?)",
        (low, code, high, SPLIT_WEIGHT, change.batch.at, epoch),
    )
