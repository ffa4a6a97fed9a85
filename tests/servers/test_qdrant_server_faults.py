"""The Qdrant test server when it is killed or paused, told what to do wrong, or wants a key."""

import contextlib
import threading

import grpc
import pytest
from qdrant_client import models

from tests.servers.qdrant_calls import NAME, connected, ids, make, payloads, point, refusal
from tests.servers.qdrant_server import QdrantTestServer

Code = grpc.StatusCode
pytestmark = pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")


# Kills


def test_what_was_acknowledged_before_a_kill_is_there_after_it(server, client):
    make(client)
    client.create_payload_index(NAME, "kind", models.PayloadSchemaType.KEYWORD)
    for kill in range(3):
        with connected(server) as fresh:
            fresh.upsert(NAME, [point(100 * kill + id, version=kill) for id in range(100)])
            fresh.delete(NAME, [100 * kill])
            # What is refused lies in the log too, and must not keep the shard from opening.
            refusal(fresh.upsert, NAME, [models.PointStruct(id=1, vector={"key": [1.0]}, payload={})])
        server.kill()
        assert not server.alive
        server.start()
    with connected(server) as fresh:
        expected = [id for id in range(300) if id % 100]
        assert ids(fresh.scroll(NAME, limit=1000)[0]) == expected
        assert payloads(fresh, 299)[299]["version"] == 2
        assert list(fresh.get_collection(NAME).payload_schema) == ["kind"]


def test_leftovers_of_a_kill_in_the_making_of_a_collection_are_removed(tmp_path):
    for state in ("draft", "gone"):
        (tmp_path / "collections" / f"{NAME}.{state}" / "shard").mkdir(parents=True)
    with QdrantTestServer.create(tmp_path) as server, connected(server) as client:
        assert not client.collection_exists(NAME)
        make(client)
        assert client.delete_collection(NAME)
        assert list((tmp_path / "collections").iterdir()) == []


def test_an_orderly_restart_keeps_all(server, filled):
    server.restart()
    with connected(server) as fresh:
        assert fresh.count(NAME).count == 10


def test_a_paused_server_answers_when_it_goes_on(server, filled):
    server.pause()
    try:
        with connected(server, timeout=1) as hasty:
            assert refusal(hasty.count, NAME)[0] == Code.DEADLINE_EXCEEDED
    finally:
        server.resume()
    assert filled.count(NAME).count == 10


def test_nothing_of_a_server_runs_on_once_it_is_paused(server, filled):
    for _ in range(100):
        assert filled.count(NAME).count == 10
        server.pause()
        try:
            assert server.paused
        finally:
            server.resume()


# Faults


@pytest.mark.parametrize(("action", "written"), [("refuse", 10), ("lose", 11)])
def test_calls_are_refused_or_their_answers_lost_as_often_as_said(server, filled, action, written):
    server.faults.set(action, "Upsert", times=2, code="RESOURCE_EXHAUSTED")
    for _ in range(2):
        assert refusal(filled.upsert, NAME, [point(10)])[0] == Code.RESOURCE_EXHAUSTED
    assert filled.count(NAME).count == written
    filled.upsert(NAME, [point(11)])
    assert filled.count(NAME).count == written + 1


@pytest.mark.parametrize(("action", "written"), [("die", 10), ("die after", 11)])
def test_it_dies_before_a_write_or_after_it_and_once(server, filled, action, written):
    server.faults.set(action, "Points/Upsert", times=1)
    assert refusal(filled.upsert, NAME, [point(10)])[0] == Code.UNAVAILABLE
    server.start()
    with connected(server) as fresh:
        assert fresh.count(NAME).count == written
        fresh.upsert(NAME, [point(10)])
        assert fresh.count(NAME).count == 11


def test_a_call_hangs_until_told_others_do_not_and_ending_the_server_does_not_wait_for_it(server, filled):
    server.faults.set("hang", "Points/Get")
    with connected(server, timeout=1) as hasty:
        assert refusal(hasty.retrieve, NAME, [1])[0] == Code.DEADLINE_EXCEEDED
        assert hasty.get_collection(NAME).points_count == 10
    server.stop()
    assert server.exit_code == 0  # It ended by itself, and was not killed for taking too long.
    server.faults.clear()
    server.start()
    with connected(server) as fresh:
        assert ids(fresh.retrieve(NAME, [1])) == [1]


def test_a_cleared_fault_stays_cleared_while_calls_go_on(server, filled):
    ended = threading.Event()

    def call():
        while not ended.is_set():
            with contextlib.suppress(grpc.RpcError):
                filled.count(NAME)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(50):
            server.faults.set("refuse", "Count")
            refusal(filled.count, NAME)
            server.faults.clear()
    finally:
        ended.set()
        for caller in callers:
            caller.join()
    assert not server.faults.path.exists()
    assert filled.count(NAME).count == 10


@pytest.mark.parametrize("wrong", [("explode",), ("refuse", "Upsertt"), ("refuse", "Upsert", 1, "BROKEN")])
def test_a_fault_that_does_not_exist_is_refused(server, wrong):
    with pytest.raises(ValueError, match="no such fault"):
        server.faults.set(*wrong)


# Keys


def test_each_call_needs_the_key_but_that_for_the_servers_health(tmp_path):
    with QdrantTestServer.create(tmp_path, api_key="right") as server:
        for key, told in (
            (None, "Must provide an API key or an Authorization bearer token"),
            ("wrong", "Invalid API key or JWT"),
        ):
            with connected(server, api_key=key) as client:
                assert refusal(make, client) == (Code.UNAUTHENTICATED, told)
                assert refusal(client.get_collections) == (Code.UNAUTHENTICATED, told)
                assert client.info().version.startswith("1.17.")
        with connected(server, api_key="right") as client:
            assert make(client)
            assert [found.name for found in client.get_collections().collections] == [NAME]
