"""The SQLite graph store passes the suite."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.stores.testing import GraphStoreSuite
from aesg_graph.stores.testing.graph import HEAD, LIMITS, RELATIONS


class SqliteFixtures:
    durability = "process"

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteGraphStore]:
        store = SqliteGraphStore.create(tmp_path / "graph.db", HEAD, LIMITS, RELATIONS, durability=self.durability)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self) -> Iterator[Callable[[SqliteGraphStore], SqliteGraphStore]]:
        opened = []

        def again(store: SqliteGraphStore) -> SqliteGraphStore:
            store.close()
            opened.append(SqliteGraphStore.open(store.path, RELATIONS, durability=self.durability))
            return opened[-1]

        yield again
        for store in opened:
            store.close()


class TestSqlite(SqliteFixtures, GraphStoreSuite):
    """As it is by default: safe from the death of the process."""


class TestSqliteThatSurvivesPowerCuts(SqliteFixtures, GraphStoreSuite):
    """Every commit is synced."""

    durability = "power"
