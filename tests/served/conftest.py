"""A fresh memory on both shared servers for each test, and engines that are closed at its end."""

import itertools

import pytest

from aesg_graph.settings import StoreSettings

_names = itertools.count(1)


@pytest.fixture
def served(neo4j_server, qdrant_server):
    """Settings of a memory that does not exist yet; it is destroyed at the end."""
    from aesg_graph.stores.neo4j import Neo4jGraphStore
    from aesg_graph.stores.qdrant import QdrantVectorStore
    from tests.served.world import migrated, settings_for

    migrated(neo4j_server)
    settings: StoreSettings = settings_for(neo4j_server, qdrant_server, f"test-{next(_names)}")
    yield settings
    Neo4jGraphStore.destroy(settings)
    QdrantVectorStore.destroy(settings)


@pytest.fixture
def opened(tmp_path, served):
    """Opens engines of the memory, each in a directory of its own by name; what is left open is closed at the end."""
    from tests.served.world import CONFIG, MemoryEngine

    engines = []

    def open_one(name="a", config=CONFIG, **more):
        engines.append(MemoryEngine(tmp_path / name, config, served.model_copy(update=more)))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


@pytest.fixture
def memory(opened, served, tmp_path):
    """A small memory that its only process has closed, to be damaged."""
    from tests.served.drift import Memory, build

    return Memory(served, tmp_path / "a", *build(opened("a")))


@pytest.fixture
def _soon(monkeypatch):
    """Nobody writes in most tests of checking, so nothing has to settle; and no failpoint outlives its test."""
    from aesg_graph.sync import comparison, failpoints

    monkeypatch.setattr(comparison, "SETTLING", 0.02)
    yield
    failpoints.clear()
