"""Prune, consolidate, due, stats: procedures and plain Cypher do the same to memories that have lived the same."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import Advance
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.testing.graph.building import Scribe, link, random_operations, touch
from tests.served.world import migrated, settings_for

CONFIG = AESGConfig(
    vector_dim=2,
    value_dim=0,
    relevance_decay=0.5,
    survival_min_age=1,
    survival_threshold_frequency=3,
    max_prune_fraction=0.2,
)
SHOWN = """
MATCH (n) WHERE n.memory = $memory OR n.name = $memory
WITH n, labels(n)[0] AS label
RETURN label, n {.*, memory: null, name: null, at: n.at IS NULL, modified_at: n.modified_at IS NULL,
                             removed_at: n.removed_at IS NULL, expires_at: null} AS row,
       [(n)-[e]->(o) | [type(e), o.id, properties(e)]] AS edges
ORDER BY label, n.id, n.epoch
"""
_names = itertools.count(1)


@dataclass
class Way:
    """A memory, and how it is pruned."""

    store: Neo4jGraphStore
    connection: Connection

    def shown(self) -> list[Any]:
        """Everything that Neo4j has of the memory, but for times and its name."""
        memory = self.connection.settings.memory
        rows = self.connection.read("read", lambda t: t.rows(SHOWN, memory=memory))
        return [(label, row, sorted(edges, key=repr)) for label, row, edges in rows]


@pytest.fixture
def ways(neo4j_server: Any) -> Any:
    """The same random life twice: one memory for the procedures, one for plain Cypher."""
    migrated(neo4j_server)
    with contextlib.ExitStack() as opened:
        made = [way(neo4j_server, procedures, opened) for procedures in ("auto", "never")]
        plugin = made[0].store.procedures.has("prune")
        assert plugin, "the test server lacks the plugin: tests/servers/plugin.py puts it there"
        assert made[0].shown() == made[1].shown()
        yield made


def way(neo4j_server: Any, procedures: str, opened: contextlib.ExitStack) -> Way:
    """A memory that has lived."""
    settings = settings_for(neo4j_server, None, f"twins-{next(_names)}", procedures=procedures)
    opened.callback(Neo4jGraphStore.destroy, settings)
    head = MemoryHead(str(settings.memory), 1, 0, 0, 2, 0, CONFIG.to_json())
    Neo4jGraphStore.establish(settings, head, CONFIG.thresholds)
    store = Neo4jGraphStore.open(settings, CONFIG.vocabulary)
    opened.callback(store.close)
    connection = Connection(settings)
    opened.callback(connection.close)
    live(store)
    return Way(store, connection)


def live(store: Neo4jGraphStore) -> None:
    """Three epochs; many concepts may be pruned at the end."""
    rng = np.random.default_rng(5)
    scribe = Scribe(store, 7)
    ids = scribe.create(60)
    for epoch in range(1, 4):
        pairs = [pair for pair in rng.choice(ids, (60, 2)).tolist() if pair[0] != pair[1]]
        type = ("CAUSAL", "ASSOCIATION", "CONTRADICTS")[epoch - 1]
        scribe.write(link(pairs, rng.random(len(pairs)).tolist(), type=type, epoch=epoch - 1))
        some = rng.choice(ids, 20, replace=False)
        scribe.write(touch(some, rng.integers(0, 3, 20).tolist(), epoch=epoch - 1), Advance(epoch))
    scribe.write(Advance(4))
    scribe.write(Advance(5))


def test_they_know_the_same_to_be_due(ways):
    for epochs, limit in ((0, 1000), (2, 1000), (100, 7), (0, 0)):
        by_plugin, in_cypher = (way.store.procedures.due(epochs, limit) for way in ways)
        assert [asdict(row) | {"relevance": 0} for row in by_plugin] == [
            asdict(row) | {"relevance": 0} for row in in_cypher
        ]
        assert [row.relevance for row in by_plugin] == pytest.approx([row.relevance for row in in_cypher])
    assert len(ways[0].store.procedures.due(0, 1000)) > 10


def test_they_count_the_same(ways):
    by_plugin, in_cypher = (way.store.procedures.stats() for way in ways)
    assert by_plugin == in_cypher
    assert (by_plugin.epoch, by_plugin.concepts) == (5, 60)
    assert by_plugin.edges > 50


@pytest.mark.parametrize(("limit", "batch"), [(None, 1000), (None, 7), (9, 4), (0, 1)])
def test_they_prune_the_same(ways, limit, batch):
    due = len(ways[0].store.procedures.due(0, 1000))
    done = [way.store.pruner().prune(limit, batch=batch) for way in ways]
    assert done[0] == done[1]
    assert (done[0].pruned, done[0].due) == (due if limit is None else limit, due)
    assert stamps_aside(ways[0].shown()) == stamps_aside(ways[1].shown())
    for way in ways:
        assert way.store.count() == way.store.recount()
        assert way.store.tombstones(way.store.unswept(1000)).writers.tolist() == [0] * done[0].pruned
        (hands,) = [position for position in way.store.positions() if position.id == 0]
        assert hands.sequence == hands.content + 1 if done[0].pruned else hands.sequence == 0


def stamps_aside(shown: list[Any]) -> list[Any]:
    """How many transactions it took may differ, and with them the numbers of Writer 0's."""
    return [(label, row | {"sequence": None, "content": None}, edges) for label, row, edges in shown]


def test_a_dry_run_changes_nothing(ways):
    for way in ways:
        before = way.shown()
        told = way.store.pruner().prune(dry_run=True)
        assert (told.pruned, told.due, told.dry_run) == (0, len(way.store.procedures.due(0, 1000)), True)
        assert way.shown() == before


def test_they_consolidate_the_same(ways):
    done = [way.store.pruner().consolidate() for way in ways]
    assert done[0] == done[1]
    assert (done[0].epoch, done[0].pruned) == (6, 12)  # a fifth of 60
    assert stamps_aside(ways[0].shown()) == stamps_aside(ways[1].shown())
    stats = [way.store.procedures.stats() for way in ways]
    assert [asdict(s) | {"consolidated_at": 0} for s in stats[:1]] == [
        asdict(s) | {"consolidated_at": 0} for s in stats[1:]
    ]
    assert all(s.consolidated_at > 1e9 for s in stats)


def test_whoever_has_the_lease_consolidates(ways):
    for way in ways:
        fence = way.store.acquire("9:1", 60.0)
        before = way.shown()
        with pytest.raises(AESGStorageError, match="process '9:1' looks after") as refused:
            way.store.pruner().consolidate()
        assert "othing was changed" in str(refused.value)
        assert way.shown() == before
        assert way.store.procedures.stats().holder == "9:1"
        way.store.release(fence)
        assert way.store.pruner().consolidate().epoch == 6
        assert way.store.procedures.stats().holder is None


def test_an_epoch_alone_refuses_a_paused_holder(ways):
    for way in ways:
        fence = way.store.acquire("9:1", 0.0)
        done = way.store.pruner().consolidate(prune=False)
        assert (done.epoch, done.pruned, done.due > 10) == (6, 0, True)
        assert way.store.acquire("9:1", 60.0) > fence


def test_what_is_used_between_choice_and_lock_stays(ways, monkeypatch):
    """Of the twin alone: the procedure's own test has a hook inside."""
    way = ways[1]
    chosen = way.store.procedures.due(0, 1000)[0].id
    scribe = Scribe(way.store, 8)
    real = Connection.write

    def write(connection, doing, work, *more, **options):
        class Between:
            def __init__(self, transaction):
                self.transaction = transaction

            def send(self, statement, **parameters):
                return self.transaction.send(statement, **parameters)

            def rows(self, statement, **parameters):
                found = self.transaction.rows(statement, **parameters)
                if "candidates" in statement and scribe.sequence == 0:
                    scribe.write(touch([chosen], 3, epoch=5))
                return found

        if doing == "prune":
            return real(connection, doing, lambda transaction: work(Between(transaction)), *more, **options)
        return real(connection, doing, work, *more, **options)

    monkeypatch.setattr(Connection, "write", write)
    done = way.store.pruner().prune()
    assert (scribe.sequence, done.pruned) == (1, done.due - 1)
    assert way.store.absent(np.array([chosen])).size == 0
    assert way.store.count() == way.store.recount()


def test_bad_numbers_are_refused(ways):
    for way in ways:
        before = way.shown()
        for ask, said in (
            (lambda s: s.pruner().prune(-1), "limit is -1"),
            (lambda s: s.pruner().prune(batch=0), "batch is 0"),
            (lambda s: s.procedures.due(-1, 5), "epochs is -1"),
            (lambda s: s.procedures.due(0, -5), "limit is -5"),
        ):
            with pytest.raises(AESGMemoryError, match=said):
                ask(way.store)
        assert way.shown() == before


def test_random_lives_end_alike(ways):
    """Lessons of every kind in between."""
    for way in ways:
        rng = np.random.default_rng(11)
        scribe, known = Scribe(way.store, 9), np.array([row.id for row in way.store.procedures.due(100, 1000)])
        for _ in range(3):
            operations = random_operations(rng, np.sort(known), scribe.fresh(4), 5)
            scribe.try_write(*[o for o in operations if getattr(o, "type", "CAUSAL") in CONFIG.vocabulary.names])
            way.store.pruner().prune(5)
    assert stamps_aside(ways[0].shown()) == stamps_aside(ways[1].shown())
    for way in ways:
        assert way.store.count() == way.store.recount()
