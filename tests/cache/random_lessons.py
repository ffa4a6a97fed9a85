"""Random operations on a plain memory's concepts, absent ones and repeated ones among them."""

from __future__ import annotations

import numpy as np
from plain_memory import RELATIONS, D, PlainMemory, V

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


def unit(rng: np.random.Generator, rows: int, width: int = D) -> np.ndarray:
    keys = rng.standard_normal((rows, width))
    return (keys / np.linalg.norm(keys, axis=1, keepdims=True)).astype(np.float32)


def births(rng: np.random.Generator, ids: np.ndarray, epoch: int = 0, kind: str = "concept") -> Create:
    has_value = rng.random(len(ids)) < 0.7
    values = rng.standard_normal((len(ids), V)).astype(np.float32) * has_value[:, None]
    return Create(
        ids, unit(rng, len(ids)), values, has_value, kind, epoch, encoder=f"{kind}-encoder", version=epoch % 3
    )


class Lessons:
    """A stream of random operations; ids are never used twice."""

    def __init__(self, seed: int, memory: PlainMemory) -> None:
        self.rng = np.random.default_rng(seed)
        self.memory = memory
        self.next_id = int(self.rng.integers(0, 1000))
        self.epoch = 0

    def fresh(self, count: int) -> np.ndarray:
        ids = np.arange(self.next_id, self.next_id + count)
        self.next_id += count
        # Two writers, as in a memory that was made in two places.
        return ids | (self.rng.integers(0, 2, count) << 43)

    def some(self, count: int, absent: float = 0.1) -> np.ndarray:
        """Concepts, a few of which do not exist (any more)."""
        known = np.array(sorted(self.memory.concepts), np.int64)
        if not len(known):
            return self.rng.integers(0, 50, count)
        ids = known[self.rng.integers(0, len(known), count)]
        return np.where(self.rng.random(count) < absent, self.rng.integers(0, self.next_id + 1, count), ids)

    def next(self) -> Operation:
        kinds = "create create link link link touch touch describe remove prune merge split regions rekey advance"
        choice = self.rng.choice(kinds.split())
        return getattr(self, choice)()

    def count(self, most: int = 6) -> int:
        return int(self.rng.integers(1, most + 1))

    def create(self) -> Create:
        kind = str(self.rng.choice(["concept", "sense", "episode"]))
        return births(self.rng, self.fresh(self.count(12)), self.epoch, kind)

    def link(self) -> Link:
        n = self.count(12)
        kind = str(self.rng.choice([*RELATIONS.names[:3], "CONTRADICTS"]))
        weights = self.rng.random(n).astype(np.float32)
        return Link(kind, self.some(n), self.some(n), weights, self.rng.integers(0, 4, n), self._late())

    def touch(self) -> Touch:
        ids = np.unique(self.some(self.count()))
        return Touch(ids, self.rng.integers(0, 3, len(ids)), self.rng.integers(0, 2, len(ids)), self._late())

    def _late(self) -> int:
        return max(0, self.epoch - int(self.rng.integers(0, 3)))

    def describe(self) -> Describe:
        ids = np.unique(self.some(2))
        return Describe(ids, ("name",) * len(ids), None)

    def remove(self) -> Remove:
        return Remove(self.some(self.count(3)))

    def prune(self) -> Prune:
        ids = np.unique(self.some(self.count(8)))
        if self.rng.random() < 0.5:
            return Prune(ids, epoch=self.epoch)
        planned = [self.memory.fades_at(i) if i in self.memory.concepts else 0.0 for i in ids.tolist()]
        return Prune(ids, fades_at=np.array(planned) + self.rng.choice([-1e-3, 1e-3], len(ids)))

    def merge(self) -> Merge:
        n = self.count(3)
        return Merge(self.some(n), self.some(n))

    def split(self) -> Split:
        source = int(self.some(1)[0])
        neighbours = {end for name in self.memory.bonds if source in (name[0], name[2]) for end in (name[0], name[2])}
        taken = [n for n in sorted(neighbours - {source}) if self.rng.random() < 0.5]
        new = int(self.fresh(1)[0])
        value = self.rng.standard_normal(V).astype(np.float32)
        return Split(source, new, unit(self.rng, 1)[0], value, True, np.array(taken, np.int64))

    def regions(self) -> Regions:
        ids = np.unique(self.some(self.count()))
        return Regions(ids, self.rng.integers(-1, 4, len(ids)))

    def rekey(self) -> Rekey:
        ids = np.unique(self.some(self.count()))
        version = int(self.rng.integers(0, 5))
        return Rekey(ids, unit(self.rng, len(ids)), version, f"encoder-{version}")

    def advance(self) -> Advance:
        self.epoch += 1
        return Advance(self.epoch)
