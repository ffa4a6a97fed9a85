"""Backing a memory up and restoring it: what ``aesg backup`` and ``aesg restore`` do."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aesg_graph.config import AESGConfig
from aesg_graph.engine.moving import sources, targets
from aesg_graph.engine.moving.places import Place
from aesg_graph.engine.moving.sources import Source
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.portable import Standing
from aesg_graph.sync.backup import Archive, ArchiveWriter, Held, Manifest, Progress, Taking, put_back, silent

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine


@dataclass(frozen=True)
class BackedUp:
    """A backup that was taken. ``sequences``: how far each writer was, by number; ``bytes``: what it takes on disk."""

    path: str
    memory: str
    engine: str
    held: Held
    sequences: dict[int, int]
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Restored:
    """A memory that was written, and where. ``renumbered``: ids that were taken there."""

    place: str
    memory: str
    held: Held
    seconds: float
    renumbered: int = 0


def backup(place: Place, path: str | os.PathLike[str], tell: Progress = silent) -> BackedUp:
    """Back up a memory into a new folder at ``path``.

    On servers it is taken while any number of processes write; a directory must not be open anywhere (a process that
    has it open can call ``memory.backup()``). AESGStorageError if a store or the disk fails; no backup is left then.
    """
    with sources.opened(place) as source:
        return _taken(source, Path(path).expanduser(), tell)


def backup_open(engine: MemoryEngine, path: str | os.PathLike[str], tell: Progress = silent) -> BackedUp:
    """As :func:`backup`, of a memory that this process has open. Lessons go on; they wait in the journal meanwhile."""
    engine.flush()
    with sources.of_engine(engine) as source:
        return _taken(source, Path(path).expanduser(), tell)


def _taken(source: Source, path: Path, tell: Progress) -> BackedUp:
    begun, at = time.monotonic(), time.time()
    archive = ArchiveWriter(path)
    try:
        standing = Taking(source.graph, source.vectors, archive, source.others, tell).take()
        manifest = archive.finish(source.engine, standing, source.config.vocabulary.names, at)
    finally:
        archive.abandon()
    size = sum(size for size, _ in manifest.files.values())
    sequences = {writer.id: writer.sequence for writer in standing.writers}
    seconds = time.monotonic() - begun
    return BackedUp(str(path), standing.head.name, source.engine, manifest.held, sequences, size, seconds)


def restore(path: str | os.PathLike[str], place: Place, replace: bool = False, tell: Progress = silent) -> Restored:
    """Write a memory anew from a backup, into a place where there is none.

    With ``replace`` a memory of that name on servers is deleted first. The backup is verified before anything is
    changed. Whoever had the memory open is refused from then on; a directory that is opened again sends what it still
    holds under a new number. AESGStorageError if it fails; what was written cannot be opened then, and restoring again
    starts over.
    """
    begun = time.monotonic()
    archive = Archive(Path(path).expanduser())
    archive.verify()
    name = put(archive, place, replace, tell).head.name
    return Restored(str(place), name, archive.manifest.held, time.monotonic() - begun)


def put(archive: Archive, place: Place, replace: bool, tell: Progress) -> Standing:
    """Write a verified backup to its place."""
    standing = archive.manifest.standing
    relations = expected_config(archive.manifest).vocabulary
    with targets.made(place, standing, relations, replace) as target:
        return put_back(archive, target, targets.memory_name(place, standing), tell)


def expected_config(manifest: Manifest) -> AESGConfig:
    """The configuration in a backup. AESGStorageError if its types of edges are not those of the backup."""
    config = AESGConfig.from_json(manifest.standing.head.config)
    if config.vocabulary.names != manifest.relations:
        raise AESGStorageError(
            f"The backup of {manifest.standing.head.name!r} has edges of types {', '.join(manifest.relations)}; this "
            f"version of the package knows {', '.join(config.vocabulary.names)}"
        )
    return config
