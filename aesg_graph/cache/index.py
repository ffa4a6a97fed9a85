"""From ids to slots: an open-addressing hash table in a mapped file, never a Python dict.

An entry is a slot + 1, and 0 is free, so that new file space is an empty table. The ids themselves are in the slots.
Linear probing over Fibonacci hashing (Knuth 6.4); deletion shifts what follows back, so there are no tombstones.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aesg_graph.cache.layout import Slots
from aesg_graph.concepts import Ids

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
SMALLEST = 256


def capacity_for(concepts: int) -> int:
    """The smallest table that is at most half full with so many concepts."""
    return max(SMALLEST, 1 << int(2 * concepts - 1).bit_length()) if concepts else SMALLEST


@njit(cache=True, nogil=True)
def _home(concept: int, mask: int) -> int:
    # The upper half of the product: its low bits are those of the id alone.
    return int((np.uint64(concept) * GOLDEN) >> np.uint64(32)) & mask


@njit(cache=True, nogil=True)
def find_one(table: Slots, ids: Ids, concept: int) -> int:
    """The slot of one concept, -1 if it is not resident."""
    mask = len(table) - 1
    place = _home(concept, mask)
    for _ in range(len(table)):
        slot = int(table[place]) - 1
        if slot < 0:
            return -1
        if slot < len(ids) and ids[slot] == concept:
            return slot
        place = (place + 1) & mask
    return -1


@njit(cache=True, nogil=True)
def find(table: Slots, ids: Ids, wanted: Ids, slots: Slots) -> None:
    """Set ``slots`` to where ``wanted`` are; -1 for what is not resident, and for negative ids."""
    for i in range(len(wanted)):
        slots[i] = find_one(table, ids, wanted[i]) if wanted[i] >= 0 else -1


@njit(cache=True, nogil=True)
def enter(table: Slots, ids: Ids, slots: Slots) -> None:
    """Enter slots whose ids are not in the table."""
    mask = len(table) - 1
    for slot in slots:
        place = _home(ids[slot], mask)
        while table[place] != 0:
            place = (place + 1) & mask
        table[place] = slot + 1


@njit(cache=True, nogil=True)
def leave(table: Slots, ids: Ids, slots: Slots) -> None:
    """Take slots out of the table; their ids must still be in place."""
    mask = len(table) - 1
    for slot in slots:
        place = _home(ids[slot], mask)
        for _ in range(len(table)):  # bounded, should a damaged table lack the slot
            if table[place] == slot + 1:
                break
            place = (place + 1) & mask
        if table[place] != slot + 1:
            continue
        hole = place
        place = (place + 1) & mask
        while table[place] != 0:
            home = _home(ids[table[place] - 1], mask)
            # What follows may move into the hole unless its home lies after the hole.
            if ((place - home) & mask) >= ((place - hole) & mask):
                table[hole] = table[place]
                hole = place
            place = (place + 1) & mask
        table[hole] = 0


@njit(cache=True, nogil=True)
def enter_all(table: Slots, ids: Ids) -> None:
    """Enter every slot that holds a concept, into an empty table."""
    mask = len(table) - 1
    for slot in range(len(ids)):
        if ids[slot] >= 0:
            place = _home(ids[slot], mask)
            while table[place] != 0:
                place = (place + 1) & mask
            table[place] = slot + 1
