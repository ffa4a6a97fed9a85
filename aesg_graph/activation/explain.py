"""The paths by which energy reached a concept.

What a spread adds up is a sum over paths: a seed's energy times one factor an arc. So a concept's activation is its own
seed energy plus the energies of all paths that end there, and the strongest few tell a person why it was recalled.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aesg_graph.activation.adjacency import NO_SLOT, UNKNOWN, Adjacency
from aesg_graph.activation.kernel import checked_gains, checked_seeds, missing_gain
from aesg_graph.activation.params import SpreadParams
from aesg_graph.concepts import NO_ID, NO_REGION, Doubles, Flags, Ids, Ints
from aesg_graph.errors import AESGNavigationError


@dataclass(frozen=True)
class Path:
    """One way from a seed to the target."""

    ids: tuple[int, ...]
    """The concepts on the way, seed and target included; a concept may come again."""
    arcs: tuple[int, ...]
    """Type code * 2 + direction of each arc, one fewer than ``ids``."""
    energy: float
    """The energy that came this way."""


@dataclass(frozen=True, eq=False)
class Explained:
    """Where a concept's energy came from, or what is missing to say it."""

    paths: tuple[Path, ...]
    """The strongest paths, in falling order of energy, ties by ids and arcs."""
    total: float
    """The energy of all paths: the target's activation less its own seed energy."""
    missing_rows: Ids
    """As in :class:`Spread`: load these and ask again; there are no paths until nothing is missing."""
    missing_edges: Ids
    missing_pulse: int

    @property
    def complete(self) -> bool:
        """Whether nothing was missing."""
        return self.missing_pulse == 0


class _Pulse(NamedTuple):
    """The arcs that passed energy on in one pulse, the arcs of one owner together, owners ascending."""

    owners: Ints
    targets: Ints
    arcs: Ints
    factors: Doubles
    """What arrived, as a share of what the owner had."""

    def where(self, chosen: Flags) -> _Pulse:
        return _Pulse(self.owners[chosen], self.targets[chosen], self.arcs[chosen], self.factors[chosen])


class _Missing(NamedTuple):
    rows: Ids
    edges: Ids


def paths(
    adjacency: Adjacency,
    seed_slots: npt.ArrayLike,
    seed_energies: npt.ArrayLike,
    target_slot: int,
    gains: npt.ArrayLike,
    params: SpreadParams,
    limit: int = 10,
) -> Explained:
    """The ``limit`` strongest paths from the seeds (slots and energies [S]) to the target of one spread.

    Paths have one to ``steps`` arcs; a concept below ``min_energy`` in a pulse passes nothing, as in the spread itself.
    ``top_k`` plays no part. Raises AESGNavigationError for bad seeds, as ``spread`` does, and for a slot that holds no
    concept.
    """
    slots, energies = checked_seeds(adjacency, np.asarray(seed_slots)[None], np.asarray(seed_energies)[None])
    if not 0 <= target_slot < len(adjacency) or adjacency.ids[target_slot] == NO_ID:
        raise AESGNavigationError(f"Target slot {target_slot} holds no concept: expected one of {len(adjacency)} slots")
    lit = slots.reshape(-1) != NO_SLOT
    seeds, reached = _added_up(slots.reshape(-1)[lit].astype(np.int64), energies.reshape(-1)[lit])
    by_code = checked_gains(gains)

    pulses: list[_Pulse] = []
    total = 0.0
    current, x = seeds, reached
    for number in range(1, params.steps + 1):
        passing = (x >= params.min_energy) & (x > 0)
        pulse = _pulse(adjacency, current[passing], by_code, params)
        if isinstance(pulse, _Missing):
            return Explained((), 0.0, pulse.rows, pulse.edges, number)
        pulses.append(pulse)
        current, x = _added_up(pulse.targets, _values(current, x, pulse.owners) * pulse.factors)
        total += float(x[current == target_slot].sum())

    nothing = np.zeros(0, np.int64)
    strongest = _strongest(adjacency, pulses, seeds, reached, target_slot, limit)
    return Explained(strongest, total, nothing, nothing, 0)


def _added_up(slots: Ints, energies: Doubles) -> tuple[Ints, Doubles]:
    """The distinct slots, ascending, and the sum of energies for each."""
    distinct, place = np.unique(slots, return_inverse=True)
    return distinct, np.bincount(place, energies, len(distinct)).astype(np.float64, copy=False)


def _values(slots: Ints, values: Doubles, wanted: Ints) -> Doubles:
    """The value of each wanted slot, 0 where it has none; ``slots`` ascend."""
    if not len(slots):
        return np.zeros(len(wanted))
    place = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
    return np.where(slots[place] == wanted, values[place], 0.0)


def _pulse(graph: Adjacency, passing: Ints, gains: Doubles, params: SpreadParams) -> _Pulse | _Missing:
    """All arcs of the passing nodes (ascending slots) with their factors, or what is missing to know them."""
    known = graph.degree[passing] != UNKNOWN
    lacking = graph.ids[passing[~known]]
    passing = passing[known]

    degree = graph.degree[passing].astype(np.int64)
    first = np.cumsum(degree) - degree
    node = np.repeat(np.arange(len(passing)), degree)
    entries = np.arange(len(node)) + np.repeat(graph.start[passing] - first, degree)
    arcs = graph.arcs[entries].astype(np.int64)
    if len(arcs) and arcs.max() >= len(gains):
        raise missing_gain(int(arcs.max()), gains)

    strengths = graph.weights[entries].astype(np.float64) * gains[arcs]
    carrying = strengths > 0
    node, entries, arcs, strengths = node[carrying], entries[carrying], arcs[carrying], strengths[carrying]
    targets = graph.neighbour_slots[entries].astype(np.int64)
    absent = graph.neighbour_ids[entries[targets == NO_SLOT]]
    if len(absent) or len(lacking):
        return _Missing(np.unique(absent), np.unique(lacking))

    region = graph.regions[passing][node]
    strengths[(region != NO_REGION) & (region == graph.regions[targets])] *= params.region_multiplier
    if params.max_fanout is not None:
        order = np.lexsort((arcs, graph.neighbour_ids[entries], -strengths, node))
        rank = np.arange(len(order)) - np.searchsorted(node, node)
        kept = order[rank < params.max_fanout]
        node, arcs, strengths, targets = node[kept], arcs[kept], strengths[kept], targets[kept]
    divisors = np.maximum(1.0, np.bincount(node, strengths, len(passing))) ** params.fan
    return _Pulse(passing[node], targets, arcs, params.decay * strengths / divisors[node])


def _strongest(
    graph: Adjacency, pulses: list[_Pulse], seeds: Ints, energies: Doubles, target: int, limit: int
) -> tuple[Path, ...]:
    """Best-first search over partial paths.

    A partial path's bound is the energy of its best completion, exactly: every step leads to a path that is returned.
    """
    useful, best_of_all = _towards(pulses, target)
    # (-bound, ids, arcs, not ended, slot, energy so far); ids and arcs order ties.
    heap: list[tuple[float, tuple[int, ...], tuple[int, ...], bool, int, float]] = []
    worths = _values(*best_of_all, seeds)
    for slot, energy, worth in zip(seeds.tolist(), energies.tolist(), worths.tolist(), strict=True):
        if energy * worth > 0:
            heap.append((-energy * worth, (int(graph.ids[slot]),), (), True, slot, energy))
    heapq.heapify(heap)

    found: list[Path] = []
    while heap and len(found) < limit:
        _, ids, arcs, unended, slot, energy = heapq.heappop(heap)
        if not unended:
            found.append(Path(ids, arcs, energy))
            continue
        if slot == target and arcs:
            heapq.heappush(heap, (-energy, ids, arcs, False, slot, energy))
        if len(arcs) == len(pulses):
            continue
        pulse, worth = useful[len(arcs)]
        block = slice(*np.searchsorted(pulse.owners, [slot, slot + 1]).tolist())
        columns = (pulse.targets[block], pulse.arcs[block], pulse.factors[block], worth[block])
        for next_slot, arc, factor, best in zip(*(column.tolist() for column in columns), strict=True):
            longer = (*ids, int(graph.ids[next_slot])), (*arcs, arc)
            heapq.heappush(heap, (-energy * best, *longer, True, next_slot, energy * factor))
    return tuple(sorted(found, key=lambda path: (-path.energy, path.ids, path.arcs)))


def _towards(pulses: list[_Pulse], target: int) -> tuple[list[tuple[_Pulse, Doubles]], tuple[Ints, Doubles]]:
    """Backwards from the target: what can still be brought there, at best, as a product of factors.

    Returns for each pulse the arcs that lead to the target at last, each with its best product from there on; and the
    slots from which energy can set out, each with its best product.
    """
    useful: list[tuple[_Pulse, Doubles]] = []
    after = np.array([target], np.int64), np.ones(1)
    for pulse in reversed(pulses):
        # Energy at the target may stop there (worth 1) or go on and come back.
        ahead = np.maximum(_values(*after, pulse.targets), pulse.targets == target)
        worth = pulse.factors * ahead
        useful.append((pulse.where(worth > 0), worth[worth > 0]))
        owners, first = np.unique(pulse.owners, return_index=True)
        after = owners, np.maximum.reduceat(worth, first) if len(worth) else worth
    return useful[::-1], after
