"""A memory that this process does not have open, opened for one piece of work and let go of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.moving.places import Place
from aesg_graph.engine.onlooking import OnServers, find
from aesg_graph.engine.registry import acquire, release
from aesg_graph.settings import StoreSettings
from aesg_graph.sync import MemoryDirectory


@contextmanager
def opened(place: str | None) -> Iterator[MemoryEngine]:
    """The memory in a directory that nobody has open, or one on servers; what is written is in its stores at the end.

    ``place`` is a directory, or ``served:NAME``; None is the memory here, or the one that the environment names.
    AESGStorageError where there is none, or somebody has the directory open.
    """
    named = _place(place)
    if named.path is not None:
        MemoryDirectory.create_or_open(named.path, read_only=True)  # there is a memory: nothing will be created
        with _held(named.path, named.settings) as engine:
            yield engine
        return
    OnServers(named.settings, None).head()  # likewise
    with (
        tempfile.TemporaryDirectory(prefix="aesg-") as folder,
        _held(Path(folder) / "memory", named.settings) as engine,
    ):
        yield engine


def _place(place: str | None) -> Place:
    if place is not None:
        return Place.named(place)
    found = find(None)
    if found.directory is not None:
        return Place.named(str(found.directory.path))
    return Place(None, StoreSettings())


@contextmanager
def _held(path: Path, settings: StoreSettings) -> Iterator[MemoryEngine]:
    engine = acquire(path, None, settings)
    try:
        yield engine
        engine.flush()  # a journal in a temporary directory will not be read again
    finally:
        release(engine)
