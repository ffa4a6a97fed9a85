"""``aesg migrate`` as an operator or a script meets it: what it prints, its exit codes, and what it keeps."""

import json
import subprocess
import sys

import pytest

from aesg_graph.stores.neo4j.migration_files import available
from tests.stores.neo4j_schema import asked, indexes_of, lent, strip


@pytest.fixture(scope="module")
def database(neo4j_server):
    with lent(neo4j_server) as settings:
        yield settings


@pytest.fixture
def bare(database, monkeypatch):
    """A database without any schema of ours, which the environment names."""
    strip(database)
    monkeypatch.setenv("AESG_GRAPH", database.graph)
    monkeypatch.setenv("AESG_USER", database.user)
    monkeypatch.setenv("AESG_PASSWORD", database.password.get_secret_value())
    return database


def test_from_nothing_to_applied(aesg, bare):
    status = aesg("migrate", "status")
    assert (status.code, "pending" in status.out) == (1, True)
    assert aesg("migrate", "status", "--json").json["current"] is False
    applied = aesg("migrate", "apply")
    assert (applied.code, "1 migration was applied" in applied.out) == (0, True)
    status = aesg("migrate", "status")
    assert (status.code, "applied" in status.out, "pending" in status.out) == (0, True, False)
    assert aesg("migrate", "validate").out == "What was applied is as the files say; 0 pending.\n"
    again = aesg("migrate", "apply")
    assert (again.code, again.out) == (0, "nothing was applied\n")


def test_a_dry_run_prints_what_a_cypher_shell_takes_and_changes_nothing(aesg, bare):
    dry = aesg("migrate", "apply", "--dry-run")
    statements = [line.split("//")[0].strip() for line in dry.out.splitlines()]
    assert statements == [f"{statement};" for m in available() for statement in m.statements]
    assert indexes_of(bare) == {}
    asked(bare, statements[0].removesuffix(";"))
    assert indexes_of(bare) == {"aesg_concept_id": "ONLINE"}


def test_machines_get_one_object(aesg, bare):
    dry = aesg("migrate", "apply", "--dry-run", "--json").json
    applied = aesg("migrate", "apply", "--json").json
    assert (dry["dry_run"], applied["dry_run"]) == (True, False)
    assert dry["migrations"] == applied["migrations"]
    assert [m["version"] for m in applied["migrations"]] == [m.version for m in available()]
    (standing, *_) = aesg("migrate", "status", "--json").json["migrations"]
    assert (standing["state"], standing["name"], standing["fault"]) == ("applied", "Concepts", None)
    assert aesg("migrate", "validate", "--json").json == {"valid": True, "faults": [], "pending": 0}
    assert aesg("migrate", "apply", "--json").json["migrations"] == []


def test_an_edited_migration_is_a_no_with_the_reason_and_nothing_is_applied(aesg, bare):
    aesg("migrate", "apply", "--json")
    asked(bare, "MATCH (m:AESGMigration {version: 1}) SET m.checksum = 'other'")
    status, validated = aesg("migrate", "status"), aesg("migrate", "validate", "--json")
    assert (status.code, "edited" in status.out, "V0001__Concepts.cypher" in status.out) == (1, True, True)
    assert (validated.code, validated.json["valid"], len(validated.json["faults"])) == (1, False, 1)
    assert aesg("migrate", "validate").code == 1
    applied = aesg("migrate", "apply")
    assert (applied.code, applied.out) == (3, "")
    assert "V0001__Concepts.cypher is not as" in applied.err


def test_a_newer_database_is_a_no(aesg, bare):
    aesg("migrate", "apply", "--json")
    asked(bare, "CREATE (:AESGMigration {version: 2, name: 'Later', checksum: 'x', package: '9.9', applied_at: 0.0})")
    assert aesg("migrate", "status", "--json").code == 1
    validated = aesg("migrate", "validate", "--json")
    assert (validated.code, "applied by aesg-graph 9.9" in validated.json["faults"][0]) == (1, True)
    assert aesg("migrate", "apply").code == 3


def test_a_dropped_index_is_a_no_until_it_is_made_again(aesg, bare):
    aesg("migrate", "apply", "--json")
    asked(bare, "DROP INDEX aesg_concept_fades")
    assert "is gone" in aesg("migrate", "validate", "--json").json["faults"][0]
    assert "aesg_concept_fades" in aesg("migrate", "apply").out
    assert aesg("migrate", "validate").code == 0


def test_the_password_may_come_from_a_file(aesg, bare, tmp_path, monkeypatch):
    monkeypatch.delenv("AESG_PASSWORD")
    (tmp_path / "password").write_text(f"{bare.password.get_secret_value()}\n")
    assert aesg("migrate", "status", "--password-file", tmp_path / "password").code == 1
    missing = aesg("migrate", "status", "--password-file", tmp_path / "none")
    assert (missing.code, "password_file" in missing.err) == (3, True)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AESG_GRAPH", "", "AESG_GRAPH"),
        ("AESG_GRAPH", "https://host", "neo4j"),
        ("AESG_GRAPH", "bolt://neo4j:hidden@host", "settings of their own"),
        ("AESG_PASSWORD", "hidden", "password"),
        ("AESG_DATABASE", "absent", "database"),
        ("AESG_REQUEST_TIMEOUT", "soon", "request_timeout"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_is_shown(aesg, bare, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    for command in ("status", "validate", "apply"):
        answer = aesg("migrate", command)
        assert (answer.code, answer.out) == (3, "")
        assert answer.err.startswith("aesg: ")
        assert said in answer.err
        assert "hidden" not in answer.err
        assert bare.password.get_secret_value() not in answer.err
        assert said in json.loads(aesg("migrate", command, "--json").err)["error"]
    assert indexes_of(bare) == {}


def test_there_is_no_password_on_the_command_line(aesg):
    for command in ("status", "validate", "apply"):
        assert aesg("migrate", command, "--password", "secret").code == 2
        assert "--password-file" in aesg("migrate", command, "--help").out


def test_help_loads_no_driver():
    code = "import sys; from aesg_graph.cli.app import app\ntry: app(['migrate', '--help'])\nexcept SystemExit: pass\n"
    code += "sys.exit(sorted({'neo4j', 'numpy', 'torch', 'rich.console'} & set(sys.modules)) or 0)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_help_is_whole_and_narrow(aesg):
    assert "constraints and indexes." in next(line for line in aesg("--help").out.splitlines() if "  migrate" in line)
    for command in ((), ("status",), ("validate",), ("apply",)):
        told = aesg("migrate", *command, "--help").out
        assert max(map(len, told.splitlines())) <= 80
        assert "..." not in told.partition("Commands:")[2]
