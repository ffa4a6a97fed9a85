"""Carrying out the operations on concepts: how they are born, used, described, labelled and removed."""

from __future__ import annotations

from itertools import repeat

import numpy as np

from aesg_graph.aging import NEVER, expires_epoch, fades_at, touch
from aesg_graph.concepts import NO_ID, NO_REGION, Ids, distinct
from aesg_graph.operations import Advance, Create, Describe, Prune, Regions, Rekey, Remove, Touch
from aesg_graph.stores.sqlite.change import Change
from aesg_graph.stores.sqlite.reading import id_column, listed

# What all concepts of one Create have in common is bound by name or position; NULLs are the absent region and texts.
BIRTH = (
    "INSERT INTO concepts (id, relevance, touched_epoch, born_epoch, use_frequency, contradictions, expires_epoch, "
    "fades_at, modified_at, writer, sequence, created_at, version, region_id, kind, encoder, name, text, source) "
)
TAKEN = (
    "SELECT value FROM json_each(?) "
    "WHERE value IN (SELECT id FROM concepts) OR value IN (SELECT id FROM tombstones) LIMIT 1"
)


def create(change: Change, operation: Create) -> None:
    """Concepts are born."""
    op, ids, epoch = operation, operation.ids, int(operation.epoch)
    change.require(bool(op.kind), f"Create names the kind {op.kind!r}; expected a text that is not empty")
    change.require_lengths("Create", ids, keys=op.keys, names=op.names, texts=op.texts, sources=op.sources)
    if not ids.size:
        return
    change.require(distinct(ids).size == ids.size, "Create names an id twice; expected each once")
    refuse_taken(change, ids)
    expires = int(expires_epoch(1.0, epoch, epoch, 0, 0, change.limits))
    fades = float(fades_at(1.0, epoch, change.limits))
    batch = change.batch
    common = (
        *(1.0, epoch, epoch, 0, 0, None if expires == NEVER else expires, fades),
        *(batch.at, batch.writer, batch.sequence, batch.at, int(op.version), None, op.kind, op.encoder),
    )
    if op.names is None and op.texts is None and op.sources is None:
        # Three times as fast as one statement a row.
        sql = f"{BIRTH} SELECT value, {', '.join('?' * len(common))}, NULL, NULL, NULL FROM json_each(?)"
        change.connection.execute(sql, (*common, listed(ids)))
        return
    texts = (op.names or repeat(None), op.texts or repeat(None), op.sources or repeat(None))
    rows = zip(ids.tolist(), *map(repeat, common), *texts, strict=False)
    change.connection.executemany(f"{BIRTH} VALUES (?, {', '.join('?' * len(common))}, ?, ?, ?)", rows)


def refuse_taken(change: Change, ids: Ids) -> None:
    """Refuse the batch if an id is not one, or belongs or belonged to a concept."""
    change.require(int(ids.min()) >= 0, f"The id {int(ids.min())} cannot be born; expected 0 or above")
    taken = change.connection.execute(TAKEN, (listed(ids),)).fetchone()
    change.require(taken is None, f"The concept {taken and taken[0]} cannot be born: its id exists or existed")


def use(change: Change, operation: Touch) -> None:
    """Concepts were used and contradicted; those that merged pass it on to what they merged into."""
    op, ids = operation, operation.ids
    change.require_lengths("Touch", ids, uses=op.uses, contradictions=op.contradictions)
    negative = (np.asarray(op.uses) < 0) | (np.asarray(op.contradictions) < 0)
    change.require(not negative.any(), "Touch has negative uses or contradictions; expected 0 or above")
    heirs = change.resolve(ids)
    gone = heirs == NO_ID
    change.voided += int(gone.sum())
    moved = heirs != ids
    change.decline(np.concatenate([ids[moved], heirs[moved & ~gone]]))

    lives = change.lives(heirs[~gone])
    place = np.searchsorted(lives.ids, heirs[~gone])
    uses, against = np.zeros_like(lives.ids), np.zeros_like(lives.ids)
    np.add.at(uses, place, np.asarray(op.uses, np.int64)[~gone])
    np.add.at(against, place, np.asarray(op.contradictions, np.int64)[~gone])
    lives.relevance, lives.touched_epoch = touch(lives.relevance, lives.touched_epoch, uses, op.epoch, change.limits)
    lives.use_frequency += uses
    lives.contradictions += against
    change.write(lives)


def describe(change: Change, operation: Describe) -> None:
    """Concepts get names and texts."""
    op = operation
    change.require_lengths("Describe", op.ids, names=op.names, texts=op.texts)
    here = _living(change, op.ids)
    for column, values in (("name", op.names), ("text", op.texts)):
        if values is not None:
            rows = zip(values, op.ids.tolist(), strict=True)
            change.connection.executemany(f"UPDATE concepts SET {column} = ? WHERE id = ?", rows)
    change.stamp(here)


def label(change: Change, operation: Regions) -> None:
    """Concepts move to regions."""
    op = operation
    change.require_lengths("Regions", op.ids, regions=op.regions)
    here = _living(change, op.ids)
    rows = zip(np.asarray(op.regions).tolist(), op.ids.tolist(), strict=True)
    change.connection.executemany(f"UPDATE concepts SET region_id = nullif(?, {NO_REGION}) WHERE id = ?", rows)
    change.stamp(here)


def rekey(change: Change, operation: Rekey) -> None:
    """Concepts of a lower or equal version get keys of a new one."""
    op, version = operation, int(operation.version)
    change.require_lengths("Rekey", op.ids, keys=op.keys)
    sql = "SELECT id FROM concepts WHERE id IN (SELECT value FROM json_each(?)) AND version <= ?"
    older = np.unique(id_column(change.connection.execute(sql, (listed(op.ids), version)).fetchall()))
    change.connection.execute(
        "UPDATE concepts SET version = ?, encoder = ? WHERE id IN (SELECT value FROM json_each(?))",
        (version, op.encoder, listed(older)),
    )
    change.connection.execute("UPDATE head SET key_version = max(key_version, ?)", (version,))
    change.stamp(older)
    change.decline(np.setdiff1d(op.ids, older))


def advance(change: Change, operation: Advance) -> None:
    """The memory's epoch moves on by one."""
    (epoch,) = change.connection.execute("SELECT epoch FROM head").fetchone()
    expected = epoch + 1
    change.require(
        operation.epoch == expected, f"Advance to epoch {operation.epoch}; expected {expected}, the next one"
    )
    change.connection.execute("UPDATE head SET epoch = ?", (expected,))


def remove(change: Change, operation: Remove) -> None:
    """Concepts go, whatever their state; those already gone are no error."""
    ids = distinct(operation.ids)
    change.bury(ids[change.present(ids)])


def prune(change: Change, operation: Prune) -> None:
    """Concepts go if what was planned about them still holds."""
    op = operation
    change.require(
        op.epoch is not None or op.fades_at is not None, "Prune has neither epoch nor fades_at; expected one"
    )
    change.require_lengths("Prune", op.ids, fades_at=op.fades_at)
    ids, first = np.unique(op.ids, return_index=True)
    columns = f"id, ifnull(expires_epoch, {NEVER}), fades_at"
    sql = f"SELECT {columns} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN concepts ON id = wanted"
    rows = change.connection.execute(sql, (listed(ids),)).fetchall()
    here, expires, fades = (np.array(column) for column in zip(*rows, strict=True)) if rows else (ids[:0],) * 3
    deserved = np.ones(len(rows), np.bool_)
    if op.epoch is not None:
        deserved &= (expires != NEVER) & (expires <= op.epoch)
    if op.fades_at is not None:
        deserved &= fades <= np.asarray(op.fades_at, np.float64)[first][np.searchsorted(ids, here)]
    change.bury(here[deserved])
    change.decline(here[~deserved])


def _living(change: Change, ids: Ids) -> Ids:
    """The concepts among ``ids``; the others are declined."""
    here = change.present(ids)
    change.decline(ids[~here])
    return ids[here]
