"""The Qdrant test server's calls, through the client that Qdrant's users have, over gRPC."""

import grpc
import pytest
from qdrant_client import models
from qdrant_client.grpc import PointsStub, SearchPoints

from tests.servers.qdrant_calls import NAME, ids, make, must, payloads, point, refusal, where

Code = grpc.StatusCode


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
