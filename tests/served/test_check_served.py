"""Drift between Neo4j, Qdrant, journal and cache: each kind is found as what it is, mended, and gone."""

import contextlib
import dataclasses
import json
import threading

import neo4j
import numpy as np
import pytest

from aesg_graph.aging import NEVER
from aesg_graph.concepts import COUNTER_BITS
from aesg_graph.engine.checking import check
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.mending import repair
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch, Create, Touch
from aesg_graph.stores.abc import RETIRED, Points
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import Journal, Kind, comparison, failpoints
from tests.served.world import CONFIG, D, V, assert_cache_is_true, assert_in_step, teach, vectors

N = 12


class Memory:
    """A memory on both servers, the closed directory of one of its processes, and ways to damage it."""

    def __init__(self, settings, path, ids, removed):
        self.settings, self.path, self.ids, self.removed = settings, path, ids, removed

    def check(self, directory=None):
        return check(directory, settings=self.settings)

    def repair(self, directory=None):
        return repair(directory, self.settings)

    def cypher(self, statement, **parameters):
        secret = self.settings.password.get_secret_value()
        with neo4j.GraphDatabase.driver(self.settings.graph, auth=(self.settings.user, secret)) as driver:
            return driver.execute_query(statement, parameters, m=self.settings.memory).records

    @contextlib.contextmanager
    def graph(self):
        with contextlib.closing(Neo4jGraphStore.open(self.settings, CONFIG.vocabulary)) as graph:
            yield graph

    @contextlib.contextmanager
    def vectors(self):
        with contextlib.closing(QdrantVectorStore.open(self.settings, D, V)) as store:
            yield store

    def put(self, id, writer, sequence, kind="concept"):
        """A vector by hand, as if a writer had written it with its batch ``sequence``."""
        with self.vectors() as store:
            number, flag = np.array([id], np.int64), np.ones(1, bool)
            sequences, versions = np.array([sequence]), np.zeros(1, np.int64)
            store.upsert(Points(number, vectors(1, 99), vectors(1, 98, V), flag, (kind,), writer, sequences, versions))

    def answers(self, without=()):
        """Every concept (``without`` some) is found by its key, with its value; and the memory can learn on."""
        engine = MemoryEngine(self.path, None, self.settings)
        try:
            found = engine.recall(engine.query(vectors(N)))
            for i, id in enumerate(self.ids.tolist()):
                if i in without:
                    assert id not in found.ids
                else:
                    assert found.seeds.ids[i, 0] == id
                    np.testing.assert_array_equal(found.seeds.values[i, 0], vectors(N, 1, V)[i])
            assert_cache_is_true(engine)
            engine.create(vectors(1, 77), vectors(1, 77, V))
            engine.flush()
            assert_in_step(engine)
        finally:
            engine.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Nobody writes in most of these tests, so nothing has to settle."""
    monkeypatch.setattr(comparison, "SETTLING", 0.02)
    yield
    failpoints.clear()


@pytest.fixture
def memory(opened, served, tmp_path):
    engine = opened("a")
    ids = engine.create(vectors(N), vectors(N, 1, V), names=[f"n{i}" for i in range(N)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.link(ids[:3], ids[3:6], "SIMILARITY", 0.5)
    extra = engine.create(vectors(1, 50), vectors(1, 51, V))
    engine.remove(extra)
    engine.consolidate()
    engine.close()
    return Memory(served, tmp_path / "a", ids, int(extra[0]))


def wrong(report):
    """The kinds of what is neither a note nor mended."""
    return [finding.kind for finding in report.findings if not (finding.note or finding.mended)]


def said(report, kind):
    return next(finding for finding in report.findings if finding.kind is kind)


def is_mended(memory, *kinds, directory=None, without=()):
    """Exactly this is found, twice; it is mended, and gone; the memory answers. The last look before mending."""
    before = memory.check(directory)
    assert wrong(before) == list(kinds)
    assert wrong(memory.check(directory)) == list(kinds)  # looking has mended nothing
    done = memory.repair(directory)
    assert wrong(done) == []
    assert {finding.kind for finding in done.findings if finding.mended} >= set(kinds)
    assert memory.check(directory).findings == ()
    assert memory.check(memory.path).findings == ()
    memory.answers(without)
    return before, done


# -- nothing to find -------------------------------------------------------------------------------------------------


def test_a_healthy_memory_is_clean_with_its_directory_and_on_servers_alone(memory):
    for directory in (memory.path, None):
        for report in (memory.check(directory), memory.repair(directory)):
            assert (report.findings, report.clean, report.concepts, report.edges) == ((), True, N, N + 2)
        assert report.directory == (None if directory is None else str(directory))
    memory.answers()


def test_beside_an_owner_everything_but_its_cache_is_looked_at(memory, opened):
    opened("a").flush()
    report = memory.check(memory.path)
    assert [finding.kind for finding in report.findings] == [Kind.SKIPPED]
    assert "the cache is in use by process" in report.findings[0].detail
    assert report.owner is not None


def test_the_looks_go_page_by_page_and_tell_how_far_they_are(memory, monkeypatch):
    monkeypatch.setattr("aesg_graph.engine.checking.PAGE", 5)
    monkeypatch.setattr("aesg_graph.sync.check.PAGE", 5)
    told = []
    assert check(None, lambda *step: told.append(step), memory.settings).findings == ()
    assert [step[1:] for step in told if step[0] == "looking at rows"] == [(5, N), (10, N), (12, N)]
    assert [step[1:] for step in told if step[0] == "comparing"] == [(5, N), (10, N), (12, N)]


# -- vectors ---------------------------------------------------------------------------------------------------------


def test_lost_vectors_come_back_from_a_cache_that_is_good(memory):
    with memory.vectors() as store:
        store.delete(memory.ids[:5])
    before, done = is_mended(memory, Kind.LOST, directory=memory.path)
    assert said(before, Kind.LOST).ids.tolist() == memory.ids[:5].tolist()
    assert "5 vectors came back" in said(done, Kind.LOST).detail


def test_a_concept_whose_vector_nobody_has_goes_and_other_processes_hear_of_it(memory, opened):
    other = opened("b")
    with memory.vectors() as store:
        store.delete(memory.ids[:1])
    is_mended(memory, Kind.LOST, without=[0])
    other.refresh()
    assert_cache_is_true(other)
    with memory.graph() as graph:
        [retired] = [p for p in graph.positions() if p.incarnation == RETIRED]
        assert retired.sequence > retired.content > 0
        batch = Batch(retired.id, RETIRED + 1, retired.sequence + 1, 0.0, ())
        with pytest.raises(AESGStorageError, match="incarnation"):
            graph.apply([batch])


def test_when_most_vectors_are_lost_no_concept_is_removed(memory):
    with memory.vectors() as store:
        store.delete(memory.ids[:8])
    done = memory.repair()
    assert wrong(done) == [Kind.LOST]
    assert "restore a copy" in said(done, Kind.LOST).detail
    assert done.concepts == N


def test_a_vector_that_comes_back_is_heard_of_by_caches_that_were_built_without_it(memory, opened):
    with memory.vectors() as store:
        store.delete(memory.ids[:1])
    other = opened("b")
    assert other.recall(other.query(vectors(1))).seeds.ids[0, 0] != memory.ids[0]
    assert memory.repair(memory.path).clean
    other.refresh()
    assert other.recall(other.query(vectors(1))).seeds.ids[0, 0] == memory.ids[0]


def test_a_vector_that_its_writer_is_past_is_an_orphan_and_one_that_is_still_to_come_survives(memory):
    with memory.graph() as graph:
        writer, done = next((p.id, p.sequence) for p in graph.positions() if p.content)
    past, ahead = (writer << COUNTER_BITS) + 7000, (writer << COUNTER_BITS) + 7001
    memory.put(past, writer, done)
    memory.put(ahead, writer, done + 1)
    before = memory.check()
    assert wrong(before) == [Kind.ORPHANS]
    assert said(before, Kind.ORPHANS).ids.tolist() == [past]
    assert said(before, Kind.AHEAD).ids.tolist() == [ahead]
    done = memory.repair()
    assert wrong(done) == []
    with memory.vectors() as store:
        assert store.fetch(np.array([past, ahead])).ids.tolist() == [ahead]
    with memory.graph() as graph:
        graph.retire(writer)  # nobody will ever write it now
    is_mended(memory, Kind.ORPHANS)


def test_a_vector_of_a_writer_that_never_was_is_an_orphan(memory):
    memory.put(5, 77, 1)
    is_mended(memory, Kind.ORPHANS)


def test_a_vector_that_outlived_its_concept(memory):
    memory.put(memory.removed, memory.removed >> COUNTER_BITS, 1)
    is_mended(memory, Kind.REMAINS)


def test_a_concept_that_raw_cypher_deleted(memory):
    memory.cypher("MATCH (c:Concept {memory: $m, id: $id}) DETACH DELETE c", id=int(memory.ids[0]))
    is_mended(memory, Kind.COUNTS, Kind.ORPHANS, Kind.CACHE, directory=memory.path, without=[0])


def test_payload_that_says_something_else(memory):
    with memory.vectors() as store:
        store.label(memory.ids[:2], np.array([4, 4]))
        own = store.fetch(memory.ids[3:4])
        stamp = (int(own.writers[0]), own.sequences, own.versions)
        store.upsert(Points(own.ids, own.keys, own.values, own.has_value, ("dog",), *stamp))
    before, _ = is_mended(memory, Kind.PAYLOAD)
    assert said(before, Kind.PAYLOAD).ids.tolist() == memory.ids[[0, 1, 3]].tolist()


def test_a_vector_of_another_version(memory):
    with memory.vectors() as store:
        own = store.fetch(memory.ids[:1])
        store.rekey(own.ids, own.keys, 3, int(own.writers[0]), int(own.sequences[0]))
    is_mended(memory, Kind.VERSION)
    with memory.graph() as graph:
        assert graph.read(memory.ids[:1], edges=False).concepts.versions.tolist() == [3]


def test_a_collection_that_is_gone_is_written_anew_from_a_good_cache(memory):
    QdrantVectorStore.destroy(memory.settings)
    assert wrong(memory.check()) == [Kind.VECTORS]
    done = memory.repair()
    assert wrong(done) == [Kind.VECTORS]
    assert "no good cache" in said(done, Kind.VECTORS).detail
    is_mended(memory, Kind.VECTORS, directory=memory.path)


def test_a_collection_of_other_dimensions_is_named_and_left_alone(memory):
    QdrantVectorStore.destroy(memory.settings)
    QdrantVectorStore.establish(memory.settings, D + 1, V).close()
    report = memory.repair(memory.path)
    assert wrong(report) == [Kind.VECTORS]
    assert str(D + 1) in said(report, Kind.VECTORS).detail
    assert str(D) in said(report, Kind.VECTORS).detail


# -- what people write with Cypher of their own ----------------------------------------------------------------------

EDGE = "{weight: 0.5, confidence: 1.0, use_count: 2, created_at: 1.0, touched_epoch: 0}"
MATCH = "MATCH (a:Concept {memory: $m, id: $a}), (b:Concept {memory: $m, id: $b}) "
EDITS = {
    "a weight of 2": ("MATCH (:Concept {memory: $m, id: $a})-[e:CAUSAL]->() SET e.weight = 2.0", [Kind.EDGES]),
    "a weight that is text": ("MATCH (:Concept {memory: $m, id: $a})-[e:CAUSAL]->() SET e.weight = 'x'", [Kind.EDGES]),
    "no use count": ("MATCH (:Concept {memory: $m, id: $a})-[e:CAUSAL]->() REMOVE e.use_count", [Kind.EDGES]),
    "a loop": (f"{MATCH} CREATE (a)-[:CAUSAL {EDGE}]->(a)", [Kind.EDGES, Kind.COUNTS]),
    "the wrong way round": (f"{MATCH} CREATE (b)-[:SIMILARITY {EDGE}]->(a)", [Kind.EDGES, Kind.COUNTS]),
    "a double": (f"{MATCH} CREATE (a)-[:CAUSAL {EDGE}]->(b)", [Kind.EDGES, Kind.COUNTS]),
    "expiry": ("MATCH (c:Concept {memory: $m, id: $a}) SET c.expires_epoch = 1", [Kind.EXPIRY]),
    "no expiry": ("MATCH (c:Concept {memory: $m, id: $a}) REMOVE c.expires_epoch", [Kind.EXPIRY]),
    "fading": ("MATCH (c:Concept {memory: $m, id: $a}) SET c.fades_at = 99.0", [Kind.EXPIRY]),
    "relevance": ("MATCH (c:Concept {memory: $m, id: $a}) SET c.relevance = 0.25", [Kind.EXPIRY]),
    "a column that is gone": ("MATCH (c:Concept {memory: $m, id: $a}) REMOVE c.use_frequency", [Kind.MALFORMED]),
    "a column of another type": ("MATCH (c:Concept {memory: $m, id: $a}) SET c.fades_at = 'x'", [Kind.MALFORMED]),
    "counts": ("MATCH (w:Writer {memory: $m}) SET w.concepts = w.concepts + 5", [Kind.COUNTS]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_raw_cypher_can_do_wrong(memory, opened, edit):
    statement, kinds = EDITS[edit]
    other = opened("b")
    memory.cypher(statement, a=int(memory.ids[0]), b=int(memory.ids[1]))
    before = memory.check()
    assert wrong(before) == kinds
    assert memory.repair().clean
    assert memory.check().findings == ()
    other.refresh()
    assert_cache_is_true(other)
    with memory.graph() as graph:
        assert graph.recount() == graph.count()
        life = graph.read(memory.ids[:1]).concepts
        assert graph.due(10**6, N).size == N
        assert life.use_frequency[0] == 0
        assert NEVER not in graph.weakest(N)[1].tolist()


def test_a_double_edge_keeps_the_greatest_weight_and_all_uses(memory):
    memory.cypher(f"{MATCH} CREATE (a)-[:CAUSAL {EDGE}]->(b)", a=int(memory.ids[0]), b=int(memory.ids[1]))
    memory.repair()
    with memory.graph() as graph:
        edges = graph.read(memory.ids[:1]).edges
        own = (edges.sources == memory.ids[0]) & (edges.targets == memory.ids[1])
        assert edges.weights[own].tolist() == [np.float32(0.9)]
        assert edges.use_counts[own].tolist() == [2]


def test_an_edge_into_another_memory_goes(memory):
    beside = {"other": f"{memory.settings.memory}-other"}
    edge = f"MERGE (c:Concept {{memory: $other, id: 1}}) CREATE (a)-[:CAUSAL {EDGE}]->(c)"
    memory.cypher(f"MATCH (a:Concept {{memory: $m, id: $a}}) {edge}", a=int(memory.ids[0]), **beside)
    try:
        assert wrong(memory.check()) == [Kind.EDGES, Kind.COUNTS]
        assert memory.repair().clean
        assert memory.check().clean
    finally:
        memory.cypher("MATCH (c:Concept {memory: $other}) DETACH DELETE c", **beside)


def test_relationships_of_peoples_own_are_noted_and_kept(memory):
    memory.cypher(f"{MATCH} CREATE (a)-[:REMINDS_ME_OF]->(b)", a=int(memory.ids[0]), b=int(memory.ids[1]))
    report = memory.repair()
    assert (report.clean, [f.kind for f in report.findings]) == (True, [Kind.UNDECLARED])
    assert memory.cypher("MATCH (:Concept {memory: $m})-[e:REMINDS_ME_OF]->() RETURN count(e)")[0][0] == 1
    memory.answers()


def test_a_concept_that_somebody_made_with_cypher_has_no_vector_and_goes(memory):
    memory.cypher("CREATE (:Concept {memory: $m, id: 7, name: 'by hand'})")
    assert wrong(memory.check()) == [Kind.MALFORMED, Kind.COUNTS]
    done = memory.repair()
    assert {f.kind for f in done.findings if f.mended} == {Kind.MALFORMED, Kind.COUNTS, Kind.LOST}
    assert memory.check().findings == ()
    memory.answers()


def test_thresholds_that_changed_leave_nothing_misdated(memory, opened):
    opened("a", dataclasses.replace(CONFIG, survival_min_age=9, relevance_decay=0.8)).close()
    assert memory.check().findings == ()


# -- the directory ---------------------------------------------------------------------------------------------------


def test_pending_batches_are_noted_and_sent(memory):
    with contextlib.closing(Journal.open(memory.path / "journal.db")) as journal:
        journal.append([Touch(memory.ids[:1], np.ones(1, np.int64), np.zeros(1, np.int64), 1)], 1.0)
    report = memory.check(memory.path)
    assert [f.kind for f in report.findings] == [Kind.PENDING]
    assert memory.repair(memory.path).clean
    assert memory.check(memory.path).findings == ()
    with memory.graph() as graph:
        assert graph.read(memory.ids[:1]).concepts.use_frequency.tolist() == [1]


def test_a_journal_that_is_behind_its_graph_gets_another_number(memory, tmp_path):
    older = (memory.path / "journal.db").read_bytes()
    engine = MemoryEngine(memory.path, None, memory.settings)
    engine.create(vectors(1, 60), vectors(1, 61, V))
    engine.close()
    (memory.path / "journal.db").write_bytes(older)
    with memory.graph() as graph:
        writer, done = next((p.id, p.sequence) for p in graph.positions() if p.content)
    memory.put((writer << COUNTER_BITS) + 7000, writer, done + 1)  # what the lost tail had begun never comes
    assert wrong(memory.check(memory.path)) == [Kind.BEHIND]
    assert memory.repair(memory.path).clean
    assert memory.check(memory.path).findings == ()


def test_a_directory_that_says_other_dimensions(memory):
    form = json.loads((memory.path / "format.json").read_text())
    (memory.path / "format.json").write_text(json.dumps(form | {"vector_dim": 99}))
    report = memory.check(memory.path)
    assert wrong(report) == [Kind.DIMENSIONS]
    assert "99" in said(report, Kind.DIMENSIONS).detail
    assert memory.repair(memory.path).clean
    assert json.loads((memory.path / "format.json").read_text()) == form
    memory.answers()


def test_a_damaged_journal_is_written_anew(memory):
    (memory.path / "journal.db").write_bytes(b"x" * 5000)
    assert wrong(memory.check(memory.path)) == [Kind.JOURNAL]
    assert memory.repair(memory.path).clean
    memory.answers()


def test_a_cache_that_says_something_else_is_dropped(memory):
    engine = MemoryEngine(memory.path, None, memory.settings)
    engine.residency.cache.apply(Touch(memory.ids[:1], np.ones(1, np.int64), np.zeros(1, np.int64), 1), 0, 1.0)
    engine.residency.cache.acknowledge(0)
    engine.close()
    is_mended(memory, Kind.CACHE, directory=memory.path)


def test_what_other_processes_did_since_a_cache_was_closed_is_no_disagreement(memory, opened):
    other = opened("b")
    other.remove(memory.ids[:1])
    teach(other, vectors(N), vectors(N, 1, V))
    other.flush()
    assert [f.kind for f in memory.check(memory.path).findings] == [Kind.UNSWEPT]
    other.close()
    assert memory.check(memory.path).findings == ()


# -- beside living writers -------------------------------------------------------------------------------------------


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
