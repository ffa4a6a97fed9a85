"""Asking and pruning a served memory where the data is, without opening it: what ``aesg due`` and ``prune`` do.

Every process that has the memory open hears of what went by freshness, and one of them removes the vectors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.pasting import pasted
from aesg_graph.stores.neo4j.spreading import spread_parameters, spread_statement
from aesg_graph.stores.neo4j.statements import cypher


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


def spread_to_paste(seeds: Sequence[int]) -> str:
    """The twin of ``aesg.spread`` for the memory that the environment names: one query, each seed with energy 1."""
    from aesg_graph.engine.recall import spread_params

    with graph_of(read_only=True) as graph:
        config = AESGConfig.from_json(graph.head().config)
        names, gains, params = config.vocabulary.names, config.vocabulary.gains, spread_params(config)
        rows = [[0, seed, 1.0] for seed in seeds]
        given = {"memory": graph.procedures.memory, "seeds": rows} | spread_parameters(names, gains, params, None)
        return pasted(spread_statement(names, gains, params), given)


def due_to_paste(epochs: int, limit: int) -> str:
    """The twin of ``aesg.due``, the same way."""
    with graph_of(read_only=True) as graph:
        return pasted(cypher("due"), {"memory": graph.procedures.memory, "epochs": epochs, "limit": limit})


def stats_to_paste() -> str:
    """The twin of ``aesg.stats``, the same way."""
    with graph_of(read_only=True) as graph:
        return pasted(cypher("stats"), {"memory": graph.procedures.memory})
