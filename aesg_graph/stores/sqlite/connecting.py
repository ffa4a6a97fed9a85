"""Connections to a graph file, and the translation of SQLite's errors into ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from aesg_graph.errors import AESGStorageError

BUSY_SECONDS = 10.0
READING_CACHE_KIB = 16 * 1024
WRITING_CACHE_KIB = 64 * 1024
"""It grows only as far as a transaction needs; with less, bulk loads write pages several times."""
CHECKPOINT_PAGES = 8000
"""Pages of write-ahead log (32 MB) after which a commit also brings the file up to date, which costs random writes."""
WAL_LIMIT = 64 * 1024 * 1024
"""A write-ahead log that a bulk load made longer is cut back to this many bytes."""

Durability = Literal["process", "power"]
SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}


class UnfitError(Exception):
    """A file that can be opened, but not used here; the message says why."""


@contextmanager
def storage_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite, the operating system or a check of ours says into an AESGStorageError that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError, UnfitError) as error:
        raise AESGStorageError(f"Cannot {doing} {path}: {error}") from error


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun by hand. ``mode`` is an open mode of SQLite's URIs."""
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA cache_size = -{READING_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def connect_writer(path: Path, durability: Durability) -> sqlite3.Connection:
    """The connection that writes. UnfitError where the file system cannot hold a write-ahead log."""
    connection = connect(path, "rw")
    try:
        (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if journal != "wal":
            raise UnfitError(f"its file system allows no write-ahead log (SQLite offers {journal!r})")
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        connection.execute(f"PRAGMA cache_size = -{WRITING_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, from_outside: bool = False) -> sqlite3.Connection:
    """A connection that only reads, beside whoever writes; ``from_outside`` it leaves every file as it is."""
    # In a directory that we may not write to, SQLite cannot make its shared-memory file.
    quiet = from_outside or not os.access(path.parent, os.W_OK)
    try:
        connection = connect(path, quiet_mode(path) if quiet else "ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_PROTOCOL:
            raise
        connection = connect(path, "ro")  # a kill left the log's index half-written: it is written anew
    connection.execute("PRAGMA query_only = ON")
    connection.create_function("folded", 1, _folded, deterministic=True)
    return connection


def quiet_mode(path: Path) -> str:
    """The mode in which a database with a write-ahead log is read without a file being made or changed.

    Only a log without its index (from a directory that was copied after a kill) makes SQLite write that index anew.
    """
    if Path(f"{path}-shm").exists():
        return "ro&readonly_shm=1"  # the index is there: a running owner's, or left by a kill
    log = Path(f"{path}-wal")
    return "ro" if log.exists() and log.stat().st_size else "ro&immutable=1"


def _folded(text: str) -> str:
    return text.casefold()


def sync_log(path: Path) -> None:
    """Take the write-ahead log, and so every commit, to disk.

    SQLite syncs the log itself before it copies anything from it, and holds no locks on it that closing it could drop.
    """
    sync_file(Path(f"{path}-wal"))
    sync_file(path.parent)


def sync_file(path: Path) -> None:
    """Take what was written to a file or a directory to disk, if it exists."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_path(path: Path) -> None:
    """AESGStorageError unless ``path`` is an existing file."""
    if not path.exists():
        raise AESGStorageError(f"There is no graph file at {path}")
    if not path.is_file():
        raise AESGStorageError(f"Expected a graph file at {path}, found something that is not a file")
