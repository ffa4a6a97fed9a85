"""The Qdrant vector store and a server that is away, hangs, refuses, loses answers or wants a key."""

import contextlib
import logging
import os
import socket
import subprocess
import sys
import traceback

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.stores.qdrant.connecting import Connection, release
from aesg_graph.stores.testing.vectors import directions
from tests.servers.qdrant_server import QdrantTestServer
from tests.stores.qdrant_memories import D, V, points, qdrant_settings

SECRET = "s3cr3t-of-this-test"
BRIEF = {"connect_timeout": 5.0, "request_timeout": 0.4}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that these tests may kill, pause and tell what to do wrong."""
    with QdrantTestServer.create(tmp_path_factory.mktemp("qdrant")) as server:
        yield server


@pytest.fixture
def settings(server):
    yield qdrant_settings(server)
    server.faults.clear()
    if not server.alive:
        server.start()


@pytest.fixture
def store(settings):
    store = QdrantVectorStore.establish(settings, D, V)
    store.upsert(points(range(10)))
    yield store
    store.close()


@pytest.fixture(scope="module")
def locked_server(tmp_path_factory):
    """A server that wants a key."""
    with QdrantTestServer.create(tmp_path_factory.mktemp("locked"), api_key=SECRET) as server:
        yield server


def everything(store):
    page = store.page(NO_ID, 1000)
    return [page.ids.tolist(), page.versions.tolist(), page.keys.tobytes(), page.values.tobytes()]


# Away


def test_a_server_that_is_away_is_told_at_once_and_found_again_by_the_next_call(server, store):
    server.kill()
    for use in (store.count, lambda: store.upsert(points([1])), store.version):
        with pytest.raises(AESGStorageError, match="cannot be reached; check the settings vectors, grpc_port"):
            use()
    assert store.indexed() == 0
    server.start()
    assert store.count() == 10


def test_a_server_that_was_started_anew_is_not_noticed(server, store):
    server.kill()
    server.start()
    store.upsert(points([100]))
    assert store.count() == 11


@pytest.mark.parametrize("opening", ["open", "establish", "destroy"])
def test_nobody_listening_is_told_with_the_settings_to_check(opening):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings = StoreSettings(
            memory="m", graph="neo4j://localhost", vectors="http://127.0.0.1", grpc_port=taken.getsockname()[1]
        )
        dims = () if opening == "destroy" else (D, V)
        with pytest.raises(
            AESGStorageError, match=r"the collection 'aesg_m' at .* cannot be reached; check the settings"
        ):
            getattr(QdrantVectorStore, opening)(settings, *dims)


def test_what_is_no_grpc_server_is_given_up_after_the_connect_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        settings = StoreSettings(
            memory="m",
            graph="neo4j://localhost",
            vectors=f"http://127.0.0.1:{port - 1}",
            connect_timeout=0.3,
            request_timeout=3600,
        )
        with pytest.raises(AESGStorageError, match=r"cannot be reached.*connect_timeout"):
            QdrantVectorStore.open(settings, D, V)


# Hanging


def test_a_hanging_server_is_given_up_in_time_and_used_again_when_it_goes_on(server, store):
    patient = store.settings
    hasty = QdrantVectorStore.open(patient.model_copy(update=BRIEF), D, V)
    server.pause()
    try:
        for use in (hasty.count, lambda: hasty.search(directions(2, D), 3)):
            with pytest.raises(AESGStorageError, match=r"no answer within 0\.4 s \(request_timeout\)$"):
                use()
        assert hasty.indexed() == 0
    finally:
        server.resume()
    assert store.count() == hasty.count() == 10
    hasty.close()


def test_one_hanging_call_does_not_hold_up_others(server, store):
    hasty = QdrantVectorStore.open(store.settings.model_copy(update=BRIEF), D, V)
    server.faults.set("hang", "Upsert")
    with pytest.raises(AESGStorageError, match="no answer within"):
        hasty.upsert(points([100]))
    assert hasty.count() == 10
    server.faults.clear()
    hasty.upsert(points([100]))
    assert hasty.fetch(np.array([100], np.int64)).ids.tolist() == [100]
    hasty.close()


# Refusing, and losing answers


def test_a_lost_answer_is_asked_for_again(server, store):
    server.faults.set("lose", "Upsert", times=1)
    store.upsert(points([100], version=3))
    assert store.fetch(np.array([100], np.int64)).versions.tolist() == [3]


@pytest.mark.parametrize("method", ["Upsert", "Delete", "UpdateBatch"])
def test_writes_whose_answers_are_lost_are_replayed_without_harm(server, store, method):
    def write():
        store.upsert(points([3, 100], version=3))
        store.rekey(np.array([4], np.int64), directions(1, D, 9), 2, 1, 5)
        store.label(np.array([5], np.int64), np.array([8], np.int64))
        store.delete(np.array([6], np.int64))

    server.faults.set("lose", method)
    with pytest.raises(AESGStorageError, match="lost on command"):
        write()
    server.faults.clear()
    write()
    once = everything(store)
    write()
    assert everything(store) == once
    assert once[0] == [0, 1, 2, 3, 4, 5, 7, 8, 9, 100]
    assert store.labels(np.array([5], np.int64))[2].tolist() == [8]


@pytest.mark.parametrize("method", ["Upsert", "Delete", "UpdateBatch"])
def test_a_write_that_waits_in_the_servers_log_is_not_taken_for_done(server, store, method):
    writes = {
        "Upsert": lambda: store.upsert(points([100])),
        "Delete": lambda: store.delete(np.array([1], np.int64)),
        "UpdateBatch": lambda: store.label(np.array([1], np.int64), np.array([2], np.int64)),
    }
    server.faults.set("late", method, times=1)
    with pytest.raises(AESGStorageError, match=r"it is not done yet \(WaitTimeout\)"):
        writes[method]()
    writes[method]()


@pytest.mark.parametrize("action", ["die", "die after"])
def test_a_server_that_dies_in_a_write_has_it_whole_or_not_at_all(server, store, action):
    server.faults.set(action, "Upsert", times=1)
    with pytest.raises(AESGStorageError, match="cannot be reached"):
        store.upsert(points(range(100, 200), version=2))
    server.start()
    assert store.count() == (10 if action == "die" else 110)
    store.upsert(points(range(100, 200), version=2))
    assert store.count() == 110


def test_a_rekey_that_dies_between_reading_and_writing_is_repeated(server, store):
    server.faults.set("die", "Upsert", times=1)
    keys = directions(3, D, 9)
    with pytest.raises(AESGStorageError):
        store.rekey(np.array([1, 2, 3], np.int64), keys, 4, 1, 5)
    server.start()
    assert store.fetch(np.array([1, 2, 3], np.int64)).versions.tolist() == [0, 0, 0]
    store.rekey(np.array([1, 2, 3], np.int64), keys, 4, 1, 5)
    assert store.fetch(np.array([1, 2, 3], np.int64)).versions.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("RESOURCE_EXHAUSTED", "too much for the server"),
        ("INTERNAL", r"INTERNAL \(refused on command\)"),
        ("UNIMPLEMENTED", "the server cannot do this"),
        ("NOT_FOUND", "the server does not have it"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words_and_nothing_is_written(server, store, code, said):
    server.faults.set("refuse", "Upsert", code=code)
    with pytest.raises(AESGStorageError, match=f"Cannot write to the collection .*{said}"):
        store.upsert(points([100]))
    assert store.count() == 10


def test_a_collection_deleted_under_a_store_is_told(store):
    QdrantVectorStore.destroy(store.settings)
    with pytest.raises(AESGStorageError, match="does not have it"):
        store.upsert(points([1]))


def test_failures_leave_no_connections_behind(server, store):
    server.kill()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        with pytest.raises(AESGStorageError):
            store.count()
    assert len(os.listdir("/proc/self/fd")) <= before + 5


# Versions


def test_a_server_that_is_too_old_is_refused(tmp_path):
    told = r"the server is Qdrant 1\.16\.3, expected 1\.17 or later"
    with QdrantTestServer.create(tmp_path, version="1.16.3") as old, pytest.raises(AESGStorageError, match=told):
        QdrantVectorStore.establish(qdrant_settings(old), D, V)


def test_versions_are_read():
    assert release("1.20.0-dev") == (1, 20)
    assert release("2") == release("") == release("a.b") == (0, 0)


# Keys


def test_the_key_opens_the_server_from_the_setting_or_its_file(locked_server, tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    for more in ({}, {"api_key_file": file}):
        store = QdrantVectorStore.establish(qdrant_settings(locked_server, **more), D, V)
        store.upsert(points([1]))
        assert store.count() == 1
        store.close()


def test_a_wrong_or_missing_key_names_the_setting(locked_server, tmp_path):
    file = tmp_path / "key"
    file.write_text("wrong")
    for more, said in (
        ({"api_key": "wrong"}, "the server refuses the setting api_key"),
        ({"api_key": None}, "the server wants a key, expected in the setting api_key or api_key_file"),
        ({"api_key_file": file}, f"the server refuses the key in api_key_file {file}"),
    ):
        with pytest.raises(AESGStorageError, match=said):
            QdrantVectorStore.establish(qdrant_settings(locked_server, **more), D, V)


def test_a_rotated_key_is_read_from_its_file_again(locked_server, tmp_path):
    file = tmp_path / "key"
    file.write_text(SECRET)
    store = QdrantVectorStore.establish(qdrant_settings(locked_server, api_key_file=file), D, V)
    store.upsert(points([1]))
    locked_server.key_file.write_text("rotated")
    try:
        with pytest.raises(AESGStorageError, match="refuses the key"):
            store.count()
        file.write_text("rotated\n")
        assert store.count() == 1
    finally:
        locked_server.key_file.write_text(SECRET)


@pytest.mark.parametrize("content", [None, "", "two\nlines", "schlüssel", b"\xff\xfe"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(tmp_path, content):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = StoreSettings(memory="m", graph="neo4j://localhost", vectors="http://localhost", api_key_file=file)
    with pytest.raises(AESGStorageError, match=f"api_key_file {file}") as refused:
        Connection(settings)
    told = "".join(traceback.format_exception(refused.value))
    assert not content or isinstance(content, bytes) or content not in told


def test_the_key_is_never_shown(locked_server, server, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    told = []
    settings = qdrant_settings(locked_server)
    store = QdrantVectorStore.establish(settings, D, V)
    told += [repr(store), repr(vars(store)), repr(settings)]
    store.close()
    away = qdrant_settings(locked_server, grpc_port=1)
    for use in (
        store.count,
        lambda: QdrantVectorStore.open(away, D, V),
        lambda: QdrantVectorStore.open(settings, 2, 0),
    ):
        with pytest.raises(AESGStorageError) as failed:
            use()
        told += [repr(failed.value), *traceback.format_exception(failed.value)]
    odd = qdrant_settings(locked_server, api_key=f"{SECRET}\u00fc")
    with pytest.raises(AESGStorageError, match="the setting api_key") as failed:
        QdrantVectorStore.open(odd, D, V)
    told += traceback.format_exception(failed.value)
    shown = "".join([*told, caplog.text, *capfd.readouterr()])
    assert SECRET not in shown


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A folder with a certificate for 127.0.0.1 that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    alternatives = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *alternatives], cwd=folder, check=True, capture_output=True)
    return folder


def test_with_https_the_certificate_must_be_known(tmp_path, certificate, capfd):
    with QdrantTestServer.create(tmp_path, tls=certificate) as server:
        settings = qdrant_settings(server, memory="m")
        with pytest.raises(AESGStorageError, match="cannot be reached"):
            QdrantVectorStore.establish(settings, D, V)
        program = (
            "from aesg_graph.settings import StoreSettings\n"
            "from aesg_graph.stores.qdrant import QdrantVectorStore\n"
            f"settings = StoreSettings(memory='m', graph='neo4j://localhost', vectors={server.url!r})\n"
            f"print(QdrantVectorStore.establish(settings, {D}, {V}).count())"
        )
        known = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate / "cert.pem")}
        done = subprocess.run([sys.executable, "-c", program], env=known, capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr
    capfd.readouterr()


# Forks


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_refused_and_its_parent_goes_on(store):
    child = os.fork()
    if child == 0:
        refused = 0
        with contextlib.suppress(BaseException):
            for use in (store.count, store.version, lambda: store.upsert(points([1]))):
                try:
                    use()
                except AESGStorageError as error:
                    refused += "forked" in error.message
            store.close()
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert store.count() == 10
