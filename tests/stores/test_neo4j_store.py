"""The Neo4j graph store passes the suite."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from neo4j_world import memory_of, prepare

from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.testing import GraphStoreSuite
from aesg_graph.stores.testing.graph import HEAD, RELATIONS


@pytest.fixture(scope="module")
def server(neo4j_server: Any) -> Any:
    prepare(neo4j_server)
    return neo4j_server


@pytest.fixture
def settings(server: Any) -> Iterator[StoreSettings]:
    with memory_of(server, HEAD.name) as settings:
        yield settings


class TestNeo4j(GraphStoreSuite):
    @pytest.fixture
    def store(self, settings: StoreSettings) -> Iterator[Neo4jGraphStore]:
        store = Neo4jGraphStore.open(settings, RELATIONS)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, settings: StoreSettings) -> Iterator[Callable[[Neo4jGraphStore], Neo4jGraphStore]]:
        opened = []

        def again(store: Neo4jGraphStore) -> Neo4jGraphStore:
            store.close()
            opened.append(Neo4jGraphStore.open(settings, RELATIONS))
            return opened[-1]

        yield again
        for store in opened:
            store.close()
