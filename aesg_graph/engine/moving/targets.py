"""Where a backup is put: an empty place in either engine, or on servers the place of a memory that goes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from aesg_graph.concepts import Relations
from aesg_graph.engine.moving.places import Place
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.portable import Standing
from aesg_graph.sync import Journal, MemoryDirectory
from aesg_graph.sync.backup import Target
from aesg_graph.sync.directory import sync_directory


@contextlib.contextmanager
def made(place: Place, standing: Standing, relations: Relations, replace: bool) -> Iterator[Target]:
    """A memory to be filled. If it is not filled to the end, nothing that can be opened is left.

    AESGStorageError, with nothing changed, if there is something already (on servers: unless ``replace``).
    """
    if place.path is None:
        with _on_servers(place.settings, standing, relations, replace) as target:
            yield target
    else:
        if replace:
            raise AESGStorageError(f"{place.path} is a directory, which is not replaced: move it away first")
        with _in_directory(place.path, standing, relations, place.settings) as target:
            yield target


def memory_name(place: Place, standing: Standing) -> str:
    """The name of a memory in its new place: on servers the place's, in a directory its own."""
    return place.settings.memory or standing.head.name


@contextlib.contextmanager
def _in_directory(path: Path, standing: Standing, relations: Relations, settings: StoreSettings) -> Iterator[Target]:
    """A directory beside its place, which is moved there when it is whole."""
    from aesg_graph.stores.edge import EdgeVectorStore
    from aesg_graph.stores.sqlite.portable import SqliteFilling

    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise AESGStorageError(f"There is something at {path} already, expected a new or an empty directory")
    head, draft = standing.head, path.with_name(f".{path.name}.restoring")
    dims = head.vector_dim, head.value_dim
    with contextlib.ExitStack() as stack:
        directory = MemoryDirectory.create_or_open(draft)
        stack.callback(_remove, draft)
        stack.callback(directory.close)
        graph = SqliteFilling.create(directory.graph, head, standing.limits, relations)
        stack.callback(graph.close)
        vectors = EdgeVectorStore.create(directory.vectors, *dims)
        stack.callback(vectors.close)
        yield Target(graph, vectors)
        vectors.sync()
        vectors.close()
        graph.close()
        Journal.create(directory.journal, directory.identity, settings.durability).close()
        directory.complete(*dims, head.name)
        try:
            os.rename(draft, path)
            sync_directory(path.parent)
        except OSError as error:
            raise AESGStorageError(f"The memory cannot be moved to {path}: {error.strerror or error}") from error


def _remove(draft: Path) -> None:
    """What is left of a directory that did not become whole."""
    shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def _on_servers(settings: StoreSettings, standing: Standing, relations: Relations, replace: bool) -> Iterator[Target]:
    """A memory whose head says that it is unfinished, until it is whole."""
    from aesg_graph.stores.neo4j import Neo4jGraphStore
    from aesg_graph.stores.neo4j.filling import Neo4jFilling
    from aesg_graph.stores.neo4j.heads import UNFINISHED
    from aesg_graph.stores.qdrant import QdrantVectorStore

    there, head = Neo4jGraphStore.peek(settings), standing.head
    taken = (there is not None and there.incarnation != UNFINISHED) or (
        there is None and QdrantVectorStore.holds(settings)
    )
    if taken and not replace:
        raise AESGStorageError(
            f"There is a memory {settings.memory!r} at {settings.graph} or {settings.vectors} already, expected a name "
            "that is free, or --replace, which deletes that memory"
        )
    with contextlib.ExitStack() as stack:
        # The vectors' server is asked first: nothing is deleted while one of them is away.
        QdrantVectorStore.holds(settings)
        graph = Neo4jFilling(settings, head, standing.limits, relations)
        stack.callback(graph.close)
        QdrantVectorStore.destroy(settings)
        vectors = QdrantVectorStore.establish(settings, head.vector_dim, head.value_dim)
        stack.callback(vectors.close)
        yield Target(graph, vectors)
