"""Reading what batches name into the working copy, under lock: concepts, what became of the absent ones, edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from aesg_graph.concepts import NO_ID, Ids, Ints, Relations, among, distinct, without
from aesg_graph.stores.abc import NO_IDS
from aesg_graph.stores.neo4j.connecting import Transaction
from aesg_graph.stores.neo4j.naming import Named, ranges
from aesg_graph.stores.neo4j.rows import expect_whole, whole_edges
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.neo4j.working import WorkingCopy

NEEDED = (1, 2, 3, 4, 5, 8, 10, 11)
"""Columns of ``concepts_lives`` that no concept lacks; expiry, fading, region and texts follow or may be absent."""


class Loading:
    """One loading under way."""

    def __init__(self, transaction: Transaction, memory: str, relations: Relations, copy: WorkingCopy) -> None:
        self._transaction, self._memory, self._copy = transaction, memory, copy
        self._types = set(relations.names)
        self._heirs: dict[int, int] = {}
        self._present = NO_IDS

    def load(self, named: Named) -> None:
        """Load what the batches name, and what follows from it."""
        existing = named.existing(self._taken(named.born))
        heirs = self._lock_with_heirs(existing)
        lives = np.concatenate([named.lives, heirs, self._among_taken(named.born)])
        whole = named.whole
        if heirs.size and whole.size:
            whole = distinct(np.concatenate([whole, heirs]))
        edges, neighbours = self._whole_edges(self._here(whole))
        edges += self._edges_between(named.pairs, whole)
        self._lock(without(neighbours, self._present))
        self._load_concepts(self._here(distinct(lives)), self._here(named.described))
        self._copy.load_edges(edges)
        self._copy.loaded()

    def _taken(self, born: Ids) -> Ids:
        """Which of the ids to be born are or were in use. Runs of ids cost as much as single ones."""
        if not born.size:
            return NO_IDS
        return _column(self._rows("ids_taken", ranges=ranges(born)))

    def _among_taken(self, born: Ids) -> Ids:
        return self._present[among(self._present, born)] if born.size else NO_IDS

    def _here(self, ids: Ids) -> Ids:
        return ids[among(ids, self._present)]

    def _rows(self, statement: str, **parameters: Any) -> list[list[Any]]:
        return self._transaction.rows(cypher(statement), memory=self._memory, **parameters)

    def _collected(self, statement: str, **parameters: Any) -> list[Any]:
        return self._transaction.send(cypher(statement), memory=self._memory, **parameters).collected()

    def _lock(self, ids: Ids) -> Ids:
        """Write-lock concepts; those that exist. Only what is locked counts as existing."""
        if not ids.size:
            return NO_IDS
        locked = distinct(np.array(self._collected("concepts_lock", ids=ids.tolist()), np.int64))
        self._present = np.union1d(self._present, locked)
        return locked

    def _lock_with_heirs(self, ids: Ids) -> Ids:
        """Lock concepts, and those that the absent ones merged into; the latter."""
        found = NO_IDS
        while True:
            absent = without(ids, self._lock(ids))
            if not absent.size:
                return found
            rows = self._rows("removed_read", ids=absent.tolist())
            self._copy.load_removed([(row[0], None if row[1] == NO_ID else row[1]) for row in rows])
            merged = {row[0]: row[1] for row in rows if row[1] != NO_ID}
            self._heirs |= merged
            ids = without(np.array(list(merged.values()), np.int64), self._present)
            found = np.concatenate([found, np.array(list(merged.values()), np.int64)])

    def _resolved(self, ids: Ids) -> Ids:
        """What each id means today as far as tombstones say."""
        if not self._heirs:
            return ids
        resolved = ids.copy()
        for place, id in enumerate(ids.tolist()):
            while id in self._heirs:
                id = self._heirs[id]
            resolved[place] = id
        return resolved

    def _whole_edges(self, ids: Ids) -> tuple[list[list[Any]], Ids]:
        """Every edge of some concepts, and who is at its ends."""
        if not ids.size:
            return [], NO_IDS
        rows = self._declared(self._collected("edges_read", ids=ids.tolist()))
        return rows, distinct(np.array([row[:2] for row in rows], np.int64).reshape(-1))

    def _edges_between(self, pairs: Ints, whole: Ids) -> list[list[Any]]:
        """The edges that exist between pairs, unless they are known already."""
        ends = self._resolved(pairs.reshape(-1)).reshape(-1, 2)
        known = ends[:, 0] == ends[:, 1]
        for column in ends.T:
            known |= ~among(column, self._present) | among(column, whole)
        ends = ends[~known]
        if not len(ends):
            return []
        ends = np.unique(np.sort(ends, axis=1), axis=0)
        return self._declared(
            self._collected("edges_between", sources=ends[:, 0].tolist(), targets=ends[:, 1].tolist())
        )

    def _declared(self, rows: list[list[Any]]) -> list[list[Any]]:
        """Without relationships that people drew themselves."""
        return whole_edges(self._transaction, self._memory, self._types, rows)

    def _load_concepts(self, lives: Ids, described: Ids) -> None:
        for ids, texts in ((without(lives, described), False), (described, True)):
            if ids.size:
                rows = self._collected("concepts_lives", ids=ids.tolist(), texts=texts)
                expect_whole(self._memory, [row[0] for row in rows if any(row[i] is None for i in NEEDED)])
                self._copy.load_lives(rows)
        self._copy.load_ends(without(self._present, np.concatenate([lives, described])))


def _column(rows: list[list[Any]]) -> Ids:
    return np.array([row[0] for row in rows], np.int64)
