"""Building the vector index of a closed memory: what ``aesg optimize`` does.

Edge holds the interpreter for as long as it builds, so another process builds while this one keeps the memory's lock
and can tell how long it has been going on.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from aesg_graph.engine.opening import open_backend
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.edge.index import build_index
from aesg_graph.sync import MemoryDirectory

TICK = 0.2
"""Seconds between two signs of life."""

Progress = Callable[[float], None]
"""Called now and then with the seconds that have passed."""


@dataclass(frozen=True)
class Optimized:
    """How many vectors there are, how many the index covers now, whether there was anything to do, and how long."""

    points: int
    indexed: int
    done: bool
    seconds: float


def optimize(
    directory: str | os.PathLike[str], settings: StoreSettings | None = None, progress: Progress | None = None
) -> Optimized:
    """Build the index over all vectors of a memory that nobody has open, and give back the space of deleted ones.

    Lessons that wait in the journal go to the stores first. AESGStorageError if another process has the memory open,
    if there is none, or if the disk has no room for a second copy of the vectors.
    """
    path = Path(directory).expanduser()
    MemoryDirectory.create_or_open(path, read_only=True)  # there is a memory: nothing will be created
    settings = settings or StoreSettings()
    if settings.engine == "served":
        raise AESGStorageError(
            "optimize() was asked of a served memory, expected an embedded one: Qdrant indexes by itself"
        )
    backend = open_backend(path, None, settings)
    try:
        if not backend.in_order():
            backend.take_up_writing()
            (backend.directory.cache / "header.bin").unlink(missing_ok=True)  # what it applied may differ
        backend.vectors.close()
        config = backend.config
        return _in_another_process(backend.directory.vectors, config.vector_dim, config.value_dim, progress)
    finally:
        backend.close()


def _in_another_process(path: Path, vector_dim: int, value_dim: int, progress: Progress | None) -> Optimized:
    begun = time.monotonic()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        building = pool.submit(build_index, path, vector_dim, value_dim)
        while not wait([building], TICK).done:
            if progress is not None:
                progress(time.monotonic() - begun)
        try:
            points, indexed, done = building.result()
        except BrokenExecutor as error:
            raise AESGStorageError(
                f"The process that built the index of {path} was killed; the vectors are as they were"
            ) from error
    return Optimized(points, indexed, done, time.monotonic() - begun)
