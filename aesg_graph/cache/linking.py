"""Kernels that bring edges into the slab. Each returns where it stopped: the number of rows, or the row for which the
slab has no room. Nothing of that row has been done, so the caller grows the slab and goes on from there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from aesg_graph.cache.blocks import Arcs, Blocks, ensure, new_place, place_of, stamp
from aesg_graph.cache.index import find_one
from aesg_graph.cache.layout import BACKWARD, EDGES, FORWARD, NO_SLOT, SLOTS, Marks, Slots
from aesg_graph.concepts import Doubles, Flags, Floats, Ids, Ints
from aesg_graph.operations import WEAKNESS_KEPT

INSERTED = 1
"""Mark of a slot whose edge list is being replaced."""


@njit(cache=True, nogil=True)
def _is_inserted(marks: Marks, slot: int) -> bool:
    return slot >= 0 and marks[slot] & INSERTED != 0


@njit(cache=True, nogil=True)
def put(
    blocks: Blocks,
    arcs: Arcs,
    state: Ints,
    marks: Marks,
    source_slots: Slots,
    target_slots: Slots,
    sources: Ids,
    targets: Ids,
    types: Slots,
    weights: Floats,
    wear: npt.NDArray[Any],
    first: int,
) -> int:
    """Add edges as read from a store to the blocks of their resident ends, where one end at least is INSERTED.

    They must not be there yet. An end that is not resident has slot NO_SLOT.
    """
    for i in range(first, len(sources)):
        s, t = source_slots[i], target_slots[i]
        if sources[i] == targets[i] or not (_is_inserted(marks, s) or _is_inserted(marks, t)):
            continue
        if s >= 0 and not ensure(blocks, arcs, state, s, blocks.degree[s] + 1):
            return i
        if t >= 0 and not ensure(blocks, arcs, state, t, blocks.degree[t] + 1):
            return i
        if s >= 0:
            place = new_place(blocks, s)
            arcs.neighbour_ids[place] = targets[i]
            arcs.neighbour_slots[place] = t
            arcs.weights[place] = weights[i]
            arcs.arcs[place] = 2 * types[i] + FORWARD
            arcs.wear[place] = wear[i]
        if t >= 0:
            place = new_place(blocks, t)
            arcs.neighbour_ids[place] = sources[i]
            arcs.neighbour_slots[place] = s
            arcs.weights[place] = weights[i]
            arcs.arcs[place] = 2 * types[i] + BACKWARD
            arcs.wear[place] = wear[i]
        state[EDGES] += 1
    return len(sources)


@njit(cache=True, nogil=True)
def put_forward(
    blocks: Blocks,
    arcs: Arcs,
    state: Ints,
    source_slots: Slots,
    targets: Ids,
    types: Slots,
    weights: Floats,
    wear: npt.NDArray[Any],
    first: int,
) -> int:
    """Add edges to their sources' blocks alone; :func:`resolve` and :func:`mirror` do the rest when all are there."""
    for i in range(first, len(targets)):
        s = source_slots[i]
        if s < 0 or blocks.ids[s] == targets[i]:
            continue
        if not ensure(blocks, arcs, state, s, blocks.degree[s] + 1):
            return i
        place = new_place(blocks, s)
        arcs.neighbour_ids[place] = targets[i]
        arcs.neighbour_slots[place] = NO_SLOT
        arcs.weights[place] = weights[i]
        arcs.arcs[place] = 2 * types[i] + FORWARD
        arcs.wear[place] = wear[i]
        state[EDGES] += 1
    return len(targets)


@njit(cache=True, nogil=True)
def resolve(blocks: Blocks, arcs: Arcs, state: Ints, table: Slots, incoming: Slots) -> None:
    """Find the slots of all targets, and count how many edges come in at each slot."""
    for slot in range(state[SLOTS]):
        for i in range(blocks.start[slot], blocks.start[slot] + blocks.degree[slot]):
            t = find_one(table, blocks.ids, arcs.neighbour_ids[i])
            arcs.neighbour_slots[i] = t
            if t >= 0:
                incoming[t] += 1


@njit(cache=True, nogil=True)
def mirror(blocks: Blocks, arcs: Arcs, state: Ints) -> None:
    """Give every resolved target its arc back to the source; the blocks have room for it."""
    for slot in range(state[SLOTS]):
        # Arcs that are added on the way lie behind, and point backward.
        for i in range(blocks.start[slot], blocks.start[slot] + blocks.degree[slot]):
            t = arcs.neighbour_slots[i]
            if arcs.arcs[i] & 1 == BACKWARD or t < 0:
                continue
            place = new_place(blocks, t)
            arcs.neighbour_ids[place] = blocks.ids[slot]
            arcs.neighbour_slots[place] = slot
            arcs.weights[place] = arcs.weights[i]
            arcs.arcs[place] = arcs.arcs[i] | BACKWARD
            arcs.wear[place] = arcs.wear[i]


@njit(cache=True, nogil=True)
def _strengthen(arcs: Arcs, place: int, uses: int, epoch: int) -> None:
    arcs.weights[place] = 1.0 - (1.0 - arcs.weights[place]) * WEAKNESS_KEPT**uses
    arcs.wear[place].use_count += uses
    if epoch > arcs.wear[place].touched_epoch:
        arcs.wear[place].touched_epoch = epoch


@njit(cache=True, nogil=True)
def _bear(
    arcs: Arcs, place: int, neighbour: int, slot: int, arc: int, weight: float, uses: int, epoch: int, at: float
) -> None:
    arcs.neighbour_ids[place] = neighbour
    arcs.neighbour_slots[place] = slot
    arcs.arcs[place] = arc
    arcs.weights[place] = 1.0 - (1.0 - weight) * WEAKNESS_KEPT**uses
    arcs.wear[place].created_at = at
    arcs.wear[place].touched_epoch = epoch
    arcs.wear[place].use_count = uses
    arcs.wear[place].confidence = 1.0


class Pairs(NamedTuple):
    """M different pairs of residents to be linked, as seen from the owners of the blocks that are written."""

    owners: Slots
    others: Slots
    weights: Doubles
    uses: Ints
    exists: Flags
    """Whether the edge is there already."""

    def turned(self) -> Pairs:
        """The same pairs from the other side, sorted by their new owners."""
        order = np.argsort(self.others)
        columns = self.others, self.owners, self.weights, self.uses, self.exists
        return Pairs(*(column[order] for column in columns))  # type: ignore[arg-type]  # columns of different types


@njit(cache=True, nogil=True)
def find_linked(blocks: Blocks, arcs: Arcs, pairs: Pairs, arc: int) -> None:
    """Set ``exists``; ``arc`` is what the owners' blocks have for an edge of this type."""
    for i in range(len(pairs.owners)):
        owner, other = pairs.owners[i], pairs.others[i]
        # Both blocks hold an edge or neither does: look into the smaller one, the other may be a hub's.
        if blocks.degree[owner] <= blocks.degree[other]:
            pairs.exists[i] = place_of(blocks, arcs, owner, blocks.ids[other], arc) >= 0
        else:
            pairs.exists[i] = place_of(blocks, arcs, other, blocks.ids[owner], arc ^ 1) >= 0


@njit(cache=True, nogil=True)
def link(
    blocks: Blocks, arcs: Arcs, state: Ints, pairs: Pairs, arc: int, epoch: int, at: float, sequence: int, first: int
) -> int:
    """Carry out one side of a Link: in the blocks of the pairs' owners."""
    for i in range(first, len(pairs.owners)):
        owner, other = pairs.owners[i], pairs.others[i]
        if pairs.exists[i]:
            place = place_of(blocks, arcs, owner, blocks.ids[other], arc)
            if place >= 0:
                _strengthen(arcs, place, pairs.uses[i] + 1, epoch)
        else:
            if not ensure(blocks, arcs, state, owner, blocks.degree[owner] + 1):
                return i
            place = new_place(blocks, owner)
            _bear(arcs, place, blocks.ids[other], other, arc, pairs.weights[i], pairs.uses[i], epoch, at)
        stamp(blocks, owner, sequence, at)
    return len(pairs.owners)
