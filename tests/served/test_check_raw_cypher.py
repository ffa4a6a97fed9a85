"""What people do to a memory with Cypher of their own, past this package: found, mended, and heard of by everybody."""

import dataclasses

import numpy as np
import pytest

from aesg_graph.aging import NEVER
from aesg_graph.errors import AESGStorageError
from aesg_graph.sync import Kind
from tests.served.drift import N, wrong
from tests.served.world import CONFIG, assert_cache_is_true

pytestmark = pytest.mark.usefixtures("_soon")


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


@pytest.mark.parametrize("edit", ["a column that is gone", "no use count", "a weight that is text"])
def test_who_reads_what_was_spoilt_is_told_what_to_do(memory, edit):
    memory.cypher(EDITS[edit][0], a=int(memory.ids[0]), b=int(memory.ids[1]))
    with memory.graph() as graph:
        with pytest.raises(AESGStorageError, match="aesg check --repair"):
            graph.read(memory.ids)
        with pytest.raises(AESGStorageError, match="aesg check --repair"):
            graph.page(-1, N)
        memory.repair()
        assert len(graph.read(memory.ids).concepts) == N


def test_a_lesson_about_a_spoilt_concept_waits_until_it_is_mended(memory, opened):
    engine = opened("b")
    memory.cypher(EDITS["a column that is gone"][0], a=int(memory.ids[0]), b=int(memory.ids[1]))
    engine.link(memory.ids[:1], memory.ids[4:5], "CAUSAL", 0.5)
    engine.annotate(memory.ids[:1], ["another name"])
    with pytest.raises(AESGStorageError, match="aesg check --repair"):
        engine.flush(timeout=1)
    assert memory.repair().clean
    engine.flush()
    with memory.graph() as graph:
        assert graph.read(memory.ids[:1]).concepts.names == ("another name",)
    assert_cache_is_true(engine)
