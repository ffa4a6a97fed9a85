"""The SQLite file under a journal: how it is made, opened, looked over for damage, and kept from growing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.sqlite.connecting import quiet_mode
from aesg_graph.sync import events

Durability = Literal["process", "power"]

JOURNAL_FORMAT = 1
WAL_LIMIT = 32 << 20
"""Bytes of write-ahead log after which :func:`checkpoint` empties it, and to which the file is then cut."""
SLACK_LIMIT = 16 << 20
"""Bytes of unused pages that a closed journal may keep."""

SCHEMA = f"""
BEGIN;
CREATE TABLE meta (
    format INTEGER NOT NULL, identity TEXT NOT NULL, writer INTEGER, incarnation INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL, counter INTEGER NOT NULL
);
CREATE TABLE batches (
    sequence INTEGER PRIMARY KEY, writer INTEGER NOT NULL, incarnation INTEGER NOT NULL, crc INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE refused (
    writer INTEGER NOT NULL, sequence INTEGER NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL, crc INTEGER NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (writer, sequence)
);
{events.SCHEMA};
"""


def create(path: Path, identity: str, durability: Durability) -> sqlite3.Connection:
    """A new journal file. AESGStorageError if there is one."""
    if path.exists():
        raise AESGStorageError(f"{path} exists already; a new journal would overwrite what it holds")
    with reported(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # must come before the first table
        _configure(connection, durability)
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO meta VALUES (?, ?, NULL, 0, 0, 0)", (JOURNAL_FORMAT, identity))
        connection.execute("COMMIT")
    return connection


def connect(path: Path, durability: Durability, read_only: bool) -> sqlite3.Connection:
    """An existing journal file, looked over. AESGStorageError if it is absent, damaged, or of another format."""
    if not path.is_file():
        raise AESGStorageError(f"The journal {path} is missing: 'aesg check --repair' writes a new one")
    with reported(path):
        connection = _connect_to_read(path) if read_only else _connect_to_write(path, durability)
        try:
            _look_over(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextlib.contextmanager
def reported(path: Path, doing: str = "used") -> Iterator[None]:
    """Whatever SQLite says becomes an AESGStorageError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise AESGStorageError(f"The journal {path} cannot be {doing}: {error}") from error


def log_is_long(path: Path) -> bool:
    """Whether the write-ahead log is due for a :func:`checkpoint`."""
    return _size(path, "-wal") > WAL_LIMIT


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move as much of the write-ahead log into the file as is possible without making anybody wait."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def checkpointer(path: Path) -> sqlite3.Connection:
    """A connection for checkpoints alone, beside which the journal's own goes on committing.

    SQLite would checkpoint inside some unlucky commit, and sync twice while a lesson waits.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def give_back_space(connection: sqlite3.Connection) -> None:
    """Return unused pages to the file system, if they are many."""
    unused, size = (int(connection.execute(f"PRAGMA {p}").fetchone()[0]) for p in ("freelist_count", "page_size"))
    if unused * size > SLACK_LIMIT:
        connection.executescript("PRAGMA incremental_vacuum")  # execute() would stop after the first page


def _connect_to_write(path: Path, durability: Durability) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    _configure(connection, durability)
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={quiet_mode(path)}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _configure(connection: sqlite3.Connection, durability: Durability) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see checkpoint()
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
    connection.execute("PRAGMA cache_size = -16384")


def _look_over(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"meta", "batches", "refused", "events"} <= tables:
        raise AESGStorageError(f"The journal {path} is damaged: it lacks its tables")
    version = connection.execute("SELECT format FROM meta").fetchone()
    if version is None or version[0] != JOURNAL_FORMAT:
        raise AESGStorageError(
            f"The journal {path} has format {version and version[0]}; this release reads format {JOURNAL_FORMAT}"
        )
    pages, size = (int(connection.execute(f"PRAGMA {p}").fetchone()[0]) for p in ("page_count", "page_size"))
    if _size(path, "-wal") == 0 and _size(path, "") < pages * size:
        raise AESGStorageError(
            f"The journal {path} is damaged: it has {_size(path, '')} bytes of {pages * size}; it was cut off"
        )


def _size(path: Path, suffix: str) -> int:
    try:
        return os.stat(f"{path}{suffix}").st_size
    except FileNotFoundError:
        return 0
