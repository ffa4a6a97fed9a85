"""Neo4j away, hanging, refusing, or not the one that was meant: an error in time that names what to change."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from neo4j_world import memory_of, opened, prepare, settings_for

from aesg_graph.errors import AESGError, AESGMemoryError, AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore, connecting
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.testing.graph import RELATIONS
from aesg_graph.stores.testing.graph.building import Scribe, create, row, touch
from tests.servers.neo4j_server import Neo4jServer

SECRET = "hunter2-is-no-password"
SOON = {"connect_timeout": 0.5, "request_timeout": 0.5, "retry_timeout": 0.0}


@pytest.fixture(scope="module", autouse=True)
def migrated(neo4j_server: Any) -> None:
    prepare(neo4j_server)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jServer]:
    """A server that these tests may stop."""
    with Neo4jServer.create(tmp_path_factory.mktemp("neo4j")) as server:
        prepare(server)
        yield server


def test_a_wrong_password_names_its_settings_and_is_never_shown(neo4j_server: Any) -> None:
    settings = settings_for(neo4j_server, "faults", password=SECRET)
    with pytest.raises(AESGStorageError, match="user and password") as caught:
        Neo4jGraphStore.peek(settings)
    assert SECRET not in str(caught.value) + repr(caught.value) + repr(settings)


def test_a_password_file_is_read_again_when_the_server_refuses_what_it_said(neo4j_server: Any, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET)
    settings = settings_for(neo4j_server, "faults", password=None, password_file=file)
    with pytest.raises(AESGStorageError, match="password_file"):
        Neo4jGraphStore.peek(settings)
    password = connecting.Password(settings)
    file.write_text(f"{neo4j_server.password}\n")
    assert password.get_auth().credentials == SECRET
    assert password.handle_security_exception(password.get_auth(), Exception())
    assert not password.handle_security_exception(password.get_auth(), Exception())
    assert Neo4jGraphStore.peek(settings) is None
    file.unlink()
    with pytest.raises(AESGStorageError, match="password_file"):
        Neo4jGraphStore.peek(settings)


def test_a_database_that_does_not_exist_is_named_by_its_setting(neo4j_server: Any) -> None:
    with pytest.raises(AESGStorageError, match=r"database.*nowhere|nowhere.*database"):
        Neo4jGraphStore.peek(settings_for(neo4j_server, "faults", database="nowhere"))


def test_a_memory_that_does_not_exist_is_named(neo4j_server: Any) -> None:
    settings = settings_for(neo4j_server, "no.such-memory")
    assert Neo4jGraphStore.peek(settings) is None
    with pytest.raises(AESGStorageError, match=r"no\.such-memory"):
        Neo4jGraphStore.open(settings, RELATIONS)


def test_a_server_that_is_too_old_is_refused_with_both_versions(
    neo4j_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connecting.release("4.4.38-aura") == (4, 4) < connecting.OLDEST <= connecting.release("5.26.0")
    with memory_of(neo4j_server, "faults") as settings:
        monkeypatch.setattr(connecting, "OLDEST", (9999, 1))
        with pytest.raises(AESGStorageError, match=r"Neo4j [\d.]+; expected 9999\.1"):
            Neo4jGraphStore.open(settings, RELATIONS)


def test_a_store_opened_read_only_writes_nothing(neo4j_server: Any) -> None:
    with memory_of(neo4j_server, "faults") as settings:
        store = Neo4jGraphStore.open(settings, RELATIONS, read_only=True)
        with pytest.raises(AESGStorageError, match="read-only"):
            store.lease()
        assert store.count().concepts == 0
        store.close()


def test_nobody_listening_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings = unreached(taken.getsockname()[1])
        with pytest.raises(AESGStorageError, match="settings graph and connect_timeout"):
            Neo4jGraphStore.peek(settings)


@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_somebody_listening_who_says_nothing_is_given_up(scheme: str) -> None:
    with silent() as port, pytest.raises(AESGStorageError, match="_timeout"):
        Neo4jGraphStore.peek(unreached(port, scheme))


def unreached(port: int, scheme: str = "bolt") -> StoreSettings:
    address = f"{scheme}://127.0.0.1:{port}"
    return StoreSettings(memory="faults", graph=address, vectors="http://127.0.0.1:6333", password="x", **SOON)


@contextmanager
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_a_server_that_hangs_is_given_up_in_time_and_used_again_when_it_goes_on(
    own_server: Neo4jServer, scheme: str
) -> None:
    address = own_server.url.replace("bolt", scheme)
    with memory_of(own_server, "hanging", graph=address), opened(settings_for(own_server, "hanging")) as patient:
        scribe = Scribe(patient)
        ids = scribe.create(2)
        with opened(settings_for(own_server, "hanging", graph=address, **SOON)) as store:
            batch = scribe.batch(touch(ids))
            own_server.pause()
            try:
                for call in (lambda: store.read(ids), lambda: store.apply([batch]), store.count, store.head):
                    with pytest.raises(AESGStorageError, match="_timeout"):
                        call()
            finally:
                own_server.resume()
            assert eventually(lambda: len(store.read(ids).concepts)) == 2
            eventually(lambda: store.apply([batch]))
            assert row(patient, int(ids[0])).use_frequency == 1  # however far the server got with the first attempt


def eventually(call: Any) -> Any:
    """What a call gives once the server, which goes on after hanging, is quick enough."""
    for _ in range(20):
        try:
            return call()
        except AESGStorageError as error:
            last = error
    raise last


def test_a_batch_whose_server_died_is_carried_out_once_when_it_is_back(own_server: Neo4jServer) -> None:
    with memory_of(own_server, "killed", retry_timeout=0.5) as settings, opened(settings) as store:
        scribe = Scribe(store)
        ids = scribe.create(2000)
        batches = [scribe.batch(touch(ids)) for _ in range(3)]
        failed = []

        def write() -> None:
            try:
                store.apply(batches)
            except AESGError as error:
                failed.append(error)

        writing = threading.Thread(target=write)
        writing.start()
        own_server.kill()
        writing.join(30)
        assert not writing.is_alive()
        with pytest.raises(AESGStorageError, match="settings graph"):
            store.count()
        own_server.start()
        assert {o.status for o in store.apply(batches)} <= {"applied", "skipped"}
        assert row(store, int(ids[-1])).use_frequency == 3
        assert store.count() == store.recount()


@pytest.mark.parametrize("type", ["lower", "A B", "X`]->() DETACH DELETE n //", "", "É", "A" * 65])
def test_a_relation_type_that_is_not_upper_snake_never_becomes_cypher(type: str) -> None:
    with pytest.raises(AESGMemoryError, match="A-Z"):
        cypher("edges_create", type)


def test_an_id_beyond_63_bits_is_refused(neo4j_server: Any) -> None:
    with memory_of(neo4j_server, "faults") as settings, opened(settings) as store:
        scribe = Scribe(store)
        assert scribe.try_write(create([-(1 << 63)])).status == "refused"
        assert scribe.write(create([(1 << 63) - 1])).status == "applied"
        assert store.read(create([(1 << 63) - 1]).ids).concepts.ids.tolist() == [(1 << 63) - 1]
