"""Lessons carried out on the cache, with the same meaning as in a graph store.

Every concept that an operation names is resident by now; one that is not is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aesg_graph import aging
from aesg_graph.cache.edges import Edges
from aesg_graph.cache.fading import Fading
from aesg_graph.cache.layout import Slots
from aesg_graph.cache.residents import Residents
from aesg_graph.cache.slabs import Slabs
from aesg_graph.concepts import NO_REGION, Ids
from aesg_graph.operations import (
    Advance,
    Create,
    Describe,
    Link,
    Merge,
    Operation,
    Prune,
    Regions,
    Rekey,
    Remove,
    Split,
    Touch,
    born_ids,
    named_ids,
)

NO_IDS: Ids = np.empty(0, np.int64)
SPLIT_WEIGHT = 1.0
"""As in the graph stores, which know no cosine."""


@dataclass(frozen=True, eq=False)
class Applied:
    """What became of an operation: ``declined`` names the concepts for which it was void."""

    declined: Ids


class Lessons:
    """Carries operations out."""

    def __init__(self, slabs: Slabs, edges: Edges, residents: Residents, fading: Fading) -> None:
        self.slabs, self.edges, self.residents, self.fading = slabs, edges, residents, fading

    def apply(self, operation: Operation, sequence: int, at: float) -> Applied:
        """Carry out one operation of journal batch ``sequence``, recorded at time ``at``."""
        match operation:
            case Create():
                declined = self._create(operation, sequence, at)
            case Link():
                declined = self._link(operation, sequence, at)
            case Touch():
                declined = self._touch(operation, sequence, at)
            case Describe():
                declined = self._change(operation.ids, sequence, at)[1]
            case Remove():
                self._leave(self.edges.slots_of(operation.ids), sequence, at)
                declined = NO_IDS
            case Prune():
                declined = self._prune(operation, sequence, at)
            case Merge():
                declined = self._merge(operation, sequence, at)
            case Split():
                declined = self._split(operation, sequence, at)
            case Regions():
                declined = self._regions(operation, sequence, at)
            case Rekey():
                declined = self._rekey(operation, sequence, at)
            case Advance():
                declined = NO_IDS
        return Applied(declined)

    def needed(self, operation: Operation) -> Ids:
        """The concepts that an operation names or, knowing only of a neighbour, changes, and that are not here."""
        named = np.setdiff1d(named_ids(operation), born_ids(operation))
        if isinstance(operation, Merge):
            # What is merged hands its edges on: their other ends change, and so must be here to be pinned.
            merged = self.edges.slots_of(operation.merged)
            named = np.union1d(named, self.edges.neighbours_of(merged[merged >= 0]))
        return named[self.edges.slots_of(named) < 0]

    # -- coming and going -------------------------------------------------------------------------------------------

    def _create(self, operation: Create, sequence: int, at: float) -> Ids:
        ids = operation.ids
        rows = np.flatnonzero(self.edges.slots_of(ids) < 0)
        if not (np.diff(ids) > 0).all():
            rows = np.intersect1d(rows, np.unique(ids, return_index=True)[1])
        if len(rows):
            self.residents.create(operation, rows, at, sequence)
            self.fading.born(operation.epoch)
        return np.delete(ids, rows)

    def _leave(self, slots: Slots, sequence: int, at: float) -> None:
        # Not np.unique: it hashes, which is twenty times slower for a million slots.
        slots = np.sort(slots[slots >= 0])
        self.residents.leave(slots[np.diff(slots, prepend=-1) > 0], sequence=sequence, at=at)

    def _prune(self, operation: Prune, sequence: int, at: float) -> Ids:
        slots = self.edges.slots_of(operation.ids)
        here = slots >= 0
        # A slot of -1 reads the last row, whatever it is.
        allowed = self.fading.may_go(slots, operation.epoch, operation.fades_at)
        self._leave(slots[here & allowed], sequence, at)
        return operation.ids[here & ~allowed]

    # -- changes ----------------------------------------------------------------------------------------------------

    def _change(self, ids: Ids, sequence: int, at: float) -> tuple[Slots, Ids]:
        """Stamp the concepts that are here; their slots [N], -1 for the others, and the others' ids."""
        slots = self.edges.slots_of(ids)
        absent = slots < 0
        if not absent.any():
            self.residents.stamp(slots, sequence, at)
            return slots, NO_IDS
        self.residents.stamp(slots[~absent], sequence, at)
        return slots, ids[absent]

    def _link(self, operation: Link, sequence: int, at: float) -> Ids:
        sources, targets = self.edges.slots_of(operation.sources), self.edges.slots_of(operation.targets)
        here = (sources >= 0) & (targets >= 0)
        if here.all():
            self.edges.link(operation, sources, targets, at, sequence)
        elif here.any():
            columns = ("sources", "targets", "weights", "uses")
            living = replace(operation, **{name: getattr(operation, name)[here] for name in columns})
            self.edges.link(living, sources[here], targets[here], at, sequence)
        void = ~here | (sources == targets)
        return np.unique(np.concatenate([operation.sources[void], operation.targets[void]])) if void.any() else NO_IDS

    def _touch(self, operation: Touch, sequence: int, at: float) -> Ids:
        ids, uses, contradictions = _one_row_each(operation)
        slots, declined = self._change(ids, sequence, at)
        here = slots >= 0
        if not here.all():
            slots, uses, contradictions = slots[here], uses[here], contradictions[here]
        limits = self.fading.limits
        life = self.slabs.lives[slots]
        life["relevance"], life["touched_epoch"] = aging.touch(
            life["relevance"], life["touched_epoch"], uses, operation.epoch, limits
        )
        life["use_frequency"] += uses
        life["contradictions"] += contradictions
        self.slabs.lives[slots] = life
        if contradictions.any():
            self.fading.changed(slots[contradictions > 0])
        return declined

    def _regions(self, operation: Regions, sequence: int, at: float) -> Ids:
        slots, declined = self._change(operation.ids, sequence, at)
        here = slots >= 0
        self.slabs.regions[slots[here]] = operation.regions[here]
        return declined

    def _rekey(self, operation: Rekey, sequence: int, at: float) -> Ids:
        lives = self.slabs.lives
        slots = self.edges.slots_of(operation.ids)
        older = (slots >= 0) & (lives["version"][slots] <= operation.version)
        rows = slots[older]
        self.slabs.keys[rows] = operation.keys[older]
        lives["version"][rows] = operation.version
        lives["encoder"][rows] = self.slabs.header.intern(operation.encoder)
        self.residents.stamp(rows, sequence, at)
        return operation.ids[~older]

    # -- reorganisation ---------------------------------------------------------------------------------------------

    def _merge(self, operation: Merge, sequence: int, at: float) -> Ids:
        declined: list[int] = []
        into: dict[int, int] = {}
        for pair in zip(operation.survivors.tolist(), operation.merged.tolist(), strict=True):
            survivor, merged = _followed(pair[0], into), _followed(pair[1], into)
            keeper, leaver = self.edges.slots_of(np.array([survivor, merged], np.int64)).tolist()
            void = keeper < 0 or leaver < 0 or keeper == leaver
            if void or (survivor, merged) != pair:
                declined += [*pair, survivor, merged]
            if not void:
                self._merge_one(keeper, leaver, sequence, at)
                into[merged] = survivor
        return np.unique(np.array(declined, np.int64))

    def _merge_one(self, keeper: int, leaver: int, sequence: int, at: float) -> None:
        both = self.slabs.lives[np.array([keeper, leaver])]
        later = both["touched_epoch"].max()
        relevance = aging.current(both["relevance"], both["touched_epoch"], later, self.fading.limits).sum()
        merged = self.slabs.lives[keeper]
        merged["relevance"], merged["touched_epoch"] = max(aging.RELEVANCE_FLOOR, relevance), later
        merged["born_epoch"] = both["born_epoch"].min()
        merged["use_frequency"] = both["use_frequency"].sum()
        merged["contradictions"] = both["contradictions"].sum()
        self.edges.rehang(leaver, keeper, sequence, at)
        self._leave(np.array([leaver], np.int32), sequence, at)
        self.residents.stamp(np.array([keeper], np.int32), sequence, at)
        self.fading.changed(np.array([keeper]))

    def _split(self, operation: Split, sequence: int, at: float) -> Ids:
        both = np.array([operation.source, operation.id], np.int64)
        source, taken = self.edges.slots_of(both).tolist()
        if source < 0 or taken >= 0:
            return np.concatenate([both, operation.neighbours])
        life = self.slabs.lives[source : source + 1].copy()
        for count in ("use_frequency", "contradictions"):
            life[count] //= 2
            self.slabs.lives[count][source] -= life[count][0]
        life["created_at"], life["has_value"] = at, operation.has_value
        keys, values = operation.key.reshape(1, -1), operation.value.reshape(1, -1)
        born = int(self.residents.add(both[1:], keys, values, life, np.full(1, NO_REGION))[0])
        self._change(both, sequence, at)
        self.edges.rehang(source, born, sequence, at, only=operation.neighbours)
        self._link(_kinship(both, int(life["touched_epoch"][0])), sequence, at)
        self.fading.changed(np.array([source, born]))
        return NO_IDS


def _kinship(both: Ids, epoch: int) -> Link:
    """The edge between the halves of a split concept."""
    weight = np.full(1, SPLIT_WEIGHT, np.float32)
    return Link("SIMILARITY", both[:1], both[1:], weight, np.zeros(1, np.int64), epoch)


def _followed(concept: int, into: dict[int, int]) -> int:
    while concept in into:
        concept = into[concept]
    return concept


def _one_row_each(operation: Touch) -> tuple[Ids, Ids, Ids]:
    """The touch with one row a concept, as it should be anyway: writes by slot would lose the others."""
    ids, place = np.unique(operation.ids, return_inverse=True)
    if len(ids) == len(operation.ids):
        return operation.ids, operation.uses, operation.contradictions
    uses, contradictions = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    np.add.at(uses, place, operation.uses)
    np.add.at(contradictions, place, operation.contradictions)
    return ids, uses, contradictions
