"""Asking again about what a first look found amiss, before anybody is told of it or mends it.

Where others write meanwhile, two reads are of two moments. So each question is asked in the order that tells a
disagreement from what is on its way:

- A vector without a concept may belong to a transaction that is still to come. It is superfluous only if its writer's
  sequence, read after the vector, has reached the vector's own (or nobody is that writer any more), and its concept is
  absent still after that.
- A concept without a vector may have been removed since. It has lost its vector only if it is there after its vector
  was looked for in vain.
- A vector of another version, kind or region than its concept may be one step ahead of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Flags, Ids, VectorTable, among, without
from aesg_graph.stores.abc import NO_IDS, RETIRED, GraphStore, Labelled, Shared, VectorStore
from aesg_graph.sync.findings import Kind

ALONE = 1 << 62
"""Beyond every sequence: what a writer whom nobody will be again has reached."""


@dataclass(frozen=True)
class Superfluous:
    """Vectors without a concept: of concepts that never were, of removed ones, and those that are on their way."""

    orphans: Ids
    remains: Ids
    ahead: Ids


class SecondLook:
    """Graph and vectors asked again. ``done``: how far the writers are where the graph store has but one."""

    def __init__(self, graph: GraphStore, vectors: VectorStore, done: dict[int, int]) -> None:
        self._graph, self._vectors, self._done = graph, vectors, done

    def ask(self, kind: Kind, ids: Ids) -> dict[Kind, Ids]:
        """What is left of a finding about ``ids``; a vector without a concept may be one of three things."""
        match kind:
            case Kind.LOST:
                return {kind: self.lost(ids)}
            case Kind.VERSION:
                return {kind: self.other_version(ids)}
            case Kind.PAYLOAD:
                return {kind: self.other_payload(ids)}
            case _:
                alone = self.superfluous(ids)
                return {Kind.ORPHANS: alone.orphans, Kind.REMAINS: alone.remains, Kind.AHEAD: alone.ahead}

    def superfluous(self, ids: Ids) -> Superfluous:
        """Which of ``ids`` are vectors without a concept."""
        points = self._vectors.fetch(ids)
        reached = self._reached(points)
        absent = self._graph.absent(points.ids)
        past = absent[among(absent, points.ids[reached])]
        removed = self._graph.tombstones(past).ids if past.size else NO_IDS
        return Superfluous(without(past, removed), removed, without(absent, past))

    def lost(self, ids: Ids) -> Ids:
        """Which of the concepts ``ids`` lack a vector."""
        missing = without(ids, self._there(ids))
        return without(missing, self._graph.absent(missing)) if missing.size else missing

    def other_version(self, ids: Ids) -> Ids:
        """Which concepts' vectors name another version, though their writer is past them."""
        points = self._vectors.fetch(ids)
        reached = self._reached(points)
        rows = self._graph.read(points.ids, edges=False).concepts
        there = np.searchsorted(points.ids, rows.ids)
        unlike: Ids = rows.ids[(rows.versions != points.versions[there]) & reached[there]]
        return unlike

    def other_payload(self, ids: Ids) -> Ids:
        """Which concepts' vectors name another kind or region."""
        if not isinstance(self._vectors, Labelled):
            return NO_IDS
        labelled, kinds, regions = self._vectors.labels(ids)
        rows = self._graph.read(labelled, edges=False).concepts
        there = np.searchsorted(labelled, rows.ids)
        unlike = np.array([kinds[t] != kind for t, kind in zip(there.tolist(), rows.kinds, strict=True)], np.bool_)
        found: Ids = rows.ids[unlike | (regions[there] != rows.region_id)]
        return found

    def _there(self, ids: Ids) -> Ids:
        return self._vectors.labels(ids)[0] if isinstance(self._vectors, Labelled) else self._vectors.fetch(ids).ids

    def _reached(self, points: VectorTable) -> Flags:
        """Whose writer has carried out, refused, or given up what the vector belongs to; asked for now."""
        done = self._positions()
        past = [done.get(writer, ALONE) for writer in points.writers.tolist()]
        return np.asarray(np.array(past, np.int64) >= points.sequences)

    def _positions(self) -> dict[int, int]:
        if not isinstance(self._graph, Shared):
            return self._done
        return {p.id: p.sequence if p.incarnation != RETIRED else ALONE for p in self._graph.positions()}
