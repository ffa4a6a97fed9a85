"""Migrations on a real server: applied once by whoever comes first, refused when edited or newer."""

import threading
from dataclasses import replace

import pytest
from neo4j_world import settings_for
from typer.testing import CliRunner

from aesg_graph.cli.app import app
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import GraphSettings
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.neo4j.migrating import Migration, available, migrator
from aesg_graph.stores.testing.graph import HEAD, LIMITS

runner = CliRunner()


@pytest.fixture
def settings(neo4j_server):
    """A database without any schema; it has the package's again in the end."""
    settings = settings_for(neo4j_server, "none")
    _strip(settings)
    yield settings
    _strip(settings)
    with migrator(settings) as found:
        found.apply()


NAMES = "YIELD name WHERE name STARTS WITH 'aesg_' RETURN name"


def _strip(settings):
    connection = Connection(settings)
    for all_of, one in (("CONSTRAINTS", "CONSTRAINT"), ("INDEXES", "INDEX")):
        for (name,) in connection.read("look at", lambda t, what=all_of: t.rows(f"SHOW {what} {NAMES}")):
            connection.write("strip", lambda t, drop=f"DROP {one} `{name}`": t.rows(drop))
    connection.write("strip", lambda t: t.rows("MATCH (m:AESGMigration) DELETE m"))
    connection.close()


def schema_of(settings):
    connection = Connection(settings)
    shown = NAMES.replace("name W", "name, state W") + ", state"
    rows = connection.read("look at", lambda t: t.rows(f"SHOW INDEXES {shown}"))
    connection.close()
    return dict(rows)


def test_what_is_pending_is_applied_once(settings):
    with migrator(settings) as found:
        assert [s.state for s in found.status()] == ["pending"] * len(available())
        assert [m.version for m in found.apply()] == [m.version for m in available()]
        assert found.apply() == []
        found.validate()
        assert {s.state for s in found.status()} == {"applied"}
    assert set(schema_of(settings).values()) == {"ONLINE"}
    assert {"aesg_concept_id", "aesg_concept_words", "aesg_concept_fades"} <= schema_of(settings).keys()


def test_a_memory_is_not_opened_before_its_migrations(settings):
    with pytest.raises(AESGStorageError, match=r"lacks migration 1: run 'aesg migrate apply'"):
        Neo4jGraphStore.establish(settings, HEAD, LIMITS)
    assert Neo4jGraphStore.peek(settings) is None


def test_two_processes_apply_at_once(settings):
    failures = []

    def run():
        try:
            with migrator(settings) as found:
                found.apply()
        except AESGStorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with migrator(settings) as found:
        assert [r.version for r in found.recorded()] == [m.version for m in available()]


class KilledError(Exception):
    """The process ends here."""


def test_one_that_died_half_way_is_applied_whole(settings):
    def die(migration, statement):
        if "fades" in statement:
            raise KilledError

    with migrator(settings) as found:
        with pytest.raises(KilledError):
            found.apply(die)
        assert found.status()[0].state == "pending"
        found.apply()
        found.require_applied()
    assert "aesg_concept_fades" in schema_of(settings)


def test_an_edited_migration_is_refused(settings):
    with migrator(settings) as found:
        found.apply()
    edited = [replace(available()[0], checksum="0" * 64), *available()[1:]]
    with migrator(settings, edited) as found:
        assert found.status()[0].state == "edited"
        for refused in (found.validate, found.apply, found.require_applied):
            with pytest.raises(AESGStorageError, match=r"Migration 1 \(Concepts\) is not as it was applied"):
                refused()


def test_a_database_newer_than_the_package_is_refused(settings):
    newer = Migration(99, "From the future", "f" * 64, ("RETURN 1",))
    with migrator(settings, [*available(), newer]) as found:
        found.apply()
    with pytest.raises(AESGStorageError, match=r"has migration 99 \(From the future\), and aesg-graph .* knows"):
        Neo4jGraphStore.establish(settings, MemoryHead("x", 1, 0, 0, 1, 0, "{}"), LIMITS)


def test_names_and_order_of_files_are_checked(tmp_path):
    (tmp_path / "V0001__One.cypher").write_text("// only a remark; nothing else\nRETURN 1;\nRETURN\n 2;\n")
    assert available(tmp_path)[0].statements == ("RETURN 1", "RETURN 2")
    (tmp_path / "V0003__Three.cypher").write_text("RETURN 3;")
    with pytest.raises(AESGStorageError, match="expected V0001, V0002"):
        available(tmp_path)
    (tmp_path / "second.cypher").write_text("RETURN 2;")
    with pytest.raises(AESGStorageError, match=r"second\.cypher is no name of a migration"):
        available(tmp_path)


def test_remarks_and_blank_space_do_not_change_a_checksum(tmp_path):
    for folder, text in (("a", "RETURN 1;"), ("b", "// why\nRETURN\r\n   1 ;\n\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "V0001__One.cypher").write_text(text)
    assert available(tmp_path / "a") == available(tmp_path / "b")


def test_the_command_shows_validates_and_applies(settings, neo4j_server):
    environment = {"AESG_GRAPH": neo4j_server.url, "AESG_PASSWORD": neo4j_server.password}

    def run(*words):
        return runner.invoke(app, ["migrate", *words], env=environment)

    assert run("status").exit_code == 1
    dry = run("apply", "--dry-run")
    assert (dry.exit_code, "CREATE CONSTRAINT aesg_concept_id" in dry.output) == (0, True)
    assert run("status", "--json").exit_code == 1
    applied = run("apply")
    assert (applied.exit_code, "1 migration was applied" in applied.output) == (0, True)
    assert (run("status").exit_code, run("validate").exit_code) == (0, 0)
    assert "nothing was applied" in run("apply").output


def test_the_command_says_which_setting_is_missing_or_wrong(neo4j_server):
    none = runner.invoke(app, ["migrate", "status"], env={"AESG_GRAPH": ""})
    assert (none.exit_code, "AESG_GRAPH" in none.output) == (3, True)
    wrong = runner.invoke(app, ["migrate", "status"], env={"AESG_GRAPH": neo4j_server.url, "AESG_PASSWORD": "wrong"})
    assert (wrong.exit_code, "password" in wrong.output, "wrong" in wrong.output) == (3, True, False)


def test_graph_settings_need_only_the_graph():
    assert GraphSettings(graph="bolt://host").memory is None
