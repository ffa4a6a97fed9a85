"""A last look before trusting files that call themselves clean: no number in them may lead a kernel outside."""

from __future__ import annotations

from numba import njit

from aesg_graph.cache.blocks import Arcs, Blocks
from aesg_graph.cache.layout import FREE_SLOT, HEADS, HELD, RESIDENT, SIZE_CLASSES, SLOTS, TAIL, Slots
from aesg_graph.concepts import Ints


@njit(cache=True, nogil=True)
def plausible(blocks: Blocks, arcs: Arcs, table: Slots, state: Ints) -> bool:
    """Whether slots, blocks, free lists and index are consistent in themselves."""
    slots, tail = state[SLOTS], state[TAIL]
    if not (0 <= slots <= len(blocks.ids) and 0 <= tail <= len(arcs.arcs)):
        return False
    return _slots(blocks, arcs, state) and _free(blocks, arcs, state) and _index(table, state)


@njit(cache=True, nogil=True)
def _slots(blocks: Blocks, arcs: Arcs, state: Ints) -> bool:
    slots, tail = state[SLOTS], state[TAIL]
    resident = held = 0
    for slot in range(slots):
        if blocks.ids[slot] < 0:
            continue
        resident += 1
        room, degree, start = blocks.room[slot], blocks.degree[slot], blocks.start[slot]
        if not 0 <= room < SIZE_CLASSES:
            return False
        size = (1 << room) if room else 0
        held += size
        if not 0 <= degree <= size or (room and not 0 <= start <= tail - size):
            return False
        for i in range(start, start + degree):
            if not -1 <= arcs.neighbour_slots[i] < slots:
                return False
    return bool(resident == state[RESIDENT] and held == state[HELD])


@njit(cache=True, nogil=True)
def _free(blocks: Blocks, arcs: Arcs, state: Ints) -> bool:
    free, following = 0, state[FREE_SLOT]
    while following != 0:
        free += 1
        if not 1 <= following <= state[SLOTS] or free > state[SLOTS]:
            return False
        following = blocks.start[following - 1]
    if free != state[SLOTS] - state[RESIDENT]:
        return False
    unused = 0
    for size_class in range(SIZE_CLASSES):
        following = state[HEADS + size_class]
        while following != 0:
            unused += 1 << size_class
            if not 1 <= following <= state[TAIL] or unused > state[TAIL]:
                return False
            following = arcs.neighbour_ids[following - 1]
    return bool(unused + state[HELD] == state[TAIL])


@njit(cache=True, nogil=True)
def _index(table: Slots, state: Ints) -> bool:
    if len(table) == 0 or len(table) & (len(table) - 1):
        return False
    entries = 0
    for entry in table:
        if not 0 <= entry <= state[SLOTS]:
            return False
        entries += entry != 0
    return bool(entries == state[RESIDENT] and 2 * entries <= len(table))
