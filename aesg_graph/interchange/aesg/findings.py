"""What was found amiss in files of `aesg`, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FIRST = 5
"""So many examples are told of each finding."""

TOLD = {
    "inactive": "concepts that aesg had pruned or merged: left out",
    "damaged": "records of concepts that make no sense: left out",
    "not_finite": "concepts whose vector has NaN or infinity: left out",
    "zero_vector": "concepts whose vector is zero, which has no direction: left out",
    "put_right": "concepts with one field that makes no sense (time, state, relevance): kept, the field put right",
    "repeated": "records that say the same id and vector again: one is kept, the one used most",
    "same_id": "ids that several concepts share, with vectors that differ: all are kept, edges go to the one used most",
    "lost": "ids that the event log says were created, and that no record has: lost before this",
    "dangling": "edges to an id that no record has: left out",
    "edge_inactive": "edges of concepts that aesg had pruned or merged: left out",
    "edge_left_out": "edges of concepts that are left out here: left out too",
    "self_loop": "edges from a concept to itself: left out",
    "edge_damaged": "edges whose weight is NaN or infinite: left out",
    "clipped": "edges whose weight or confidence is outside 0 to 1: kept, and clipped",
    "joined": "edges beside another one of the same two concepts: one is left, with the greatest weight and all uses",
    "list_cycle": "edges in a list that goes round in a circle: read by their records",
    "list_past_end": "lists that lead past the last edge: read by their records",
    "list_astray": "lists that lead into the list of another concept: read by their records",
    "list_unreached": "edges that no list leads to: read by their records",
    "nodes_cut": "bytes at the end of nodes.aesg that are no whole record: the file was cut",
    "edges_cut": "bytes at the end of edges.aesg that are no whole record: the file was cut",
    "log_torn": "bytes at the end of evolution.aesglog that are no whole record",
    "log_damaged": "records of evolution.aesglog of an unknown type",
    "no_edges": "file missing, edges.aesg: concepts come without edges",
    "meta_absent": "file missing, meta.npy: the dimension follows from the records",
    "meta_unreadable": "file unreadable, meta.npy: the dimension follows from the records",
    "meta_stale": "nodes more or fewer in the file than meta.npy says, which is out of date",
    "meta_wrong": "file wrong, meta.npy: it says another dimension than the records, which are believed",
}
"""What each finding means, in words that follow a count."""


@dataclass(frozen=True)
class Finding:
    """One kind of thing that was found. ``first``: ids (of edges: their sources) of the first few, where it has any."""

    what: str
    count: int
    first: tuple[int, ...] = ()

    @property
    def told(self) -> str:
        """It in words."""
        return TOLD[self.what]


class Findings:
    """Collects findings; those of one kind become one."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def add(self, what: str, count: int, ids: npt.ArrayLike = ()) -> None:
        """So many more; 0 is nothing."""
        if not count:
            return
        before = self._found.get(what, Finding(what, 0))
        first = (*before.first, *np.asarray(ids, np.uint64).reshape(-1)[:FIRST].tolist())[:FIRST]
        self._found[what] = Finding(what, before.count + int(count), first)

    def all(self) -> tuple[Finding, ...]:
        """In the order in which they are explained above."""
        return tuple(self._found[what] for what in TOLD if what in self._found)
