"""The served engine's stores: a memory on a Neo4j and a Qdrant server, with its own directory for journal and cache.

Everything that knows which servers these are is here. The stores are made before the directory is completed, vectors
first: a process that dies in between leaves an empty collection, which the next one takes up.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from aesg_graph.config import AESGConfig
from aesg_graph.engine.backend import Backend
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import MemoryHead, VectorStore
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import Journal, MemoryDirectory

FIRST_INCARNATION = 1


class OpenVectors:
    """A vector store that is open."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    def __call__(self) -> VectorStore:
        """The store."""
        return self._store

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def open_served(path: Path, config: AESGConfig | None, settings: StoreSettings) -> Backend:
    """Open the memory ``settings.memory``, or create it; ``path`` is this process's own directory.

    With ``config`` None an existing memory keeps its own. AESGStorageError if a server cannot be reached, refuses,
    lacks a migration, or has the memory with other dimensions.
    """
    name = memory_name(settings)
    head = Neo4jGraphStore.peek(settings)
    wanted = config if config is not None else AESGConfig() if head is None else AESGConfig.from_json(head.config)
    if head is not None:
        require_dimensions(head, wanted)
    directory = MemoryDirectory.create_or_open(path, wanted.vector_dim, wanted.value_dim)
    with contextlib.ExitStack() as undo:
        undo.callback(directory.close)
        directory.require("served", name)
        if head is None and not directory.fresh:
            raise AESGStorageError(
                f"The memory {name!r} is not on {settings.graph}, and the directory {directory.path} belongs to it: "
                "expected the server that has it (setting graph), or 'aesg restore' from a backup"
            )
        vectors = QdrantVectorStore.establish(settings, wanted.vector_dim, wanted.value_dim)
        undo.callback(vectors.close)
        if head is None:
            born = MemoryHead(name, FIRST_INCARNATION, 0, 0, wanted.vector_dim, wanted.value_dim, wanted.to_json())
            require_dimensions(Neo4jGraphStore.establish(settings, born, wanted.thresholds), wanted)
        graph = Neo4jGraphStore.open(settings, wanted.vocabulary)
        undo.callback(graph.close)
        journal = _journal(directory, settings)
        undo.callback(journal.close)
        if directory.fresh:
            directory.complete(wanted.vector_dim, wanted.value_dim, name, "served")
        backend = Backend(directory, journal, graph, OpenVectors(vectors), wanted, settings)
        if wanted.memory_mode != "INFERENCE":
            backend.record(wanted)
        undo.pop_all()
    return backend


def _journal(directory: MemoryDirectory, settings: StoreSettings) -> Journal:
    if directory.fresh:
        return Journal.create(directory.journal, directory.identity, settings.durability)
    return Journal.open(directory.journal, settings.durability)


def memory_name(settings: StoreSettings) -> str:
    """The memory's name, which served settings always have."""
    assert settings.memory is not None
    return settings.memory


def require_dimensions(head: MemoryHead, config: AESGConfig) -> None:
    """AESGStorageError unless a memory has the dimensions that a configuration says."""
    if (head.vector_dim, head.value_dim) != (config.vector_dim, config.value_dim):
        raise AESGStorageError(
            f"The memory {head.name!r} has vector_dim={head.vector_dim} and value_dim={head.value_dim}, the "
            f"configuration says vector_dim={config.vector_dim} and value_dim={config.value_dim}"
        )
