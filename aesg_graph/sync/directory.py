"""A memory directory: what is in it, whether it is whole, and who may write to it.

``format.json`` is written last when a directory is created: where it is absent, creation did not end and nothing was
acknowledged. The directory itself knows nothing of what its components contain.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import Engine
from aesg_graph.sync.lock import DirectoryLock, Holder, holder

FORMAT_VERSION = 1

FORMAT = "format.json"
LOCK = "lock"
JOURNAL = "journal.db"
GRAPH = "graph.db"
VECTORS = "vectors"
CACHE = "cache"
WORKING = "working.npz"

REQUIRED = {
    JOURNAL: "'aesg check --repair' writes a new one from what the graph knows; lessons not yet flushed are lost",
    GRAPH: "restore the directory from a copy",
    VECTORS: "'aesg check --repair' writes them anew if the cache is good; else restore the directory from a copy",
}
"""What a completed directory must have, and how to mend its absence."""
MENDABLE = (JOURNAL, VECTORS)
ON_SERVERS = (GRAPH, VECTORS)
"""What the directory of a served memory lacks: it is on the servers."""
HINTS = {
    "embedded": "expected no addresses of servers; 'aesg copy' takes a memory from one engine to the other",
    "served": "expected the settings graph, vectors and memory (AESG_GRAPH, AESG_VECTORS, AESG_MEMORY)",
}
"""What opens a directory of each engine."""
COMPONENTS = (FORMAT, LOCK, JOURNAL, GRAPH, VECTORS, CACHE, WORKING)


@dataclass(frozen=True)
class Format:
    """What ``format.json`` says of a memory directory."""

    format: int
    vector_dim: int
    value_dim: int
    engine: str
    memory: str


class MemoryDirectory:
    """An open memory directory. One that is open for writing holds the lock until :meth:`close`.

    ``fresh`` says that creation has not ended (``format`` is None so long): its owner creates journal, graph and
    vectors, syncs them, and calls :meth:`complete`. A process that is killed before leaves nothing that the next one
    could not wipe.
    """

    def __init__(self, path: Path, form: Format | None, lock: DirectoryLock | None) -> None:
        """Use :meth:`create_or_open`."""
        self.path = path
        self.format = form
        self.journal = path / JOURNAL
        self.graph = path / GRAPH
        self.vectors = path / VECTORS
        self.cache = path / CACHE
        self.working = path / WORKING
        self._lock = lock

    @classmethod
    def create_or_open(
        cls,
        path: str | os.PathLike[str],
        vector_dim: int | None = None,
        value_dim: int | None = None,
        *,
        read_only: bool = False,
        repair: bool = False,
    ) -> MemoryDirectory:
        """Open the directory at ``path``, or begin to create it.

        Dimensions of None adopt what is on disk. ``read_only`` takes no lock and never creates. ``repair`` opens in
        spite of a missing journal or missing vectors, which its owner is about to write anew.

        AESGStorageError: the path is a file, cannot be read or written, holds something else, has other dimensions
        or another format version, lacks a component, or is in use by another process.
        """
        where = Path(path).absolute()
        try:
            if read_only:
                return cls(where, _validated(where, vector_dim, value_dim, repair), None)
            return cls._open_to_write(where, vector_dim, value_dim, repair)
        except OSError as error:
            doing = "read" if read_only else "written to"
            raise AESGStorageError(f"Memory directory {where} cannot be {doing}: {error}") from error

    @classmethod
    def _open_to_write(cls, path: Path, vector_dim: int | None, value_dim: int | None, repair: bool) -> MemoryDirectory:
        _require_directory(path)
        if not (path / FORMAT).exists():
            _require_nothing_foreign(path)
            path.mkdir(parents=True, exist_ok=True)
        _require_writable(path)
        lock = DirectoryLock(path / LOCK)
        try:
            if (path / FORMAT).exists():  # looked at again: another process may have completed it just now
                return cls(path, _validated(path, vector_dim, value_dim, repair), lock)
            _wipe_unfinished(path)
            return cls(path, None, lock)
        except BaseException:
            lock.release()
            raise

    @property
    def fresh(self) -> bool:
        """Whether creation has yet to be completed."""
        return self.format is None

    @property
    def identity(self) -> str:
        """Device and inode of the directory: a copy of it has another."""
        status = os.stat(self.path)
        return f"{status.st_dev}:{status.st_ino}"

    @property
    def read_only(self) -> bool:
        """Whether this opening may only look."""
        return self._lock is None

    def holder(self) -> Holder | None:
        """The live process that has the directory open for writing, None when there is none."""
        return holder(self.path / LOCK)

    def complete(self, vector_dim: int, value_dim: int, memory: str | None = None, engine: Engine = "embedded") -> None:
        """Creation has ended: everything is in place and synced. Survives a power cut once it has returned.

        ``memory`` is the memory's name (default: the directory's).
        """
        form = Format(FORMAT_VERSION, vector_dim, value_dim, engine, memory or self.path.name)
        new = self.path / (FORMAT + ".new")
        try:
            with open(new, "w", encoding="utf-8") as file:
                json.dump(asdict(form), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path / FORMAT)
            sync_directory(self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise AESGStorageError(f"Memory directory {self.path} cannot be completed: {error}") from error
        self.format = form

    def require(self, engine: Engine, memory: str | None = None) -> None:
        """AESGStorageError unless the directory belongs to this engine and, if a name is given, to this memory."""
        form = self.format
        if form is None:
            return
        if form.engine != engine:
            raise AESGStorageError(f"Memory directory {self.path} is of the {form.engine} engine, {HINTS[form.engine]}")
        if memory is not None and form.memory != memory:
            raise AESGStorageError(
                f"Memory directory {self.path} belongs to the memory {form.memory!r}, but memory={memory!r} was asked "
                "for"
            )

    def close(self) -> None:
        """Give the lock back. Closing twice is allowed."""
        if self._lock is not None:
            self._lock.release()


def _require_directory(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise AESGStorageError(f"{path} is a file; a memory needs a directory")


def _require_nothing_foreign(path: Path) -> None:
    if path.exists():
        foreign = sorted(entry.name for entry in path.iterdir() if not _is_ours(entry.name))
        if foreign:
            raise AESGStorageError(
                f"{path} is not a memory directory and is not empty (it holds {', '.join(foreign[:3])}): "
                "give an empty or a new directory"
            )


def _require_writable(path: Path) -> None:
    if not os.access(path, os.W_OK | os.X_OK):
        raise AESGStorageError(f"Memory directory {path} cannot be written to: permission denied")


def _validated(path: Path, vector_dim: int | None, value_dim: int | None, repair: bool) -> Format:
    _require_directory(path)
    form = _read_format(path)
    for name, given, there in (("vector_dim", vector_dim, form.vector_dim), ("value_dim", value_dim, form.value_dim)):
        if given is not None and given != there:
            raise AESGStorageError(f"Memory directory {path} has {name}={there}, but {name}={given} was asked for")
    for component, mend in REQUIRED.items():
        if form.engine == "served" and component in ON_SERVERS:
            continue
        if not (path / component).exists() and not (repair and component in MENDABLE):
            raise AESGStorageError(f"{path / component} is missing from the memory directory: {mend}")
    return form


def _read_format(path: Path) -> Format:
    try:
        found = json.loads((path / FORMAT).read_text(encoding="utf-8"))
        version = found["format"]
        if version == FORMAT_VERSION:
            return Format(**{name: found[name] for name in Format.__dataclass_fields__})
    except (FileNotFoundError, NotADirectoryError):
        raise AESGStorageError(f"There is no memory in {path} (no {FORMAT})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise AESGStorageError(f"{path / FORMAT} is damaged: {error!r}") from error
    raise AESGStorageError(
        f"Memory directory {path} has format version {version}; this release reads version {FORMAT_VERSION}"
    )


def _is_ours(name: str) -> bool:
    return any(name == ours or name.startswith((ours + "-", ours + ".")) for ours in COMPONENTS)


def _wipe_unfinished(path: Path) -> None:
    """Remove what a creation that did not end has left; the lock file stays, since it is held."""
    if _has_recorded(path / JOURNAL):
        raise AESGStorageError(
            f"{path / FORMAT} is missing, but {JOURNAL} has recorded lessons, or is damaged: nothing was touched. "
            f"Put {FORMAT} back (another memory of the same dimensions has the same), or remove the directory"
        )
    for entry in path.iterdir():
        if entry.name == LOCK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _has_recorded(journal: Path) -> bool:
    """Whether a journal has ever recorded a batch, or is so damaged that nobody can say."""
    if not journal.exists():
        return False
    connection = sqlite3.connect(journal)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            return False
        query = "SELECT EXISTS (SELECT 1 FROM meta WHERE last_sequence > 0) OR EXISTS (SELECT 1 FROM events)"
        return bool(connection.execute(query).fetchone()[0])
    except sqlite3.Error:
        return True
    finally:
        connection.close()


def sync_directory(path: Path) -> None:
    """Take a directory's list of names to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
