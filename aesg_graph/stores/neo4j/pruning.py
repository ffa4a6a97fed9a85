"""Pruning and consolidating by hand, as Writer 0: by the plugin's procedures, or statement by statement.

Every batch is a transaction of its own; what is candidate was read before anything was locked, so it is tested again
under lock. Whatever was removed stays removed and is whole, also where the rest fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aesg_graph.concepts import distinct, ids_array
from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.stores.abc import HANDS, MemoryHead
from aesg_graph.stores.neo4j import correcting
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.faults import place
from aesg_graph.stores.neo4j.heads import expected_head
from aesg_graph.stores.neo4j.procedures import Procedures
from aesg_graph.stores.neo4j.statements import cypher

BATCH = 1000
LARGEST_BATCH = 100_000
CALL = 10_000
"""Concepts that one call of the procedure removes: a call must end before its transaction's time does."""
PATIENCE = 4.0
"""Request timeouts that a batch may take."""
ROUNDING = 1e-9
"""A fraction such as 0.29 of 100 is 28.999999999999996 in binary, and means 29."""


@dataclass(frozen=True)
class Pruned:
    """What a prune did: how many concepts went, and how many were due before."""

    pruned: int
    due: int
    dry_run: bool = False


@dataclass(frozen=True)
class Consolidated:
    """What a consolidation did: the epoch that it began, how many concepts went, and how many were due."""

    epoch: int
    pruned: int
    due: int


class Pruner:
    """Removes what may be pruned, and begins epochs."""

    def __init__(self, procedures: Procedures) -> None:
        self._procedures = procedures
        self._connection = procedures.connection
        self._memory = procedures.memory

    def prune(
        self,
        limit: int | None = None,
        dry_run: bool = False,
        batch: int = BATCH,
        progress: Callable[[int, int], None] | None = None,
    ) -> Pruned:
        """Remove what may be pruned in the present epoch, weakest first, ``limit`` at most.

        ``progress(gone, of)`` is called after each batch. AESGMemoryError for a bad limit or batch; AESGStorageError
        where the server fails, and what went until then is gone.
        """
        if limit is not None and limit < 0:
            raise AESGMemoryError(f"limit is {limit}, expected 0 or more, or None for all")
        if not 1 <= batch <= LARGEST_BATCH:
            raise AESGMemoryError(f"batch is {batch}, expected 1 to {LARGEST_BATCH}")
        head = expected_head(self._connection)[0]
        due = self._due(head.epoch)
        wanted = 0 if dry_run else due if limit is None else min(limit, due)
        gone = 0
        while gone < wanted:
            some = self._some(wanted - gone, batch, head)
            if not some:  # what is left of them was used meanwhile
                break
            gone += some
            if progress is not None:
                progress(gone, wanted)
        if gone and not self._procedures.has("prune"):  # which proves what it did
            self._prove()
        return Pruned(gone, due, dry_run)

    def _some(self, most: int, batch: int, head: MemoryHead) -> int:
        """Remove some of what is due, at most so many; how many went."""
        return self._procedures.chosen(
            "prune",
            lambda: self._by_procedure(min(CALL, most), batch),
            lambda: self._in_cypher(min(batch, most), head.epoch, head.incarnation),
        )

    def _by_procedure(self, limit: int, batch: int) -> int:
        params = {"limit": limit, "batch": batch}

        def work(transaction: Transaction) -> int:
            return int(transaction.rows(cypher("prune_procedure"), memory=self._memory, params=params)[0][0])

        usual = self._connection.settings.request_timeout
        return self._connection.write("prune", work, PATIENCE, silence=usual * PATIENCE)

    def _in_cypher(self, batch: int, epoch: int, incarnation: int) -> int:
        known = {"memory": self._memory, "epoch": epoch}
        types = list(self._procedures.relations.names)

        def work(transaction: Transaction) -> int:
            transaction.send(cypher("writer_lock"), memory=self._memory, writer=HANDS).done()
            ids, near = transaction.rows(cypher("prune_candidates"), batch=batch, **known)[0]
            touched = distinct(ids_array(ids + near)).tolist()
            transaction.send(cypher("concepts_lock"), memory=self._memory, ids=touched).done()
            rows = transaction.rows(cypher("prune"), ids=ids, types=types, incarnation=incarnation, **known)
            return int(rows[0][0]) if rows else 0

        return self._connection.write("prune", work, PATIENCE)

    def consolidate(
        self, prune: bool = True, batch: int = BATCH, progress: Callable[[int, int], None] | None = None
    ) -> Consolidated:
        """Begin the next epoch and prune what is due in it, at most ``max_prune_fraction`` of the memory.

        AESGStorageError, with nothing changed, while another process has the lease: consolidation is its business.
        """
        head = expected_head(self._connection)[0]
        before, fraction = head.epoch, AESGConfig.from_json(head.config).max_prune_fraction
        epoch = self._procedures.chosen("consolidate", lambda: self._call(before), lambda: self._begin(before))
        if not self._procedures.has("consolidate"):
            self._prove()
        due, concepts = self._due(epoch), self._counted()
        quota = math.floor(fraction * concepts + ROUNDING)
        gone = self.prune(quota, batch=batch, progress=progress).pruned if prune and due and quota else 0
        return Consolidated(epoch, gone, due)

    def _call(self, before: int) -> int:
        def work(transaction: Transaction) -> int:
            now = self._epoch(transaction)
            if now != before:  # the answer to an attempt that succeeded was lost
                return now
            return int(transaction.rows(cypher("consolidate_procedure"), memory=self._memory)[0][0])

        return self._connection.write("consolidate", work, PATIENCE)

    def _begin(self, before: int) -> int:
        def work(transaction: Transaction) -> int:
            for statement in ("lease_lock", "memory_lock"):
                transaction.send(cypher(statement), memory=self._memory).done()
            transaction.send(cypher("writer_lock"), memory=self._memory, writer=HANDS).done()
            now = self._epoch(transaction)
            if now != before:
                return now
            rows = transaction.rows(cypher("consolidate"), memory=self._memory, epoch=before)
            if not rows:
                self._refuse(transaction)
            return int(rows[0][0])

        return self._connection.write("consolidate", work)

    def _refuse(self, transaction: Transaction) -> None:
        holder, _, seconds = transaction.rows(cypher("lease_holder"), memory=self._memory)[0]
        raise AESGStorageError(
            f"Cannot consolidate {place(self._connection.settings)}: the process {holder!r} looks after it, and "
            f"consolidation is its business; expected a lease that is free or has run out (this one has {seconds:.0f} "
            "s left). Nothing was changed"
        )

    def _epoch(self, transaction: Transaction) -> int:
        return int(transaction.rows(cypher("memory_head"), memory=self._memory)[0][2])

    def _due(self, epoch: int) -> int:
        return int(self._read("due_count", epoch=epoch)[0][0])

    def _counted(self) -> int:
        return int(self._read("count")[0][0])

    def _read(self, statement: str, **parameters: Any) -> list[list[Any]]:
        return self._connection.read("read", lambda t: t.rows(cypher(statement), memory=self._memory, **parameters))

    def _prove(self) -> None:
        self._connection.write("prune", lambda t: correcting.prove(t, self._memory))
