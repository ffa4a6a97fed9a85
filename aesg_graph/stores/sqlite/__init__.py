"""The embedded engine's graph store: one SQLite file in WAL mode."""

from aesg_graph.stores.sqlite.store import SqliteGraphStore

__all__ = ["SqliteGraphStore"]
