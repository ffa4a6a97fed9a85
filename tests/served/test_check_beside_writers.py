"""Checking and mending while others write: nothing on its way is taken for drift, and nothing of it is lost."""

import threading

import numpy as np
import pytest

from aesg_graph.concepts import COUNTER_BITS
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Create
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import Kind, comparison, failpoints
from tests.served.drift import N, said, wrong
from tests.served.world import V, assert_cache_is_true, assert_in_step, teach, vectors

pytestmark = pytest.mark.usefixtures("_soon")


class Hold:
    """Keeps whoever reaches a step there until it is let go."""

    def __init__(self, step):
        self.reached, self.gone_on = threading.Event(), threading.Event()
        failpoints.install(lambda name: self.wait() if name == step else None)

    def wait(self):
        self.reached.set()
        assert self.gone_on.wait(60)


def test_a_vector_whose_graph_commit_is_pending_is_not_swept(memory, opened):
    engine = opened("b")
    hold = Hold(failpoints.VECTORS_UPSERTED)
    new = engine.create(vectors(3, 40), vectors(3, 41, V))
    assert hold.reached.wait(30)
    with memory.vectors() as store:
        assert store.fetch(np.sort(new)).ids.size == 3
    report = memory.repair()
    assert report.clean
    assert said(report, Kind.AHEAD).count == 3
    hold.gone_on.set()
    engine.flush()
    assert_in_step(engine)
    assert engine.residency.graph.absent(new).size == 0


def test_a_concept_whose_vector_is_about_to_be_deleted_is_no_disagreement(memory, opened, monkeypatch):
    monkeypatch.setattr(comparison, "SETTLING", 1.0)
    engine = opened("b")
    hold = Hold(failpoints.GRAPH_COMMITTED)
    engine.remove(memory.ids[:2])
    assert hold.reached.wait(30)
    threading.Timer(0.5, hold.gone_on.set).start()
    assert memory.check().clean
    engine.flush()
    assert_in_step(engine)


def meanwhile(monkeypatch, store, method, happens, before):
    """Let something happen once, just before or after a store is asked."""
    asked, todo = getattr(store, method), [happens]

    def ask(*arguments, **named):
        now = todo.pop() if todo else lambda: None
        if before:
            now()
        answer = asked(*arguments, **named)
        if not before:
            now()
        return answer

    monkeypatch.setattr(store, method, ask)


def test_what_is_born_after_the_graph_was_read_is_no_orphan(memory, opened, monkeypatch):
    engine, born = opened("b"), []

    def give_birth():
        born.append(engine.create(vectors(3, 40), vectors(3, 41, V)))
        engine.flush()

    meanwhile(monkeypatch, Neo4jGraphStore, "page", give_birth, before=False)
    assert memory.repair().findings == ()
    assert engine.residency.graph.absent(born[0]).size == 0
    assert_in_step(engine)


def test_what_is_removed_after_the_graph_was_read_has_lost_no_vector(memory, opened, monkeypatch):
    engine = opened("b")

    def remove():
        engine.remove(memory.ids[:2])
        engine.flush()

    meanwhile(monkeypatch, Neo4jGraphStore, "page", remove, before=False)
    report = memory.check()
    assert wrong(report) == []
    assert report.concepts == N - 2


def test_a_vector_that_is_mended_while_its_concept_is_removed_goes_again(memory, opened, monkeypatch):
    engine = opened("b")
    with memory.vectors() as store:
        store.label(memory.ids[:2], np.array([4, 4]))

    def remove():
        engine.remove(memory.ids[:1])
        engine.flush()

    meanwhile(monkeypatch, QdrantVectorStore, "upsert", remove, before=True)
    assert memory.repair().clean
    assert_in_step(engine)


def test_two_repairs_at_once_agree_in_the_end(memory, opened):
    engine = opened("b")
    for number in range(30):
        memory.put(1000 + number, 77, 1)
    with memory.vectors() as store:
        store.delete(memory.ids[:2])
    memory.cypher("MATCH (:Concept {memory: $m})-[e:CAUSAL]->() SET e.weight = 2.0")
    repairs = [threading.Thread(target=memory.repair) for _ in range(2)]
    for each in repairs:
        each.start()
    for each in repairs:
        each.join()
    assert memory.repair().clean
    assert memory.check().findings == ()
    engine.refresh()
    assert engine.recorder.concepts == N - 2
    assert_cache_is_true(engine)


def test_repair_beside_a_process_that_goes_on_learning(memory, opened):
    engine, stop, made = opened("b"), threading.Event(), []
    with memory.graph() as graph:
        writer, done = next((p.id, p.sequence) for p in graph.positions() if p.content)
    orphan = (writer << COUNTER_BITS) + 7000
    memory.put(orphan, writer, done)
    memory.cypher("MATCH (:Concept {memory: $m, id: $a})-[e:CAUSAL]->() SET e.weight = 2.0", a=int(memory.ids[0]))
    with memory.vectors() as store:
        store.delete(memory.ids[-1:])

    def learn():
        seed = 1000
        while not stop.is_set():
            seed += 1
            new = engine.create(vectors(5, seed), vectors(5, seed, V))
            engine.link(new[:-1], new[1:])
            teach(engine, vectors(N)[:6], vectors(N, 1, V)[:6])
            engine.remove(new[:1])
            made.append(new[1:])
            stop.wait(0.02)  # the machine has others to serve

    learner = threading.Thread(target=learn)
    learner.start()
    try:
        done = memory.repair()
        again = memory.check()
    finally:
        stop.set()
        learner.join()
    engine.flush()
    assert {f.kind for f in done.findings if f.mended} >= {Kind.LOST, Kind.ORPHANS, Kind.EDGES}
    assert wrong(done) == []
    assert wrong(again) == []
    assert len(made) > 3
    graph = engine.residency.graph
    assert graph.absent(np.concatenate(made)).size == 0
    assert graph.absent(np.concatenate([memory.ids[-1:], [orphan]])).size == 2
    assert_in_step(engine)
    assert_cache_is_true(engine)
    assert memory.check().findings == ()


def test_without_the_lease_only_what_needs_none_is_mended(memory):
    with memory.graph() as graph:
        fence = graph.acquire("somebody", 60)
        memory.put(5, 77, 1)
        with memory.vectors() as store:
            store.delete(memory.ids[:1])
        done = memory.repair()
        assert wrong(done) == [Kind.LOST]
        assert "lease" in said(done, Kind.LOST).detail
        assert said(done, Kind.ORPHANS).mended
        graph.release(fence)
        assert memory.repair().clean
        assert graph.acquire("somebody else", 1) is not None  # the repair has let go


def test_a_birth_that_was_refused_leaves_an_orphan_that_is_swept(memory, opened):
    engine = opened("b")

    def die(step):
        if step == failpoints.GRAPH_COMMITTED:
            raise RuntimeError("as far as a kill lets it get")

    failpoints.install(die)
    engine.write(Create(memory.ids[:1], vectors(1, 5), vectors(1, 6, V), np.ones(1, bool), "concept", 0))
    with pytest.raises(AESGStorageError):
        engine.flush(0.3)
    assert memory.check().clean
    failpoints.clear()
    engine.flush()
    assert memory.check().clean
