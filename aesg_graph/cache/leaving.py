"""Kernels for concepts that leave the cache, and for edges that change their owner."""

from __future__ import annotations

from numba import njit

from aesg_graph.cache.blocks import Arcs, Blocks, copy_arc, erase, give_block, new_place, place_of, stamp
from aesg_graph.cache.index import find_one
from aesg_graph.cache.layout import (
    BACKWARD,
    EDGES,
    FORWARD,
    FREE_SLOT,
    NO_SLOT,
    RESIDENT,
    SLOTS,
    UNLOADED,
    Marks,
    Slots,
)
from aesg_graph.concepts import NO_ID, Flags, Ids, Ints

LEAVING = 1
"""Mark of a slot whose edges are being dropped. (``linking.INSERTED`` is the same: its old edges leave.)"""
CLEARED = 2
"""Mark of a slot whose block no longer names what is leaving."""
WARMED = 4
"""Mark of a slot whose block no longer names an inserted concept as one that is not resident."""


@njit(cache=True, nogil=True)
def detach(
    blocks: Blocks, arcs: Arcs, state: Ints, marks: Marks, slots: Slots, cool: bool, sequence: int, at: float
) -> None:
    """Empty the blocks of ``slots``, which are marked LEAVING, and take their edges out of their neighbours' blocks.

    With ``cool`` the neighbours keep these edges, as edges to a concept that is not resident. Otherwise they have lost
    them in journal batch ``sequence``, recorded at ``at`` (0: by reading, not by a lesson).
    """
    for slot in slots:
        for i in range(blocks.start[slot], blocks.start[slot] + blocks.degree[slot]):
            n = arcs.neighbour_slots[i]
            if n < 0:
                state[EDGES] -= 1
            elif marks[n] & LEAVING:
                state[EDGES] -= arcs.arcs[i] & 1 == FORWARD
            else:
                state[EDGES] -= not cool
                if not marks[n] & CLEARED:
                    marks[n] |= CLEARED
                    _clear(blocks, arcs, marks, n, cool)
                    if sequence > 0:
                        stamp(blocks, n, sequence, at)
    for slot in slots:
        blocks.degree[slot] = 0


@njit(cache=True, nogil=True)
def _clear(blocks: Blocks, arcs: Arcs, marks: Marks, slot: int, cool: bool) -> None:
    first = blocks.start[slot]
    for i in range(first + blocks.degree[slot] - 1, first - 1, -1):
        n = arcs.neighbour_slots[i]
        if n >= 0 and marks[n] & LEAVING:
            if cool:
                arcs.neighbour_slots[i] = NO_SLOT
            else:
                erase(blocks, arcs, slot, i)


@njit(cache=True, nogil=True)
def drop_cold(blocks: Blocks, arcs: Arcs, state: Ints, table: Slots, marks: Marks, ends: Slots) -> None:
    """Take edges to concepts that are marked, but were not resident, out of the blocks of ``ends`` (NO_SLOT: none)."""
    for slot in ends:
        if slot < 0 or marks[slot] & (LEAVING | WARMED):
            continue
        marks[slot] |= WARMED
        first = blocks.start[slot]
        for i in range(first + blocks.degree[slot] - 1, first - 1, -1):
            if arcs.neighbour_slots[i] < 0:
                n = find_one(table, blocks.ids, arcs.neighbour_ids[i])
                if n >= 0 and marks[n] & LEAVING:
                    erase(blocks, arcs, slot, i)
                    state[EDGES] -= 1


@njit(cache=True, nogil=True)
def free(blocks: Blocks, arcs: Arcs, state: Ints, slots: Slots) -> None:
    """Free slots whose blocks are empty and that the index no longer has."""
    for slot in slots:
        blocks.ids[slot] = NO_ID
        give_block(blocks, arcs, state, slot)
        blocks.degree[slot] = UNLOADED
        blocks.start[slot] = state[FREE_SLOT]
        state[FREE_SLOT] = slot + 1
    state[RESIDENT] -= len(slots)


@njit(cache=True, nogil=True)
def occupy(blocks: Blocks, state: Ints, slots: Slots) -> None:
    """Pick as many slots as ``slots`` is long, freed ones first. They get empty edge lists, and no id yet."""
    for i in range(len(slots)):
        if state[FREE_SLOT]:
            slot = state[FREE_SLOT] - 1
            state[FREE_SLOT] = blocks.start[slot]
        else:
            slot = state[SLOTS]
            state[SLOTS] += 1
        blocks.start[slot] = 0
        blocks.degree[slot] = 0
        blocks.room[slot] = 0
        slots[i] = slot
    state[RESIDENT] += len(slots)


@njit(cache=True, nogil=True)
def _combine(arcs: Arcs, place: int, other: int) -> None:
    """Two parallel edges become one: the greatest weight, summed uses."""
    arcs.weights[place] = max(arcs.weights[place], arcs.weights[other])
    mine, other_wear = arcs.wear[place], arcs.wear[other]
    mine.use_count += other_wear.use_count
    mine.confidence = max(mine.confidence, other_wear.confidence)
    mine.touched_epoch = max(mine.touched_epoch, other_wear.touched_epoch)
    mine.created_at = min(mine.created_at, other_wear.created_at)


@njit(cache=True, nogil=True)
def rehang(
    blocks: Blocks, arcs: Arcs, state: Ints, old: int, new: int, only: Ids, symmetric: Flags, sequence: int, at: float
) -> None:
    """Give slot ``old``'s edges to slot ``new``, whose block has room: all, or those to the sorted ids ``only``.

    What would become a self-loop vanishes; what becomes parallel to an edge of ``new`` is combined with it.
    """
    i = blocks.start[old] + blocks.degree[old] - 1
    while i >= blocks.start[old]:
        neighbour, n = arcs.neighbour_ids[i], arcs.neighbour_slots[i]
        if len(only) == 0 or _contains(only, neighbour):
            arc = arcs.arcs[i]
            turned = arc
            if symmetric[arc >> 1]:
                turned = (arc & ~1) | (FORWARD if blocks.ids[new] < neighbour else BACKWARD)
            _move(blocks, arcs, state, old, new, i, n, arc, turned)
            erase(blocks, arcs, old, i)
            if n >= 0:
                stamp(blocks, n, sequence, at)
        i -= 1


@njit(cache=True, nogil=True)
def _move(
    blocks: Blocks, arcs: Arcs, state: Ints, old: int, new: int, place: int, n: int, arc: int, turned: int
) -> None:
    """Copy the arc at ``place`` from ``old`` to ``new``, and let the neighbour's own arc follow."""
    neighbour = arcs.neighbour_ids[place]
    back = place_of(blocks, arcs, n, blocks.ids[old], arc ^ 1) if n >= 0 else -1
    if n == new:
        if back >= 0:
            erase(blocks, arcs, n, back)
        state[EDGES] -= 1
        return
    there = place_of(blocks, arcs, new, neighbour, turned)
    if there < 0:
        there = new_place(blocks, new)
        copy_arc(arcs, place, there)
        arcs.arcs[there] = turned
        if back >= 0:
            arcs.neighbour_ids[back] = blocks.ids[new]
            arcs.neighbour_slots[back] = new
            arcs.arcs[back] = turned ^ 1
        return
    _combine(arcs, there, place)
    state[EDGES] -= 1
    if back >= 0:
        parallel = place_of(blocks, arcs, n, blocks.ids[new], turned ^ 1)
        if parallel >= 0:
            _combine(arcs, parallel, back)
        erase(blocks, arcs, n, back)


@njit(cache=True, nogil=True)
def _contains(ids: Ids, concept: int) -> bool:
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        if ids[middle] < concept:
            low = middle + 1
        else:
            high = middle
    return low < len(ids) and ids[low] == concept
