"""The Qdrant vector store: the suite, and what only a server, its settings and several processes can show."""

import uuid

import pytest

from aesg_graph.settings import StoreSettings
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.stores.testing.vectors import KeyStoreSuite, VectorStoreSuite


def settings_of(server, **more):
    """Settings of a memory of its own on a server."""
    given = {"api_key": server.api_key, "grpc_port": server.grpc_port, "memory": f"test-{uuid.uuid4().hex}"}
    return StoreSettings(graph="neo4j://localhost:7687", vectors=server.url, **{**given, **more})


@pytest.fixture
def settings(qdrant_server):
    settings = settings_of(qdrant_server)
    yield settings
    QdrantVectorStore.destroy(settings)


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
