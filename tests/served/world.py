"""What tests of the served engine share: a small memory, lessons, and what the stores hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from aesg_graph.config import AESGConfig, StoreSettings
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.migrating import apply
from aesg_graph.sync import Comparison, windows

D, V = 8, 3
CONFIG = AESGConfig(vector_dim=D, value_dim=V, novelty_birth_threshold=1, coactivation_threshold_create=3, top_k=5)
NO_TAG = -1

_migrated: set[str] = set()


def migrated(server: Any) -> None:
    """Bring the server's schema up to date, once."""
    if server.url not in _migrated:
        apply(settings_for(server, None, "none"))
        _migrated.add(server.url)


def settings_for(neo4j_server: Any, qdrant_server: Any, memory: str, **more: Any) -> StoreSettings:
    """Settings of a memory on two servers; tests ask for looks at other processes' changes when they want them."""
    known = {
        "memory": memory,
        "graph": neo4j_server.url,
        "user": neo4j_server.user,
        "password": neo4j_server.password,
        "vectors": "http://127.0.0.1:6333" if qdrant_server is None else qdrant_server.url,
        "grpc_port": None if qdrant_server is None else qdrant_server.grpc_port,
        "api_key": None if qdrant_server is None else qdrant_server.api_key,
        "refresh_interval": 3600.0,
        "connect_timeout": 5.0,
        "request_timeout": 20.0,
        "flush_timeout": 30.0,
    }
    return StoreSettings(**(known | more))


def vectors(count: int, seed: int = 0, width: int = D) -> Any:
    """Random directions [count, width]."""
    drawn = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def teach(engine: MemoryEngine, keys: Any, values: Any) -> Any:
    """One lesson: recall and learn that keys mean values. What was recalled."""
    query = engine.query(keys, values)
    recalled = engine.recall(query)
    engine.learn(query, recalled, np.full(len(keys), NO_TAG))
    return recalled


def graph_rows(graph: Any) -> tuple[dict[int, tuple[Any, ...]], dict[tuple[int, int, int], tuple[Any, ...]]]:
    """Everything that a graph store says of concepts and edges, comparable; times and stamps aside."""
    concepts: dict[int, tuple[Any, ...]] = {}
    edges: dict[tuple[int, int, int], tuple[Any, ...]] = {}
    after = -1
    while len((page := graph.page(after, 1000)).concepts):
        c, e = page.concepts, page.edges
        after = int(c.ids[-1])
        for i, id in enumerate(c.ids.tolist()):
            life = (c.born_epoch[i], c.touched_epoch[i], round(float(c.relevance[i]), 9), c.use_frequency[i])
            concepts[id] = (
                c.kinds[i],
                c.names[i],
                c.texts[i],
                c.sources[i],
                *life,
                c.contradictions[i],
                c.region_id[i],
            )
        for i in range(len(e)):
            key = int(e.sources[i]), int(e.targets[i]), int(e.types[i])
            edges[key] = (round(float(e.weights[i]), 6), int(e.use_counts[i]), int(e.touched_epoch[i]))
    return concepts, edges


def assert_in_step(engine: MemoryEngine) -> None:
    """Graph and vectors of a memory agree in every row, and so do counts and recount."""
    graph, store = engine.residency.graph, engine.residency.vectors()
    comparison = Comparison(graph, store, None, np.empty(0, np.int64))
    for window in windows(graph, store, 1000, whole=False):
        comparison.look(window)
    assert comparison.findings() == []
    assert isinstance(graph, Neo4jGraphStore)
    assert graph.recount() == graph.count()


def assert_cache_is_true(engine: MemoryEngine) -> None:
    """The cache of a settled memory says what the graph says."""
    graph = engine.residency.graph
    engine.refresh()
    concepts, edges = graph_rows(graph)
    ids = np.array(sorted(concepts), np.int64)
    found = engine.residency.cache.read(ids)
    assert found.concepts.ids.tolist() == ids.tolist()
    told = {
        int(id): (int(u), int(x), round(float(r), 9))
        for id, u, x, r in zip(
            found.concepts.ids,
            found.concepts.use_frequency,
            found.concepts.contradictions,
            found.concepts.relevance,
            strict=True,
        )
    }
    assert told == {id: (row[7], row[8], row[6]) for id, row in concepts.items()}
    e = found.edges
    kept = {(int(e.sources[i]), int(e.targets[i]), int(e.types[i])): float(e.weights[i]) for i in range(len(e))}
    assert kept.keys() == edges.keys()
    assert all(abs(kept[key] - edges[key][0]) < 1e-5 for key in kept)
