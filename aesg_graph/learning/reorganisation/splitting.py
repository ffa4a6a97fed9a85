"""Concepts with too many edges split along their neighbours.

The neighbours are divided by their keys: in two by spherical 2-means (Dhillon and Modha 2001), neither part with less
than a third of the edges, and again until no part has too many. The part that is most like the concept stays with it;
each other one goes to a new concept, whose key lies between the concept's and the part's own direction. A cut of the
graph between the neighbours was the alternative: around a hub there is often no edge to cut, and what a query finds is
a key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Doubles, Ids, Ints
from aesg_graph.learning.reorganisation.landscape import Arcs, Bonds, Landscape, Rows, unit
from aesg_graph.learning.reorganisation.rules import ReorganisationRules
from aesg_graph.operations import Split

LEAST_SHARE = 1 / 3
"""What of a part's edges the smaller half of it has, at least."""
ROUNDS = 64
"""After a round a concept may have too many edges still: those to its halves."""
STEPS = 10
APART = 0.02
"""How far below the bound of merging the cosine of two halves is, at least."""
ATTEMPTS = 16
SPLIT_WEIGHT = np.float32(1.0)
"""The weight of the edge between halves, as the stores make it."""

Allocate = Callable[[int], Ids]


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the neighbours of a concept: rows, and how many edges lead to each."""

    neighbours: Rows
    edges: Ints

    @property
    def size(self) -> int:
        """How many edges there are."""
        return int(self.edges.sum())


def plan_splits(
    land: Landscape, rules: ReorganisationRules, allocate: Allocate, room: int
) -> tuple[Landscape, list[Split]]:
    """Every concept with more than ``max_edges`` edges splits; the memory as it is then, and the operations, in order.

    ``allocate`` gives fresh ids, of which there is ``room`` for so many: a concept that would need more stays as it is.
    So do concepts with keys of one dimension: there is no other direction.
    """
    splits: list[Split] = []
    for _ in range(ROUNDS):
        rows = np.flatnonzero(land.degrees() > rules.max_edges) if land.keys.shape[1] > 1 else np.empty(0, np.int64)
        more, land = _round(land, rules, rows, allocate, room - len(splits))
        if not more:
            break
        splits += more
    return land, splits


def _round(
    land: Landscape, rules: ReorganisationRules, rows: Rows, allocate: Allocate, room: int
) -> tuple[list[Split], Landscape]:
    arcs = Arcs.of(len(land), land.bonds, rules.symmetric)
    splits: list[Split] = []
    sources: list[int] = []
    bonds, taken = land.bonds, np.zeros(len(land.bonds), np.bool_)
    ends = np.stack([bonds.sources, bonds.targets])
    for row in rows.tolist():
        here = arcs.of_row(row)
        # An edge between two that split in one round moves with the first; the second sees it where it was.
        untouched = ~taken[arcs.bonds[here]]
        others, which = arcs.others[here][untouched], arcs.bonds[here][untouched]
        neighbours, edges = np.unique(others, return_counts=True)
        parts = _divided(land, row, Part(neighbours, edges), rules.max_edges - 1)
        if len(splits) + len(parts) - 1 > room:
            continue
        keys = [unit(land.keys[row])]
        for part in parts[1:]:
            key = _key(land, row, part, keys, rules.similarity)
            id = int(allocate(1)[0])
            wanted = land.ids[part.neighbours]
            value, has_value = land.values[row], bool(land.has_value[row])
            splits.append(Split(int(land.ids[row]), id, key.astype(np.float32), value, has_value, wanted))
            moved = which[np.isin(others, part.neighbours)]
            ends[:, moved] = np.where(ends[:, moved] == row, len(land) + len(sources), ends[:, moved])
            taken[moved] = True
            sources.append(row)
            keys.append(key)
    return splits, _afterwards(land, rules, splits, np.array(sources, np.int64), ends)


def _afterwards(
    land: Landscape, rules: ReorganisationRules, splits: list[Split], sources: Rows, ends: Rows
) -> Landscape:
    if not splits:
        return land
    count, born = len(splits), len(land) + np.arange(len(splits))
    moved = Bonds(ends[0], ends[1], land.bonds.types, land.bonds.weights)
    kinship = Bonds(sources, born, np.full(count, rules.similar), np.full(count, SPLIT_WEIGHT))
    return land.with_born(
        ids=np.array([split.id for split in splits], np.int64),
        keys=np.stack([split.key for split in splits]),
        values=land.values[sources],
        has_value=land.has_value[sources],
        kinds=land.kinds[sources],
        versions=land.versions[sources],
        bonds=moved.followed_by(kinship),
    )


# -- neighbours ------------------------------------------------------------------------------------------------------


def _divided(land: Landscape, row: int, whole: Part, limit: int) -> list[Part]:
    """The neighbours of a row in parts of at most ``limit`` edges; the first is the one that stays with it."""
    keys, halves, parts = unit(land.keys[whole.neighbours]), [np.arange(len(whole.neighbours))], []
    while halves:
        some = halves.pop()
        if whole.edges[some].sum() <= limit or len(some) < 2:
            parts.append(Part(whole.neighbours[some], whole.edges[some]))
        else:
            halves += _bisected(keys, whole.edges, some)
    own = unit(land.keys[row])
    likeness = [float(unit(land.keys[part.neighbours]).sum(axis=0) @ own) / len(part.neighbours) for part in parts]
    first = int(np.argmax(likeness))
    return [parts[first], *parts[:first], *parts[first + 1 :]]


def _bisected(keys: Doubles, edges: Ints, some: Rows) -> list[Rows]:
    """Two halves of at least two neighbours, by 2-means from two that are far out."""
    here = keys[some]
    first = here[int(np.argmin(here @ here.sum(axis=0)))]
    axis = first - here[int(np.argmin(here @ first))]
    for _ in range(STEPS):
        side = here @ axis > 0
        if side.all() or not side.any():
            break
        moved = unit(here[side].sum(axis=0)) - unit(here[~side].sum(axis=0))
        if np.allclose(moved, axis):
            break
        axis = moved
    along = here @ axis
    order = np.argsort(-along, kind="stable")
    before = np.cumsum(edges[some][order])
    lowest = 1 + int(np.searchsorted(before, LEAST_SHARE * before[-1]))
    highest = int(np.searchsorted(before, (1 - LEAST_SHARE) * before[-1], side="right"))
    cut = int(np.clip(np.count_nonzero(along > 0), lowest, max(1, min(highest, len(some) - 1))))
    return [some[np.sort(order[:cut])], some[np.sort(order[cut:])]]


# -- keys ------------------------------------------------------------------------------------------------------------


def _key(land: Landscape, row: int, part: Part, others: list[Doubles], similarity: float) -> Doubles:
    """Between the concept and what it hands over, yet so far from the other halves that they do not merge again."""
    own = others[0]
    towards = unit(unit(land.keys[part.neighbours]).sum(axis=0))
    bound, so_far = similarity - APART, np.stack(others)
    key = unit(own + towards)
    if key.any() and (so_far @ key).max() <= bound:
        return key
    # What it hands over is like the concept itself, or like another half: step aside, away from the concept.
    random = np.random.default_rng([int(land.ids[row]), len(others)])
    tried = []
    for attempt in range(ATTEMPTS):
        aside = towards if attempt == 0 else random.standard_normal(len(own))
        aside = unit(aside - (aside @ own) * own)
        key = unit(bound * own + np.sqrt(1 - min(1.0, bound * bound)) * aside)
        tried.append(((so_far @ key).max(), attempt, key))
        if tried[-1][0] <= bound + APART / 2:
            break
    return min(tried)[2]
