"""Carrying out batches, exactly once each. Runs inside the caller's write transaction, which locks all writers."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from aesg_graph.concepts import Ids, Relations
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import (
    Advance,
    Batch,
    Create,
    Describe,
    Link,
    Merge,
    Prune,
    Regions,
    Rekey,
    Remove,
    Split,
    Touch,
    named_ids,
)
from aesg_graph.stores.abc import NO_IDS, Outcome, WriterState
from aesg_graph.stores.sqlite.change import Change, RefusedError
from aesg_graph.stores.sqlite.linking import link
from aesg_graph.stores.sqlite.lives import advance, create, describe, label, prune, rekey, remove, use
from aesg_graph.stores.sqlite.reading import read_limits
from aesg_graph.stores.sqlite.reorganising import merge, split
from aesg_graph.stores.sqlite.writers import read_writer

CARRIED_OUT_BY: dict[type[Any], Callable[[Change, Any], None]] = {
    Create: create,
    Link: link,
    Touch: use,
    Describe: describe,
    Remove: remove,
    Prune: prune,
    Merge: merge,
    Split: split,
    Regions: label,
    Rekey: rekey,
    Advance: advance,
}

# What Python and SQLite say of values that cannot be stored: constraints and types, lone surrogates, huge integers.
CONTENT_ERRORS = (sqlite3.IntegrityError, sqlite3.DataError, UnicodeEncodeError, OverflowError)


NOBODY: Mapping[int, str] = {}


def apply_batches(
    connection: sqlite3.Connection,
    batches: Sequence[Batch],
    relations: Relations,
    refused: Mapping[int, str] = NOBODY,
) -> list[Outcome]:
    """Carry out consecutive batches of one writer; AESGStorageError if they are not the ones that are due.

    ``refused``: sequences that are refused before they are tried, and why.
    """
    if not batches:
        return []
    state = expect_consecutive(connection, batches)
    limits = read_limits(connection)
    outcomes = []
    for batch in batches:
        if batch.sequence <= state.sequence:
            outcomes.append(Outcome(batch.sequence, "skipped"))
        elif batch.sequence in refused:
            outcomes.append(_refused(batch, refused[batch.sequence]))
        else:
            outcomes.append(_apply(Change(connection, batch, limits, relations)))
    last = max(state.sequence, batches[-1].sequence)
    connection.execute("UPDATE writers SET sequence = ? WHERE id = ?", (last, state.id))
    return outcomes


def expect_consecutive(connection: sqlite3.Connection, batches: Sequence[Batch]) -> WriterState:
    """The state of the batches' writer, if they may be carried out or skipped now; else AESGStorageError."""
    number = batches[0].writer
    state = read_writer(connection, number)
    if state is None:
        raise AESGStorageError(f"Writer {number} is unknown to this graph; expected a leased one")
    due = state.sequence + 1
    for batch in batches:
        if batch.writer != number:
            raise AESGStorageError(f"Batches of writers {number} and {batch.writer} in one call; expected those of one")
        if batch.incarnation != state.incarnation:
            raise AESGStorageError(
                f"Writer {number} sent a batch of incarnation {batch.incarnation}; expected {state.incarnation}"
            )
        if batch.sequence > due:
            raise AESGStorageError(f"Writer {number} sent sequence {batch.sequence}; expected {due} or an earlier one")
        due = max(due, batch.sequence + 1)
    return state


def mark_vectors_removed(connection: sqlite3.Connection, ids: Ids) -> None:
    """Tombstones whose vectors are known to be gone."""
    rows = zip(ids.tolist(), strict=True)
    connection.executemany("UPDATE tombstones SET vector_removed = 1 WHERE id = ? AND vector_removed = 0", rows)


def _apply(change: Change) -> Outcome:
    """One batch in its own savepoint, so that a refused one leaves its neighbours alone."""
    batch, connection = change.batch, change.connection
    connection.execute("SAVEPOINT batch")
    try:
        change.require(math.isfinite(batch.at), f"The batch is dated {batch.at}; expected seconds since 1970")
        for operation in batch.operations:
            CARRIED_OUT_BY[type(operation)](change, operation)
        declined = change.finish()
    except (RefusedError, *CONTENT_ERRORS) as error:
        connection.execute("ROLLBACK TO batch")
        connection.execute("RELEASE batch")
        return _refused(batch, str(error))
    connection.execute("RELEASE batch")
    return Outcome(batch.sequence, "applied", "", declined, change.voided)


def _refused(batch: Batch, reason: str) -> Outcome:
    """What became of a batch of which nothing is carried out."""
    named = [named_ids(operation) for operation in batch.operations]
    return Outcome(batch.sequence, "refused", reason, np.unique(np.concatenate([NO_IDS, *named])))
