"""Snapshots: a backup of an open memory, with what its process holds beside the stores.

A backup holds concepts and edges; a snapshot also the working memory and, in the embedded engine, the writer's number,
its id counter, and the cache as it lies, since the order of edges in it decides the last bit of an energy. A memory
that is put back from a snapshot therefore learns on as the one that it was taken from would have.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aesg_graph.cache import CacheLayout, CacheStamp, ConceptCache
from aesg_graph.engine.moving.moves import backup_open, expected_config, put, restore
from aesg_graph.engine.moving.places import Place
from aesg_graph.engine.working import save_working
from aesg_graph.errors import AESGConfigError, AESGMemoryError, AESGStorageError
from aesg_graph.settings import MEMORY_NAME, StoreSettings
from aesg_graph.stores.abc import WriterState
from aesg_graph.stores.portable import Standing
from aesg_graph.sync import Journal, MemoryDirectory
from aesg_graph.sync.backup import Archive, silent
from aesg_graph.sync.directory import CACHE, WORKING, sync_directory
from aesg_graph.validation import HEADING

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine

STORES = "stores"
POSITION = "position.json"


@dataclass(frozen=True)
class Position:
    """Whose snapshot it is: its engine; the writer, how many ids it has given out, and at which stamp its cache is."""

    engine: str
    vector_dim: int
    value_dim: int
    writer: int | None
    counter: int
    stamp: tuple[int, int, int] | None


def take_snapshot(engine: MemoryEngine, path: Path, stores: bool = True) -> None:
    """Write a snapshot of an open memory into a new folder; other threads' lessons wait meanwhile.

    Without ``stores`` only what is this process's own, where another process takes what is in servers that they share.
    AESGMemoryError inside a step; AESGStorageError if a store or the disk fails, and the folder may hold a part then.
    """
    if engine.in_step is not None:
        raise AESGMemoryError(
            "A snapshot was asked for inside a step, expected outside: its lessons are yet to be taken"
        )
    _require_apart(path, engine)
    try:
        path.mkdir(parents=True)
        with engine.steps.writing:
            if stores:
                backup_open(engine, path / STORES)
            save_working(path / WORKING, engine.working)
            position = _take_own(engine, path / CACHE)
        (path / POSITION).write_text(json.dumps(asdict(position), indent=1), encoding="utf-8")
    except OSError as error:
        raise AESGStorageError(f"Cannot write a snapshot to {path}: {error.strerror or error}") from error


def _require_apart(path: Path, engine: MemoryEngine) -> None:
    """AESGStorageError for a snapshot inside the memory's own directory, which is replaced as a whole."""
    if path.resolve().is_relative_to(engine.directory):
        raise AESGStorageError(
            f"{path} is inside the memory's own directory {engine.directory}, expected a place beside it"
        )


def _take_own(engine: MemoryEngine, folder: Path) -> Position:
    """Where this process's writer stands; its cache is copied where it is the whole memory."""
    config, kind = engine.config, engine.settings.engine
    if kind == "served":
        return Position(kind, config.vector_dim, config.value_dim, None, 0, None)
    with engine.locked():
        stamp = engine.seal_cache()
        if stamp is not None:
            shutil.copytree(engine.directory / CACHE, folder)
        known = None if stamp is None else (stamp.incarnation, stamp.writer, stamp.sequence)
        return Position(kind, config.vector_dim, config.value_dim, engine.writer, engine.recorder.counter, known)


class Snapshot:
    """A snapshot on disk. AESGStorageError if it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            said = json.loads((path / POSITION).read_text(encoding="utf-8"))
            stamp = said.pop("stamp")
            self.position = Position(**said, stamp=None if stamp is None else tuple(stamp))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise AESGStorageError(f"{path} is not a snapshot of a memory: {error}") from error

    @property
    def has_stores(self) -> bool:
        """Whether what the stores held is in it; of a memory on servers one process's snapshot has it for all."""
        return (self.path / STORES).is_dir()

    def require(self, engine: MemoryEngine, replace: bool) -> None:
        """AESGStorageError unless a memory can become this one.

        Its engine and dimensions must be the same; and in a directory, unless ``replace``, it must be empty or have
        grown out of the same memory: nobody's concepts are lost by mistake.
        """
        here, there = self.position, engine.config
        _require_apart(self.path, engine)
        if engine.settings.engine != here.engine:
            raise AESGStorageError(
                f"The snapshot {self.path} is of the {here.engine} engine, the memory in {engine.directory} of the "
                f"{engine.settings.engine} one; 'aesg restore' and 'aesg copy' take a memory from one to the other"
            )
        if (here.vector_dim, here.value_dim) != (there.vector_dim, there.value_dim):
            raise AESGStorageError(
                f"The snapshot {self.path} has vector_dim={here.vector_dim} and value_dim={here.value_dim}, the memory "
                f"in {engine.directory} has vector_dim={there.vector_dim} and value_dim={there.value_dim}"
            )
        mine = engine.writer in (None, here.writer) or not engine.recorder.concepts
        if here.engine == "embedded" and not mine and not replace:
            raise AESGStorageError(
                f"The memory in {engine.directory} has {engine.recorder.concepts} concepts and did not grow out of the "
                f"one in {self.path}: give the model a directory of its own, or say replace=True, which removes them"
            )

    def verified(self) -> Archive:
        """What the stores held, every file as it was written."""
        archive = Archive(self.path / STORES)
        archive.verify()
        expected_config(archive.manifest)
        return archive


def restore_in_place(engine: MemoryEngine, snapshot: Snapshot, replace: bool = False) -> None:
    """An open embedded memory becomes the one of a snapshot, in the same directory; it learns on as that would have.

    Everything is written beside first and put in place by renaming. AESGStorageError, with nothing changed, if the
    snapshot is damaged or does not fit.
    """
    snapshot.require(engine, replace)
    archive, place = snapshot.verified(), engine.directory
    draft, before = place.with_name(f".{place.name}.resuming"), place.with_name(f".{place.name}.before")
    shutil.rmtree(draft, ignore_errors=True)  # what was cut short
    standing = put(archive, Place(draft, engine.settings), replace=False, tell=silent)
    try:
        _put_own(snapshot, draft, standing, engine)
        engine.reopen(lambda: _swap(draft, place, before))
    except OSError as error:
        raise AESGStorageError(f"The memory in {place} cannot be replaced: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)


def _put_own(snapshot: Snapshot, draft: Path, standing: Standing, engine: MemoryEngine) -> None:
    """Writer, counter, working memory and cache, into a directory that was just filled."""
    position = snapshot.position
    shutil.copyfile(snapshot.path / WORKING, draft / WORKING)
    writer = next((w for w in standing.writers if w.id == position.writer), None)
    if writer is None:
        return
    directory = MemoryDirectory.create_or_open(draft)
    with closing(directory), closing(Journal.open(directory.journal, engine.settings.durability)) as journal:
        state = WriterState(writer.id, writer.incarnation, writer.sequence)
        journal.begin(state, directory.identity, position.counter)
    if position.stamp is not None:
        shutil.copytree(snapshot.path / CACHE, draft / CACHE, dirs_exist_ok=True)
        stamp = CacheStamp(standing.head.incarnation, writer.id, writer.sequence)
        _restamp(draft / CACHE, CacheStamp(*position.stamp), stamp, engine)


def _restamp(folder: Path, before: CacheStamp, after: CacheStamp, engine: MemoryEngine) -> None:
    """Make a copied cache good for the memory as it now stands."""
    config = engine.config
    layout = CacheLayout.of(config.vector_dim, config.value_dim, config.vocabulary)
    cache = ConceptCache.open(folder, layout, engine.settings.cache_bytes, before, config.thresholds, "write")
    cache.close(after, clean=cache.reused)


def _swap(draft: Path, place: Path, before: Path) -> None:
    """Put a finished directory in the place of another."""
    shutil.rmtree(before, ignore_errors=True)
    os.rename(place, before)
    try:
        os.rename(draft, place)
    except OSError:
        os.rename(before, place)
        raise
    sync_directory(place.parent)


def restore_under(engine: MemoryEngine, snapshot: Snapshot, name: str) -> StoreSettings:
    """Write a snapshot of a served memory to the servers under a name that is free; the settings that open it.

    AESGStorageError, with nothing changed, if the snapshot is damaged or does not fit, or if the name is taken.
    """
    snapshot.require(engine, replace=False)
    settings = named(engine.settings, name)
    restore(snapshot.path / STORES, Place(None, settings))
    return settings


def named(settings: StoreSettings, name: str) -> StoreSettings:
    """The same servers, another memory. AESGConfigError for a bad name."""
    if not re.fullmatch(MEMORY_NAME, name):
        raise AESGConfigError(HEADING, {"memory": f"got {name!r}, expected 1 to 128 of A-Z, a-z, 0-9, _, . and -"})
    return settings.model_copy(update={"memory": name})


def take_over_working(engine: MemoryEngine, snapshot: Snapshot) -> None:
    """Go on with the working memory of a snapshot, whose memory is open here."""
    engine.reopen(lambda: _copied(snapshot.path / WORKING, engine.directory / WORKING))


def _copied(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
