"""Servers that die, hang, refuse, lose answers: lessons wait, the cache answers and says so, everything catches up."""

import contextlib
import time

import numpy as np
import pytest

from aesg_graph.engine.core import MemoryEngine
from aesg_graph.errors import AESGConfigError, AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore
from tests.served.world import CONFIG, V, assert_cache_is_true, assert_in_step, migrated, settings_for, teach, vectors
from tests.servers.neo4j_server import Neo4jServer, wait_until
from tests.servers.proxy import TcpProxy
from tests.servers.qdrant_server import QdrantTestServer


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Two servers that these tests may kill and pause."""
    root = tmp_path_factory.mktemp("own")
    with Neo4jServer.create(root / "neo4j") as graph, QdrantTestServer.create(root / "qdrant") as store:
        migrated(graph)
        yield graph, store


@pytest.fixture
def servers(own):
    """They are up when a test begins, and up again when it has ended."""
    yield own
    for server in own:
        if server.alive:
            server.resume()
        else:
            server.start()
    own[1].faults.clear()


@pytest.fixture
def engine(servers, tmp_path, request):
    """A memory with five concepts on these servers, which notices soon what becomes of them."""
    name = request.node.name.replace("[", "-").replace("]", "").replace(" ", "-")[-100:]
    quick = {"refresh_interval": 0.05, "connect_timeout": 1.0, "request_timeout": 5.0, "retry_timeout": 0.5}
    settings = settings_for(*servers, name, **quick, flush_timeout=20.0)
    engine = MemoryEngine(tmp_path / "a", CONFIG, settings)
    engine.create(vectors(5), vectors(5, 1, V))
    engine.flush()
    yield engine
    with contextlib.suppress(AESGStorageError):
        engine.close()


def ask(engine):
    return engine.recall(engine.query(vectors(5)))


def catches_up(engine, concepts):
    wait_until(lambda: not engine.degraded, 60)
    engine.flush()
    assert engine.recorder.concepts == engine.residency.graph.count().concepts == concepts
    assert engine.health().ok
    assert not ask(engine).degraded
    assert_in_step(engine)
    assert_cache_is_true(engine)


def down(server, how):
    server.kill() if how == "dead" else server.pause()


def up(server, how):
    server.start() if how == "dead" else server.resume()


@pytest.mark.parametrize(
    ("which", "how"), [("graph", "dead"), ("vectors", "dead"), ("graph", "hanging"), ("both", "hanging")]
)
def test_lessons_wait_answers_go_on_and_everything_catches_up(engine, servers, which, how):
    chosen = {"graph": servers[:1], "vectors": servers[1:], "both": servers}[which]
    before = ask(engine)
    for server in chosen:
        down(server, how)
    engine.create(vectors(4, 20), vectors(4, 21, V))
    teach(engine, vectors(5), vectors(5, 1, V))
    engine.remove(before.ids[:1, 0])
    wait_until(lambda: engine.degraded, 40)
    answer = ask(engine)
    assert answer.degraded
    assert answer.ids[1, 0] == before.ids[1, 0]
    health = engine.health()
    assert not health.ok
    assert health.pending_batches >= 3
    wait_until(lambda: engine.health().failure, 40)
    assert health.graph.reachable == (which == "vectors")
    assert health.vectors.reachable == (which == "graph")
    for server in chosen:
        up(server, how)
    catches_up(engine, 8)


def test_a_flush_while_a_server_is_away_says_what_waits_and_why(engine, servers):
    servers[1].kill()
    engine.create(vectors(1, 20), vectors(1, 21, V))
    with pytest.raises(AESGStorageError, match=r"gave up after 1 s.*Qdrant|gave up after 1 s.*http"):
        engine.flush(1)
    servers[1].start()
    catches_up(engine, 6)


def test_closing_without_servers_keeps_every_lesson(engine, servers, tmp_path):
    for server in servers:
        server.kill()
    engine.create(vectors(2, 20), vectors(2, 21, V))
    engine.settings.__dict__["flush_timeout"] = 0.5  # frozen for users
    with pytest.raises(AESGStorageError, match="wait in the journal"):
        engine.close()
    for server in servers:
        server.start()
    with contextlib.closing(MemoryEngine(tmp_path / "a", None, engine.settings)) as again:
        catches_up(again, 7)


def test_back_pressure_is_a_clear_error(servers, tmp_path):
    tight = {"journal_bytes": 65536, "write_timeout": 0.3, "flush_timeout": 0.5}
    settings = settings_for(*servers, "tight", connect_timeout=1.0, request_timeout=5.0, **tight)
    engine = MemoryEngine(tmp_path / "a", CONFIG, settings)
    servers[1].kill()

    def learn_on():
        for _ in range(100):
            engine.create(vectors(50), vectors(50, 1, V))

    with pytest.raises(AESGStorageError, match=r"The journal is full: \d+ bytes wait .*journal_bytes.* Last failure: "):
        learn_on()
    accepted = engine.recorder.concepts
    servers[1].start()
    engine.flush(20)
    assert engine.residency.graph.count().concepts == accepted
    assert_in_step(engine)
    engine.close()


@pytest.mark.parametrize("action", ["lose", "refuse"])
def test_answers_that_qdrant_loses_or_refuses_do_no_harm(engine, servers, action):
    for method in ("Upsert", "Delete"):
        servers[1].faults.set(action, method, times=2)
        ids = engine.create(vectors(3, 20), vectors(3, 21, V))
        engine.remove(ids[:2])
        engine.flush()
    catches_up(engine, 7)


def test_a_qdrant_that_dies_in_the_middle_of_a_write_is_written_to_again(engine, servers):
    servers[1].faults.set("die after", "Upsert", times=1)
    engine.create(vectors(3, 20), vectors(3, 21, V))
    wait_until(lambda: not servers[1].alive)
    servers[1].faults.clear()
    servers[1].start()
    catches_up(engine, 8)


def test_a_network_that_stalls_resets_and_cuts_answers_in_half(servers, tmp_path):
    with TcpProxy(servers[0].port) as bolt, TcpProxy(servers[1].grpc_port) as grpc:
        settings = settings_for(
            *servers,
            "network",
            refresh_interval=0.05,
            connect_timeout=1.0,
            request_timeout=5.0,
            retry_timeout=0.5,
        ).model_copy(update={"graph": f"bolt://127.0.0.1:{bolt.port}", "grpc_port": grpc.port})
        engine = MemoryEngine(tmp_path / "a", CONFIG, settings)
        concepts = 0
        for trouble in (
            lambda p: p.cut_answer_after(10),
            lambda p: p.cut_answer_after(100),
            lambda p: p.reset_all(),
            lambda p: p.stall(),
            lambda p: p.refuse(),
        ):
            for proxy in (bolt, grpc):
                trouble(proxy)
                engine.create(vectors(2, concepts), vectors(2, concepts, V))
                concepts += 2
                time.sleep(0.1)
                assert (ask(engine).ids[:, 0] >= 0).all()
                proxy.pass_through()
        engine.flush()
        catches_up(engine, concepts)
        engine.close()


def test_a_password_that_was_rotated_is_read_from_its_file_again(servers, tmp_path):
    graph, _ = servers
    file = tmp_path / "password"
    file.write_text(graph.password)
    given = settings_for(*servers, "rotated").model_copy(update={"password": None, "password_file": file})
    engine = MemoryEngine(tmp_path / "a", CONFIG, given)
    engine.create(vectors(2), vectors(2, 1, V))
    engine.flush()
    old, graph.password = graph.password, "another-one-42"
    graph._run(
        "ALTER CURRENT USER SET PASSWORD FROM $a TO $b", password=old, database="system", a=old, b=graph.password
    )
    file.write_text(graph.password)
    graph.restart()  # open connections stay logged in; new ones must know the new password
    engine.create(vectors(2, 5), vectors(2, 6, V))
    engine.flush()
    assert engine.residency.graph.count().concepts == 4
    engine.close()


def test_a_cache_that_lacks_something_answers_with_what_it_has(servers, tmp_path):
    settings = settings_for(*servers, "small", cache_bytes=4096, connect_timeout=1.0, request_timeout=5.0)
    engine = MemoryEngine(tmp_path / "a", CONFIG, settings)
    ids = np.concatenate([engine.create(vectors(100, 100 * i), vectors(100, i, V)) for i in range(3)])
    for start in range(0, 300, 100):
        engine.flush()  # what waits for the stores is not evicted
        engine.link(ids[start : start + 99], ids[start + 1 : start + 100])
    engine.flush()
    assert not engine.residency.cache.complete
    whole = engine.recall(engine.query(vectors(8)))
    assert not whole.degraded
    for server in servers:
        server.kill()
    cut = engine.recall(engine.query(vectors(8)))
    assert cut.degraded
    assert set(cut.ids[cut.ids >= 0].tolist()) <= set(ids.tolist())
    for server in servers:
        server.start()
    wait_until(lambda: not engine.recall(engine.query(vectors(8))).degraded)
    again = engine.recall(engine.query(vectors(8)))
    np.testing.assert_array_equal(again.ids, whole.ids)
    engine.close()


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"password": "not-it"}, "password"),
        ({"database": "nowhere"}, "database"),
        ({"graph": "bolt://127.0.0.1:1"}, "graph"),
        ({"grpc_port": 1}, "grpc_port"),
    ],
)
def test_what_cannot_be_opened_says_which_setting_to_change_and_leaves_nothing(
    neo4j_server, qdrant_server, tmp_path, wrong, told
):
    migrated(neo4j_server)
    known = settings_for(neo4j_server, qdrant_server, "wrong").model_dump() | {
        "password": neo4j_server.password,
        "api_key": qdrant_server.api_key,
        "connect_timeout": 2.0,
        "request_timeout": 3.0,
        "retry_timeout": 0.0,
    }
    settings = StoreSettings(**(known | wrong))
    with pytest.raises(AESGStorageError, match=told) as caught:
        MemoryEngine(tmp_path / "a", CONFIG, settings)
    assert "not-it" not in str(caught.value)
    assert neo4j_server.password not in str(caught.value)
    assert not (tmp_path / "a" / "format.json").exists()
    assert Neo4jGraphStore.peek(settings_for(neo4j_server, qdrant_server, "wrong")) is None


@pytest.mark.parametrize("name", [None, "a'b", "a/b", 'a"b', "x" * 300, "a b", ""])
def test_memory_names_that_are_none_are_refused(name):
    with pytest.raises(AESGConfigError, match="memory"):
        StoreSettings(memory=name, graph="bolt://host", vectors="http://host")


def test_a_collection_of_another_dimension_is_named_with_both(opened, served):
    from aesg_graph.stores.qdrant import QdrantVectorStore

    QdrantVectorStore.establish(served, 5, 0).close()
    with pytest.raises(AESGStorageError, match=r"'key' \(5 numbers.*expected 'key' \(8 numbers"):
        opened("a")
    assert Neo4jGraphStore.peek(served) is None
