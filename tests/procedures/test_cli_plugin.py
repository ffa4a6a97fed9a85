"""``aesg plugin`` says what the server runs; what ``aesg cypher`` prints answers as the procedures do when pasted."""

import json
import re

import neo4j
import pytest

from aesg_graph.stores.neo4j import plugin
from tests.served.test_cli_served import aesg, environment
from tests.served.world import CONFIG, V, vectors
from tests.servers.plugin import built_jar

__all__ = ["aesg", "environment"]
N = 12


@pytest.fixture
def ids(opened):
    """Twelve concepts in a row; nothing is due before its time."""
    engine = opened("a", CONFIG)
    ids = engine.create(vectors(N), vectors(N, 1, V), names=[f"thing {i}" for i in range(N)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.link(ids[:3], ids[4:7], "SIMILARITY", 0.5)
    engine.close()
    return ids


@pytest.fixture
def session(served):
    auth = (served.user, served.password.get_secret_value())
    with neo4j.GraphDatabase.driver(served.graph, auth=auth) as driver, driver.session() as session:
        yield session


def pasted(session, text):
    """The answer to what a person pastes: ``:param`` as a shell takes it, then a statement with its semicolon."""
    given, statement = re.fullmatch(r":param (\{.*?\})\n\n(.*);\n", text, re.S).groups()
    return [record.values() for record in session.run(statement, session.run(f"RETURN {given} AS p").single()["p"])]


def test_spreading_that_is_pasted_agrees_with_the_procedure(ids, aesg, session, served):
    code, text, _ = aesg("cypher", "spread", int(ids[0]), int(ids[3]))
    assert code == 0
    ((_, best),) = pasted(session, text)
    asked = "CALL aesg.spread($memory, [[[$a, 1.0], [$b, 1.0]]]) YIELD id, activation RETURN id, activation"
    rows = session.run(asked, memory=served.memory, a=int(ids[0]), b=int(ids[3])).values()
    assert [row[0] for row in best] == [row[0] for row in rows]
    assert [row[1] for row in best] == pytest.approx([row[1] for row in rows], abs=1e-5)
    assert len(rows) > 3


def test_due_and_stats_that_are_pasted_agree_with_the_procedures(ids, aesg, session, served):
    due = pasted(session, aesg("cypher", "due", "--epochs", 10_000, "-n", 5)[1])
    expected = session.run("CALL aesg.due($memory, 10000, 5)", memory=served.memory).values()
    assert [row[1:] for row in due] == [row[1:] for row in expected]
    assert len(due) == 5
    assert pasted(session, aesg("cypher", "stats")[1]) == session.run("CALL aesg.stats($m)", m=served.memory).values()


def test_of_a_memory_that_is_not_there_nothing_is_printed(aesg, monkeypatch):
    monkeypatch.setenv("AESG_MEMORY", "nobody-made-this")
    for command in (["spread", 1], ["due"], ["stats"]):
        code, out, said = aesg("cypher", *command)
        assert (code, out, "nobody-made-this" in said) == (3, "", True)


def test_a_server_with_the_plugin_suits(aesg, monkeypatch):
    monkeypatch.setattr(plugin, "FOLDER", built_jar().parent)
    code, out, _ = aesg("plugin")
    assert (code, str(built_jar()) in out.replace("\n", ""), "plugins folder" in out) == (0, True, True)
    told = json.loads(aesg("plugin", "--json")[1])
    assert told["server"]["suits"]
    assert told["server"]["version"] == told["version"]
    assert {"aesg.spread", "aesg.explain", "aesg.prune"} <= set(told["server"]["procedures"])


def test_a_plugin_of_another_version_does_not_suit(aesg, monkeypatch):
    monkeypatch.setattr(plugin, "version", lambda name: "9.9.9")
    code, out, _ = aesg("plugin")
    assert (code, "does not go with this package" in " ".join(out.split())) == (1, True)


def test_without_a_jar_it_says_how_to_build_one(aesg, monkeypatch, tmp_path):
    monkeypatch.setattr(plugin, "FOLDER", tmp_path)
    monkeypatch.delenv("AESG_GRAPH")
    code, out, _ = aesg("plugin")
    assert (code, "none named" in out, "make plugin" in out) == (0, True, True)
