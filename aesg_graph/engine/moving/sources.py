"""Where a backup is read from: both stores of a memory, open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aesg_graph.config import AESGConfig
from aesg_graph.engine.moving.places import Place
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import Engine, StoreSettings
from aesg_graph.stores.abc import VectorStore
from aesg_graph.stores.portable import Portable
from aesg_graph.sync import MemoryDirectory

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine


@dataclass(frozen=True)
class Source:
    """A memory whose rows and vectors can be read. ``others``: whether somebody may write to it meanwhile."""

    graph: Portable
    vectors: VectorStore
    config: AESGConfig
    engine: Engine
    others: bool


@contextlib.contextmanager
def opened(place: Place) -> Iterator[Source]:
    """Open a memory to be read as a whole. A directory is locked meanwhile, and what waits in its journal is sent.

    AESGStorageError if there is no such memory, or if another process has the directory open.
    """
    if place.path is None:
        with _on_servers(place.settings) as source:
            yield source
        return
    from aesg_graph.engine.embedded import open_embedded
    from aesg_graph.stores.sqlite.portable import SqliteRows

    MemoryDirectory.create_or_open(place.path, read_only=True)  # it must be there
    with contextlib.closing(open_embedded(place.path, None, place.settings)) as backend:
        if not backend.in_order():
            backend.take_up_writing()
        graph = SqliteRows(backend.directory.graph, backend.config.vocabulary)
        with contextlib.closing(graph):
            yield Source(graph, backend.vectors(), backend.config, "embedded", others=False)


@contextlib.contextmanager
def _on_servers(settings: StoreSettings) -> Iterator[Source]:
    from aesg_graph.stores.neo4j.portable import Neo4jRows
    from aesg_graph.stores.qdrant import QdrantVectorStore

    config = served_config(settings)
    with contextlib.ExitStack() as opened:
        graph = opened.enter_context(contextlib.closing(Neo4jRows(settings, config.vocabulary)))
        vectors = QdrantVectorStore.open(settings, config.vector_dim, config.value_dim, writable=False)
        opened.enter_context(contextlib.closing(vectors))
        yield Source(graph, vectors, config, "served", others=True)


def served_config(settings: StoreSettings) -> AESGConfig:
    """What a memory on servers is. AESGStorageError if there is none of this name."""
    from aesg_graph.stores.neo4j import Neo4jGraphStore

    head = Neo4jGraphStore.peek(settings)
    if head is None:
        raise AESGStorageError(f"There is no memory {settings.memory!r} at {settings.graph}; check its name")
    return AESGConfig.from_json(head.config)


@contextlib.contextmanager
def of_engine(engine: MemoryEngine) -> Iterator[Source]:
    """The stores of a memory that this process has open; its flusher waits where nobody else holds writers back."""
    if engine.settings.engine == "served":
        with _on_servers(engine.settings) as source:
            yield source
        return
    from aesg_graph.stores.sqlite import SqliteGraphStore
    from aesg_graph.stores.sqlite.portable import SqliteRows

    graph, vectors = engine.residency.graph, engine.residency.vectors()
    assert isinstance(graph, SqliteGraphStore)
    with (
        engine.recorder.attendant().still(),
        contextlib.closing(SqliteRows(graph.path, engine.config.vocabulary)) as rows,
    ):
        yield Source(rows, vectors, engine.config, "embedded", others=False)
