"""The test server, driven by the client that Qdrant's users have, over gRPC."""

import contextlib
import threading

import grpc
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.grpc import PointsStub, SearchPoints

from tests.servers.qdrant_server import QdrantTestServer

NAME = "c"
Code = grpc.StatusCode
pytestmark = pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with QdrantTestServer.create(tmp_path_factory.mktemp("server")) as server:
        yield server


def connected(server, **more):
    """The real client; it uses REST for nothing, as nothing listens there."""
    given = {"prefer_grpc": True, "grpc_port": server.grpc_port, "check_compatibility": False, "timeout": 10, **more}
    return contextlib.closing(QdrantClient(server.url, **given))


@pytest.fixture
def client(server):
    with connected(server) as client:
        yield client
        server.faults.clear()
        if not server.alive:
            server.start()
        with connected(server) as fresh:
            for collection in fresh.get_collections().collections:
                fresh.delete_collection(collection.name)


@pytest.fixture
def filled(client):
    """Points 0 to 9: key [1, id, 0, 0], an even one's value [id, 1], kind and version."""
    make(client)
    client.upsert(NAME, [point(id) for id in range(10)])
    return client


def make(client, **more):
    vectors = {
        "key": models.VectorParams(size=4, distance=models.Distance.COSINE, on_disk=True),
        "value": models.VectorParams(
            size=2, distance=models.Distance.DOT, hnsw_config=models.HnswConfigDiff(m=0), on_disk=True
        ),
    }
    return client.create_collection(NAME, vectors_config=vectors, **more)


def point(id, version=0, **payload):
    vectors = {"key": [1.0, float(id), 0.0, 0.0]} | ({} if id % 2 else {"value": [float(id), 1.0]})
    kind = ("even", "odd")[id % 2]
    return models.PointStruct(id=id, vector=vectors, payload={"kind": kind, "version": version, **payload})


def where(key, **condition):
    return models.FieldCondition(key=key, **condition)


def must(*conditions):
    return models.Filter(must=list(conditions))


def ids(points):
    return [point.id for point in points]


def payloads(client, *wanted):
    return {point.id: point.payload for point in client.retrieve(NAME, list(wanted), with_payload=True)}


def refusal(call, *given, **more):
    with pytest.raises(grpc.RpcError) as refused:
        call(*given, **more)
    return refused.value.code(), refused.value.details()


# Collections


def test_it_says_its_version(client):
    assert client.info().version.startswith("1.17.")


def test_a_collection_is_made_once_reported_as_given_and_deleted(client):
    assert not client.collection_exists(NAME)
    make(
        client,
        hnsw_config=models.HnswConfigDiff(m=8, ef_construct=50),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=123),
        quantization_config=models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type="int8")),
        shard_number=2,
        replication_factor=3,
        write_consistency_factor=2,
    )
    assert client.collection_exists(NAME)
    assert [found.name for found in client.get_collections().collections] == [NAME]
    assert refusal(make, client) == (Code.ALREADY_EXISTS, f"Wrong input: Collection `{NAME}` already exists!")
    info = client.get_collection(NAME)
    params, key, value = info.config.params, *(info.config.params.vectors[name] for name in ("key", "value"))
    assert (params.shard_number, params.replication_factor, params.write_consistency_factor) == (2, 3, 2)
    assert (key.size, key.distance, key.on_disk) == (4, models.Distance.COSINE, True)
    assert (value.size, value.distance, value.hnsw_config.m) == (2, models.Distance.DOT, 0)
    assert (info.config.hnsw_config.m, info.config.hnsw_config.ef_construct) == (8, 50)
    assert info.config.optimizer_config.indexing_threshold == 123
    assert info.config.quantization_config.scalar.type == "int8"
    assert (info.status, info.optimizer_status) == ("green", "ok")
    assert (info.points_count, info.indexed_vectors_count) == (0, 0)
    assert client.delete_collection(NAME)
    assert not client.delete_collection(NAME)
    assert refusal(client.count, NAME) == (Code.NOT_FOUND, f"Not found: Collection `{NAME}` doesn't exist!")


def test_payload_indexes_are_in_the_schema(filled):
    filled.create_payload_index(NAME, "kind", models.PayloadSchemaType.KEYWORD)
    filled.create_payload_index(NAME, "version", models.PayloadSchemaType.INTEGER)
    schema = filled.get_collection(NAME).payload_schema
    assert {name: kind.data_type for name, kind in schema.items()} == {"kind": "keyword", "version": "integer"}
    filled.delete_payload_index(NAME, "kind")
    assert list(filled.get_collection(NAME).payload_schema) == ["version"]


# Writing


def test_an_upsert_applies_where_its_condition_holds_and_to_new_points(filled):
    filled.upsert(NAME, [point(1, version=5)])
    late = [point(id, version=3) for id in (1, 2, 77)]
    filled.upsert(NAME, late, update_filter=must(where("version", range=models.Range(lte=3))))
    found = payloads(filled, 1, 2, 77)
    assert {id: payload["version"] for id, payload in found.items()} == {1: 5, 2: 3, 77: 3}


def test_an_upsert_inserts_alone_or_updates_alone(filled):
    filled.upsert(NAME, [point(1, version=9), point(50)], update_mode=models.UpdateMode.INSERT_ONLY)
    filled.upsert(NAME, [point(2, version=9), point(51)], update_mode=models.UpdateMode.UPDATE_ONLY)
    found = payloads(filled, 1, 2, 50, 51)
    assert {id: payload["version"] for id, payload in found.items()} == {1: 0, 2: 9, 50: 0}


def test_a_write_says_whether_it_is_done(filled):
    strong = filled.upsert(NAME, [point(1)], wait=True, ordering=models.WriteOrdering.STRONG)
    assert strong.status == models.UpdateStatus.COMPLETED
    assert filled.upsert(NAME, [point(1)], wait=False).status == models.UpdateStatus.ACKNOWLEDGED


def test_vectors_are_updated_where_the_condition_holds_and_deleted(filled):
    filled.set_payload(NAME, {"version": 5}, points=[3])
    changed = [models.PointVectors(id=id, vector={"value": [7.0, 7.0]}) for id in (1, 3)]
    filled.update_vectors(NAME, changed, update_filter=must(where("version", range=models.Range(lt=5))))
    filled.delete_vectors(NAME, ["value"], points=[2])
    found = filled.retrieve(NAME, [1, 2, 3, 4], with_vectors=["value"])
    assert [point.vector for point in found] == [{"value": [7.0, 7.0]}, {}, {}, {"value": [4.0, 1.0]}]
    assert refusal(filled.update_vectors, NAME, [models.PointVectors(id=99, vector={"value": [1.0, 1.0]})]) == (
        Code.NOT_FOUND,
        "Not found: No point with id 99 found",
    )


def test_payloads_are_set_replaced_cut_and_cleared_by_id_and_by_filter(filled):
    odd = must(where("kind", match=models.MatchValue(value="odd")), models.HasIdCondition(has_id=[0, 1, 3]))
    filled.set_payload(NAME, {"note": "n"}, points=odd)
    filled.overwrite_payload(NAME, {"only": [1, 2.5, "x", True, None, {"deep": {}}]}, points=[2])
    filled.delete_payload(NAME, ["kind"], points=must(models.HasIdCondition(has_id=[3, 4])))
    filled.clear_payload(NAME, points_selector=[5])
    assert payloads(filled, 0, 1, 2, 3, 4, 5) == {
        0: {"kind": "even", "version": 0},
        1: {"kind": "odd", "version": 0, "note": "n"},
        2: {"only": [1, 2.5, "x", True, None, {"deep": {}}]},
        3: {"version": 0, "note": "n"},
        4: {"version": 0},
        5: {},
    }


def test_points_are_deleted_by_id_and_by_filter_and_absent_ones_are_no_error(filled):
    filled.delete(NAME, [1, 2, 12345])
    filled.delete(NAME, must(where("kind", match=models.MatchValue(value="odd"))))
    assert ids(filled.scroll(NAME)[0]) == [0, 4, 6, 8]


def test_a_batch_is_applied_in_its_order(filled):
    results = filled.batch_update_points(
        NAME,
        [
            models.UpsertOperation(upsert=models.PointsList(points=[point(20), point(21)])),
            models.SetPayloadOperation(set_payload=models.SetPayload(payload={"note": 1}, points=[20, 21])),
            models.UpdateVectorsOperation(
                update_vectors=models.UpdateVectors(points=[models.PointVectors(id=21, vector={"value": [1.0, 2.0]})])
            ),
            models.DeleteOperation(delete=models.PointIdsList(points=[20])),
        ],
    )
    assert [result.status for result in results] == [models.UpdateStatus.COMPLETED] * 4
    (found,) = filled.retrieve(NAME, [20, 21], with_vectors=["value"])
    assert (found.id, found.payload["note"], found.vector) == (21, 1, {"value": [1.0, 2.0]})


def test_wrong_points_are_refused_with_the_servers_code(filled):
    wrong = models.PointStruct(id=1, vector={"key": [1.0, 2.0]}, payload={})
    assert refusal(filled.upsert, NAME, [wrong]) == (
        Code.INVALID_ARGUMENT,
        "Wrong input: Vector dimension error: expected dim: 4, got 2",
    )


# Reading


def test_pages_follow_each_other_in_the_order_of_ids(filled):
    first, following = filled.scroll(NAME, limit=4, with_payload=False)
    rest, end = filled.scroll(NAME, limit=10, offset=following, with_payload=["kind"], with_vectors=True)
    assert (ids(first), ids(rest), end) == ([0, 1, 2, 3], [4, 5, 6, 7, 8, 9], None)
    assert (first[0].payload, first[0].vector) == ({}, None)
    assert (rest[0].payload, sorted(rest[0].vector), sorted(rest[1].vector)) == (
        {"kind": "even"},
        ["key", "value"],
        ["key"],
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (must(where("kind", match=models.MatchValue(value="odd"))), [1, 3, 5, 7, 9]),
        (must(where("kind", match=models.MatchAny(any=["odd", "other"]))), [1, 3, 5, 7, 9]),
        (must(where("kind", match=models.MatchExcept(**{"except": ["odd"]}))), [0, 2, 4, 6, 8]),
        (must(where("version", match=models.MatchValue(value=7))), [1]),
        (must(where("version", range=models.Range(gt=6, lte=7))), [1]),
        (must(models.HasIdCondition(has_id=[3, 4, 99])), [3, 4]),
        (must(models.HasVectorCondition(has_vector="value")), [0, 2, 4, 6, 8]),
        (must(models.IsEmptyCondition(is_empty=models.PayloadField(key="note"))), [0, 3, 4, 5, 6, 7, 8, 9]),
        (must(models.IsNullCondition(is_null=models.PayloadField(key="note"))), [0]),
        (models.Filter(must_not=[models.HasIdCondition(has_id=list(range(8)))]), [8, 9]),
        (models.Filter(should=[models.HasIdCondition(has_id=[id]) for id in (2, 5)]), [2, 5]),
        (must(models.Filter(should=[models.HasIdCondition(has_id=[6])])), [6]),
        (models.Filter(), list(range(10))),
    ],
)
def test_filters_choose_points(filled, condition, expected):
    filled.set_payload(NAME, {"note": "n", "version": 7}, points=[1])
    filled.set_payload(NAME, {"note": "n"}, points=[2])
    filled.upsert(NAME, [point(0, note=None)])  # set_payload would remove it
    assert ids(filled.scroll(NAME, scroll_filter=condition, limit=100)[0]) == expected
    assert filled.count(NAME, count_filter=condition, exact=True).count == len(expected)


def test_the_nearest_points_are_found_alone_and_in_batches(filled):
    found = filled.query_points(
        NAME,
        query=[1.0, 4.0, 0.0, 0.0],
        using="key",
        limit=2,
        query_filter=must(where("kind", match=models.MatchValue(value="even"))),
        search_params=models.SearchParams(hnsw_ef=64, exact=True),
        with_vectors=["value"],
    ).points
    assert [(point.id, point.vector) for point in found] == [(4, {"value": [4.0, 1.0]}), (6, {"value": [6.0, 1.0]})]
    assert found[0].score == pytest.approx(1)
    assert found[0].payload == {"kind": "even", "version": 0}
    asked = [
        models.QueryRequest(query=[1.0, float(id), 0.0, 0.0], using="key", limit=1, score_threshold=0.999)
        for id in range(10)
    ]
    assert [ids(answer.points) for answer in filled.query_batch_points(NAME, asked)] == [[id] for id in range(10)]


@pytest.mark.parametrize(
    "asked",
    [
        lambda client: client.create_snapshot(NAME),
        lambda client: client.query_points(NAME, query=3, using="key"),
        lambda client: client.scroll(NAME, order_by="version"),
        lambda client: client.count(NAME, must(where("kind", match=models.MatchText(text="o")))),
        lambda client: client.upsert(NAME, [point(1)], shard_key_selector="one"),
        lambda client: client.create_collection("other", models.VectorParams(size=4, distance="Cosine")),
    ],
    ids=["a service", "a query by id", "an order", "a match of words", "a shard key", "a nameless vector"],
)
def test_what_it_cannot_do_is_unimplemented_and_not_guessed(filled, asked):
    assert refusal(asked, filled)[0] == Code.UNIMPLEMENTED


def test_an_older_method_is_unimplemented(server, filled):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        search = SearchPoints(collection_name=NAME, vector=[1, 0, 0, 0], vector_name="key", limit=1)
        assert refusal(PointsStub(channel).Search, search, timeout=10)[0] == Code.UNIMPLEMENTED


def test_a_large_answer_travels(client):
    vectors = {"key": models.VectorParams(size=2048, distance=models.Distance.DOT)}
    client.create_collection(NAME, vectors_config=vectors)
    client.upsert(NAME, [models.PointStruct(id=id, vector={"key": [0.5] * 2048}) for id in range(1024)])
    assert len(client.scroll(NAME, limit=1024, with_vectors=True)[0]) == 1024


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
