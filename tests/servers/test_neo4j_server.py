"""The test server is a real Neo4j that can be killed, and its absence is a failure that says what to install."""

import os
import subprocess
import sys
from pathlib import Path

import neo4j
import pytest

from tests.servers.neo4j_jars import LTS, java_for
from tests.servers.neo4j_server import Neo4jServer

ROOT = Path(__file__).parents[2]


def test_what_was_committed_survives_a_kill(tmp_path):
    with Neo4jServer.create(tmp_path) as server:
        server._run("CREATE (:Thing {name: 'kept'})")
        server.kill()
        assert not server.alive
        server.start()
        with neo4j.GraphDatabase.driver(server.url, auth=(server.user, server.password)) as driver:
            assert driver.execute_query("MATCH (t:Thing) RETURN t.name").records[0][0] == "kept"


def run_without_java(tmp_path, **environment):
    """Ask for a server on a machine that has neither Java nor Maven nor a copy of Neo4j."""
    code = (
        "from pathlib import Path; from tests.servers.neo4j_server import shared_neo4j; import sys; "
        "shared_neo4j(Path(sys.argv[1]))"
    )
    bare = {
        "PATH": str(tmp_path),
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "AESG_TEST_CACHE": str(tmp_path / "c"),
    }
    return subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "neo4j")], env=bare | environment, capture_output=True, text=True
    )


def test_a_machine_without_neo4j_fails_and_says_what_to_install(tmp_path):
    run = run_without_java(tmp_path)
    assert run.returncode != 0
    assert "install Java 17 or later and Maven" in run.stderr
    assert "AESG_TEST_NEO4J_URL" in run.stderr


def test_a_url_comes_first(tmp_path):
    run = run_without_java(tmp_path, AESG_TEST_NEO4J_URL="bolt://elsewhere:7687", AESG_TEST_NEO4J_PASSWORD="hush")
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif("AESG_TEST_NEO4J_URL" in os.environ, reason="Neo4j is elsewhere")
def test_the_long_term_version_runs_on_java_17():
    assert java_for(LTS)


def test_a_java_that_is_too_old_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.servers.neo4j_jars.java_version", lambda java: 11)
    monkeypatch.delenv("AESG_TEST_JAVA_HOME", raising=False)
    with pytest.raises(RuntimeError, match=r"Neo4j 2026\.08\.1 needs Java 21 or later"):
        java_for("2026.08.1")
