"""The compiled inner loops of spreading activation; ``kernel`` is their face.

Everything here is arrays and loops: no allocation, no exception, no look at Python. All compiled functions live in
this one file, because the compiler's cache on disk looks at nothing else to see whether it is stale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from aesg_graph.activation.adjacency import NO_SLOT, UNKNOWN, Slots
from aesg_graph.concepts import NO_ID, NO_REGION, Doubles, Floats, Ids, Ints

F = TypeVar("F", bound=Callable[..., object])

TOTAL, CURRENT, NEXT = 0, 1, 2
"""Columns of ``Scratch.energy``: a node's activation, what reached it in the last pulse, and in this one."""
MISSING_ROWS, MISSING_EDGES, MISSING_PULSE, BAD_ARC = 0, 1, 2, 3
"""Places in ``Scratch.counts``: two lengths, the lowest pulse that missed something, one more than a bad arc code."""


def njit(function: F) -> F:
    """numba's, with a type: compile on the first call, keep the result on disk, let other threads run meanwhile."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


class Graph(NamedTuple):
    """The arrays of an Adjacency."""

    ids: Ids
    regions: Ints
    start: Ints
    degree: Slots
    neighbour_ids: Ids
    neighbour_slots: Slots
    weights: Floats
    arcs: npt.NDArray[np.uint16]


class Rules(NamedTuple):
    """SpreadParams and the gains [2 * types] by arc code; ``max_fanout`` below 0 means all."""

    gains: Doubles
    steps: int
    decay: float
    fan: float
    min_energy: float
    max_fanout: int
    region_multiplier: float


class Scratch(NamedTuple):
    """A worker's memory, clean between rows.

    Visited nodes are numbered in the order in which energy first reached them. Their numbers, 4 bytes a slot, are all
    that is looked up at random over the whole graph; the rest is as compact as the visited part of it.
    """

    number: Slots
    """int32[S]: one more than the node's number, 0 where the slot is not visited."""
    visited: Slots
    """int32[S]: the slot of each numbered node."""
    energy: Doubles
    """float64[S, 3], a row a numbered node."""
    strengths: Doubles
    """A bounded selection, the weakest on top: strength, then id, then arc decide; ``picks`` is what they stand for."""
    pick_ids: Ids
    pick_arcs: Ids
    picks: Ids
    missing_rows: Ids
    missing_edges: Ids
    counts: Ints


@njit
def bad_seed(ids: Ids, seed_slots: Slots, seed_energies: Doubles) -> int:
    """The place of the first seed [B, S] with a slot that holds no concept or an energy not finite and >= 0, or -1."""
    for row in range(seed_slots.shape[0]):
        for column in range(seed_slots.shape[1]):
            slot = seed_slots[row, column]
            if slot == NO_SLOT:
                continue
            if slot < 0 or slot >= len(ids) or ids[slot] == NO_ID:
                return int(row * seed_slots.shape[1] + column)
            energy = seed_energies[row, column]
            if not (energy >= 0.0 and energy < np.inf):
                return int(row * seed_slots.shape[1] + column)
    return -1


@njit
def spread_rows(
    graph: Graph,
    rules: Rules,
    seed_slots: Slots,
    seed_energies: Doubles,
    allowed: npt.NDArray[np.uint8],
    first: int,
    last: int,
    scratch: Scratch,
    result_slots: Slots,
    result_energies: Doubles,
    complete: npt.NDArray[np.bool_],
    visited: Ints,
) -> None:
    """Answer the rows from ``first`` to ``last`` (not included). What is missing goes into ``scratch``."""
    for row in range(first, last):
        count = _light(seed_slots[row], seed_energies[row], scratch)
        whole = True
        for pulse in range(1, rules.steps + 1):
            whole, count = _pulse(graph, rules, scratch, count)
            if not whole:
                lowest = scratch.counts[MISSING_PULSE]
                scratch.counts[MISSING_PULSE] = pulse if lowest == 0 else min(lowest, pulse)
                break
            _advance(scratch.energy, count)
        if whole:
            _strongest(graph.ids, allowed, scratch, count, result_slots[row], result_energies[row])
        complete[row] = whole
        visited[row] = count
        _clean(scratch, count)


@njit
def _light(seed_slots: Slots, seed_energies: Doubles, scratch: Scratch) -> int:
    """Give the seeds their energy; how many nodes have some."""
    count = 0
    for k in range(len(seed_slots)):
        energy = seed_energies[k]
        if seed_slots[k] == NO_SLOT or energy == 0.0:
            continue
        node = scratch.number[seed_slots[k]] - 1
        if node < 0:
            node = count
            count += 1
            scratch.number[seed_slots[k]] = count
            scratch.visited[node] = seed_slots[k]
            scratch.energy[node, TOTAL] = 0.0
            scratch.energy[node, CURRENT] = 0.0
            scratch.energy[node, NEXT] = 0.0
        scratch.energy[node, TOTAL] += energy
        scratch.energy[node, CURRENT] += energy
    return count


@njit
def _pulse(graph: Graph, rules: Rules, scratch: Scratch, count: int) -> tuple[bool, int]:
    """Every node with energy passes it on. Whether nothing was missing, and the new number of visited nodes.

    Nodes pass in the order of their numbers, so that sums depend on nothing but the row's own seeds.
    """
    # One long function over plain names, on purpose: an array that comes out of a tuple or goes into a call has its
    # references counted, atomically, and in these loops that takes twice as long as all the rest.
    ids, regions, starts, degrees, neighbour_ids, neighbour_slots, weights, arcs = graph
    gains, _, decay, fan, min_energy, max_fanout, multiplier = rules
    number, visited, energy, strengths, pick_ids, pick_arcs, picks, missing_rows, missing_edges, counts = scratch
    whole = True
    _fetch(graph, scratch, count, min_energy)
    for node in range(count):
        x = energy[node, CURRENT]
        if x < min_energy or x == 0.0:
            continue
        slot = visited[node]
        start, degree = starts[slot], degrees[slot]
        if degree == UNKNOWN:
            _note(missing_edges, counts, MISSING_EDGES, ids[slot])
            whole = False
            continue
        region = regions[slot] if multiplier != 1.0 else NO_REGION
        limited = 0 <= max_fanout < degree
        picked = 0
        total = 0.0
        for entry in range(start, start + degree):
            arc = arcs[entry]
            if arc >= len(gains):
                counts[BAD_ARC] = arc + 1
                whole = False
                break
            strength = np.float64(weights[entry]) * gains[arc]
            if strength == 0.0:
                continue
            target = neighbour_slots[entry]
            if target == NO_SLOT:
                _note(missing_rows, counts, MISSING_ROWS, neighbour_ids[entry])
                whole = False
                continue
            if region != NO_REGION and regions[target] == region:
                strength *= multiplier
            if limited:
                id_ = neighbour_ids[entry]
                picked = _offer(strengths, pick_ids, pick_arcs, picks, picked, max_fanout, strength, id_, arc, entry)
            else:
                total += strength
        if not whole:  # the rest of this pulse is only searched for what else is missing
            continue
        for k in range(picked):
            total += strengths[k]
        share = x * decay / _divisor(total, fan)
        for k in range(picked if limited else degree):
            entry = picks[k] if limited else start + k
            target = neighbour_slots[entry]
            strength = np.float64(weights[entry]) * gains[arcs[entry]]
            if strength > 0.0 and region != NO_REGION and regions[target] == region:
                strength *= multiplier
            passed = share * strength
            if passed == 0.0:
                continue
            reached = number[target] - 1
            if reached < 0:
                reached = count
                count += 1
                number[target] = count
                visited[reached] = target
                energy[reached, TOTAL] = 0.0
                energy[reached, CURRENT] = 0.0
                energy[reached, NEXT] = 0.0
            energy[reached, NEXT] += passed
    return whole, count


@njit
def _fetch(graph: Graph, scratch: Scratch, count: int, min_energy: float) -> None:
    """Read where the blocks begin that a pulse is about to walk.

    The processor then waits for many of them at once, not for one after the other: a third less time where they are
    not in its cache.
    """
    starts, degrees, weights, arcs = graph.start, graph.degree, graph.weights, graph.arcs
    visited, energy = scratch.visited, scratch.energy
    seen = 0.0
    for node in range(count):
        slot = visited[node]
        if energy[node, CURRENT] >= min_energy and degrees[slot] > 0:
            seen += weights[starts[slot]] + arcs[starts[slot]]
    scratch.strengths[0] = seen  # or the compiler would see that nobody wants it


@njit
def _divisor(total: float, fan: float) -> float:
    if total <= 1.0 or fan == 0.0:
        return 1.0
    if fan == 0.5:
        return math.sqrt(total)
    if fan == 1.0:
        return total
    return math.pow(total, fan)


@njit
def _advance(energy: Doubles, count: int) -> None:
    """End a pulse: what arrived is what may be passed on."""
    for node in range(count):
        arrived = energy[node, NEXT]
        energy[node, TOTAL] += arrived
        energy[node, CURRENT] = arrived
        energy[node, NEXT] = 0.0


@njit
def _strongest(
    ids: Ids, allowed: npt.NDArray[np.uint8], scratch: Scratch, count: int, slots: Slots, energies: Doubles
) -> None:
    """Write the results of a row, strongest first; the places after the last stay as they are."""
    _, visited, energy, strengths, pick_ids, pick_arcs, picks, _, _, _ = scratch
    limit = len(slots)
    size = 0
    for node in range(count):
        total, slot = energy[node, TOTAL], visited[node]
        if size == limit and total < strengths[0]:
            continue  # spares the look-up of its id
        if len(allowed) == 0 or allowed[slot] != 0:
            size = _offer(strengths, pick_ids, pick_arcs, picks, size, limit, total, ids[slot], 0, int(slot))
    while size > 0:
        size -= 1
        slots[size] = np.int32(picks[0])
        energies[size] = strengths[0]
        last = strengths[size], pick_ids[size], pick_arcs[size], picks[size]
        _sink(strengths, pick_ids, pick_arcs, picks, size, *last)


@njit
def _clean(scratch: Scratch, count: int) -> None:
    number, visited = scratch.number, scratch.visited
    for node in range(count):
        number[visited[node]] = 0


@njit
def _note(missing: Ids, counts: Ints, which: int, id_: int) -> None:
    """Record an id while there is room; what finds none is found again by the next call."""
    if counts[which] < len(missing):
        missing[counts[which]] = id_
        counts[which] += 1


@njit
def _offer(
    strengths: Doubles,
    ids: Ids,
    arcs: Ids,
    picks: Ids,
    size: int,
    limit: int,
    strength: float,
    id_: int,
    arc: int,
    pick: int,
) -> int:
    """Put a candidate into the selection if it belongs to the ``limit`` strongest; the new size.

    The selection is a heap with the weakest on top. The stronger comes first, then the lower id, then the lower arc.
    """
    if size == limit:
        if limit > 0 and _before(strength, id_, arc, strengths[0], ids[0], arcs[0]):
            _sink(strengths, ids, arcs, picks, size, strength, id_, arc, pick)
        return size
    at = size
    while at > 0:
        parent = (at - 1) // 2
        if _before(strength, id_, arc, strengths[parent], ids[parent], arcs[parent]):
            break
        strengths[at], ids[at], arcs[at], picks[at] = strengths[parent], ids[parent], arcs[parent], picks[parent]
        at = parent
    strengths[at], ids[at], arcs[at], picks[at] = strength, id_, arc, pick
    return size + 1


@njit
def _sink(
    strengths: Doubles, ids: Ids, arcs: Ids, picks: Ids, size: int, strength: float, id_: int, arc: int, pick: int
) -> None:
    """Replace the top of a heap of ``size`` candidates."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and _before(
            strengths[child], ids[child], arcs[child], strengths[other], ids[other], arcs[other]
        ):
            child = other
        if _before(strengths[child], ids[child], arcs[child], strength, id_, arc):
            break
        strengths[at], ids[at], arcs[at], picks[at] = strengths[child], ids[child], arcs[child], picks[child]
        at = child
    strengths[at], ids[at], arcs[at], picks[at] = strength, id_, arc, pick


@njit
def _before(strength: float, id_: int, arc: int, strength_2: float, id_2: int, arc_2: int) -> bool:
    if strength != strength_2:
        return strength > strength_2
    if id_ != id_2:
        return id_ < id_2
    return arc < arc_2
