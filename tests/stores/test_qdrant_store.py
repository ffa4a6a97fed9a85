"""The Qdrant vector store: the suite, and what only settings, other collections and several users can show."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from qdrant_client import grpc as q

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import Indexed, Labelled, Versioned
from aesg_graph.stores.qdrant import QdrantVectorStore, collection
from aesg_graph.stores.testing.vectors import KeyStoreSuite, VectorStoreSuite, directions
from tests.stores.qdrant_memories import D, V, points, qdrant_settings


@pytest.fixture
def settings(qdrant_server):
    settings = qdrant_settings(qdrant_server)
    yield settings
    QdrantVectorStore.destroy(settings)


@pytest.fixture
def store(settings):
    store = QdrantVectorStore.establish(settings, D, V)
    yield store
    store.close()


@pytest.fixture
def stubs(qdrant_server):
    """The server's own services, past the store."""
    with grpc.insecure_channel(f"127.0.0.1:{qdrant_server.grpc_port}") as channel:
        metadata = (("api-key", qdrant_server.api_key),) if qdrant_server.api_key else ()

        def call(stub, method, request):
            return getattr(stub(channel), method)(request, metadata=metadata)

        yield call


class QdrantFixtures:
    @pytest.fixture
    def store(self, settings):
        store = QdrantVectorStore.establish(settings, self.vector_dim, self.value_dim)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self):
        opened = []

        def again(store):
            store.close()
            opened.append(QdrantVectorStore.open(store.settings, self.vector_dim, self.value_dim))
            return opened[-1]

        yield again
        for store in opened:
            store.close()


class TestQdrant(QdrantFixtures, VectorStoreSuite):
    """A memory with values."""


class TestQdrantWithoutValues(QdrantFixtures, KeyStoreSuite):
    """A memory without."""


def test_it_says_what_it_can(store):
    assert isinstance(store, Indexed)
    assert isinstance(store, Labelled)
    assert isinstance(store, Versioned)
    store.upsert(points(range(5)))
    assert store.indexed() in range(6)
    assert store.version().count(".") >= 2


# Collections


def info_of(stubs, settings):
    request = q.GetCollectionInfoRequest(collection_name=f"aesg_{settings.memory}")
    return stubs(q.CollectionsStub, "Get", request).result


def test_a_collection_is_made_as_the_settings_say(qdrant_server, stubs):
    more = {"shard_number": 2, "hnsw_m": 24, "hnsw_ef_construct": 80, "quantization": "scalar", "on_disk": True}
    settings = qdrant_settings(qdrant_server, write_ordering="strong", **more)
    store = QdrantVectorStore.establish(settings, D, V)
    try:
        params = info_of(stubs, settings).config.params
        key, value = (params.vectors_config.params_map.map[name] for name in ("key", "value"))
        assert params.shard_number == 2
        assert (key.size, key.distance, key.on_disk) == (D, q.Distance.Cosine, True)
        assert (key.hnsw_config.m, key.hnsw_config.ef_construct) == (24, 80)
        assert key.quantization_config.scalar.type == q.QuantizationType.Int8
        assert (value.size, value.distance, value.hnsw_config.m) == (V, q.Distance.Dot, 0)
        written = points(range(100))
        store.upsert(written)
        ids, scores = store.search(written.keys, 1)
        assert ids[:, 0].tolist() == list(range(100))
        np.testing.assert_allclose(scores, 1, rtol=0, atol=1e-5)
    finally:
        store.close()
        QdrantVectorStore.destroy(settings)


def test_copies_and_their_order_reach_the_server(qdrant_server):
    settings = qdrant_settings(
        qdrant_server, replication_factor=3, write_consistency_factor=2, write_ordering="medium", quantization="binary"
    )
    described = collection.described(settings, D, 0)
    assert (described.replication_factor, described.write_consistency_factor) == (3, 2)
    assert list(described.vectors_config.params_map.map) == ["key"]
    assert described.vectors_config.params_map.map["key"].quantization_config.HasField("binary")
    assert collection.ordering(settings).type == q.WriteOrderingType.Medium


@pytest.mark.parametrize(
    ("dims", "found", "expected"),
    [
        ((D + 1, V), f"'key' ({D} numbers, Cosine)", f"'key' ({D + 1} numbers, Cosine)"),
        ((D, V + 1), f"'value' ({V} numbers, Dot)", f"'value' ({V + 1} numbers, Dot)"),
        ((D, 0), f"'value' ({V} numbers, Dot)", "value_dim 0"),
    ],
)
def test_a_collection_of_other_dimensions_is_refused_and_both_are_named(store, dims, found, expected):
    for opening in (QdrantVectorStore.open, QdrantVectorStore.establish):
        with pytest.raises(AESGStorageError, match="check the setting memory") as refused:
            opening(store.settings, *dims)
        there, wanted = str(refused.value).split(", expected ")
        assert found in there
        assert expected in wanted
        assert store.settings.memory in there


def test_a_collection_of_another_distance_is_refused(settings, stubs):
    other = collection.described(settings, D, 0)
    other.vectors_config.params_map.map["key"].distance = q.Distance.Dot
    stubs(q.CollectionsStub, "Create", other)
    with pytest.raises(AESGStorageError, match=rf"'key' \({D} numbers, Dot\), expected 'key' \({D} numbers, Cosine\)"):
        QdrantVectorStore.establish(settings, D, 0)
    assert not info_of(stubs, settings).payload_schema


def test_an_absent_collection_is_not_opened_and_not_made(settings):
    for _ in range(2):
        with pytest.raises(AESGStorageError, match="no such collection; check the settings memory and vectors"):
            QdrantVectorStore.open(settings, D, V)
    QdrantVectorStore.destroy(settings)


def test_payload_indexes_are_made_when_it_is_opened_for_writing(settings, stubs):
    stubs(q.CollectionsStub, "Create", collection.described(settings, D, V))
    QdrantVectorStore.open(settings, D, V, writable=False).close()
    assert not info_of(stubs, settings).payload_schema
    for _ in range(2):
        QdrantVectorStore.open(settings, D, V).close()
        kinds = {name: schema.data_type for name, schema in info_of(stubs, settings).payload_schema.items()}
        integers = dict.fromkeys(("region_id", "writer", "sequence", "version"), q.PayloadSchemaType.Integer)
        assert kinds == {"kind": q.PayloadSchemaType.Keyword, **integers}


def test_of_many_that_establish_at_once_all_succeed(settings):
    ready = threading.Barrier(6)

    def establish(row):
        ready.wait()
        store = QdrantVectorStore.establish(settings, D, V)
        store.upsert(points([row]))
        store.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(establish, range(6)))
    store = QdrantVectorStore.open(settings, D, V)
    assert store.page(NO_ID, 10).ids.tolist() == list(range(6))
    store.close()


def test_memories_do_not_mix(qdrant_server, store):
    other = qdrant_settings(qdrant_server)
    with_other = QdrantVectorStore.establish(other, D, V)
    with_other.upsert(points([1, 2]))
    store.upsert(points([3]))
    assert (store.count(), with_other.count()) == (1, 2)
    with_other.close()
    QdrantVectorStore.destroy(other)
    assert store.page(NO_ID, 10).ids.tolist() == [3]


# Content


def test_points_of_others_in_the_collection_are_told(store, stubs):
    vector = q.Vector(dense=q.DenseVector(data=[1.0] * D))
    for number, name in ((7, "key"), (8, "value")):
        vector = q.Vector(dense=q.DenseVector(data=[1.0] * (D if name == "key" else V)))
        stamp = {name: q.Value(integer_value=1) for name in ("version", "writer", "sequence")}
        point = q.PointStruct(
            id=q.PointId(num=number),
            vectors=q.Vectors(vectors=q.NamedVectors(vectors={name: vector})),
            payload={} if name == "key" else stamp,
        )
        request = q.UpsertPoints(collection_name=f"aesg_{store.settings.memory}", wait=True, points=[point])
        stubs(q.PointsStub, "Upsert", request)
    with pytest.raises(AESGStorageError, match="Point 7 has no version"):
        store.fetch(np.array([7], np.int64))
    with pytest.raises(AESGStorageError, match="Point 8 has no key"):
        store.fetch(np.array([8], np.int64))


def test_wide_vectors_travel_in_as_many_calls_as_they_need(qdrant_server):
    width, count = 4096, 300
    settings = qdrant_settings(qdrant_server)
    store = QdrantVectorStore.establish(settings, width, V)
    written = points(range(count), keys=directions(count, width))
    store.upsert(written)
    for found in (store.fetch(written.ids), store.page(NO_ID, count)):
        assert found.ids.tolist() == list(range(count))
        np.testing.assert_allclose(found.keys, written.keys, rtol=0, atol=1e-6)
    ids, _ = store.search(written.keys[:270], 1)
    assert ids[:, 0].tolist() == list(range(270))
    store.close()
    QdrantVectorStore.destroy(settings)


def test_labels_are_read_back_and_survive_new_keys(store):
    store.upsert(points([1, 2, 3], kinds=("concept", "rule", "concept")))
    store.label(np.array([3, 2, 9], np.int64), np.array([5, 0, 1], np.int64))
    store.rekey(np.array([3], np.int64), directions(1, D, 4), 1, 9, 2)
    ids, kinds, regions = store.labels(np.array([3, 1, 2, 9, 3], np.int64))
    assert ids.tolist() == [1, 2, 3]
    assert kinds == ("concept", "rule", "concept")
    assert regions.tolist() == [-1, 0, 5]


def test_what_a_newer_write_put_there_is_not_undone_by_a_rekey_under_way(store):
    born = points([1, 2, 3])
    store.upsert(born)
    read, newer = store._retrieve, directions(1, D, 8)

    def read_then_others_write(*args, **more):
        records = read(*args, **more)
        store.upsert(points([1], keys=newer, version=5))
        store.delete(np.array([2], np.int64))
        return records

    store._retrieve = read_then_others_write
    store.rekey(born.ids, directions(3, D, 9), 2, 1, 2)
    store._retrieve = read
    found = store.fetch(born.ids)
    assert found.ids.tolist() == [1, 3]
    assert found.versions.tolist() == [5, 2]
    np.testing.assert_allclose(found.keys[0], newer[0], rtol=0, atol=1e-6)


def test_threads_share_a_store(store):
    written = points(range(800))

    def use(part):
        rows = slice(part * 100, part * 100 + 100)
        store.upsert(points(written.ids[rows], keys=written.keys[rows]))
        ids, _ = store.search(written.keys[rows], 1)
        return ids[:, 0].tolist() == written.ids[rows].tolist() and len(store.fetch(written.ids[rows])) == 100

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(8)))
    assert store.count() == 800


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    for use in (store.count, store.version, lambda: store.upsert(points([1]))):
        with pytest.raises(AESGStorageError, match="it is closed"):
            use()
    assert store.indexed() == 0
