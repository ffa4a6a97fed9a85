"""A memory as plain dicts and loops, with the meaning of DESIGN sections 5 and 6: what the cache is compared with, and
the stores that it is filled from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from aesg_graph.aging import RELEVANCE_FLOOR, Thresholds
from aesg_graph.cache import CacheLayout, CacheStamp, ConceptCache
from aesg_graph.concepts import ConceptTable, EdgeTable, Relations, VectorTable
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
)

D, V = 6, 3
RELATIONS = Relations()
LAYOUT = CacheLayout.of(D, V, RELATIONS)
LIMITS = Thresholds(
    relevance_boost=0.1,
    relevance_decay=0.9,
    survival_threshold_relevance=0.3,
    survival_threshold_frequency=3,
    survival_min_age=2,
)
STAMP = CacheStamp(incarnation=3, writer=7, sequence=0)
ROOMY = 1 << 30
Opener = Callable[..., ConceptCache]
"""What the fixture ``open_cache`` is."""
EdgeName = tuple[int, int, int]
"""Source, type code, target."""


@dataclass
class Life:
    key: np.ndarray
    value: np.ndarray
    has_value: bool
    kind: str
    encoder: str
    version: int
    created_at: float
    modified_at: float
    born_epoch: int
    touched_epoch: int
    relevance: float = 1.0
    use_frequency: int = 0
    contradictions: int = 0
    region_id: int = -1


@dataclass
class Bond:
    weight: float
    use_count: int
    created_at: float
    touched_epoch: int
    confidence: float = 1.0


@dataclass
class PlainMemory:
    concepts: dict[int, Life] = field(default_factory=dict)
    bonds: dict[EdgeName, Bond] = field(default_factory=dict)

    # -- lessons ----------------------------------------------------------------------------------------------------

    def apply(self, operation: Operation, at: float) -> set[int]:
        """Carry out an operation; the ids for which it was void."""
        name = type(operation).__name__.lower()
        return getattr(self, f"_{name}")(operation, at) or set()

    def _create(self, op: Create, at: float) -> None:
        for i, concept in enumerate(op.ids.tolist()):
            value, given = op.values[i].copy(), bool(op.has_value[i])
            self.concepts[concept] = Life(
                op.keys[i].copy(), value, given, op.kind, op.encoder, op.version, at, at, op.epoch, op.epoch
            )

    def _link(self, op: Link, at: float) -> set[int]:
        declined = set()
        code = RELATIONS.code(op.type)
        for s, t, weight, uses in zip(
            *(c.tolist() for c in (op.sources, op.targets, op.weights, op.uses)), strict=True
        ):
            if s == t or s not in self.concepts or t not in self.concepts:
                declined |= {s, t}
                continue
            ends = sorted((s, t)) if RELATIONS.symmetric[code] else (s, t)
            name = (ends[0], code, ends[1])
            if name in self.bonds:
                bond = self.bonds[name]
                bond.weight = 1 - (1 - bond.weight) * 0.9 ** (uses + 1)
                bond.use_count += uses + 1
                bond.touched_epoch = max(bond.touched_epoch, op.epoch)
            else:
                self.bonds[name] = Bond(1 - (1 - weight) * 0.9**uses, uses, at, op.epoch)
            self._stamp({s, t}, at)
        return declined

    def _touch(self, op: Touch, at: float) -> set[int]:
        for concept, uses, against in zip(op.ids.tolist(), op.uses.tolist(), op.contradictions.tolist(), strict=True):
            if life := self.concepts.get(concept):
                later = max(life.touched_epoch, op.epoch)
                d = LIMITS.relevance_decay
                faded = life.relevance * d ** (later - life.touched_epoch)
                gained = uses * LIMITS.relevance_boost * d ** (later - op.epoch)
                life.relevance = max(RELEVANCE_FLOOR, faded + gained)
                life.touched_epoch = later
                life.use_frequency += uses
                life.contradictions += against
        return self._stamp(set(op.ids.tolist()), at)

    def _describe(self, op: Describe, at: float) -> set[int]:
        return self._stamp(set(op.ids.tolist()), at)

    def _remove(self, op: Remove, at: float) -> None:
        self._bury(set(op.ids.tolist()) & self.concepts.keys(), at)

    def _prune(self, op: Prune, at: float) -> set[int]:
        here = [(i, c) for i, c in enumerate(op.ids.tolist()) if c in self.concepts]
        going = {
            c
            for i, c in here
            if (op.epoch is None or self.may_go(c, op.epoch))
            and (op.fades_at is None or self.fades_at(c) <= op.fades_at[i])
        }
        self._bury(going, at)
        return {c for _, c in here} - going

    def may_go(self, concept: int, epoch: int) -> bool:
        """Whether a concept may be pruned in ``epoch``: old, faded, and little used."""
        life = self.concepts[concept]
        if life.use_frequency - life.contradictions >= LIMITS.survival_threshold_frequency:
            return False
        relevance = life.relevance * LIMITS.relevance_decay ** (epoch - life.touched_epoch)
        old = epoch - life.born_epoch > LIMITS.survival_min_age
        return old and relevance < LIMITS.survival_threshold_relevance

    def fades_at(self, concept: int) -> float:
        life = self.concepts[concept]
        return life.touched_epoch + math.log(life.relevance) / LIMITS.rate

    def _bury(self, ids: set[int], at: float) -> None:
        for s, code, t in [b for b in self.bonds if b[0] in ids or b[2] in ids]:
            del self.bonds[s, code, t]
            self._stamp({s, t}, at)
        for concept in ids:
            del self.concepts[concept]

    def _merge(self, op: Merge, at: float) -> set[int]:
        declined: set[int] = set()
        into: dict[int, int] = {}
        for pair in zip(op.survivors.tolist(), op.merged.tolist(), strict=True):
            survivor, merged = (_heir(c, into) for c in pair)
            void = survivor == merged or not {survivor, merged} <= self.concepts.keys()
            if void or (survivor, merged) != pair:
                declined |= {*pair, survivor, merged}
            if not void:
                self._merge_one(survivor, merged, at)
                into[merged] = survivor
        return declined

    def _merge_one(self, survivor: int, merged: int, at: float) -> None:
        a, b = self.concepts[survivor], self.concepts[merged]
        later = max(a.touched_epoch, b.touched_epoch)
        d = LIMITS.relevance_decay
        a.relevance = a.relevance * d ** (later - a.touched_epoch) + b.relevance * d ** (later - b.touched_epoch)
        a.touched_epoch, a.born_epoch = later, min(a.born_epoch, b.born_epoch)
        a.use_frequency += b.use_frequency
        a.contradictions += b.contradictions
        self._rehang([n for n in self.bonds if merged in (n[0], n[2])], merged, survivor, at)
        self._bury({merged}, at)
        self._stamp({survivor}, at)

    def _rehang(self, names: list[EdgeName], old: int, new: int, at: float) -> None:
        for name in names:
            bond = self.bonds.pop(name)
            ends = [new if end == old else end for end in (name[0], name[2])]
            self._stamp({*ends, old}, at)
            if ends[0] == ends[1]:
                continue
            if RELATIONS.symmetric[name[1]]:
                ends.sort()
            moved = (ends[0], name[1], ends[1])
            if moved in self.bonds:
                self.bonds[moved] = _parallel(self.bonds[moved], bond)
            else:
                self.bonds[moved] = bond

    def _split(self, op: Split, at: float) -> set[int]:
        if op.source not in self.concepts or op.id in self.concepts:
            return {op.source, op.id, *op.neighbours.tolist()}
        source = self.concepts[op.source]
        uses, against = source.use_frequency // 2, source.contradictions // 2
        source.use_frequency -= uses
        source.contradictions -= against
        self.concepts[op.id] = replace(
            source,
            key=op.key.copy(),
            value=op.value.copy(),
            has_value=op.has_value,
            created_at=at,
            use_frequency=uses,
            contradictions=against,
            region_id=-1,
        )
        taken = set(op.neighbours.tolist())
        names = [n for n in self.bonds if op.source in (n[0], n[2]) and taken & {n[0], n[2]}]
        self._rehang(names, op.source, op.id, at)
        low, high = sorted((op.source, op.id))
        self.bonds[low, RELATIONS.code("SIMILARITY"), high] = Bond(1.0, 0, at, source.touched_epoch)
        self._stamp({op.source, op.id}, at)
        return set()

    def _regions(self, op: Regions, at: float) -> set[int]:
        for concept, region in zip(op.ids.tolist(), op.regions.tolist(), strict=True):
            if concept in self.concepts:
                self.concepts[concept].region_id = region
        return self._stamp(set(op.ids.tolist()), at)

    def _rekey(self, op: Rekey, at: float) -> set[int]:
        declined = set()
        for i, concept in enumerate(op.ids.tolist()):
            life = self.concepts.get(concept)
            if life is None or life.version > op.version:
                declined.add(concept)
                continue
            life.key, life.version, life.encoder = op.keys[i].copy(), op.version, op.encoder
            self._stamp({concept}, at)
        return declined

    def _advance(self, op: Advance, at: float) -> None:
        return None

    def _stamp(self, ids: set[int], at: float) -> set[int]:
        for concept in ids & self.concepts.keys():
            self.concepts[concept].modified_at = at
        return ids - self.concepts.keys()

    # -- as stores give it ------------------------------------------------------------------------------------------

    def concept_table(self, ids: list[int]) -> ConceptTable:
        lives = [self.concepts[i] for i in ids]

        def ints(name: str) -> np.ndarray:
            return np.array([getattr(life, name) for life in lives], np.int64)

        def doubles(name: str) -> np.ndarray:
            return np.array([getattr(life, name) for life in lives], np.float64)

        return ConceptTable(
            ids=np.array(ids, np.int64),
            kinds=tuple(life.kind for life in lives),
            names=(None,) * len(ids),
            texts=(None,) * len(ids),
            sources=(None,) * len(ids),
            encoders=tuple(life.encoder for life in lives),
            versions=ints("version"),
            created_at=doubles("created_at"),
            modified_at=doubles("modified_at"),
            born_epoch=ints("born_epoch"),
            touched_epoch=ints("touched_epoch"),
            relevance=doubles("relevance"),
            use_frequency=ints("use_frequency"),
            contradictions=ints("contradictions"),
            region_id=ints("region_id"),
        )

    def vector_table(self, ids: list[int]) -> VectorTable:
        lives = [self.concepts[i] for i in ids]
        unknown = np.zeros(len(ids), np.int64)
        return VectorTable(
            ids=np.array(ids, np.int64),
            keys=np.array([life.key for life in lives], np.float32).reshape(-1, D),
            values=np.array([life.value for life in lives], np.float32).reshape(-1, V),
            has_value=np.array([life.has_value for life in lives], np.bool_),
            versions=np.array([life.version for life in lives], np.int64),
            writers=unknown,
            sequences=unknown,
        )

    def edge_table(self, names: list[EdgeName]) -> EdgeTable:
        bonds = [self.bonds[n] for n in names]
        return EdgeTable(
            sources=np.array([n[0] for n in names], np.int64),
            targets=np.array([n[2] for n in names], np.int64),
            types=np.array([n[1] for n in names], np.int16),
            weights=np.array([b.weight for b in bonds], np.float32),
            confidences=np.array([b.confidence for b in bonds], np.float32),
            use_counts=np.array([b.use_count for b in bonds], np.int64),
            created_at=np.array([b.created_at for b in bonds], np.float64),
            touched_epoch=np.array([b.touched_epoch for b in bonds], np.int64),
        )

    def touching(self, ids: set[int]) -> list[EdgeName]:
        return [n for n in self.bonds if n[0] in ids or n[2] in ids]

    def read(self, ids: list[int]) -> tuple[ConceptTable, VectorTable, EdgeTable]:
        """What the stores say of some concepts, as the cache's ``insert`` takes it."""
        return self.concept_table(ids), self.vector_table(ids), self.edge_table(self.touching(set(ids)))


def _heir(concept: int, into: dict[int, int]) -> int:
    while concept in into:
        concept = into[concept]
    return concept


def _parallel(a: Bond, b: Bond) -> Bond:
    return Bond(
        max(a.weight, b.weight),
        a.use_count + b.use_count,
        min(a.created_at, b.created_at),
        max(a.touched_epoch, b.touched_epoch),
        max(a.confidence, b.confidence),
    )
