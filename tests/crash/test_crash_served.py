"""The same on servers: the learner is killed, or Neo4j, or Qdrant, or both, and eight learn on one memory at once."""

import itertools
import random
import time
from contextlib import closing

import numpy as np
import pytest
from learner import ACKNOWLEDGED, CONFIG, INTENT
from lives import begin, end, live
from witness import EVERYTHING, Witness, in_order

from aesg_graph.engine import MemoryEngine
from aesg_graph.operations import Batch
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import Journal, failpoints
from tests.served.world import assert_in_step, migrated, settings_for
from tests.servers.neo4j_server import Neo4jServer
from tests.servers.qdrant_server import QdrantTestServer

LIVES = 20
"""So many ends befall one memory, each on what the others left; then a new one begins."""
WRITERS = 8
WAYS = (*failpoints.STEPS, None)
PATIENCE = {"connect_timeout": 3.0, "request_timeout": 10.0, "flush_timeout": 90.0, "refresh_interval": 0.1}

_names = itertools.count()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two servers that may be killed."""
    root = tmp_path_factory.mktemp("servers")
    with Neo4jServer.create(root / "neo4j") as graph, QdrantTestServer.create(root / "qdrant") as vectors:
        migrated(graph)
        yield graph, vectors


@pytest.fixture
def settings(both):
    """Makes settings of a new memory; it is destroyed in the end."""
    made = []

    def make():
        made.append(settings_for(*both, f"crash-{next(_names)}", **PATIENCE))
        return made[-1]

    yield make
    for chosen in made:
        Neo4jGraphStore.destroy(chosen)
        QdrantVectorStore.destroy(chosen)


@pytest.mark.crash
def test_a_writer_killed_at_each_step_loses_nothing_on_servers(tmp_path, served_kills, settings):
    killed = {step or "at random": 0 for step in WAYS}
    number = 0
    while sum(killed.values()) < served_kills * 17 // 20:
        if number % LIVES == 0:
            chosen, witness = settings(), Witness(tmp_path / f"witness-{number}.db")
            directory = tmp_path / f"memory-{number}"
        step, chance = WAYS[number % len(WAYS)], random.Random(number)
        small = chosen.model_copy(update={"cache_bytes": chance.choice([4096, 1 << 26])})
        said, died = live(directory, small, chance.randrange(1 << 30), step, chance.randint(1, 12), chance.random())
        witness.hear(said)
        witness.compare(directory, chosen)
        killed[step or "at random"] += died
        number += 1
        if number % LIVES == 0:
            in_step(directory, chosen)
            witness.close()
    print(f"\nkilled {sum(killed.values())} times: {killed}")
    assert all(killed.values())


def in_step(directory, settings):
    """Both servers agree on the memory in every row."""
    engine = MemoryEngine(directory, CONFIG, settings)
    try:
        assert_in_step(engine)
    finally:
        engine.close()


@pytest.mark.crash
def test_servers_killed_under_a_learner_lose_nothing(tmp_path, served_kills, settings, both):
    graph, vectors = both
    rounds = max(2, served_kills // 50)
    victims = [(vectors,), (graph,), (vectors,), (graph, vectors), (vectors,)]
    chosen, witness = settings(), Witness(tmp_path / "witness.db")
    killed = {"neo4j": 0, "qdrant": 0, "the writer as well": 0}
    for number, dying in zip(range(5 * rounds // 2), itertools.cycle(victims), strict=False):
        chance = random.Random(number)
        child, pipe = begin(tmp_path / "memory", chosen, chance.randrange(1 << 30), None, 1)
        time.sleep(chance.random())  # the moment is meant to be any
        for server in dying:
            server.kill()
            killed["neo4j" if server is graph else "qdrant"] += 1
        if number % 3 == 0:
            time.sleep(0.3 * chance.random())
            child.kill()
            killed["the writer as well"] += 1
        for server in dying:
            server.start()
        witness.hear(end(child, pipe)[0])
        witness.compare(tmp_path / "memory", chosen)
    in_step(tmp_path / "memory", chosen)
    witness.close()
    print(f"\nkilled: {killed}")
    assert all(killed.values())


@pytest.mark.crash
def test_eight_writers_killed_at_random_lose_nothing_and_count_nothing_twice(tmp_path, served_kills, settings):
    chosen, told = settings(), []
    places = [tmp_path / f"writer-{n}" for n in range(WRITERS)]
    deaths = 0
    for number in range(max(1, served_kills // 100)):
        lives = [begin(place, chosen, 1000 * number + n, None, 1, sociable=True) for n, place in enumerate(places)]
        chance = random.Random(number)
        for child, _ in lives:
            time.sleep(chance.random())
            child.kill()
        for place, (child, pipe) in zip(places, lives, strict=True):
            said, died = end(child, pipe)
            told += happened(said, place)
            deaths += died
    engines = [MemoryEngine(place, CONFIG, chosen) for place in places]  # each sends what its journal still holds
    try:
        for engine in engines:
            engine.flush()
        graph = engines[0].residency.graph
        compare_all(tmp_path, graph, told)
        assert_in_step(engines[0])
        for engine in engines:
            engine.refresh()
            assert engine.recorder.concepts == graph.count().concepts
    finally:
        for engine in engines:
            engine.close()
    print(f"\nkilled {deaths} times, {WRITERS} writers at once")
    assert deaths


def happened(said, place):
    """The batches of a life that were acknowledged, and the last one if it reached the journal all the same."""
    acknowledged = {(writer, sequence) for kind, writer, sequence in said if kind == ACKNOWLEDGED}
    batches = [Batch.decode(data) for kind, _, data in said if kind == INTENT]
    if not batches or (batches[-1].writer, batches[-1].sequence) in acknowledged:
        return batches
    with closing(Journal.open(place / "journal.db", read_only=True)) as journal:
        return batches if journal.last_sequence >= batches[-1].sequence else batches[:-1]


def compare_all(tmp_path, graph, batches):
    """The graph holds what the batches say, each once: what they do commutes, up to rounding."""
    witness = Witness(tmp_path / "witness.db")
    for batch in sorted(batches, key=lambda batch: (batch.at, batch.writer, batch.sequence)):
        witness.carry_out(batch)
    theirs, ours = (g.page(-1, EVERYTHING) for g in (graph, witness.graph))
    assert theirs.concepts.ids.tolist() == ours.concepts.ids.tolist()
    for column in ("use_frequency", "contradictions", "born_epoch", "touched_epoch"):
        assert getattr(theirs.concepts, column).tolist() == getattr(ours.concepts, column).tolist(), column
    np.testing.assert_allclose(theirs.concepts.relevance, ours.concepts.relevance, rtol=1e-9)
    mine, yours = in_order(theirs.edges), in_order(ours.edges)
    for column in ("sources", "targets", "types", "use_counts"):
        assert getattr(mine, column).tolist() == getattr(yours, column).tolist(), column
    np.testing.assert_allclose(mine.weights, yours.weights, rtol=1e-6)
    witness.close()
