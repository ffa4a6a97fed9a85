"""A cache with room for few of a memory's concepts evicts, and is never wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cache_checks import assert_same, audit
from plain_memory import Opener, PlainMemory
from random_lessons import Lessons, births

from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import EdgeTable
from aesg_graph.operations import Link, Operation, Remove, Touch, born_ids, named_ids

TINY = 0
"""Room for the 64 concepts that always fit."""


class SmallWorld:
    """A memory, the stores that lag behind it, and a cache that is filled from the stores as an engine would do it."""

    def __init__(self, cache: ConceptCache) -> None:
        self.cache, self.memory, self.stores = cache, PlainMemory(), PlainMemory()
        self.unsent: list[tuple[Operation, float]] = []
        self.sequence = 0

    def load(self, ids: np.ndarray) -> None:
        absent = ids[self.cache.lookup(ids) < 0]
        # What the memory has lost may still be in the stores, and must not come back.
        wanted = [i for i in np.unique(absent).tolist() if i in self.memory.concepts]
        assert set(wanted) <= self.stores.concepts.keys(), "a pending birth was evicted"
        if wanted:
            concepts, vectors, _ = self.stores.read(wanted)
            names = [n for n in self.stores.touching(set(wanted)) if {n[0], n[2]} <= self.memory.concepts.keys()]
            self.cache.insert(concepts, vectors, self.stores.edge_table(names), keep=ids)

    def learn(self, operation: Operation) -> None:
        everything = np.setdiff1d(named_ids(operation), born_ids(operation))
        for _ in range(2):
            everything = np.union1d(everything, self.cache.needed(operation))
            self.load(everything)
        self.sequence += 1
        at = float(self.sequence)
        self.cache.reserve([operation])
        applied = self.cache.apply(operation, self.sequence, at)
        assert set(applied.declined.tolist()) == self.memory.apply(operation, at)
        self.unsent.append((operation, at))

    def settle(self) -> None:
        for operation, at in self.unsent:
            self.stores.apply(operation, at)
        self.unsent.clear()
        self.cache.acknowledge(self.sequence)

    def check(self) -> None:
        audit(self.cache)
        ids = self.cache.columns()["id"]
        assert_same(self.cache, self.memory, sorted(ids[ids >= 0].tolist()))


@pytest.mark.parametrize("seed", range(6))
def test_rows_are_right_through_eviction_and_reading_back(open_cache: Opener, seed: int) -> None:
    world = SmallWorld(open_cache(capacity_bytes=TINY))
    world.cache.complete = True
    lessons = Lessons(seed, world.memory)
    for first in range(0, 1200, 30):
        world.learn(births(lessons.rng, lessons.fresh(30)))
        ids = np.array(sorted(world.memory.concepts), np.int64)
        pairs = lessons.rng.choice(ids, (2, 30))
        world.learn(Link("ASSOCIATION", *pairs, np.full(30, 0.5, np.float32), np.zeros(30, np.int64), 0))
        if first % 90 == 0:
            world.settle()
    for step in range(120):
        world.learn(lessons.next())
        if lessons.rng.random() < 0.4:
            world.settle()
        if step % 12 == 0:
            world.check()
    world.settle()
    world.learn(births(lessons.rng, lessons.fresh(1)))
    world.check()
    assert not world.cache.complete
    assert world.cache.evicted > 500
    assert world.cache.resident <= 64


def test_capacity_says_how_much_fits(open_cache: Opener) -> None:
    cache = open_cache(capacity_bytes=3_000_000)
    rng = np.random.default_rng(0)
    assert cache.fits(64, 10**9)
    assert cache.fits(2000, 8000)
    assert not cache.fits(2000, 80_000)
    assert not cache.fits(10**6, 0)
    for n in range(1, 40):
        ids = np.arange(n * 1000, n * 1000 + 1000)
        cache.apply(births(rng, ids), n, 1.0)
        pairs = rng.choice(ids, (2, 3000))
        cache.apply(Link("CAUSAL", *pairs, np.ones(3000, np.float32), np.zeros(3000, np.int64), 0), n, 1.0)
        cache.acknowledge(n)
    assert cache.evicted > 20_000
    assert 0.5 * cache.capacity <= cache.resident <= 1.3 * cache.capacity
    audit(cache)


def test_the_least_recently_used_go_first(open_cache: Opener) -> None:
    cache, rng = open_cache(capacity_bytes=TINY), np.random.default_rng(0)
    cache.apply(births(rng, np.arange(64)), 1, 1.0)
    cache.acknowledge(1)
    for concept in (5, 50, 7):
        cache.touch_used(cache.lookup(np.array([concept])))
    for n in range(7):
        cache.apply(births(rng, np.arange(100 + 8 * n, 108 + 8 * n)), 2 + n, 1.0)
        cache.acknowledge(2 + n)
    assert cache.resident == 64
    assert (cache.lookup(np.array([5, 50, 7])) >= 0).all()


def test_what_the_stores_have_not_acknowledged_stays_and_the_cache_outgrows_its_capacity(open_cache: Opener) -> None:
    cache, rng = open_cache(capacity_bytes=TINY), np.random.default_rng(0)
    for n in range(1, 11):
        cache.apply(births(rng, np.arange(n * 100, n * 100 + 50)), n, 1.0)
    assert cache.resident == 500
    cache.acknowledge(8)
    cache.apply(births(rng, np.arange(5000, 5001)), 11, 1.0)
    # Two batches and the last one are pinned; everything else had to go.
    assert cache.resident == 101
    assert (cache.lookup(np.concatenate([np.arange(900, 950), np.arange(1000, 1050)])) >= 0).all()
    audit(cache)


def test_neighbours_of_what_was_removed_are_pinned_too(open_cache: Opener) -> None:
    cache, rng = open_cache(capacity_bytes=TINY), np.random.default_rng(0)
    cache.apply(births(rng, np.arange(60)), 1, 1.0)
    pair = Link("CAUSAL", np.array([1]), np.array([2]), np.ones(1, np.float32), np.zeros(1, np.int64), 0)
    cache.apply(pair, 2, 2.0)
    cache.acknowledge(2)
    cache.apply(Remove(np.array([2])), 3, 3.0)
    cache.apply(births(rng, np.arange(100, 164)), 4, 4.0)
    # The stores still have the edge: had concept 1 gone, it would come back with it.
    assert cache.lookup(np.array([1, 3])).tolist()[0] >= 0
    assert len(cache.edges_of(1)) == 0


def test_edges_outlive_the_eviction_of_one_end(open_cache: Opener) -> None:
    world = SmallWorld(open_cache(capacity_bytes=TINY))
    rng = np.random.default_rng(0)
    world.learn(births(rng, np.arange(60)))
    world.learn(Link("CAUSAL", np.array([1, 3]), np.array([2, 1]), np.ones(2, np.float32), np.zeros(2, np.int64), 0))
    world.settle()
    world.cache.forget(np.array([2]), gone=False)
    audit(world.cache)
    assert sorted(world.cache.edges_of(1).targets.tolist()) == [1, 2]
    assert world.cache.edge_count == 2
    world.load(np.array([2]))
    world.check()
    world.cache.forget(np.array([1, 2]), gone=False)
    audit(world.cache)
    # Concept 3 still knows its edge; nobody is left who knows the other one.
    assert world.cache.edge_count == 1
    world.cache.forget(np.array([3]))
    assert world.cache.edge_count == 0


def test_concepts_that_turn_out_to_be_gone_leave_no_edges_behind(open_cache: Opener) -> None:
    cache, rng = open_cache(), np.random.default_rng(0)
    cache.apply(births(rng, np.arange(4)), 1, 1.0)
    pairs = Link("CAUSAL", np.array([0, 1]), np.array([1, 2]), np.ones(2, np.float32), np.zeros(2, np.int64), 0)
    cache.apply(pairs, 1, 1.0)
    cache.complete = True
    cache.forget(np.array([1, 77]))
    audit(cache)
    assert (cache.resident, cache.edge_count, cache.complete) == (3, 0, True)


def test_reading_a_concept_again_replaces_its_row_and_all_its_edges(open_cache: Opener) -> None:
    cache, memory, rng = open_cache(), PlainMemory(), np.random.default_rng(0)
    lessons = Lessons(0, memory)
    memory.apply(births(rng, np.arange(30)), 1.0)
    for n in range(60):
        memory.apply(lessons.link(), float(n))
    everyone = sorted(memory.concepts)
    cache.insert(*memory.read(everyone))
    assert_same(cache, memory)
    for n in range(20):
        # Somebody else writes, and the changed concepts are read again, both ends of each changed edge among them.
        before = dict(memory.bonds)
        for operation in (lessons.link(), lessons.touch()):
            memory.apply(operation, 100.0 + n)
        for name in list(memory.bonds)[:: 7 + n]:
            del memory.bonds[name]
        changed = {end for name in before.keys() ^ memory.bonds.keys() for end in (name[0], name[2])}
        changed |= {i for i, life in memory.concepts.items() if life.modified_at == 100.0 + n}
        cache.insert(*memory.read(sorted(changed)))
        audit(cache)
        assert_same(cache, memory)


def test_edges_given_twice_and_concepts_without_vectors_do_no_harm(open_cache: Opener) -> None:
    cache, memory = open_cache(), PlainMemory()
    memory.apply(births(np.random.default_rng(0), np.arange(5)), 1.0)
    memory.apply(
        Link("CAUSAL", np.array([0, 1, 2]), np.array([1, 2, 4]), np.ones(3, np.float32), np.zeros(3, int), 0), 1.0
    )
    concepts, _, edges = memory.read([3, 0, 1, 4, 2])
    doubled = EdgeTable(**{c: np.tile(getattr(edges, c), 2) for c in EdgeTable.__dataclass_fields__})
    cache.insert(concepts, memory.vector_table([2, 0, 3, 1]), doubled)
    audit(cache)
    assert_same(cache, memory, [0, 1, 2, 3])


def test_a_batch_larger_than_the_cache_is_held_all_the_same(open_cache: Opener) -> None:
    world = SmallWorld(open_cache(capacity_bytes=TINY))
    lessons = Lessons(3, world.memory)
    for _ in range(10):
        world.learn(births(lessons.rng, lessons.fresh(40)))
        world.settle()
    everyone = np.array(sorted(world.memory.concepts), np.int64)
    world.learn(Touch(everyone, np.ones(400, np.int64), np.zeros(400, np.int64), 1))
    assert world.cache.resident == 400
    world.check()
    world.settle()
    world.learn(births(lessons.rng, lessons.fresh(1)))
    assert world.cache.resident <= 64
    world.check()


def test_gaps_in_the_slab_are_closed_instead_of_growing_for_ever(open_cache: Opener, tmp_path: Path) -> None:
    world = SmallWorld(open_cache(capacity_bytes=TINY))
    lessons = Lessons(5, world.memory)
    sizes = []
    for _ in range(60):
        ids = lessons.fresh(40)
        world.learn(births(lessons.rng, ids))
        pairs = lessons.rng.choice(ids, (2, 10 * int(lessons.rng.integers(1, 40))))
        ones = np.ones(pairs.shape[1])
        world.learn(Link("CAUSAL", *pairs, ones.astype(np.float32), ones.astype(np.int64), 0))
        world.settle()
        sizes.append((tmp_path / "cache" / "weights.bin").stat().st_size // 4)
    audit(world.cache)
    assert sizes[-1] == sizes[20]
    assert sizes[-1] <= 16 * 64 * 40
