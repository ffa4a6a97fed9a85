"""Regions: communities of the graph, found by the Leiden method and called by the same number from run to run.

Traag, Waltman and van Eck (2019), *From Louvain to Leiden: guaranteeing well-connected communities*. The quality is
modularity over edges of weight times gain. It starts from the regions that there are; where that hardly finds better
ones, concepts stay in theirs, and only those without one are given one. So a second run changes nothing.
"""

from __future__ import annotations

import random
import threading

import numpy as np

from aesg_graph.concepts import NO_REGION, Flags, Ints
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


def _communities(land: Landscape, rules: ReorganisationRules, sorted_: Flags, rows: Ints) -> tuple[Ints, float]:
    """The community of each row, and how much more modularity that has than the regions of before."""
    import igraph

    bonds = land.bonds
    weights = bonds.weights.astype(np.float64) * rules.gains[bonds.types].max(axis=1)
    among = (weights > 0) & sorted_[bonds.sources] & sorted_[bonds.targets]
    place = np.empty(len(land), np.int64)
    place[rows] = np.arange(len(rows))
    ends = np.stack([place[bonds.sources[among]], place[bonds.targets[among]]], axis=1)
    before = land.regions[rows]
    alone = before == NO_REGION
    # Those of no region begin alone.
    start = np.where(alone, before.max(initial=0) + 1 + np.arange(len(rows)), before)
    start = np.unique(start, return_inverse=True)[1]
    if not len(ends):  # modularity is defined by edges
        return start, 0.0
    graph = igraph.Graph(n=len(rows), edges=ends)
    if not len(ends):
        return start, 0.0
    with _generator:
        igraph.set_random_number_generator(random.Random(SEED))
        try:
            found = graph.community_leiden(
                "modularity", weights=weights[among], initial_membership=start.tolist(), n_iterations=ITERATIONS
            ).membership
        finally:
            igraph.set_random_number_generator(random)
    gain = graph.modularity(found, weights=weights[among]) - graph.modularity(start.tolist(), weights=weights[among])
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
