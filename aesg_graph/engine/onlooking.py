"""Which stores a memory has, for whoever looks at it or mends it from outside: the one place that asks.

A directory says of which engine it is. The stores of the served engine are on servers that the settings name, and
without a directory the servers alone can be looked at: an operator has none of the trainers' directories.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from aesg_graph.concepts import Relations
from aesg_graph.config import AESGConfig
from aesg_graph.engine.outlook import Outlook, StoreOutlook, open_outlook
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import GraphStore, MemoryHead, VectorStore
from aesg_graph.sync import Holder, Journal, MemoryDirectory
from aesg_graph.sync.directory import FORMAT
from aesg_graph.sync.journal_file import Durability

DAMAGED = ".damaged"
"""What the names of damaged files and folders end in that were set aside."""


class Place(Protocol):
    """Where a memory is."""

    @property
    def directory(self) -> MemoryDirectory | None:
        """Its own files, None where only servers are known."""
        ...

    @property
    def seen_beside(self) -> bool:
        """Whether its vector store can be open in more than one process."""
        ...

    @property
    def servers(self) -> dict[str, str] | None:
        """The addresses of its stores, None where they are files."""
        ...

    @property
    def name(self) -> str:
        """The memory, for people."""
        ...

    def claim(self, settings: StoreSettings) -> Holder | None:
        """Lock the directory, if there is one, to write; who has it if that needs not be an error."""
        ...

    def head(self) -> MemoryHead:
        """The memory's head. AESGStorageError if there is no such memory."""
        ...

    def open_graph(self, relations: Relations, writing: bool = False) -> GraphStore:
        """The graph store."""
        ...

    def open_vectors(self, head: MemoryHead, writing: bool = False) -> VectorStore:
        """The vector store."""
        ...

    def new_vectors(self, head: MemoryHead) -> VectorStore:
        """An empty vector store in place of one that is damaged or gone. AESGStorageError where it is in the way."""
        ...

    def outlook(self, journal: Journal | None, head: MemoryHead, config: AESGConfig, owner: Holder | None) -> Outlook:
        """Where vectors can be read now. AESGStorageError if nowhere."""
        ...


def find(
    directory: str | os.PathLike[str] | None, settings: StoreSettings | None = None, repair: bool = False
) -> Place:
    """The memory in ``directory``; with None the one here or, if there is none, the one on the servers of the settings.

    Settings of None are read from the environment, if they are needed. ``repair``: in spite of missing files.
    AESGStorageError for a directory without a memory, and for one of the served engine without settings of servers.
    """
    path = Path(directory or "").expanduser()
    if directory is None and not (path / FORMAT).exists():
        settings = settings or StoreSettings()
        if settings.engine == "served":
            return OnServers(settings, None)
    where = MemoryDirectory.create_or_open(path, read_only=True, repair=repair)
    if settings is None and _is_of_files(where):
        return InFiles(where)
    settings = settings or StoreSettings()
    where.require(settings.engine, settings.memory if settings.engine == "served" else None)
    return InFiles(where) if settings.engine == "embedded" else OnServers(settings, where)


def _is_of_files(directory: MemoryDirectory) -> bool:
    return directory.format is None or directory.format.engine == "embedded"


class InFiles:
    """A memory of the embedded engine: everything is in its directory."""

    seen_beside = False
    servers: dict[str, str] | None = None

    def __init__(self, directory: MemoryDirectory) -> None:
        self.directory: MemoryDirectory = directory
        self._durability: Durability = "process"

    @property
    def name(self) -> str:
        """The memory, for people."""
        return f"the memory in {self.directory.path}"

    def claim(self, settings: StoreSettings) -> None:
        """Lock the directory. AESGStorageError if another process has it."""
        self._durability = settings.durability
        self.directory = MemoryDirectory.create_or_open(self.directory.path, repair=True)

    def head(self) -> MemoryHead:
        """The memory's head."""
        from aesg_graph.stores.sqlite import SqliteGraphStore

        return SqliteGraphStore.peek(self.directory.graph)

    def open_graph(self, relations: Relations, writing: bool = False) -> GraphStore:
        """The graph file."""
        from aesg_graph.stores.sqlite import SqliteGraphStore

        return SqliteGraphStore.open(
            self.directory.graph, relations, read_only=not writing, durability=self._durability
        )

    def open_vectors(self, head: MemoryHead, writing: bool = False) -> VectorStore:
        """The shard, in which nobody else can be."""
        from aesg_graph.stores.edge import EdgeVectorStore

        return EdgeVectorStore.open(self.directory.vectors, head.vector_dim, head.value_dim, self._durability)

    def new_vectors(self, head: MemoryHead) -> VectorStore:
        """An empty shard; the old one is set aside."""
        from aesg_graph.stores.edge import EdgeVectorStore

        if self.directory.vectors.exists():
            set_aside(self.directory.vectors)
        return EdgeVectorStore.create(self.directory.vectors, head.vector_dim, head.value_dim, self._durability)

    def outlook(self, journal: Journal | None, head: MemoryHead, config: AESGConfig, owner: Holder | None) -> Outlook:
        """The owner's cache, a good cache, or the shard."""
        assert journal is not None
        return open_outlook(self.directory, journal, head, config, owner)


class OnServers:
    """A memory of the served engine, with the directory of one of its processes or without."""

    seen_beside = True

    def __init__(self, settings: StoreSettings, directory: MemoryDirectory | None) -> None:
        self.directory = directory
        self._settings = settings
        self.servers: dict[str, str] | None = {"graph": str(settings.graph), "vectors": str(settings.vectors)}

    @property
    def name(self) -> str:
        """The memory, for people."""
        return f"the memory {self._settings.memory!r} on {self._settings.graph}"

    def claim(self, settings: StoreSettings) -> Holder | None:
        """Lock the directory if it is free; who has it if not: servers can be mended beside."""
        if self.directory is None:
            return None
        owner = self.directory.holder()
        if owner is None:
            self.directory = MemoryDirectory.create_or_open(self.directory.path, repair=True)
        return owner

    def head(self) -> MemoryHead:
        """The memory's head."""
        from aesg_graph.stores.neo4j import Neo4jGraphStore

        head = Neo4jGraphStore.peek(self._settings)
        if head is None:
            raise AESGStorageError(
                f"There is no memory {self._settings.memory!r} on {self._settings.graph}, expected one: check the "
                "settings memory, graph and database"
            )
        return head

    def open_graph(self, relations: Relations, writing: bool = False) -> GraphStore:
        """The graph on its server."""
        from aesg_graph.stores.neo4j import Neo4jGraphStore

        return Neo4jGraphStore.open(self._settings, relations, read_only=not writing)

    def open_vectors(self, head: MemoryHead, writing: bool = False) -> VectorStore:
        """The collection on its server."""
        from aesg_graph.stores.qdrant import QdrantVectorStore

        return QdrantVectorStore.open(self._settings, head.vector_dim, head.value_dim, writable=writing)

    def new_vectors(self, head: MemoryHead) -> VectorStore:
        """A collection where there is none. One of other dimensions stays: it may be somebody's."""
        from aesg_graph.stores.qdrant import QdrantVectorStore

        return QdrantVectorStore.establish(self._settings, head.vector_dim, head.value_dim)

    def outlook(self, journal: Journal | None, head: MemoryHead, config: AESGConfig, owner: Holder | None) -> Outlook:
        """The server, which anybody may ask at any time."""
        return StoreOutlook(self.open_vectors(head))


def set_aside(path: Path) -> Path:
    """Give a damaged file or folder another name, in place of what was set aside before."""
    import shutil

    aside = path.with_name(path.name + DAMAGED)
    if aside.is_dir():
        shutil.rmtree(aside)
    path.replace(aside)
    return aside
