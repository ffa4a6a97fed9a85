"""Writers and the lease: numbers, incarnations, tombstones that they left, and who may do maintenance."""

from __future__ import annotations

import secrets

from aesg_graph.concepts import COUNTER_BITS, MAX_WRITER
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.stores.abc import WriterState
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.statements import cypher

ATTEMPTS = 1000
CHUNK = 10_000
"""Tombstones that are dropped in one transaction."""


def read_writer(transaction: Transaction, memory: str, number: int) -> WriterState | None:
    """A writer's state, or None."""
    rows = transaction.rows(cypher("writer_read"), memory=memory, writer=number)
    return WriterState(*rows[0]) if rows else None


def lease_writer(transaction: Transaction, memory: str, number: int | None) -> WriterState:
    """Enter a new writer. A drawn number has never been in an id here; one that is given need only be unleased."""
    transaction.send(cypher("lease_lock"), memory=memory).done()  # a backup under way has locked all writers there are
    if number is None:
        number = _draw(transaction, memory)
    elif read_writer(transaction, memory, number) is not None:
        raise AESGStorageError(f"The writer number {number} is taken; expected a free one")
    transaction.send(cypher("writer_create"), memory=memory, writer=number).done()
    return WriterState(number, 1, 0)


def expect_number(number: int | None) -> None:
    """AESGMemoryError for a number that no writer can have."""
    if number is not None and not 0 <= number <= MAX_WRITER:
        raise AESGMemoryError(f"The writer number {number} is out of range; expected 0 to {MAX_WRITER}")


def _draw(transaction: Transaction, memory: str) -> int:
    """A free number, drawn at random so that memories can be copied together."""
    for _ in range(ATTEMPTS):
        number = secrets.randbelow(MAX_WRITER) + 1
        low = number << COUNTER_BITS
        high = low + (1 << COUNTER_BITS) - 1
        if transaction.rows(cypher("writer_free"), memory=memory, writer=number, low=low, high=high)[0][0]:
            return number
    raise AESGStorageError(f"No free writer number was found in {ATTEMPTS} draws from {MAX_WRITER}")


def renew_writer(transaction: Transaction, memory: str, number: int) -> WriterState:
    """A writer's next incarnation."""
    transaction.send(cypher("writer_lock"), memory=memory, writer=number).done()
    transaction.send(cypher("writer_renew"), memory=memory, writer=number).done()
    state = read_writer(transaction, memory, number)
    if state is None:
        raise AESGStorageError(f"Writer {number} is unknown to this graph; expected a leased one")
    return state


def retire_writer(transaction: Transaction, memory: str, number: int) -> None:
    """Nobody will be this writer again: whoever still is, is refused from its next transaction on."""
    transaction.send(cypher("writer_lock"), memory=memory, writer=number).done()
    transaction.send(cypher("writer_retire"), memory=memory, writer=number).done()


def forget_some(transaction: Transaction, memory: str, before: float) -> int:
    """Drop some tombstones that nobody needs; how many. None are left when none went.

    A chain of merges goes from its end, link by link: what merged into the dropped ones may go the next time.
    """
    transaction.send(cypher("writers_lock"), memory=memory).done()
    rows = transaction.rows(cypher("removed_forget"), memory=memory, before=before, limit=CHUNK)
    for writer, sequence, count in rows:
        transaction.send(cypher("writer_forgot"), memory=memory, writer=writer, sequence=sequence, count=count).done()
    return sum(row[2] for row in rows)


def acquire_lease(transaction: Transaction, memory: str, holder: str, seconds: float) -> int | None:
    """Take the memory's lease or keep it: its fence; None while another holder's has not run out."""
    transaction.send(cypher("lease_lock"), memory=memory).done()
    rows = transaction.rows(cypher("lease_acquire"), memory=memory, holder=holder, seconds=seconds)
    return int(rows[0][0]) if rows else None


def release_lease(transaction: Transaction, memory: str, fence: int) -> None:
    """Let go of the lease if it is still the one with this fence."""
    transaction.send(cypher("lease_lock"), memory=memory).done()
    transaction.send(cypher("lease_release"), memory=memory, fence=fence).done()
