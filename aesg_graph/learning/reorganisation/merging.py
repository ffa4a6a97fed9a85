"""Which concepts merge: near in key, of one kind, and both with values that agree or both without one.

One with a value and one without stay two: whichever survived would keep its own, so what was learned could be lost. Nor
do two merge of which somebody says that they contradict each other.

Concepts are taken in order, the most used first (ties by id). Each merges into the nearest concept before it that stays
itself, or stays itself. So nothing merges through a third that it is not near to: no chain carries a meaning away, and
whatever the order in which rows come, the same concepts merge (leader clustering, Hartigan 1975).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Doubles, Flags
from aesg_graph.learning.explaining import cosine
from aesg_graph.learning.reorganisation.landscape import Arcs, Landscape, Rows
from aesg_graph.learning.reorganisation.nearness import Nearness
from aesg_graph.learning.reorganisation.rules import ReorganisationRules

CANDIDATES = 16
"""So many of the concepts that a concept may merge into are remembered, the nearest ones."""
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Merges:
    """P pairs of rows, the one that stays and the one that merges into it, with their cosines.

    ``held_back``: rows that are near to others and stay nevertheless, since what they would merge into merged itself,
    or the two would have too many edges. That may be otherwise the next time.
    """

    survivors: Rows
    merged: Rows
    cosines: Doubles
    held_back: Rows

    def into(self, count: int) -> Rows:
        """[count] what each row is afterwards."""
        heirs = np.arange(count)
        heirs[self.merged] = self.survivors
        return heirs


def plan_merges(land: Landscape, rules: ReorganisationRules, fresh: Flags) -> Merges:
    """What merges, where only pairs with a ``fresh`` [N] concept have not been looked at before."""
    merging = _Merging(land, rules)
    for kind in range(len(land.kind_names)):
        rows = np.flatnonzero(land.kinds == kind)
        new = rows[fresh[rows]]
        if not new.size:
            continue
        nearness = Nearness.of(land.keys[rows], rules.similarity)
        if len(new) < len(rows):
            here = np.flatnonzero(fresh[rows])
            old = np.flatnonzero(~fresh[rows])
            some = np.concatenate([here, nearness.beside(here, old)])
            rows, nearness = rows[some], nearness.of_rows(some)
        merging.take(rows, nearness)
    return merging.done()


class _Merging:
    def __init__(self, land: Landscape, rules: ReorganisationRules) -> None:
        self.land, self.rules = land, rules
        self.arcs = Arcs.of(len(land), land.bonds, rules.symmetric)
        self.edges = np.diff(self.arcs.start)
        """[N] at most so many edges will a survivor have."""
        against = land.bonds.where(land.bonds.types == rules.contradicts)
        self.contradicting = self._pairs(against.sources, against.targets)
        self.into = np.arange(len(land))
        self.members: dict[int, list[int]] = {}
        self.found: list[tuple[int, int, float]] = []
        self.held_back: list[int] = []

    def take(self, rows: Rows, nearness: Nearness) -> None:
        """Go through the concepts of one kind."""
        order = np.lexsort((self.land.ids[rows], -self.land.uses[rows]))
        staying = np.empty(0, np.int64)
        for start in range(0, len(order), BLOCK):
            block = order[start : start + BLOCK]
            candidates = _Candidates()
            for columns in (staying, block):
                for i, j, cosines in nearness.pairs(block, columns):
                    earlier = j < i if columns is block else np.ones(len(j), np.bool_)
                    i, j, cosines = i[earlier], j[earlier], cosines[earlier]
                    agree = self._agree(rows[block[i]], rows[columns[j]])
                    candidates.add(i[agree], columns[j[agree]], cosines[agree])
            gone = self._decide(rows, block, candidates)
            staying = np.concatenate([staying, block[~gone]])

    def _agree(self, rows: Rows, others: Rows) -> Flags:
        land = self.land
        both = land.has_value[rows] & land.has_value[others]
        agree: Flags = land.has_value[rows] == land.has_value[others]
        if both.any():
            agree[both] = cosine(land.values[rows[both]], land.values[others[both]]) >= self.rules.agreement
        agree &= ~np.isin(self._pairs(rows, others), self.contradicting)
        return agree

    def _pairs(self, rows: Rows, others: Rows) -> Rows:
        """One number for each pair, whichever comes first."""
        return np.minimum(rows, others) * len(self.land) + np.maximum(rows, others)

    def _decide(self, rows: Rows, block: Rows, candidates: _Candidates) -> Flags:
        """[block] what merges; the others stay."""
        gone = np.zeros(len(block), np.bool_)
        for place, choices in candidates.by_row():
            row = int(rows[block[place]])
            for cosine_, choice in choices:
                survivor = int(rows[choice])
                if self.into[survivor] != survivor:
                    continue
                if self._fits(survivor, row):
                    gone[place] = True
                    self._merge(survivor, row, cosine_)
                    break
            else:
                self.held_back.append(row)
        return gone

    def _merge(self, survivor: int, row: int, cosine_: float) -> None:
        self.into[row] = survivor
        self.members.setdefault(survivor, [survivor]).append(row)
        self.edges[survivor] += self.edges[row]
        self.found.append((survivor, row, cosine_))

    def _fits(self, survivor: int, row: int) -> bool:
        """Whether the two together have no more edges than a concept may have: else they would be split again."""
        if self.edges[survivor] + self.edges[row] <= self.rules.max_edges:
            return True
        members = [*self.members.get(survivor, [survivor]), row]
        arcs = np.concatenate([np.arange(len(self.arcs.others))[self.arcs.of_row(member)] for member in members])
        others = self.into[self.arcs.others[arcs]]
        outside = (others != survivor) & (others != row)
        distinct = np.unique(np.stack([others[outside], self.arcs.codes[arcs][outside]]), axis=1).shape[1]
        if distinct > self.rules.max_edges:
            return False
        self.edges[survivor] = distinct - self.edges[row]  # the row's are added to it
        return True

    def done(self) -> Merges:
        """What was decided."""
        pairs = np.array([pair[:2] for pair in self.found], np.int64).reshape(-1, 2)
        cosines = np.array([pair[2] for pair in self.found], np.float64)
        return Merges(pairs[:, 0], pairs[:, 1], cosines, np.array(self.held_back, np.int64))


class _Candidates:
    """Of each row of a block the concepts that it may merge into, the nearest few, ties by their order."""

    def __init__(self) -> None:
        self._rows, self._choices = np.empty(0, np.int64), np.empty(0, np.int64)
        self._cosines = np.empty(0)

    def add(self, rows: Rows, choices: Rows, cosines: Doubles) -> None:
        """More of them."""
        all_rows = np.concatenate([self._rows, rows])
        all_choices = np.concatenate([self._choices, choices])
        all_cosines = np.concatenate([self._cosines, cosines])
        order = np.lexsort((np.arange(len(all_rows)), -all_cosines, all_rows))
        all_rows = all_rows[order]
        rank = np.arange(len(all_rows)) - np.searchsorted(all_rows, all_rows)
        order, kept = order[rank < CANDIDATES], rank < CANDIDATES
        self._rows, self._choices, self._cosines = all_rows[kept], all_choices[order], all_cosines[order]

    def by_row(self) -> list[tuple[int, list[tuple[float, int]]]]:
        """Rows in order, each with cosines and choices, the nearest first."""
        found: dict[int, list[tuple[float, int]]] = {}
        columns = self._rows.tolist(), self._cosines.tolist(), self._choices.tolist()
        for row, cosine_, choice in zip(*columns, strict=True):
            found.setdefault(row, []).append((cosine_, choice))
        return list(found.items())
