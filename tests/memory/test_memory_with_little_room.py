"""A cache with room for few concepts gives the same answers as one with room for all, and does evict and fetch."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_scenes import D, V, axis, config, edges, rows, tiny_cache, unit, uses

from aesg_graph import AESGMemory
from aesg_graph.concepts import NO_ID
from aesg_graph.operations import Rekey

# One in a hundred.
CONCEPTS, ROOM = 6400, 64


class Twins:
    """The same history in two memories that differ in the room that their caches have."""

    def __init__(self, place, **changes):
        self.place, self.given = place, config(**changes)
        self.stores = {"roomy": None, "tiny": tiny_cache()}
        self.ids = {name: np.empty(0, np.int64) for name in self.stores}
        self.seen = {}
        self.open()

    def open(self):
        self.memories = {
            name: AESGMemory(self.place / name, self.given, stores=stores) for name, stores in self.stores.items()
        }

    def close(self):
        for name, memory in self.memories.items():
            stats = memory.stats()
            seen = self.seen.setdefault(name, Counter())
            seen.update({what: stats[what] for what in ("fetched", "cache_misses", "consolidations")})
            seen["evicted"] += memory.engine.residency.cache.evicted
        for memory in self.memories.values():
            memory.close()

    @property
    def tiny(self):
        return self.memories["tiny"]

    def create(self, keys, values=None, kind="concept"):
        for name, memory in self.memories.items():
            self.ids[name] = np.append(self.ids[name], memory.create(keys, values, kind=kind).numpy())

    def learn(self, query, value=None):
        for memory in self.memories.values():
            memory.train()(query, value)
        self.adopt()

    def adopt(self):
        """Ids of what was born, in the order of birth, which is the order of ids."""
        for name, memory in self.memories.items():
            memory.flush()
            page = memory.engine.residency.graph.page(-1, 1_000_000, edges=False).concepts
            new = np.setdiff1d(page.ids, self.ids[name])
            self.ids[name] = np.append(self.ids[name], new)

    def each(self, act):
        for name, memory in self.memories.items():
            act(memory, self.ids[name])

    def alive(self):
        memory = self.memories["roomy"]
        return np.flatnonzero(np.isin(self.ids["roomy"], memory.engine.residency.known(self.ids["roomy"])))

    def named(self, name, ids):
        """Ids as places in the order of birth, which are the same in both."""
        flat, born = np.ravel(ids), self.ids[name]  # which is in ascending order
        place = np.searchsorted(born, flat)
        return np.where(flat == NO_ID, -1, place).tolist()

    def compare(self, query, value=None, **how):
        found = {}
        for name, memory in self.memories.items():
            ctx = memory.retrieve(query, value, learn=False, **how)
            found[name] = (
                self.named(name, ctx.ids),
                ctx.energies.ravel().tolist(),
                ctx.vectors.ravel().tolist(),
                ctx.read().ravel().tolist(),
                ctx.explanation.ravel().tolist(),
                ctx.novel.ravel().tolist(),
                ctx.stability.ravel().tolist(),
            )
        assert found["tiny"][0] == found["roomy"][0]
        assert found["tiny"][5] == found["roomy"][5]
        for part in (1, 2, 3, 4, 6):
            np.testing.assert_allclose(found["tiny"][part], found["roomy"][part], rtol=1e-5, atol=1e-6)

    def compare_all(self):
        """Counts, lives and edges."""
        lives = {}
        for name, memory in self.memories.items():
            known, linked = uses(memory), edges(memory)
            assert np.isin(list(known), self.ids[name]).all()
            sources, targets = (self.named(name, [edge[end] for edge in linked]) for end in (0, 1))
            ends = {
                (s, t, edge[2]): (round(w, 5), n)
                for s, t, (edge, (w, n)) in zip(sources, targets, linked.items(), strict=True)
            }
            lives[name] = dict(zip(self.named(name, list(known)), known.values(), strict=True)), ends
            assert memory.storage.node_count == memory.engine.residency.graph.count().concepts == len(known)
            assert memory.storage.edge_count == len(ends)
            assert memory.engine._backend.journal.refused() == []
        assert lives["tiny"] == lives["roomy"]


@pytest.fixture
def twins(place):
    made = []

    def make(**changes):
        made.append(Twins(place, **changes))
        return made[-1]

    yield make
    for pair in made:
        for memory in pair.memories.values():
            memory.close()


def test_with_room_for_one_percent_the_same_history_gives_the_same_answers(twins):
    both = twins(
        survival_min_age=2,
        survival_threshold_relevance=0.9,
        survival_threshold_frequency=2,
        max_prune_fraction=0.02,
        coactivation_threshold_create=3,
        consolidation_epoch_interval=2,
        max_concepts=CONCEPTS - 100,
    )
    random = np.random.default_rng(0)
    both.create(rows(CONCEPTS // 2), rows(CONCEPTS // 2, 1, V))
    both.create(rows(CONCEPTS // 2, 2), kind="word")
    for _ in range(4):
        ends = random.choice(CONCEPTS, (2, 2000))
        ends = ends[:, ends[0] != ends[1]]
        kind = random.choice(["CAUSAL", "SIMILARITY", "ASSOCIATION"])
        weights = random.random(ends.shape[1], np.float32)
        both.each(lambda m, ids, e=ends, k=kind, w=weights: m.link(ids[e[0]], ids[e[1]], k, w))
    both.each(lambda m, _: m.flush())
    for round in range(12):
        near = rows(CONCEPTS // 2)[random.choice(CONCEPTS // 2, 6)] + 0.3 * rows(6, 50 + round)
        both.compare(near)
        both.compare(near, rows(6, 70 + round, V), kind=random.choice([None, "word"]))
        both.learn(near, rows(6, 90 + round, V) if round % 2 else None)
        gone = random.choice(both.alive(), 40, replace=False)
        both.each(lambda m, ids, g=gone: m.remove(ids[g]))
        both.compare(near)  # with all of this pending
        both.each(lambda m, _: m.update_topology())
        both.compare(rows(4, 200 + round))
        if round % 4 == 3:
            both.compare_all()
            both.close()
            both.open()
    both.compare_all()
    both.close()
    tiny, roomy = both.seen["tiny"], both.seen["roomy"]
    assert tiny["fetched"] > 1000, "it must really fetch"
    assert tiny["evicted"] > 1000, "and evict"
    assert tiny["cache_misses"] > 100
    assert roomy["evicted"] == roomy["cache_misses"] == 0
    assert tiny["consolidations"] == roomy["consolidations"] == 6


actions = st.lists(
    st.tuples(
        st.sampled_from(["create", "learn", "sequence", "link", "remove", "consolidate", "step", "reopen", "flush"]),
        st.integers(0, 1000),
    ),
    min_size=4,
    max_size=14,
)


@settings(max_examples=12)
@given(actions=actions)
def test_any_history_gives_the_same_answers_with_little_room(actions):
    place = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, prefix="aesg-test-"))
    both = Twins(
        place,
        survival_min_age=1,
        survival_threshold_relevance=0.97,
        survival_threshold_frequency=1,
        max_prune_fraction=0.2,
        coactivation_threshold_create=2,
        novelty_birth_threshold=2,
        seeds=2,
    )
    try:
        both.create(rows(150, 999), rows(150, 998, V))
        both.each(lambda m, ids: m.link(ids[:-1], ids[1:], "CAUSAL", 0.9))
        both.each(lambda m, _: m.flush())
        for action, number in actions:
            act(both, action, number)
            both.compare(rows(3, number + 1))
        both.compare_all()
    finally:
        both.close()
        shutil.rmtree(place)


def act(both, action, number):
    random = np.random.default_rng(number)
    alive = both.alive()
    if action == "create":
        both.create(
            rows(40, number), rows(40, number + 1, V) if number % 2 else None, "word" if number % 3 else "image"
        )
    elif action == "learn":
        both.learn(rows(5, number), rows(5, number + 1, V) if number % 2 else None)
    elif action == "sequence":
        both.learn(rows(6, number % 5).reshape(2, 3, D))
    elif action == "link" and len(alive) > 1:
        a, b = random.choice(alive, 2, replace=False)
        both.each(lambda m, ids: m.link(ids[[a]], ids[[b]], "ASSOCIATION" if number % 2 else "CAUSAL", 0.5))
    elif action == "remove" and len(alive) > 20:
        gone = random.choice(alive, 15, replace=False)
        both.each(lambda m, ids: m.remove(ids[gone]))
    elif action == "consolidate":
        both.each(lambda m, _: m.cognitive_engine.consolidate())
    elif action == "step":
        for memory in both.memories.values():
            with memory.train().step():
                memory(rows(4, number))
                memory(rows(4, number), rows(4, number + 2, V))
        both.adopt()
    elif action == "reopen":
        both.close()
        both.open()
    elif action == "flush":
        both.each(lambda m, _: m.flush())


# -- what a cold memory must get right --------------------------------------------------------------------------------


@pytest.fixture
def cold(opened):
    """A memory of 500 concepts of which few are resident."""
    memory = opened(stores=tiny_cache()).eval()
    first = memory.create(rows(500)[:490], rows(490, 1, V))
    memory.flush()
    memory.ids = torch.cat([first, memory.create(rows(500)[490:])]).numpy()
    memory.flush()
    assert not memory.stats()["complete"]
    return memory


def nearest(memory, query, without=()):
    """The seeds, found by hand."""
    keys = unit(rows(500))
    cosines = keys @ unit(query)
    order = [n for n in np.argsort(-cosines, kind="stable") if n not in without]
    return [int(memory.ids[n]) for n in order[:3]]


def test_seeds_are_found_though_most_of_the_nearest_are_about_to_be_removed(cold):
    query = rows(1, 5)[0]
    order = np.argsort(-(unit(rows(500)) @ unit(query)), kind="stable")
    doomed = order[:60]
    with held_back(cold):
        cold.remove(cold.ids[doomed])
        assert cold(query).ids[:3].tolist() == nearest(cold, query, set(doomed.tolist()))
    cold.flush()
    assert cold(query).ids[:3].tolist() == nearest(cold, query, set(doomed.tolist()))


def test_seeds_are_found_though_the_store_knows_other_keys_of_the_nearest(opened):
    """Keys that are being replaced are in the cache alone; the store still sees the old ones."""
    memory = opened(stores=tiny_cache(), seeds=2).eval()
    old, new = axis(0), axis(5)
    near = old + 0.05 * rows(60)
    ids = memory.create(torch.cat([near, old + 0.6 * rows(200, 3)]), sources=[f"{n}" for n in range(260)])
    memory.flush()
    with held_back(memory):
        version = memory.engine.recorder.key_version + 1
        keys = new.repeat(60, 1).numpy()
        memory.engine.recorder.record([Rekey(ids[:60].numpy(), keys, version, "")])
        found = memory(old).ids[:2].tolist()
    exact = unit(old + 0.6 * rows(200, 3)) @ unit(old)
    assert found == [int(ids[60 + n]) for n in np.argsort(-exact, kind="stable")[:2]]


class held_back:  # noqa: N801
    """While inside, nothing that is recorded reaches the stores."""

    def __init__(self, memory):
        self.engine = memory.engine

    def __enter__(self):
        self.engine.flush()
        self.lock = self.engine.residency.graph._write_lock
        self.lock.acquire()

    def __exit__(self, *exc):
        self.lock.release()


def test_a_writer_sees_its_own_lessons_before_the_stores_do(cold):
    with held_back(cold):
        (new,) = cold.create(axis(3)[None] * 5, torch.ones(1, V)).tolist()
        ctx = cold(axis(3))
        assert ctx.ids[0] == new
        cold.link([new], cold.ids[7:8], "CAUSAL", 1.0)
        assert int(cold.ids[7]) in cold(axis(3)).ids.tolist()
        cold.annotate([new], ["name"])
        assert cold.concept(new).name == "name"


def test_reading_is_bounded_in_what_it_keeps(cold):
    capacity = cold.engine.residency.cache.capacity
    for seed in range(30):
        cold(rows(32, seed))
    assert cold.stats()["resident"] <= max(ROOM, capacity) * 1.5


def test_lessons_larger_than_the_cache_are_taken(opened):
    memory = opened(stores=tiny_cache())
    ids = memory.create(rows(3000), rows(3000, 1, V))
    memory.link(ids[:-1], ids[1:], "CAUSAL", 0.5)
    memory.annotate(ids, names=[str(n) for n in range(3000)])
    memory.flush()
    memory.remove(ids[::2])
    assert memory.storage.node_count == 1500
    assert memory.storage.edge_count == 0
    memory.flush()
    assert memory.concept(int(ids[1])).name == "1"


def test_concepts_that_come_and_go_are_counted_right(opened):
    memory = opened(stores=tiny_cache(), max_concepts=300, consolidation_epoch_interval=1000)
    random = np.random.default_rng(0)
    ids = memory.create(rows(250))
    for round in range(10):
        memory(rows(40, round) * 3, rows(40, round + 50, V))
        memory.update_topology()
        if len(ids) > 20:
            alive = memory.engine.residency.known(ids.numpy())
            memory.remove(random.choice(alive, 3, replace=False))
        memory.flush()
        assert memory.storage.node_count == memory.engine.residency.graph.count().concepts
    assert memory.storage.node_count <= 300


def test_what_was_removed_while_all_was_resident_stays_away_when_others_must_make_room(opened):
    """Its removal is still on its way to the stores when the cache can no longer hold everything."""
    memory = opened(stores=tiny_cache())
    memory.train(False)
    ids = memory.create(rows(ROOM - 4, 1), rows(ROOM - 4, 2, V))
    memory.flush()
    assert memory.engine.residency.cache.complete
    with memory.engine.recorder.attendant().still():
        memory.remove(ids[:1])
        memory.create(rows(ROOM, 3), rows(ROOM, 4, V))
        assert not memory.engine.residency.cache.complete
        recalled = memory.retrieve(rows(ROOM - 4, 1)[:1])
        assert int(ids[0]) not in recalled.ids
    memory.flush()
