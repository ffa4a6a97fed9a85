"""Whether a graph file is whole, and edges that lead nowhere: what ``aesg check`` asks of the file itself."""

from __future__ import annotations

import sqlite3

import numpy as np

from aesg_graph.concepts import Ids

SHOWN = 20
"""Faults that SQLite is asked to list; one is enough to distrust a file."""

LEADS_NOWHERE = """
NOT EXISTS (SELECT 1 FROM concepts WHERE concepts.id = edges.source)
OR NOT EXISTS (SELECT 1 FROM concepts WHERE concepts.id = edges.target)
"""


def read_faults(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with the file's pages, tables and constraints; nothing for a whole file."""
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({SHOWN})").fetchall()]
    except sqlite3.DatabaseError as error:  # too damaged to be looked over
        return [str(error)]
    return [] if found == ["ok"] else found


def read_dangling(connection: sqlite3.Connection) -> tuple[int, Ids]:
    """How many edges name a concept that does not exist, and the ids of those that do not, ascending."""
    rows = connection.execute(f"SELECT source, target FROM edges WHERE {LEADS_NOWHERE}").fetchall()
    ends = np.unique(np.array(rows, np.int64).reshape(-1))
    there = "SELECT 1 FROM concepts WHERE id = ?"
    absent = [end for end in ends.tolist() if connection.execute(there, (end,)).fetchone() is None]
    return len(rows), np.array(absent, np.int64)


def delete_dangling(connection: sqlite3.Connection) -> int:
    """Delete the edges of :func:`read_dangling`; how many."""
    return connection.execute(f"DELETE FROM edges WHERE {LEADS_NOWHERE}").rowcount
