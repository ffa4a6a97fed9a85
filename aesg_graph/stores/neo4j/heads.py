"""Memories as wholes: making one, finding those that are there, changing how one ages, deleting one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from aesg_graph.aging import NEVER, Thresholds, expires_epoch, fades_at
from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError, AESGStorageError
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.neo4j.connecting import Connection, Transaction
from aesg_graph.stores.neo4j.faults import place
from aesg_graph.stores.neo4j.statements import cypher

CHUNK = 10_000
"""Concepts in one transaction when all of a memory's are rewritten or deleted."""
SPREADING = (
    *("spreading_activation_steps", "spreading_activation_decay", "fan", "min_energy", "max_fanout", "top_k"),
    *("region_facilitation_multiplier", "max_prune_fraction"),
)
"""Parameters of the configuration that procedures and people need beside the thresholds."""
UNFINISHED = 0
"""The incarnation of a memory that is being restored."""


def head_values(head: MemoryHead, limits: Thresholds) -> dict[str, Any]:
    """What a memory's head says of it."""
    return asdict(head) | asdict(limits) | _readable(head.config)


def _readable(config: str) -> dict[str, Any]:
    """Parameters as properties of their own, for Cypher cannot look into the configuration's text."""
    try:
        known = AESGConfig.from_json(config)
    except AESGConfigError:  # of a newer package, or somebody's own
        return {}
    relations = known.vocabulary
    return {name: getattr(known, name) for name in SPREADING} | {
        "relation_types": list(relations.names),
        "relation_forward": relations.gains[:, 0].tolist(),
        "relation_backward": relations.gains[:, 1].tolist(),
    }


def establish(connection: Connection, head: MemoryHead, limits: Thresholds) -> MemoryHead:
    """Make the memory unless it is there; the head of the one that is there then."""

    def work(transaction: Transaction) -> None:
        transaction.send(cypher("memory_establish"), name=head.name, head=head_values(head, limits)).done()

    connection.write("establish", work)
    return expected_head(connection)[0]


def expect_finished(connection: Connection, head: MemoryHead) -> None:
    """AESGStorageError for a memory whose restore did not end."""
    if head.incarnation == UNFINISHED:
        raise AESGStorageError(
            f"Cannot open {place(connection.settings)}: a restore or a copy into it did not end; repeat that, it "
            "starts over"
        )


def read_head(transaction: Transaction, memory: str) -> tuple[MemoryHead, Thresholds] | None:
    """A memory's head and thresholds; None where there is no such memory."""
    rows = transaction.rows(cypher("memory_head"), memory=memory)
    return (MemoryHead(*rows[0][:7]), Thresholds(*rows[0][7:])) if rows else None


def expected_head(connection: Connection) -> tuple[MemoryHead, Thresholds]:
    """The memory's head and thresholds. AESGStorageError where there is no such memory."""
    memory = str(connection.settings.memory)
    found = connection.read("read", lambda transaction: read_head(transaction, memory))
    if found is None:
        raise AESGStorageError(
            f"There is no {place(connection.settings).removeprefix('the ')}; check the setting memory"
        )
    expect_finished(connection, found[0])
    return found


def configure(connection: Connection, memory: str, config: str, limits: Thresholds) -> None:
    """Record another configuration; where the thresholds differ, expiry of every concept is computed anew.

    The new thresholds come first, so that what is written meanwhile goes by them; then the concepts, chunk by chunk.
    """

    def record(transaction: Transaction) -> bool:
        transaction.send(cypher("lease_lock"), memory=memory).done()
        transaction.send(cypher("memory_lock"), memory=memory).done()
        found = read_head(transaction, memory)
        values = {"config": config} | asdict(limits) | _readable(config)
        transaction.send(cypher("memory_configure"), memory=memory, values=values).done()
        return found is None or found[1] != limits

    if connection.write("configure", record):
        after: int | None = -1
        while after is not None:
            after = connection.write("configure", _rewriting(memory, after, limits))


def _rewriting(memory: str, after: int, limits: Thresholds) -> Any:
    """Work that rewrites the expiry of the next concepts; it gives the last one's id, None when there are no more."""

    def rewrite(transaction: Transaction) -> int | None:
        transaction.send(cypher("lease_lock"), memory=memory).done()
        ids = [r[0] for r in transaction.rows(cypher("concepts_ids_page"), memory=memory, after=after, limit=CHUNK)]
        if not ids:
            return None
        transaction.send(cypher("concepts_lock"), memory=memory, ids=ids).done()
        rows = transaction.rows(cypher("concepts_expiry_page"), memory=memory, ids=ids)
        if rows:
            found, relevance, touched, born, uses, against = (np.array(column) for column in zip(*rows, strict=True))
            expires = expires_epoch(relevance, touched, born, uses, against, limits)
            transaction.send(
                cypher("concepts_expiry_write"),
                memory=memory,
                ids=found.tolist(),
                expires_epoch=[None if epoch == NEVER else epoch for epoch in expires.tolist()],
                fades_at=fades_at(relevance, touched, limits).tolist(),
            ).done()
        return int(ids[-1])

    return rewrite


def destroy(connection: Connection, memory: str) -> None:
    """Delete a whole memory, chunk by chunk, its head last; a memory that is not there is no error."""
    destroy_rows(connection, memory)
    connection.write("delete", lambda t: t.send(cypher("memory_destroy_head"), memory=memory).done())


def destroy_rows(connection: Connection, memory: str) -> None:
    """Delete everything that a memory holds, chunk by chunk, but for its head and its lease."""

    def deleting(statement: str) -> Any:
        return lambda transaction: transaction.rows(cypher(statement), memory=memory, limit=CHUNK)[0][0]

    for part in ("concepts", "removed", "consolidations", "writers"):
        while connection.write("delete", deleting(f"memory_destroy_{part}")):
            pass
