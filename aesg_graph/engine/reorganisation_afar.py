"""Reorganising a memory that this process does not have open, and seeing beforehand what that would do."""

from __future__ import annotations

import time

from aesg_graph.engine.elsewhere import opened
from aesg_graph.engine.moving.places import Place
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.engine.reorganisation import Progress, Reorganisation, unborn, would_do
from aesg_graph.engine.reorganisation_reading import landscape_of_stores
from aesg_graph.errors import AESGStorageError
from aesg_graph.learning import Mode
from aesg_graph.learning.reorganisation import ReorganisationRules, plan

NAMED = 100
"""Merges of which a look tells the names."""


def look(place: str | None, progress: Progress | None = None) -> tuple[Reorganisation, dict[int, str]]:
    """What a reorganisation would do, and the names of what would merge first. Takes no lock and changes nothing.

    ``place`` is a directory, or ``served:NAME``; None is the memory here, or the one that the environment names.
    Lessons that wait in a journal are not seen. AESGStorageError where not all vectors can be seen just now.
    """
    with _reader(place) as reader:
        began, config = time.perf_counter(), reader.config
        outlook = reader.outlook()
        if not outlook.complete:
            raise AESGStorageError(
                f"Not every vector is in {outlook.name}, expected all of them: ask the process that has the memory "
                "open (memory.reorganise(dry_run=True)), or ask again when it has closed it"
            )
        if progress is not None:
            progress("planning", 0, reader.graph.count().concepts)
        land = landscape_of_stores(reader.graph, outlook.fetch, config.vector_dim, config.value_dim)
        planned = plan(land, ReorganisationRules.of(config), unborn())
        first = planned.merges.survivors[:NAMED].tolist() + planned.merges.merged[:NAMED].tolist()
        rows = reader.rows(land.ids[sorted(set(first))])
        names = {id: name for id, name in zip(rows.ids.tolist(), rows.names, strict=True) if name}
        return would_do(planned, time.perf_counter() - began), names


def _reader(place: str | None) -> MemoryReader:
    if place is None:
        return MemoryReader()
    named = Place.named(place)
    return MemoryReader(named.path) if named.path is not None else MemoryReader(None, named.settings)


def reorganise(place: str | None, progress: Progress | None = None) -> Reorganisation:
    """Reorganise a memory as if its mode were TRAIN: one in a directory that nobody has open, or one on servers.

    AESGStorageError where there is none, where somebody has the directory open, or another process has the lease.
    """
    with opened(place) as engine:
        engine.set_mode(Mode.TRAIN)
        done = engine.reorganise(progress=progress)
        assert done is not None
        return done
