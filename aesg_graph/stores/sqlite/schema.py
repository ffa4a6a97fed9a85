"""The tables of a graph file, and how a new file comes to be.

Wide texts come last in ``concepts``, so that reading or rewriting what changes often never follows overflow pages.
Edges store a small code of their type; the ``relations`` table maps it to the type's name and says how it was stored.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import astuple
from pathlib import Path

from aesg_graph.aging import Thresholds
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.sqlite.connecting import (
    UnfitError,
    check_path,
    connect,
    connect_reader,
    storage_errors,
    sync_file,
)

APPLICATION_ID = 0x41455347
"""``AESG``: what the file says of itself to tools such as file(1)."""
FORMAT = 1

TABLES = """
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL, incarnation INTEGER NOT NULL, epoch INTEGER NOT NULL, key_version INTEGER NOT NULL,
    vector_dim INTEGER NOT NULL, value_dim INTEGER NOT NULL, config TEXT NOT NULL,
    relevance_boost REAL NOT NULL, relevance_decay REAL NOT NULL, survival_threshold_relevance REAL NOT NULL,
    survival_threshold_frequency INTEGER NOT NULL, survival_min_age INTEGER NOT NULL
) STRICT;

CREATE TABLE concepts (
    id INTEGER PRIMARY KEY,
    relevance REAL NOT NULL, touched_epoch INTEGER NOT NULL, born_epoch INTEGER NOT NULL,
    use_frequency INTEGER NOT NULL, contradictions INTEGER NOT NULL,
    expires_epoch INTEGER, fades_at REAL NOT NULL,
    modified_at REAL NOT NULL, writer INTEGER NOT NULL, sequence INTEGER NOT NULL,
    created_at REAL NOT NULL, version INTEGER NOT NULL, region_id INTEGER,
    kind TEXT NOT NULL, encoder TEXT NOT NULL, name TEXT, text TEXT, source TEXT
) STRICT;
CREATE INDEX concepts_due ON concepts (expires_epoch, fades_at) WHERE expires_epoch IS NOT NULL;
CREATE INDEX concepts_weakest ON concepts (fades_at);

CREATE TABLE edges (
    source INTEGER NOT NULL, type INTEGER NOT NULL, target INTEGER NOT NULL,
    weight REAL NOT NULL, confidence REAL NOT NULL, use_count INTEGER NOT NULL,
    created_at REAL NOT NULL, touched_epoch INTEGER NOT NULL,
    PRIMARY KEY (source, type, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_target ON edges (target);

CREATE TABLE relations (
    code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, symmetric INTEGER NOT NULL
) STRICT;

CREATE TABLE tombstones (
    id INTEGER PRIMARY KEY, into_id INTEGER, writer INTEGER NOT NULL, sequence INTEGER NOT NULL,
    removed_at REAL NOT NULL, vector_removed INTEGER NOT NULL
) STRICT;
CREATE INDEX tombstones_into ON tombstones (into_id) WHERE into_id IS NOT NULL;
CREATE INDEX tombstones_unswept ON tombstones (id) WHERE vector_removed = 0;

CREATE TABLE writers (
    id INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL, forgotten INTEGER NOT NULL
) STRICT;
"""


def create_file(path: Path, head: MemoryHead, limits: Thresholds) -> None:
    """Write a new, empty graph file. It appears under its name only when it is whole and on disk."""
    if os.path.lexists(path):
        raise AESGStorageError(
            f"Cannot create the graph file {path}: it exists; open it instead, or choose another name"
        )
    unfinished = path.with_name(path.name + ".unfinished")
    with storage_errors(path, "create the graph file"):
        try:
            unfinished.unlink(missing_ok=True)
            _write(unfinished, head, limits)
            os.rename(unfinished, path)
            sync_file(path.parent)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _write(path: Path, head: MemoryHead, limits: Thresholds) -> None:
    connection = connect(path, "rwc")
    try:
        connection.execute(
            "PRAGMA journal_mode = MEMORY"
        )  # no journal file: nothing to roll back in a file nobody knows
        connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};")
        create_tables(connection, head, limits)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def create_tables(connection: sqlite3.Connection, head: MemoryHead, limits: Thresholds) -> None:
    """Make the tables of an empty graph, with a head."""
    connection.executescript(f"BEGIN; {TABLES} COMMIT;")
    row = (1, *astuple(head), *astuple(limits))
    connection.execute(f"INSERT INTO head VALUES ({', '.join('?' * len(row))})", row)


def open_reader(path: Path, from_outside: bool = False) -> sqlite3.Connection:
    """A reading connection to a graph file. UnfitError unless it is one, of this format, with a head."""
    check_path(path)
    connection = connect_reader(path, from_outside)
    try:
        _check_file(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_file(connection: sqlite3.Connection, path: Path) -> None:
    """UnfitError unless the open file is a graph file of this format, with a head."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise UnfitError(f"it is no graph file of aesg-graph; its application id is {application:#x}")
    if version != FORMAT:
        raise UnfitError(f"it has graph format {version}, and this version of aesg-graph reads format {FORMAT}")
    if connection.execute("SELECT 1 FROM head").fetchone() is None:
        raise UnfitError("it is damaged; the memory's head is missing")
    # SQLite itself notices missing pages, but not a torn last one. With a log, the file need not be whole.
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    log = Path(f"{path}-wal")
    if path.stat().st_size % page and not (log.exists() and log.stat().st_size):
        raise UnfitError(f"it is damaged; its {path.stat().st_size} bytes are no whole number of pages of {page}")
