"""Asking and pruning a served memory where the data is, without opening it: what ``aesg due`` and ``prune`` do.

Every process that has the memory open hears of what went by freshness, and one of them removes the vectors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore


@contextlib.contextmanager
def graph_of(settings: StoreSettings | None = None, *, read_only: bool = False) -> Iterator[Neo4jGraphStore]:
    """The graph store of the memory that settings (of None: the environment) name.

    AESGConfigError where they name no servers, AESGStorageError where these do not have the memory.
    """
    settings = StoreSettings() if settings is None else settings
    if settings.engine != "served":
        raise AESGConfigError(
            "No servers are named, expected AESG_GRAPH, AESG_VECTORS and AESG_MEMORY; a memory in a directory is "
            "consolidated by the process that has it open"
        )
    head = Neo4jGraphStore.peek(settings)
    config = AESGConfig() if head is None else AESGConfig.from_json(head.config)
    graph = Neo4jGraphStore.open(settings, config.vocabulary, read_only=read_only)
    with contextlib.closing(graph):
        yield graph
