"""Kernels that bring edges into the slab. Each returns where it stopped: the number of rows, or the row for which the
slab has no room. Nothing of that row has been done, so the caller grows the slab and goes on from there.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import njit

from aesg_graph.cache.blocks import Arcs, Blocks, ensure, erase, new_place, place_of, stamp
from aesg_graph.cache.index import find_one
from aesg_graph.cache.layout import BACKWARD, EDGES, FORWARD, NO_SLOT, SLOTS, Marks, Slots
from aesg_graph.concepts import Doubles, Floats, Ids, Ints

INSERTED = 1
"""Mark of a slot whose edge list is being replaced."""
GROWTH = 0.9
"""One use of an edge leaves this share of what its weight lacks to 1."""


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
    arcs.weights[place] = 1.0 - (1.0 - arcs.weights[place]) * GROWTH**uses
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
    arcs.weights[place] = 1.0 - (1.0 - weight) * GROWTH**uses
    arcs.wear[place].created_at = at
    arcs.wear[place].touched_epoch = epoch
    arcs.wear[place].use_count = uses
    arcs.wear[place].confidence = 1.0


@njit(cache=True, nogil=True)
def _ends_of(blocks: Blocks, arcs: Arcs, s: int, t: int, arc: int) -> tuple[int, int]:
    """The places of an edge's two arcs, -1 and -1 if it is absent.

    The smaller block is looked into first: the other may be a hub's. Half an edge, which only a store that contradicts
    itself can have brought, is taken out, so that what follows makes a whole one.
    """
    forward, backward = (s, blocks.ids[t], arc), (t, blocks.ids[s], arc | BACKWARD)
    small, large = (forward, backward) if blocks.degree[s] <= blocks.degree[t] else (backward, forward)
    first = place_of(blocks, arcs, *small)
    if first < 0:
        return -1, -1
    second = place_of(blocks, arcs, *large)
    if second < 0:
        erase(blocks, arcs, small[0], first)
        return -1, -1
    return (first, second) if small[0] == s else (second, first)


@njit(cache=True, nogil=True)
def link(
    blocks: Blocks,
    arcs: Arcs,
    state: Ints,
    source_slots: Slots,
    target_slots: Slots,
    arc: int,
    symmetric: bool,
    weights: Doubles,
    uses: Ints,
    epoch: int,
    at: float,
    sequence: int,
    first: int,
) -> int:
    """Carry out a Link whose ends are all resident, row by row; ``arc`` is the type's forward arc."""
    for i in range(first, len(source_slots)):
        s, t = source_slots[i], target_slots[i]
        if s == t:
            continue
        if symmetric and blocks.ids[s] > blocks.ids[t]:
            s, t = t, s
        here, there = _ends_of(blocks, arcs, s, t, arc)
        if here >= 0:
            _strengthen(arcs, here, uses[i] + 1, epoch)
            _strengthen(arcs, there, uses[i] + 1, epoch)
        else:
            if not ensure(blocks, arcs, state, s, blocks.degree[s] + 1):
                return i
            if not ensure(blocks, arcs, state, t, blocks.degree[t] + 1):
                return i
            _bear(arcs, new_place(blocks, s), blocks.ids[t], t, arc, weights[i], uses[i], epoch, at)
            _bear(arcs, new_place(blocks, t), blocks.ids[s], s, arc | BACKWARD, weights[i], uses[i], epoch, at)
            state[EDGES] += 1
        stamp(blocks, s, sequence, at)
        stamp(blocks, t, sequence, at)
    return len(source_slots)
