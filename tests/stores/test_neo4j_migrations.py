"""Migrations on a real server: applied once by whoever comes first, refused when edited, newer or in somebody's way."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from neo4j_schema import asked, indexes_of, lent, records_of, settings_of, strip
from neo4j_world import at_once, settings_for

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import GraphSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore, connecting
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.neo4j.migrating import apply, migrator
from aesg_graph.stores.neo4j.migration_files import Migration, available
from aesg_graph.stores.testing.graph import HEAD, LIMITS, RELATIONS


@pytest.fixture(scope="module")
def database(neo4j_server):
    with lent(neo4j_server) as settings:
        yield settings


@pytest.fixture
def settings(database):
    """A database without any schema of ours."""
    strip(database)
    return database


@pytest.fixture
def store_settings(settings, neo4j_server):
    return settings_for(neo4j_server, "migrated-or-not")


def of(version, *statements, name="Probe"):
    return Migration(version, name, f"{version:x}" * 64, statements)


PROBE = "CREATE INDEX aesg_probe IF NOT EXISTS FOR (p:AESGProbe) ON (p.name)"
UNIQUE = "CREATE CONSTRAINT aesg_probe_id IF NOT EXISTS FOR (p:AESGProbe) REQUIRE (p.memory, p.id) IS UNIQUE"


def test_what_is_pending_is_applied_once(settings):
    with migrator(settings) as found:
        assert [s.state for s in found.status()] == ["pending"] * len(available())
        assert [m.version for m in found.apply()] == [m.version for m in available()]
        assert found.apply() == []
        found.validate()
        assert {s.state for s in found.status()} == {"applied"}
    indexes = indexes_of(settings)
    assert set(indexes.values()) == {"ONLINE"}
    assert {"aesg_concept_id", "aesg_concept_words", "aesg_concept_fades"} <= indexes.keys()


def test_two_concepts_with_one_id_cannot_be(settings):
    apply(settings)
    with pytest.raises(AESGStorageError, match="already exists"):
        asked(
            settings.model_copy(update={"retry_timeout": 0.0}),
            "UNWIND [1, 1] AS i CREATE (:Concept {memory: '', id: i})",
        )
    assert asked(settings, "MATCH (c:Concept {memory: ''}) RETURN count(c)") == [[0]]


def test_a_memory_is_neither_made_nor_opened_before_its_migrations(store_settings):
    for refused in (
        lambda: Neo4jGraphStore.establish(store_settings, HEAD, LIMITS),
        lambda: Neo4jGraphStore.open(store_settings, RELATIONS),
    ):
        with pytest.raises(AESGStorageError, match=r"lacks migration 1: run 'aesg migrate apply'"):
            refused()
    assert Neo4jGraphStore.peek(store_settings) is None


def test_many_threads_apply_at_once(settings):
    applied = at_once(*[lambda: apply(settings)] * 4)
    assert any(applied)
    assert records_of(settings) == {m.version: 1 for m in available()}
    assert set(indexes_of(settings).values()) == {"ONLINE"}


CHILD = """
import os, signal, sys
from aesg_graph.settings import GraphSettings
from aesg_graph.stores.neo4j import migrating

def end():
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(migrating.Migrator):
    def _record(self, migration):
        end() if "record" in sys.argv[1] else super()._record(migration)

migrating.Migrator = Dying
print("ready", flush=True)
sys.stdin.readline()
with migrating.migrator(GraphSettings()) as found:
    found.apply(lambda migration, statement: end() if sys.argv[1] in statement else None)
"""


def child(settings, dies_at="never"):
    """Another process that applies when it is told to, and kills itself at the statement that holds this text."""
    secret = settings.password.get_secret_value()
    environment = os.environ | {"AESG_GRAPH": settings.graph, "AESG_USER": settings.user, "AESG_PASSWORD": secret}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, dies_at],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(*children):
    """Let them all apply at the same time; their exit codes."""
    for process in children:
        assert process.stdout.readline() == "ready\n"
    for process in children:
        process.stdin.write("\n")
        process.stdin.close()
    codes = [process.wait(60) for process in children]
    for process in children:
        process.stdout.close()
    return codes


def test_two_processes_apply_at_once(settings):
    assert go(child(settings), child(settings)) == [0, 0]
    assert records_of(settings) == {m.version: 1 for m in available()}
    with migrator(settings) as found:
        found.validate()


@pytest.mark.parametrize("dies_at", ["aesg_concept_fades", "record"])
def test_one_that_was_killed_half_way_is_applied_whole(settings, dies_at):
    assert go(child(settings, dies_at)) == [-signal.SIGKILL]
    assert records_of(settings) == {}
    with migrator(settings) as found:
        assert found.status()[0].state == "pending"
        found.apply()
        found.validate()
    assert "aesg_concept_fades" in indexes_of(settings)


def test_one_is_killed_while_another_goes_on(settings):
    assert go(child(settings, "aesg_concept_fades"), child(settings)) == [-signal.SIGKILL, 0]
    with migrator(settings) as found:
        found.validate()
        found.require_applied()


def test_an_edited_migration_is_refused_by_all(settings, store_settings):
    with migrator(settings, [replace(available()[0], checksum="abc" * 20), *available()[1:]]) as found:
        found.apply()
    with migrator(settings) as found:
        assert found.status()[0].state == "edited"
        for refused in (found.validate, found.apply, found.require_applied):
            with pytest.raises(
                AESGStorageError, match=r"V0001__Concepts\.cypher is not as .*recorded was abcabc"
            ) as told:
                refused()
            assert available()[0].checksum[:12] in str(told.value)
    with pytest.raises(AESGStorageError, match="is not as"):
        Neo4jGraphStore.establish(store_settings, HEAD, LIMITS)


def test_a_database_newer_than_the_package_is_refused_by_all(settings, store_settings):
    with migrator(settings, [*available(), of(99, PROBE, name="From the future")]) as found:
        found.apply()
    asked(settings, "MATCH (m:AESGMigration {version: 99}) SET m.package = '7.7'")
    with migrator(settings) as found:
        assert [s.state for s in found.status()][-1] == "unknown"
        for refused in (found.validate, found.apply, found.require_applied):
            with pytest.raises(
                AESGStorageError, match=r"99 \(From the future\), applied by aesg-graph 7\.7; this is \d"
            ):
                refused()
    with pytest.raises(AESGStorageError, match="as new as the database"):
        Neo4jGraphStore.establish(store_settings, HEAD, LIMITS)


def test_who_records_second_with_another_file_is_told(settings):
    one, other = of(1, PROBE), replace(of(1, PROBE), checksum="e" * 64)

    def be_late(migration, statement):
        with migrator(settings, [other]) as quicker:
            quicker.apply()

    with migrator(settings, [one]) as found, pytest.raises(AESGStorageError, match=r"V0001__Probe\.cypher is not as"):
        found.apply(be_late)
    assert records_of(settings) == {1: 1}


@pytest.mark.parametrize(
    ("obstacle", "wanted"),
    [
        ("CREATE INDEX aesg_mine FOR (p:AESGProbe) ON (p.memory, p.id)", UNIQUE),
        ("CREATE INDEX aesg_probe_id FOR (o:AESGOther) ON (o.id)", UNIQUE),
        ("CREATE INDEX aesg_probe FOR (o:AESGOther) ON (o.name)", PROBE),
        ("CREATE TEXT INDEX aesg_probe FOR (p:AESGProbe) ON (p.name)", PROBE),
    ],
)
def test_an_index_in_the_way_is_an_error_not_a_silent_success(settings, obstacle, wanted):
    asked(settings, obstacle)
    with migrator(settings, [of(1, wanted)]) as found:
        with pytest.raises(AESGStorageError, match=r"refuses the .* on \(:AESGProbe {.*is in the way"):
            found.apply()
        assert found.recorded() == []
        asked(settings, f"DROP INDEX {obstacle.split(' INDEX ')[1].split()[0]}")
        found.apply()
        found.validate()


def test_an_equal_constraint_of_another_name_will_do(settings):
    asked(settings, UNIQUE.replace("aesg_probe_id", "aesg_theirs"))
    with migrator(settings, [of(1, UNIQUE)]) as found:
        found.apply()
        found.validate()


def test_an_index_that_cannot_be_filled_is_an_error(settings):
    asked(settings, "CREATE (:AESGProbe {name: $long})", long="x" * 20_000)
    try:
        with migrator(settings, [of(1, PROBE)]) as found:
            with pytest.raises(AESGStorageError, match=r"could not fill the index aesg_probe on \(:AESGProbe {name}\)"):
                found.apply()
            assert found.recorded() == []
    finally:
        asked(settings, "MATCH (p:AESGProbe) DELETE p")


def test_duplicates_that_forbid_a_constraint_are_named_and_stay(settings):
    asked(settings, "UNWIND [1, 2] AS i CREATE (:AESGProbe {memory: 'twice', id: 7})")
    try:
        with migrator(settings, [of(1, UNIQUE)]) as found:
            with pytest.raises(AESGStorageError, match=r"`memory` = 'twice', `id` = 7"):
                found.apply()
            assert found.recorded() == []
        assert asked(settings, "MATCH (p:AESGProbe) RETURN count(p)") == [[2]]
    finally:
        asked(settings, "MATCH (p:AESGProbe) DELETE p")


def test_what_was_dropped_is_told_and_made_again(settings):
    with migrator(settings) as found:
        found.apply()
        asked(settings, "DROP CONSTRAINT aesg_concept_id")
        assert [s.state for s in found.status()] == ["incomplete"]
        with pytest.raises(AESGStorageError, match=r"aesg_concept_id .* is gone: run 'aesg migrate apply'"):
            found.validate()
        (again,) = found.apply()
        assert [statement.split()[2] for statement in again.statements] == ["aesg_concept_id"]
        found.validate()
        assert found.apply() == []


def test_what_a_later_migration_drops_is_not_missed(settings):
    with migrator(settings, [of(1, PROBE, UNIQUE), of(2, "DROP INDEX aesg_probe IF EXISTS")]) as found:
        found.apply()
        found.validate()
        assert found.apply() == []
    assert "aesg_probe" not in indexes_of(settings)


def test_a_server_that_is_too_old_is_refused_before_anything_is_made(settings, monkeypatch):
    monkeypatch.setattr(connecting, "OLDEST", (9999, 1))
    with migrator(settings) as found:
        for refused in (found.apply, found.pending, found.require_applied):
            with pytest.raises(AESGStorageError, match=r"the server is Neo4j \d+\.\d+.*; expected 9999\.1 or later"):
                refused()
    assert indexes_of(settings) == {}


def test_building_may_take_longer_than_a_request(settings, neo4j_server):
    """A statement waits for a lock that is let go when a usual request would long have been given up."""
    asked(settings, "CREATE (:AESGProbe {name: 'locked'})")
    write, held = "MATCH (p:AESGProbe) SET p.name = 'taken' RETURN p.name", threading.Event()
    holding = Connection(settings)

    def hold(transaction):
        transaction.rows(write)
        held.set()
        threading.Event().wait(3.0)

    holder = threading.Thread(target=holding.write, args=("hold", hold))

    def lock(migration, statement):
        holder.start()
        assert held.wait(30)

    try:
        with migrator(settings_of(neo4j_server, request_timeout=2.0), [of(1, write)]) as found:
            found.apply(lock)
        holder.join(30)
        assert records_of(settings) == {1: 1}
    finally:
        holding.close()
        asked(settings, "MATCH (p:AESGProbe) DELETE p")


def test_an_error_names_the_database_and_no_memory(neo4j_server):
    with migrator(settings_of(neo4j_server, password="wrong")) as found, pytest.raises(AESGStorageError) as told:
        found.status()
    assert f"the database at {neo4j_server.url}: the server refuses the settings user and password" in str(told.value)


def test_graph_settings_need_only_the_graph():
    assert GraphSettings(graph="bolt://host").memory is None
