"""The Qdrant vector store: the suite, over real gRPC."""

import pytest

from aesg_graph.settings import StoreSettings
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.stores.testing.vectors import KeyStoreSuite, VectorStoreSuite

MEMORY = "suite"


def settings_for(server, memory=MEMORY, **more):
    return StoreSettings(
        memory=memory,
        graph="bolt://127.0.0.1:7687",
        vectors=server.url,
        grpc_port=server.grpc_port,
        api_key=server.api_key,
        connect_timeout=5,
        request_timeout=10,
        **more,
    )


class QdrantFixtures:
    @pytest.fixture
    def settings(self, qdrant_server):
        settings = settings_for(qdrant_server)
        QdrantVectorStore.destroy(settings)
        yield settings
        QdrantVectorStore.destroy(settings)

    @pytest.fixture
    def store(self, settings):
        store = QdrantVectorStore.establish(settings, self.vector_dim, self.value_dim)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, settings):
        opened = []

        def again(store):
            store.close()
            opened.append(QdrantVectorStore.open(settings, self.vector_dim, self.value_dim))
            return opened[-1]

        yield again
        for store in opened:
            store.close()


class TestQdrant(QdrantFixtures, VectorStoreSuite):
    pass


class TestQdrantWithoutValues(QdrantFixtures, KeyStoreSuite):
    pass
