"""Carrying out batches, exactly once each: lock and read what they name, apply SQLite's rules, write the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import Ids, Relations
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Advance, Batch
from aesg_graph.stores.abc import MemoryHead, Outcome, WriterState
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.loading import Loading
from aesg_graph.stores.neo4j.naming import named_by
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.neo4j.working import WorkingCopy
from aesg_graph.stores.neo4j.writing_back import WritingBack
from aesg_graph.stores.sqlite.applying import apply_batches, expect_consecutive
from aesg_graph.stores.sqlite.reading import read_head

LOST = "The lease that allowed it, fence {given}, was lost to another holder; the latest fence is {latest}"


def apply_in(
    transaction: Transaction, memory: str, relations: Relations, batches: Sequence[Batch], swept: Ids
) -> list[Outcome]:
    """Carry out consecutive batches of one writer, and record which tombstones' vectors are gone."""
    outcomes = _apply(transaction, memory, relations, batches) if batches else []
    if swept.size:
        transaction.send(cypher("removed_swept"), memory=memory, ids=swept.tolist()).done()
    return outcomes


def _apply(transaction: Transaction, memory: str, relations: Relations, batches: Sequence[Batch]) -> list[Outcome]:
    head, limits, writer, fence = _lock(transaction, memory, batches)
    with WorkingCopy.of(head, limits, writer, relations) as copy:
        expect_consecutive(copy.connection, batches)
        fresh = [batch for batch in batches if batch.sequence > writer.sequence]
        if not fresh:
            return apply_batches(copy.connection, batches, relations)
        refused = {
            batch.sequence: LOST.format(given=batch.fence, latest=fence)
            for batch in fresh
            if batch.fence is not None and batch.fence != fence
        }
        Loading(transaction, memory, relations, copy).load(
            named_by([batch for batch in fresh if batch.sequence not in refused])
        )
        outcomes = apply_batches(copy.connection, batches, relations, refused)
        _write_back(transaction, head, copy, batches, outcomes)
    return outcomes


def _lock(
    transaction: Transaction, memory: str, batches: Sequence[Batch]
) -> tuple[MemoryHead, Thresholds, WriterState, int | None]:
    """Lock the lease (of fenced batches), the head (if it moves) and the writer, in this order; then read them.

    Locking and reading are statements of their own: one statement might read before it locks.
    """
    send, fenced = transaction.send, any(batch.fence is not None for batch in batches)
    if fenced:
        send(cypher("lease_lock"), memory=memory)
    if named_by(batches).head:
        send(cypher("memory_lock"), memory=memory)
    number = batches[0].writer
    send(cypher("writer_lock"), memory=memory, writer=number)
    writer = send(cypher("writer_read"), memory=memory, writer=number)
    head = send(cypher("memory_head"), memory=memory)
    fence = transaction.rows(cypher("lease_read"), memory=memory)[0][0] if fenced else None
    known, row = writer.rows(), head.rows()
    if not known:
        raise AESGStorageError(f"Writer {number} is unknown to this graph; expected a leased one")
    return MemoryHead(*row[0][:7]), Thresholds(*row[0][7:]), WriterState(*known[0]), fence


def _write_back(
    transaction: Transaction,
    head: MemoryHead,
    copy: WorkingCopy,
    batches: Sequence[Batch],
    outcomes: Sequence[Outcome],
) -> None:
    writer = batches[0].writer
    writing = WritingBack(transaction, head.name, writer)
    added = writing.write(copy)
    moved = read_head(copy.connection)
    if moved != head:
        writing.send("memory_move", epoch=moved.epoch, key_version=moved.key_version)
    applied = [batch for batch, o in zip(batches, outcomes, strict=True) if o.status == "applied"]
    for batch in applied:
        for operation in batch.operations:
            if isinstance(operation, Advance):
                writing.send("consolidation_record", **_consolidation(batch, operation))
    writing.send(
        "writer_record",
        writer=writer,
        sequence=batches[-1].sequence,
        content=max((batch.sequence for batch in applied if batch.operations), default=None),
        concepts=added.concepts,
        edges=added.edges,
        tombstones=added.tombstones,
    )
    writing.wait()


def _consolidation(batch: Batch, operation: Advance) -> dict[str, Any]:
    return {"epoch": int(operation.epoch), "at": batch.at, "writer": batch.writer, "sequence": batch.sequence}
