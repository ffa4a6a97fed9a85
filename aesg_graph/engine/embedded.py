"""The embedded engine's stores in one directory: opened, taken up for writing, closed.

Everything that knows that the graph is an SQLite file and the vectors an Edge shard is here; the rest of the engine
sees :class:`Backend`.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError, AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import GraphStore, MemoryHead, Outcome, VectorStore
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.sync import Flusher, Journal, MemoryDirectory, take_up_writing

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


@dataclass
class Backend:
    """A memory's directory, journal and stores, as opened."""

    directory: MemoryDirectory
    journal: Journal
    graph: GraphStore
    vectors: LazyVectors
    config: AESGConfig
    settings: StoreSettings
    taken_up: bool = False

    def in_order(self) -> bool:
        """Whether journal and graph agree on how far this writer has come, with nothing left to send."""
        if self.journal.bytes_pending or self.journal.writer is None:
            return not self.journal.bytes_pending
        state = self.graph.writer(self.journal.writer)
        return state is not None and state.sequence == self.journal.last_sequence

    def recover(self) -> list[Outcome]:
        """Carry lessons that the journal still holds into the stores, under the incarnation that recorded them."""
        if not self.journal.bytes_pending:
            return []
        return self.flusher().recover()

    @property
    def writer(self) -> int:
        """The number under which this directory writes; taken up before it is asked for."""
        if self.journal.writer is None:
            raise AESGStorageError(
                f"The journal in {self.directory.path} has no writer, expected writing to be taken up"
            )
        return self.journal.writer

    def record(self, config: AESGConfig) -> None:
        """Let the graph's head say what the memory is, if it says otherwise; the mode that it opens in stays."""
        recorded = AESGConfig.from_json(self.graph.head().config)
        wanted = replace(config, memory_mode=recorded.memory_mode)
        if wanted != recorded:
            self.graph.configure(wanted.to_json(), wanted.thresholds)

    def flusher(self) -> Flusher:
        """A flusher over these stores, not yet started."""
        return Flusher(self.journal, self.graph, self.vectors, journal_bytes=self.settings.journal_bytes)

    def take_up_writing(self) -> None:
        """Become the directory's writer: a new incarnation, or a new number where the old one is not ours to use."""
        if not self.taken_up:
            take_up_writing(self.journal, self.graph, self.directory.identity, self.recover)
            self.taken_up = True

    def close(self) -> None:
        """Release everything, whatever fails on the way."""
        with contextlib.ExitStack() as stack:
            for part in (self.directory, self.journal, self.graph, self.vectors):
                stack.callback(part.close)


def open_backend(path: Path, config: AESGConfig | None, settings: StoreSettings) -> Backend:
    """Open or create the memory in ``path``. With ``config`` None an existing memory keeps its own."""
    if settings.engine != "embedded":  # pragma: no cover - settings refuse other engines in this version
        raise AESGConfigError(f"engine is {settings.engine!r}, expected 'embedded'")
    dims = (config.vector_dim, config.value_dim) if config is not None else (None, None)
    directory = MemoryDirectory.create_or_open(path, *dims)
    with contextlib.ExitStack() as undo:
        undo.callback(directory.close)
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
    recorded = AESGConfig.from_json(SqliteGraphStore.peek(directory.graph).config)
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
