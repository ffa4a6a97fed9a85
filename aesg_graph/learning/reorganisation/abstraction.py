"""Abstraction: a group inside a region whose concepts all point one way gets a parent that stands for them.

How far they do is the mean cosine of two of them. It follows from the length R of the mean of their n keys, the mean
resultant length of directional statistics (Mardia and Jupp 2000), as (n R^2 - 1) / (n - 1): 1 where all keys are one,
and 0 to be expected where they have no direction in common, however few there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import NO_REGION, Doubles, Flags, Floats, Ints
from aesg_graph.learning.explaining import cosine
from aesg_graph.learning.reorganisation.landscape import Landscape, Rows, unit
from aesg_graph.learning.reorganisation.rules import ABSTRACTION, ReorganisationRules

DENSITY = 0.5
"""From this mean cosine of two of its concepts on a group is dense."""
FEWEST = 4
"""Fewer concepts need no one to stand for them."""
MOST = 8192
"""A parent and its edges are written at once, so that they cannot be too many."""
SHARE = 0.5
"""A group has a parent already if one has so many of its concepts as children."""


@dataclass(frozen=True, eq=False)
class Abstraction:
    """A parent to be born: its children (rows, the most typical first), their cosines with it, its key and value."""

    children: Rows
    cosines: Doubles
    key: Floats
    value: Floats
    has_value: bool
    region: int


def plan_abstractions(land: Landscape, regions: Ints, groups: Ints, rules: ReorganisationRules) -> list[Abstraction]:
    """The parents that dense groups lack; ``regions`` [N] are those that the concepts are going to have.

    ``groups`` [N] are the communities inside of them.
    """
    if not rules.abstraction:
        return []
    parents = land.are_of_kind(ABSTRACTION)
    members = np.flatnonzero(groups != NO_REGION)
    members = members[np.argsort(groups[members], kind="stable")]
    numbers, start = np.unique(groups[members], return_index=True)
    parted = np.split(members, start)[1:]
    most = min(MOST, rules.max_edges)
    has_one = _with_parent(land, groups, parents, rules)
    full = land.degrees() >= rules.max_edges
    return [
        found
        for number, group in zip(numbers.tolist(), parted, strict=True)
        if number not in has_one
        and FEWEST <= len(group) <= most
        and (found := _abstraction(land, group, full, int(regions[group[0]]), rules)) is not None
    ]


def parent_regions(land: Landscape, regions: Ints, rules: ReorganisationRules) -> Ints:
    """``regions`` [N] with each parent in the region that most of its children are in, ties to the lower number."""
    parents = land.are_of_kind(ABSTRACTION)
    counted = _children_by_region(land, regions, parents, rules)
    told = regions.copy()
    told[parents] = NO_REGION
    for (parent, region), _ in sorted(counted.items(), key=lambda item: (item[1], -item[0][1])):
        told[parent] = region
    return told


def _with_parent(land: Landscape, groups: Ints, parents: Flags, rules: ReorganisationRules) -> set[int]:
    sizes = np.bincount(groups[groups != NO_REGION], minlength=1)
    counted = _children_by_region(land, groups, parents, rules)
    return {group for (_, group), count in counted.items() if count >= SHARE * sizes[group]}


def _children_by_region(
    land: Landscape, regions: Ints, parents: Flags, rules: ReorganisationRules
) -> dict[tuple[int, int], int]:
    """How many children of each parent are in each region, or group."""
    b = land.bonds
    downward = (b.types == rules.hierarchical) & parents[b.sources] & ~parents[b.targets]
    downward &= regions[b.targets] != NO_REGION
    pairs = np.stack([b.sources[downward], regions[b.targets[downward]]])
    found, counts = np.unique(pairs, axis=1, return_counts=True)
    return {(int(p), int(r)): int(n) for p, r, n in zip(*found, counts, strict=True)}


def _abstraction(
    land: Landscape, group: Rows, full: Flags, region: int, rules: ReorganisationRules
) -> Abstraction | None:
    keys = unit(land.keys[group])
    mean, count = keys.mean(axis=0), len(keys)
    if (count * float(mean @ mean) - 1) / (count - 1) < DENSITY:
        return None
    key = unit(mean)
    cosines = keys @ key
    order = np.argsort(-cosines, kind="stable")
    order = order[~full[group[order]]]  # one edge more, and they would be split
    if len(order) < max(FEWEST, SHARE * len(group)):
        return None
    value = _shared_value(land, group, rules)
    none = np.zeros(land.values.shape[1], np.float32)
    return Abstraction(
        group[order],
        cosines[order],
        key.astype(np.float32),
        none if value is None else value,
        value is not None,
        region,
    )


def _shared_value(land: Landscape, group: Rows, rules: ReorganisationRules) -> Floats | None:
    """The mean of the children's values, where all have one and agree with it."""
    if not land.values.shape[1] or not land.has_value[group].all():
        return None
    mean = land.values[group].mean(axis=0, dtype=np.float64)
    if (cosine(land.values[group], mean[None]) < rules.agreement).any():
        return None
    shared: Floats = mean.astype(np.float32)
    return shared
