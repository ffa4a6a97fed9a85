"""The Edge vector store's index: built on request, nearly exact, and kept up by later writes."""

from contextlib import closing

import numpy as np

from aesg_graph.concepts import NO_ID
from aesg_graph.stores.abc import Optimizable, Points
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.stores.testing.vectors import directions


def points(keys, values=None, has_value=None, kinds=None):
    count = len(keys)
    values = np.empty((count, 0), np.float32) if values is None else values
    flags = np.zeros(count, np.bool_) if has_value is None else has_value
    zeros = np.zeros(count, np.int64)
    return Points(np.arange(count), keys, values, flags, kinds or ("concept",) * count, 1, zeros, zeros)


def stored_bytes(store):
    """What the keys take on disk, holes in the files aside."""
    return sum(file.stat().st_blocks * 512 for file in store.path.glob("segments/*/vector_storage-key/**/*"))


def test_optimising_covers_every_point_and_gives_back_space(tmp_path):
    keys, has_value = directions(3000, 16), np.arange(3000) % 3 == 0
    with closing(EdgeVectorStore.create(tmp_path / "vectors", 16, 3)) as store:
        assert isinstance(store, Optimizable)
        store.upsert(points(keys, keys[:, :3].copy(), has_value))
        assert store.indexed() == 0
        assert store.optimize()
        assert store.indexed() == 3000
        assert not store.optimize()
        found = store.fetch(np.arange(3000))
        assert np.array_equal(found.keys, keys)
        assert np.array_equal(found.has_value, has_value)
        store.delete(np.arange(100, 3000))
        before = stored_bytes(store)
        assert store.optimize()
        assert stored_bytes(store) < before / 4
        assert store.count() == store.indexed() == 100
    with closing(EdgeVectorStore.open(tmp_path / "vectors", 16, 3)) as again:
        assert again.page(NO_ID, 5000).ids.tolist() == list(range(100))


def recall(found, best):
    pairs = zip(found.tolist(), best.tolist(), strict=True)
    return np.mean([len(set(row) & set(nearest)) / len(nearest) for row, nearest in pairs])


def test_an_index_finds_the_nearest_and_later_writes_count(tmp_path):
    width, count = 256, 11_000  # More than 10 MB of keys: less is searched exactly, index or not.
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((200, width)).astype(np.float32)
    keys = centres[np.arange(count) % 200] + 0.5 * generator.standard_normal((count, width)).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    rare = np.arange(0, count, 199)
    kinds = tuple("rare" if row % 199 == 0 else "concept" for row in range(count))
    queries = centres[:100]
    best = np.argsort(-queries @ keys.T, axis=1)[:, :10]
    with closing(EdgeVectorStore.create(tmp_path / "vectors", width, 0)) as store:
        store.upsert(points(keys, kinds=kinds))
        assert store.optimize()
        assert store.indexed() == count
        assert recall(store.search(queries, 10)[0], best) >= 0.95
        best_rare = rare[np.argsort(-queries @ keys[rare].T, axis=1)[:, :10]]
        assert recall(store.search(queries, 10, kind="rare")[0], best_rare) >= 0.95
        store.rekey(np.array([7]), -keys[7:8], 1, 1, 2)
        store.delete(best[:1, 0])
        store.label(best[:1, 1], np.array([3]))
        assert store.search(-keys[7:8], 1)[0].tolist() == [[7]]
        assert best[0, 0] not in store.search(queries[:1], 10)[0]
        assert store.search(queries[:1], 1, region=3)[0].tolist() == [[best[0, 1]]]
        assert store.count() == count - 1
