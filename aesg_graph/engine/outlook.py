"""Where an onlooker reads vectors from: the owner's cache, a good cache of a closed memory, or the vector store.

A vector shard can be open in one process at a time, so beside a running owner its cache files are read instead: mapped,
while they change. A closed memory's cache serves too if it is good and complete; else the shard is opened for as long
as it is looked at, which leaves every byte as it is. After a kill it would not, for Edge would replay its log: then the
cache serves that the owner left, as it served while the owner lived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from aesg_graph.cache import CacheLayout, CacheStamp, ConceptCache, recorded_stamp
from aesg_graph.concepts import NO_ID, Doubles, Flags, Floats, Ids, VectorTable
from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import GraphStore, MemoryHead, VectorStore
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.stores.edge.files import is_sealed
from aesg_graph.sync import Holder, Journal, MemoryDirectory

CHUNK = 1 << 16
"""Rows of the cache that are looked at together."""
NOWHERE = CacheStamp(-1, -1, -1)
"""No cache on disk was ever closed at it."""
NO_FILE = Path("/nonexistent/cache")
"""Where no cache is; none is made there."""
ROOM = 1 << 50
"""Nothing is put into a cache that is only read."""


@dataclass(frozen=True, eq=False)
class Near:
    """The nearest concepts [N] and their cosines, falling; where they were looked for, and whether all were there."""

    ids: Ids
    cosines: Doubles
    origin: str
    complete: bool


class Outlook(Protocol):
    """Vectors that can be looked at."""

    @property
    def name(self) -> str:
        """Where they are."""
        ...

    @property
    def complete(self) -> bool:
        """Whether every concept's vectors are there."""
        ...

    def fetch(self, ids: Ids) -> VectorTable:
        """The vectors of those of ``ids`` that are there, in ascending id order."""
        ...

    def nearest(self, unit: Floats, limit: int, kind: str | None, region: int | None) -> Near:
        """The nearest to a unit vector [D]."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_outlook(
    directory: MemoryDirectory, journal: Journal, head: MemoryHead, config: AESGConfig, owner: Holder | None
) -> Outlook:
    """Where a memory's vectors can be read just now. AESGStorageError if nowhere."""
    if owner is not None:
        cache = _open(directory, config, NOWHERE, "read")
        if cache is None:
            raise AESGStorageError(
                f"The vectors of {directory.path} are in use by {owner}, and it has no cache on disk to look at: "
                "ask again when it has closed the memory"
            )
        return CacheOutlook(cache, "the owner's cache")
    cache = open_cache(directory, journal, head, config)
    if cache is not None and cache.complete:
        return CacheOutlook(cache, "the cache")
    if cache is not None:
        cache.close(NOWHERE, clean=False)
    if not is_sealed(directory.vectors):
        left = _open(directory, config, NOWHERE, "read")
        if left is not None:
            return CacheOutlook(left, "the cache that a killed owner left")
    return StoreOutlook(EdgeVectorStore.open(directory.vectors, head.vector_dim, head.value_dim))


def open_cache(
    directory: MemoryDirectory, journal: Journal, head: MemoryHead, config: AESGConfig
) -> ConceptCache | None:
    """A closed memory's cache, mapped so that it cannot be changed, if it was closed at the journal's sequence."""
    return _open(directory, config, stamp_of(journal, head), "private")


def stamp_of(journal: Journal, head: MemoryHead) -> CacheStamp:
    """What a cache is stamped with that is closed now."""
    return CacheStamp(head.incarnation, NO_ID if journal.writer is None else journal.writer, journal.last_sequence)


def remembered_cache(directory: MemoryDirectory, graph: GraphStore, config: AESGConfig) -> ConceptCache | None:
    """A cache that was closed in order when the graph had everything that its writer ever wrote.

    Its vectors can be trusted without a journal; rows that another writer changed since name another version.
    """
    stamp = recorded_stamp(directory.cache)
    state = None if stamp is None else graph.writer(stamp.writer)
    if stamp is None or state is None or state.sequence != stamp.sequence:
        return None
    return _open(directory, config, CacheStamp(graph.head().incarnation, stamp.writer, stamp.sequence), "private")


def empty_cache(config: AESGConfig) -> ConceptCache:
    """A cache in memory alone with nothing in it, for whoever reads everything from the stores."""
    return _map(NO_FILE, config, NOWHERE, "private")


def _open(
    directory: MemoryDirectory, config: AESGConfig, stamp: CacheStamp, mode: Literal["read", "private"]
) -> ConceptCache | None:
    cache = _map(directory.cache, config, stamp, mode)
    if cache.reused:
        return cache
    cache.close(stamp, clean=False)
    return None


def _map(path: Path, config: AESGConfig, stamp: CacheStamp, mode: Literal["read", "private"]) -> ConceptCache:
    layout = CacheLayout.of(config.vector_dim, config.value_dim, config.vocabulary)
    return ConceptCache.open(path, layout, ROOM, stamp, config.thresholds, mode)


class CacheOutlook:
    """Vectors in a cache, whose rows may change hands while they are read."""

    def __init__(self, cache: ConceptCache, name: str) -> None:
        self._cache = cache
        self.name = name

    @property
    def complete(self) -> bool:
        """Whether every concept is resident."""
        return self._cache.complete

    def fetch(self, ids: Ids) -> VectorTable:
        """The vectors of the residents among ``ids``; writers and sequences are not known here and 0."""
        wanted, columns = np.unique(ids), self._cache.columns()
        chunks = (start + np.flatnonzero(np.isin(here, wanted)) for start, here in _chunks(columns["id"]))
        rows = np.concatenate([np.empty(0, np.int64), *chunks])
        found = columns["id"][rows]
        keys, values = columns["key"][rows], columns["value"][rows]
        has_value, versions = columns["has_value"][rows] != 0, columns["version"][rows]
        # Rows that changed hands meanwhile hold somebody else's vectors.
        order = np.argsort(found)
        order = order[(np.isin(found, wanted) & (found == columns["id"][rows]))[order]]
        unknown = np.zeros(len(order), np.int64)
        return VectorTable(
            found[order], keys[order], values[order], has_value[order], versions[order], unknown, unknown
        )

    def nearest(self, unit: Floats, limit: int, kind: str | None, region: int | None) -> Near:
        """An exact scan of the resident keys, in float64, a chunk at a time."""
        allowed, columns = self._cache.mask(kind, region), self._cache.columns()
        ids, cosines = np.empty(0, np.int64), np.empty(0)
        for start, here in _chunks(columns["id"][: len(allowed)]):  # the owner may have added rows since
            rows = slice(start, start + len(here))
            near = columns["key"][rows].astype(np.float64) @ unit.astype(np.float64)
            fits = (allowed[rows] != 0) & (here != NO_ID) & (here == columns["id"][rows])
            ids, cosines = np.concatenate([ids, here[fits]]), np.concatenate([cosines, near[fits]])
            best = np.lexsort((ids, -cosines))[:limit]
            ids, cosines = ids[best], cosines[best]
        return Near(ids, cosines, self.name, self.complete)

    def close(self) -> None:
        """Let go of the mapped files."""
        self._cache.close(NOWHERE, clean=False)


def _chunks(column: Ids) -> Iterator[tuple[int, Ids]]:
    """Where each chunk of rows starts, and a copy of the ids in it."""
    for start in range(0, len(column), CHUNK):
        yield start, column[start : start + CHUNK].copy()


class StoreOutlook:
    """Vectors in the vector store: those of a closed memory, or on a server."""

    name = "the vector store"
    complete = True

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    def fetch(self, ids: Ids) -> VectorTable:
        """The vectors of the points among ``ids``."""
        return self._store.fetch(ids)

    def nearest(self, unit: Floats, limit: int, kind: str | None, region: int | None) -> Near:
        """The nearest points, by the index where there is one."""
        ids, scores = self._store.search(unit[None], limit, kind, region)
        found: Flags = ids[0] != NO_ID
        return Near(ids[0][found], scores[0][found].astype(np.float64), self.name, self.complete)

    def close(self) -> None:
        """Let others open the store."""
        self._store.close()
