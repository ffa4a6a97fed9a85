"""A read-only look at a memory, beside a running owner or when nobody holds it.

:class:`MemoryReader` takes no lock and writes nothing: it reads the graph and the journal as they are, on disk or on
servers, and vectors from wherever they can be read without disturbing anybody (see :mod:`aesg_graph.engine.outlook`).
Lessons that wait in the journal are not in the graph yet; ``pending`` says how many there are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from aesg_graph.concepts import Concept, ConceptTable, Edge, Floats, Ids, VectorTable, ids_array
from aesg_graph.config import AESGConfig
from aesg_graph.engine import inputs
from aesg_graph.engine.afar import explained_afar
from aesg_graph.engine.explaining import explained
from aesg_graph.engine.inspection import concept_of, edges_of
from aesg_graph.engine.onlooking import find
from aesg_graph.engine.outlook import NOWHERE, Near, Outlook, empty_cache, open_cache
from aesg_graph.engine.recall import Recaller
from aesg_graph.engine.residency import Residency
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.sync import Journal


class MemoryReader:
    """A memory as it is in its stores. Use it briefly, as a context manager: it does not follow an owner that starts
    later.

    Attributes
    ----------
    directory, journal: None where only servers are known.
    owner: the live process that has the directory open, None when nobody does.
    pending: how many acknowledged batches wait in the journal for the stores; None where that is not known.

    ``directory`` of None is the working directory or, if it holds no memory, the servers that the settings name;
    ``settings`` of None are read from the environment if the memory is on servers.

    Raises AESGStorageError for a directory that holds no memory, or whose graph or journal is missing or damaged, and
    for servers that cannot be reached or do not have it.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, settings: StoreSettings | None = None) -> None:
        self.place = find(directory, settings)
        self.directory = self.place.directory
        self.owner = None if self.directory is None else self.directory.holder()
        with contextlib.ExitStack() as opened:
            self.journal: Journal | None = None
            if self.directory is not None:
                self.journal = Journal.open(self.directory.journal, read_only=True)
                opened.callback(self.journal.close)
            self.config = AESGConfig.from_json(self.place.head().config)
            self.graph = self.place.open_graph(self.config.vocabulary)
            opened.callback(self.graph.close)
            self.head = self.graph.head()
            self.pending = None if self.journal is None else len(self.journal.pending())
            self._opened = opened.pop_all()
        self._outlook: Outlook | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything. Closing twice is allowed."""
        self._opened.close()

    # -- concepts and edges -----------------------------------------------------------------------------------------

    def rows(self, ids: Ids) -> ConceptTable:
        """The concepts among ``ids``, in ascending id order, without their vectors."""
        return self.graph.read(ids, edges=False).concepts

    def concept(self, id: int) -> Concept:
        """One concept, with its vectors where they can be read. AESGMemoryError if it does not exist."""
        wanted = self._existing(id)
        outlook = self.outlook() if self._may_see() else None
        vectors = _no_vectors() if outlook is None else outlook.fetch(wanted)
        return concept_of(self.rows(wanted), 0, vectors, self.head.epoch, self.config.thresholds, {})

    def neighbors(self, id: int) -> list[Edge]:
        """The edges of a concept, strongest first. AESGMemoryError if it does not exist."""
        return edges_of(self.graph.read(self._existing(id)).edges, self.config.vocabulary.names)

    def find(self, text: str, limit: int) -> Ids:
        """Concepts whose name or text contains ``text``, whatever the case; by id."""
        return self.graph.find(text, limit)

    def _existing(self, id: int) -> Ids:
        if not 0 <= id < 1 << 63:
            raise AESGMemoryError(f"{id} cannot be the id of a concept, expected a number from 0 to 2^63 - 1")
        wanted = ids_array([id])
        if self.graph.absent(wanted).size:
            waiting = f"; {self.pending} batches that may tell of it wait in the journal" if self.pending else ""
            raise AESGMemoryError(
                f"Concept {id} does not exist in {self.place.name}, expected the id of one that does{waiting}"
            )
        return wanted

    # -- vectors ----------------------------------------------------------------------------------------------------

    def outlook(self) -> Outlook:
        """Where vectors are read from. AESGStorageError if they cannot be read at present."""
        if self._outlook is None:
            self._outlook = self.place.outlook(self.journal, self.head, self.config, self.owner)
            self._opened.callback(self._outlook.close)
        return self._outlook

    def _may_see(self) -> bool:
        """Whether vectors can be had: beside the owner of a shard they can if its cache is on disk."""
        directory = self.directory
        return self.place.seen_beside or self.owner is None or directory is None or directory.cache.is_dir()

    def key(self, id: int) -> Floats:
        """The key [D] of a concept. AESGMemoryError if there is no such concept or its vector cannot be seen."""
        found = self.outlook().fetch(self._existing(id))
        if not len(found):
            raise AESGMemoryError(
                f"The key of concept {id} is not in {self.outlook().name}, expected a concept whose vector is there"
            )
        key: Floats = found.keys[0]
        return key

    def nearest(self, vector: Any, limit: int, kind: str | None = None, region: int | None = None) -> Near:
        """The ``limit`` concepts nearest to a vector [D] by cosine, nearest first, ties by id.

        AESGMemoryError for a vector that is not finite, not [D], or zero.
        """
        asked = inputs.rows(np.asarray(vector)[None], self.config.vector_dim, "the vector")
        unit, zero = inputs.unit_rows(asked)
        if zero.any():
            raise AESGMemoryError("The vector is zero, expected one with a direction")
        return self.outlook().nearest(unit[0], limit, kind, inputs.region_filter(region))

    # -- why, what happened, how much -------------------------------------------------------------------------------

    def explain(self, query: int, target: int, limit: int = 10) -> list[dict[str, Any]]:
        """The paths by which energy goes from one concept, lit with energy 1, to another (see :func:`explained`)."""
        self._existing(query)
        self._existing(target)
        cache = empty_cache(self.config)
        try:
            recaller = Recaller(Residency(cache, self.graph, _no_store, private=True), self.config)
            told = explained_afar(self.graph, [(query, 1.0)], target, recaller.gains, recaller.params, limit)
            return told if told is not None else explained(recaller, ids_array([query]), np.ones(1), target, limit)
        finally:
            cache.close(NOWHERE, clean=False)

    def history(self, limit: int | None = None, types: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Events, oldest first: ``{timestamp, type, id1, id2, val}``; with a limit the latest so many.

        AESGStorageError where only servers are known: each process keeps the history of what it did itself.
        """
        if self.journal is None:
            raise AESGStorageError(
                f"The history of {self.place.name} is in the journals of the processes that write to it, expected the "
                "directory of one of them (-d)"
            )
        return list(self.journal.events(limit, types))

    def stats(self) -> dict[str, Any]:
        """What the memory holds, who has it open, what waits, and what it takes on disk; None for what is not known."""
        counts, journal = self.graph.count(), self.journal
        return {
            "directory": None if self.directory is None else str(self.directory.path),
            "servers": self.place.servers,
            "name": self.head.name,
            "owner": None if self.owner is None else str(self.owner),
            "concepts": counts.concepts,
            "edges": counts.edges,
            "tombstones": counts.tombstones,
            "epoch": self.head.epoch,
            "vector_dim": self.head.vector_dim,
            "value_dim": self.head.value_dim,
            "key_version": self.head.key_version,
            "mode": self.config.memory_mode,
            "max_concepts": self.config.max_concepts,
            "due": len(self.graph.due(self.head.epoch + 1, counts.concepts)) if counts.concepts else 0,
            "pending_batches": self.pending,
            "pending_bytes": None if journal is None else journal.bytes_pending,
            "refused_batches": None if journal is None else len(journal.refused()),
            "cache": self._cache_state(),
            "bytes": {part: _size(path) for part, path in self._parts().items()},
        }

    def _cache_state(self) -> str:
        """In use, good, absent, or stale (it will be built anew)."""
        if self.directory is None or self.journal is None or not (self.directory.cache / "header.bin").exists():
            return "absent"
        if self.owner is not None:
            return "in use"
        cache = open_cache(self.directory, self.journal, self.head, self.config)
        if cache is None:
            return "stale"
        cache.close(NOWHERE, clean=False)
        return "good"

    def _parts(self) -> dict[str, Path]:
        """The memory's own files and folders."""
        d = self.directory
        if d is None:
            return {}
        own = {"journal": d.journal, "cache": d.cache}
        return own if self.place.servers else {"graph": d.graph, "vectors": d.vectors, **own}


def _no_vectors() -> VectorTable:
    nothing = np.empty(0, np.int64)
    return VectorTable(
        nothing, np.empty((0, 0), np.float32), np.empty((0, 0), np.float32), nothing > 0, nothing, nothing, nothing
    )


def _no_store() -> Any:
    raise AssertionError("energy flows along edges: no vector is needed")  # pragma: no cover


def _size(path: Path) -> int:
    """Bytes on disk of a file with its companions, or of all files in a directory (sparse ones as they are)."""
    files = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.name}*")
    total = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # an owner may be replacing it
            if file.is_file():
                total += file.stat().st_blocks * 512
    return total
