"""Regions: communities of the graph, found by the Leiden method and called by the same number from run to run.

Traag, Waltman and van Eck (2019), *From Louvain to Leiden: guaranteeing well-connected communities*. The quality is
modularity over edges of weight times gain. It starts from the regions that there are; where that hardly finds better
ones, concepts stay in theirs, and only those without one are given one. So a second run changes nothing.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import NO_REGION, Doubles, Flags, Ints
from aesg_graph.learning.reorganisation.landscape import Landscape
from aesg_graph.learning.reorganisation.rules import ReorganisationRules

SMALLEST = 3
"""One concept or two are no region."""
SEED = 2019
ITERATIONS = 4
WORTH = 0.01
"""A smaller gain in modularity is not worth sorting concepts anew."""

_generator = threading.Lock()
"""The library draws its random numbers from one generator for the whole process."""


def plan_regions(land: Landscape, rules: ReorganisationRules, sorted_: Flags) -> Ints:
    """[N] the region of each of the ``sorted_`` concepts, ``NO_REGION`` for others and for small communities."""
    regions = np.full(len(land), NO_REGION, np.int64)
    rows = np.flatnonzero(sorted_)
    if not rows.size:
        return regions
    before = land.regions[rows]
    communities, gain = _communities(land, rules, sorted_, rows)
    found = renumbered(_large(communities), before, fresh_from=int(land.regions.max(initial=NO_REGION)) + 1)
    if gain < WORTH:
        found = _large(np.where(before == NO_REGION, found, before))
    regions[rows] = found
    return regions


def _large(found: Ints) -> Ints:
    """Communities [N] without the small ones."""
    _, place, sizes = np.unique(found, return_inverse=True, return_counts=True)
    return np.where(sizes[place] >= SMALLEST, found, NO_REGION)


def plan_groups(land: Landscape, rules: ReorganisationRules, regions: Ints) -> Ints:
    """[N] the communities inside of regions, numbered; ``NO_REGION`` for concepts that are in none of three or more.

    The larger a graph, the larger the communities that modularity tells apart (Fortunato and Barthelemy 2007). So each
    region is looked at again, as a graph of its own.
    """
    groups = np.full(len(land), NO_REGION, np.int64)
    net = _Net.of(land, rules, regions != NO_REGION, regions)
    rows = np.flatnonzero(regions != NO_REGION)
    begun = 0
    for members, inner in net.parted(regions[rows]):
        if len(inner.ends):
            found = _large(inner.communities(np.arange(inner.size))[0])
            groups[rows[members]] = np.where(found == NO_REGION, NO_REGION, begun + found)
            begun += inner.size
    return groups


def _communities(land: Landscape, rules: ReorganisationRules, sorted_: Flags, rows: Ints) -> tuple[Ints, float]:
    """The community of each row, and how much more modularity that has than the regions of before."""
    before = land.regions[rows]
    # Those of no region begin alone.
    start = np.where(before == NO_REGION, before.max(initial=0) + 1 + np.arange(len(rows)), before)
    start = np.unique(start, return_inverse=True)[1]
    net = _Net.of(land, rules, sorted_)
    return net.communities(start) if len(net.ends) else (start, 0.0)  # modularity is defined by edges


@dataclass(frozen=True, eq=False)
class _Net:
    """Some of the concepts, joined by what carries energy: ends [E, 2] and weights [E]."""

    size: int
    ends: Ints
    weights: Doubles

    @classmethod
    def of(cls, land: Landscape, rules: ReorganisationRules, some: Flags, within: Ints | None = None) -> _Net:
        """The graph of ``some`` [N] concepts, or of it the edges that stay ``within`` [N] a region."""
        bonds = land.bonds
        weights = bonds.weights.astype(np.float64) * rules.gains[bonds.types].max(axis=1)
        among = (weights > 0) & some[bonds.sources] & some[bonds.targets]
        if within is not None:
            among &= within[bonds.sources] == within[bonds.targets]
        place = np.cumsum(some) - 1
        ends = np.stack([place[bonds.sources[among]], place[bonds.targets[among]]], axis=1)
        return cls(int(some.sum()), ends, weights[among])

    def parted(self, regions: Ints) -> Iterator[tuple[Ints, _Net]]:
        """The graph of each region [size]: which concepts they are, and how they are joined."""
        order, ordered = np.argsort(regions, kind="stable"), np.sort(regions)
        place = np.empty(self.size, np.int64)
        by_region = np.argsort(regions[self.ends[:, 0]], kind="stable")
        of_edges = regions[self.ends[by_region, 0]]
        for region in np.unique(regions).tolist():
            members = order[np.searchsorted(ordered, region) : np.searchsorted(ordered, region, side="right")]
            edges = by_region[np.searchsorted(of_edges, region) : np.searchsorted(of_edges, region, side="right")]
            place[members] = np.arange(len(members))
            yield members, _Net(len(members), place[self.ends[edges]], self.weights[edges])

    def communities(self, start: Ints) -> tuple[Ints, float]:
        """The community of each concept, found from a ``start``, and how much more modularity that has."""
        import igraph

        graph = igraph.Graph(n=self.size, edges=self.ends)
        begun = start.tolist()
        with _generator:
            igraph.set_random_number_generator(random.Random(SEED))
            try:
                found = graph.community_leiden(
                    "modularity", weights=self.weights, initial_membership=begun, n_iterations=ITERATIONS
                ).membership
            finally:
                igraph.set_random_number_generator(random)
        gain = graph.modularity(found, weights=self.weights) - graph.modularity(begun, weights=self.weights)
        return np.asarray(found, np.int64), float(gain)


def renumbered(found: Ints, before: Ints, fresh_from: int) -> Ints:
    """Communities [N] under the numbers of the regions ``before`` [N] that they have most concepts in common with.

    Those with the most in common choose first, ties by number. What is new gets numbers from ``fresh_from`` on.
    """
    known = (found != NO_REGION) & (before != NO_REGION)
    pairs, common = np.unique(np.stack([before[known], found[known]]), axis=1, return_counts=True)
    names: dict[int, int] = {}
    taken: set[int] = set()
    for place in np.lexsort((pairs[1], pairs[0], -common)).tolist():
        old, new = int(pairs[0, place]), int(pairs[1, place])
        if old not in taken and new not in names:
            names[new] = old
            taken.add(old)
    others = [new for new in np.unique(found[found != NO_REGION]).tolist() if new not in names]
    names |= {new: fresh_from + number for number, new in enumerate(others)}
    communities, place = np.unique(found, return_inverse=True)
    named = np.array([names.get(new, NO_REGION) for new in communities.tolist()], np.int64)
    return named[place] if len(named) else found
