"""A Qdrant test server for the tests of itself, which kill it, and the client that Qdrant's users have."""

import pytest

from tests.servers.qdrant_calls import NAME, connected, make, point
from tests.servers.qdrant_server import QdrantTestServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with QdrantTestServer.create(tmp_path_factory.mktemp("server")) as server:
        yield server


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
