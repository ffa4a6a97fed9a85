"""Why a concept is recalled: Neo4j tells what the engine would, and the engine tells what Neo4j cannot know."""

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.errors import AESGStorageError
from tests.served.world import V, vectors

N, EDGES = 40, 90


@pytest.fixture
def engine(opened):
    """Forty concepts, joined at random by types of either direction."""
    engine = opened("a")
    rng = np.random.default_rng(3)
    ids = engine.create(vectors(N), vectors(N, 1, V))
    for type in ("ASSOCIATION", "CAUSAL", "HIERARCHICAL"):
        ends = np.unique(np.sort(rng.integers(0, N, (EDGES, 2)), axis=1), axis=0)
        ends = ends[ends[:, 0] != ends[:, 1]]
        engine.link(ids[ends[:, 0]], ids[ends[:, 1]], type, rng.random(len(ends)))
    engine.flush()
    return engine


@pytest.fixture
def asked(engine, monkeypatch):
    """What Neo4j was asked and told."""
    told = []
    graph = engine.residency.graph
    real = graph.explain

    def explain(*given):
        told.append(real(*given))
        return told[-1]

    monkeypatch.setattr(graph, "explain", explain)
    return told


def assert_alike(one, other):
    assert [(path["ids"], path["types"]) for path in one] == [(path["ids"], path["types"]) for path in other]
    for column in ("energy", "share"):
        np.testing.assert_allclose([p[column] for p in one], [p[column] for p in other], rtol=1e-5)


def test_an_open_memory_explains_by_the_procedure(engine, asked):
    query = vectors(1, 5)[0]
    recalled = engine.recall(engine.query(query[None]))
    targets = recalled.ids[0][recalled.ids[0] != NO_ID].tolist()
    walked = set()
    for target in targets:
        by_server = engine.inspector.explain(query, target, limit=6)
        seeds = recalled.seeds
        assert_alike(by_server, engine.inspector.explain_from(seeds.ids[0], seeds.cosines[0], target, 6))
        walked |= {type[0] == "<" for path in by_server for type in path["types"]}
    assert len(asked) == len(targets)
    assert all(routes for routes in asked)
    assert walked == {True, False}


def test_lessons_that_neo4j_lacks_are_explained_here(engine, asked):
    query = vectors(1, 5)[0]
    with engine.recorder.flusher().still():
        new = engine.create(vectors(1, 77), vectors(1, 76, V))
        seed = engine.recall(engine.query(query[None])).seeds.ids[0][:1]
        engine.link(seed, new, "CAUSAL", 0.9)
        paths = engine.inspector.explain(query, int(new[0]))
    assert asked == []
    assert paths[0]["ids"] == [int(seed[0]), int(new[0])]


def test_without_the_plugin_the_engine_explains(opened, engine, asked):
    other = opened("b", procedures="never")
    query = vectors(1, 5)[0]
    target = int(engine.recall(engine.query(query[None])).ids[0][0])
    assert_alike(other.inspector.explain(query, target), engine.inspector.explain(query, target))
    assert len(asked) == 1


def test_while_neo4j_does_not_answer_the_engine_explains(engine, monkeypatch):
    def explain(*given):
        raise AESGStorageError("it is away")

    query = vectors(1, 5)[0]
    target = int(engine.recall(engine.query(query[None])).ids[0][0])
    before = engine.inspector.explain(query, target)
    monkeypatch.setattr(engine.residency.graph, "explain", explain)
    assert_alike(engine.inspector.explain(query, target), before)
    assert before


def test_a_reader_of_servers_explains_by_the_procedure(engine, served):
    ids = engine.residency.cache.read(engine.residency.graph.page(-1, N).concepts.ids).concepts.ids
    found = 0
    with (
        MemoryReader(settings=served) as by_server,
        MemoryReader(settings=served.model_copy(update={"procedures": "never"})) as here,
    ):
        assert by_server.graph.procedures.has("explain")
        for target in ids[1:12].tolist():
            paths = by_server.explain(int(ids[0]), target, limit=5)
            assert_alike(paths, here.explain(int(ids[0]), target, limit=5))
            found += len(paths)
    assert found > 10
