"""The embedded engine's stores in one directory: created, opened, closed.

Everything that knows that the graph is an SQLite file and the vectors an Edge shard is here.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from aesg_graph.config import AESGConfig
from aesg_graph.engine.backend import Backend
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import MemoryHead, VectorStore
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.sync import Journal, MemoryDirectory

FIRST_INCARNATION = 1


class LazyVectors:
    """The vector store, opened when it is first needed: a memory that is resident can answer without it."""

    def __init__(self, path: Path, config: AESGConfig, settings: StoreSettings) -> None:
        self._path, self._config, self._settings = path, config, settings
        self._store: VectorStore | None = None
        self._lock = threading.Lock()

    def __call__(self) -> VectorStore:
        """The store, open."""
        with self._lock:
            if self._store is None:
                dims = self._config.vector_dim, self._config.value_dim
                self._store = EdgeVectorStore.open(self._path, *dims, durability=self._settings.durability)
            return self._store

    @property
    def opened(self) -> bool:
        """Whether it has been needed so far."""
        return self._store is not None

    def close(self) -> None:
        """Close the store if it was opened."""
        with self._lock:
            if self._store is not None:
                self._store.close()


def open_embedded(path: Path, config: AESGConfig | None, settings: StoreSettings) -> Backend:
    """Open or create the memory in ``path``. With ``config`` None an existing memory keeps its own."""
    dims = (config.vector_dim, config.value_dim) if config is not None else (None, None)
    directory = MemoryDirectory.create_or_open(path, *dims)
    with contextlib.ExitStack() as undo:
        undo.callback(directory.close)
        directory.require("embedded")
        if directory.fresh:
            backend = _create(directory, config or AESGConfig(), settings, undo)
        else:
            backend = _open(directory, config, settings, undo)
        undo.pop_all()
    return backend


def _create(
    directory: MemoryDirectory, config: AESGConfig, settings: StoreSettings, undo: contextlib.ExitStack
) -> Backend:
    name = settings.memory or directory.path.name
    head = MemoryHead(name, FIRST_INCARNATION, 0, 0, config.vector_dim, config.value_dim, config.to_json())
    graph = SqliteGraphStore.create(
        directory.graph, head, config.thresholds, config.vocabulary, durability=settings.durability
    )
    undo.callback(graph.close)
    EdgeVectorStore.create(
        directory.vectors, config.vector_dim, config.value_dim, durability=settings.durability
    ).close()
    journal = Journal.create(directory.journal, directory.identity, settings.durability)
    undo.callback(journal.close)
    directory.complete(config.vector_dim, config.value_dim, name)
    return Backend(directory, journal, graph, LazyVectors(directory.vectors, config, settings), config, settings)


def _open(
    directory: MemoryDirectory, config: AESGConfig | None, settings: StoreSettings, undo: contextlib.ExitStack
) -> Backend:
    journal = Journal.open(directory.journal, settings.durability)
    undo.callback(journal.close)
    recorded = AESGConfig.from_json(SqliteGraphStore.peek(directory.graph, from_outside=False).config)
    wanted = config if config is not None else recorded
    graph = SqliteGraphStore.open(directory.graph, wanted.vocabulary, durability=settings.durability)
    undo.callback(graph.close)
    head = graph.head()
    if (head.vector_dim, head.value_dim) != (wanted.vector_dim, wanted.value_dim):
        raise AESGStorageError(
            f"The memory in {directory.path} has vector_dim={head.vector_dim} and value_dim={head.value_dim}, "
            f"the configuration says vector_dim={wanted.vector_dim} and value_dim={wanted.value_dim}"
        )
    if wanted != recorded and wanted.memory_mode != "INFERENCE":
        graph.configure(wanted.to_json(), wanted.thresholds)
    return Backend(directory, journal, graph, LazyVectors(directory.vectors, wanted, settings), wanted, settings)
