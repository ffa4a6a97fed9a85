"""Blocks of arcs: allocation by size class, and what can be done to one block. Compiled; everything here is called by
the kernels in ``linking`` and ``leaving``.

A block has room for a power of two of arcs. A freed block goes to its class's list, whose links are in the slab itself.
The order of arcs within a block has no meaning.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from aesg_graph.cache.layout import HEADS, HELD, SMALLEST_CLASS, TAIL, Slots
from aesg_graph.concepts import Doubles, Floats, Ids, Ints


class Blocks(NamedTuple):
    """Whose block of arcs lies where: what the kernels need of a slot."""

    ids: Ids
    start: Ints
    degree: Slots
    room: npt.NDArray[np.int8]
    pending: Ints
    modified_at: Doubles


class Arcs(NamedTuple):
    """The slab of arcs."""

    neighbour_ids: Ids
    neighbour_slots: Slots
    weights: Floats
    arcs: npt.NDArray[np.uint16]
    wear: npt.NDArray[Any]


@njit(cache=True, nogil=True)
def stamp(blocks: Blocks, slot: int, sequence: int, at: float) -> None:
    """A lesson of journal batch ``sequence``, recorded at ``at``, has changed a row or its edges."""
    blocks.pending[slot] = max(blocks.pending[slot], sequence)
    blocks.modified_at[slot] = at


@njit(cache=True, nogil=True)
def copy_arc(arcs: Arcs, source: int, target: int) -> None:
    """Overwrite one arc with another."""
    arcs.neighbour_ids[target] = arcs.neighbour_ids[source]
    arcs.neighbour_slots[target] = arcs.neighbour_slots[source]
    arcs.weights[target] = arcs.weights[source]
    arcs.arcs[target] = arcs.arcs[source]
    arcs.wear[target] = arcs.wear[source]


@njit(cache=True, nogil=True)
def size_class(count: int) -> int:
    """The class of the smallest block that holds so many arcs."""
    result = SMALLEST_CLASS
    while (1 << result) < count:
        result += 1
    return result


@njit(cache=True, nogil=True)
def take_block(arcs: Arcs, state: Ints, room: int) -> int:
    """The start of a free block of a class, -1 if the slab has none left."""
    head = HEADS + room
    size = 1 << room
    if state[head]:
        start = int(state[head]) - 1
        state[head] = arcs.neighbour_ids[start]
    elif state[TAIL] + size <= len(arcs.arcs):
        start = int(state[TAIL])
        state[TAIL] += size
    else:
        return -1
    state[HELD] += size
    return start


@njit(cache=True, nogil=True)
def give_block(blocks: Blocks, arcs: Arcs, state: Ints, slot: int) -> None:
    """Free a slot's block, if it has one."""
    room = blocks.room[slot]
    if room:
        start = blocks.start[slot]
        arcs.neighbour_ids[start] = state[HEADS + room]
        state[HEADS + room] = start + 1
        state[HELD] -= 1 << room
        blocks.room[slot] = 0


@njit(cache=True, nogil=True)
def ensure(blocks: Blocks, arcs: Arcs, state: Ints, slot: int, count: int) -> bool:
    """Give a slot a block with room for ``count`` arcs in all; False, with nothing changed, if the slab is full."""
    room = blocks.room[slot]
    if count == 0 or (room and count <= (1 << room)):
        return True
    larger = size_class(count)
    start = take_block(arcs, state, larger)
    if start < 0:
        return False
    for i in range(blocks.degree[slot]):
        copy_arc(arcs, blocks.start[slot] + i, start + i)
    give_block(blocks, arcs, state, slot)
    blocks.start[slot] = start
    blocks.room[slot] = larger
    return True


@njit(cache=True, nogil=True)
def place_of(blocks: Blocks, arcs: Arcs, slot: int, neighbour: int, arc: int) -> int:
    """Where in the slab a slot's arc to a concept is, -1 if it has none."""
    start = int(blocks.start[slot])
    for i in range(start, start + int(blocks.degree[slot])):
        if arcs.neighbour_ids[i] == neighbour and arcs.arcs[i] == arc:
            return i
    return -1


@njit(cache=True, nogil=True)
def erase(blocks: Blocks, arcs: Arcs, slot: int, place: int) -> None:
    """Remove the arc at a place; the block's last one takes it."""
    last = blocks.start[slot] + blocks.degree[slot] - 1
    if place != last:
        copy_arc(arcs, last, place)
    blocks.degree[slot] -= 1


@njit(cache=True, nogil=True)
def new_place(blocks: Blocks, slot: int) -> int:
    """The place of one more arc in a slot's block, which must have room."""
    place = int(blocks.start[slot]) + int(blocks.degree[slot])
    blocks.degree[slot] += 1
    return place


@njit(cache=True, nogil=True)
def slide(blocks: Blocks, arcs: Arcs, owners: Ints) -> None:
    """Move the blocks of ``owners``, which come in the order of their starts, to the front without gaps."""
    tail = 0
    for slot in owners:
        start = blocks.start[slot]
        if start != tail:
            for i in range(blocks.degree[slot]):
                copy_arc(arcs, start + i, tail + i)
            blocks.start[slot] = tail
        tail += 1 << blocks.room[slot]


@njit(cache=True, nogil=True)
def ensure_all(blocks: Blocks, arcs: Arcs, state: Ints, slots: Slots, more: Slots, first: int) -> int:
    """Make room for ``more[i]`` more arcs in ``slots[i]``, from i = ``first``; where the slab ran out, or the end."""
    for i in range(first, len(slots)):
        if not ensure(blocks, arcs, state, slots[i], blocks.degree[slots[i]] + more[i]):
            return i
    return len(slots)
