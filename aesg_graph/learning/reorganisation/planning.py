"""A whole reorganisation, planned: first what merges, then what splits, then regions, then what stands for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Flags, Ids, Ints
from aesg_graph.learning.reorganisation.abstraction import Abstraction, parent_regions, plan_abstractions
from aesg_graph.learning.reorganisation.landscape import Bonds, Landscape
from aesg_graph.learning.reorganisation.merging import Merges, plan_merges
from aesg_graph.learning.reorganisation.regions import plan_groups, plan_regions
from aesg_graph.learning.reorganisation.rules import ABSTRACTION, ReorganisationRules
from aesg_graph.learning.reorganisation.splitting import Allocate, plan_splits
from aesg_graph.operations import Create, Link, Merge, Operation, Regions, Split

MERGE_CHUNK = 256
"""Pairs in one operation: each is several statements in a transaction, and so is each of their edges."""
REGION_CHUNK = 8192
"""No operation sorts more concepts, so that no transaction holds a lock on the whole memory."""


@dataclass(frozen=True, eq=False)
class Planned:
    """Operations that are carried out together, or not at all."""

    what: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be done to a memory, in order. Rows are those of ``land``, the memory as it is afterwards.

    ``moved``: the rows whose region changes. ``communities``: how many regions there are then.
    """

    land: Landscape
    merges: Merges
    splits: list[Split]
    abstractions: list[Abstraction]
    parents: Ids
    regions: Ints
    moved: Ints

    @property
    def communities(self) -> int:
        """How many regions there are then."""
        return len(np.unique(self.regions[self.regions >= 0]))

    @property
    def sizes(self) -> Ints:
        """How many concepts each region has then, the largest first."""
        return np.sort(np.unique(self.regions[self.regions >= 0], return_counts=True)[1])[::-1].astype(np.int64)

    def parts(self, epoch: int, version: int) -> Iterator[Planned]:
        """The operations, in parts of a size that a transaction bears; concepts are born in ``epoch``."""
        ids, merges = self.land.ids, self.merges
        for start in range(0, len(merges.merged), MERGE_CHUNK):
            some = slice(start, start + MERGE_CHUNK)
            yield Planned("merging", (Merge(ids[merges.survivors[some]], ids[merges.merged[some]]),))
        for split in self.splits:
            yield Planned("splitting", (split,))
        for id, group in zip(self.parents.tolist(), self.abstractions, strict=True):
            yield Planned("abstraction", self._birth(id, group, epoch, version))
        for start in range(0, len(self.moved), REGION_CHUNK):
            rows = self.moved[start : start + REGION_CHUNK]
            yield Planned("regions", (Regions(ids[rows], self.regions[rows]),))

    def _birth(self, id: int, group: Abstraction, epoch: int, version: int) -> tuple[Operation, ...]:
        """A parent and its edges: together, so that no kill leaves one without the other."""
        children, count = self.land.ids[group.children], len(group.children)
        one = np.array([id], np.int64)
        create = Create(
            ids=one,
            keys=group.key[None],
            values=group.value[None],
            has_value=np.array([group.has_value]),
            kind=ABSTRACTION,
            epoch=epoch,
            version=version,
        )
        weights = np.clip(group.cosines, 0.0, 1.0).astype(np.float32)
        uses = np.zeros(count, np.int64)
        return create, Link("HIERARCHICAL", np.repeat(one, count), children, weights, uses, epoch)


def plan(land: Landscape, rules: ReorganisationRules, allocate: Allocate, fresh: Flags | None = None) -> Plan:
    """Plan a reorganisation. ``allocate`` gives ids for what is born.

    ``fresh`` [N] are the concepts that no earlier plan has compared with the others; None for all. No more are born
    than ``max_concepts`` has room for: else the weakest of what was learned would have to go for them.
    """
    merges = plan_merges(land, rules, np.ones(len(land), np.bool_) if fresh is None else fresh)
    living = np.ones(len(land), np.bool_)
    living[merges.merged] = False
    room = rules.max_concepts - int(living.sum())
    land, splits = plan_splits(land.merged(merges.into(len(land)), rules.symmetric), rules, allocate, room)
    living = np.concatenate([living, np.ones(len(land) - len(living), np.bool_)])
    regions = plan_regions(land, rules, living & ~land.are_of_kind(ABSTRACTION))
    groups = plan_groups(land, rules, regions) if rules.abstraction else regions
    abstractions = plan_abstractions(land, regions, groups, rules)[: max(0, room - len(splits))]
    regions = parent_regions(land, regions, rules)
    parents = allocate(len(abstractions)) if abstractions else np.empty(0, np.int64)
    land = _with_parents(land, abstractions, parents)
    regions = np.concatenate([regions, np.array([group.region for group in abstractions], np.int64)])
    living = np.concatenate([living, np.ones(len(parents), np.bool_)])
    moved = np.flatnonzero(living & (regions != land.regions))
    return Plan(land, merges, splits, abstractions, parents, regions, moved)


def _with_parents(land: Landscape, groups: list[Abstraction], ids: Ids) -> Landscape:
    if not groups:
        return land
    named = land.kind_names if ABSTRACTION in land.kind_names else (*land.kind_names, ABSTRACTION)
    count = len(groups)
    return Landscape(**{**vars(land), "kind_names": named}).with_born(
        ids=ids,
        keys=np.stack([group.key for group in groups]),
        values=np.stack([group.value for group in groups]),
        has_value=np.array([group.has_value for group in groups]),
        kinds=np.full(count, named.index(ABSTRACTION), np.int64),
        versions=np.zeros(count, np.int64),
        bonds=Bonds(land.bonds.sources, land.bonds.targets, land.bonds.types, land.bonds.weights),
    )
