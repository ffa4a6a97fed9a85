"""The ``aesg`` command on a memory that lives on servers: with a directory, and with nothing but the environment."""

import contextlib
import json

import numpy as np
import pytest

from aesg_graph.cli.app import app
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import comparison
from tests.served.world import CONFIG, D, V, vectors

SECRET = "AESG_PASSWORD"


@pytest.fixture
def environment(served, monkeypatch, tmp_path):
    """The settings of the servers in the environment, no directory named, and none here."""
    told = served.model_dump(include={"memory", "graph", "vectors", "user", "grpc_port"})
    for name, value in told.items():
        if value is not None:
            monkeypatch.setenv(f"AESG_{name.upper()}", str(value))
    for secret in ("password", "api_key"):
        if getattr(served, secret) is not None:
            monkeypatch.setenv(f"AESG_{secret.upper()}", getattr(served, secret).get_secret_value())
    monkeypatch.delenv("AESG_DIRECTORY", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(comparison, "SETTLING", 0.02)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def aesg(environment, capsys):
    """Run a command in this process: exit code, what it printed, what it complained of."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(argument) for argument in arguments], prog_name="aesg")
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def path(served, tmp_path):
    """The closed directory of a process that wrote four concepts in a causal chain."""
    engine = MemoryEngine(tmp_path / "a", CONFIG, served)
    ids = engine.create(vectors(4), vectors(4, 1, V), names=[f"thing {i}" for i in range(4)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.close()
    return tmp_path / "a"


@pytest.fixture
def ids(served, path):
    with contextlib.closing(Neo4jGraphStore.open(served, CONFIG.vocabulary, read_only=True)) as graph:
        return graph.page(-1, 10).concepts.ids.tolist()


def answer(aesg, *arguments, code=0):
    got, out, err = aesg(*arguments, "--json")
    assert (got, err) == (code, "")
    return json.loads(out)


def complaint(aesg, *arguments):
    code, out, err = aesg(*arguments)
    assert (code, out) == (3, "")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("place", ["servers alone", "a directory", "this directory"])
def test_every_look_works(aesg, path, ids, monkeypatch, place):
    where = ["-d", path] if place == "a directory" else []
    if place == "this directory":
        monkeypatch.chdir(path)
    alone = place == "servers alone"
    stats = answer(aesg, "stats", *where)
    assert (stats["concepts"], stats["edges"], stats["vector_dim"]) == (4, 3, D)
    assert (stats["directory"], stats["pending_batches"]) == ((None, None) if alone else (str(path), 0))
    assert stats["cache"] == ("absent" if alone else "good")
    assert set(stats["bytes"]) == (set() if alone else {"journal", "cache"})
    assert stats["servers"].keys() == {"graph", "vectors"}
    shown = answer(aesg, "show", ids[0], *where)
    assert (shown["name"], shown["edges"]) == ("thing 0", 1)
    np.testing.assert_allclose(shown["key"], vectors(4)[0], atol=1e-6)
    near = answer(aesg, "search", "--near", ids[0], "-n", 2, *where)
    best = np.argsort(-(vectors(4)[1:] @ vectors(4)[0]))[:2] + 1
    assert [row["name"] for row in near["results"]] == [f"thing {i}" for i in best]
    assert near["complete"]
    assert [row["id"] for row in answer(aesg, "search", "--text", "THING", *where)["results"]] == ids
    assert answer(aesg, "neighbors", ids[0], *where)["edges"][0]["target"] == ids[1]
    assert answer(aesg, "explain", ids[0], ids[2], *where)["paths"][0]["ids"] == ids[:3]
    people = aesg("stats", *where)[1]
    assert stats["servers"]["graph"] in people
    assert "4 of at most" in people


def test_the_history_is_the_journals(aesg, path):
    assert "the directory of one of them (-d)" in complaint(aesg, "history")
    assert {event["type"] for event in answer(aesg, "history", "-d", path)["events"]} == {"CREATE", "LINK"}


def test_an_export_needs_no_directory(aesg, path, ids, tmp_path):
    done = answer(aesg, "export", tmp_path / "out.jsonl", "--vectors")
    assert (done["concepts"], done["edges"], done["pending_batches"]) == (4, 3, None)
    assert str(ids[0]) in (tmp_path / "out.jsonl").read_text()


def test_looking_leaves_the_directory_and_the_servers_as_they_are(aesg, path, ids, served):
    def state():
        files = {p: p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != "lock"}
        with contextlib.closing(Neo4jGraphStore.open(served, CONFIG.vocabulary)) as graph:
            return files, graph.positions(), graph.count()

    before = state()
    for command in (["stats"], ["show", ids[0]], ["search", "--near", ids[0]], ["history"], ["check"]):
        assert aesg(*command, "-d", path)[0] == 0
    assert state() == before


def test_check_and_repair_speak_as_they_do_of_files(aesg, path, ids, served):
    clean = answer(aesg, "check")
    assert (clean["clean"], clean["directory"], clean["findings"]) == (True, None, [])
    with contextlib.closing(QdrantVectorStore.open(served, D, V)) as store:
        store.delete(np.array(ids[:1]))
    found = answer(aesg, "check", code=1)
    assert [(f["kind"], f["ids"], f["mended"]) for f in found["findings"]] == [
        ("concepts without a vector", ids[:1], False)
    ]
    assert "WRONG: 1 concepts without a vector" in aesg("check")[1]
    mended = answer(aesg, "check", "--repair", "-d", path)
    assert [f["mended"] for f in mended["findings"]] == [True]
    assert "all agree" in aesg("check")[1]


def test_a_directory_on_servers_needs_their_settings_by_name(aesg, path, monkeypatch):
    for name in ("AESG_GRAPH", "AESG_VECTORS", "AESG_MEMORY"):
        monkeypatch.delenv(name)
    told = complaint(aesg, "stats", "-d", path)
    for name in ("AESG_GRAPH", "AESG_VECTORS", "AESG_MEMORY"):
        assert name in told
    assert "There is no memory in" in complaint(aesg, "stats")


def test_settings_that_lead_nowhere_are_named(aesg, path, monkeypatch, tmp_path):
    with monkeypatch.context() as other:
        other.setenv("AESG_MEMORY", "nobody-made-this")
        assert "nobody-made-this" in complaint(aesg, "stats")
        assert "belongs to the memory" in complaint(aesg, "stats", "-d", path)
    with monkeypatch.context() as other:
        other.delenv("AESG_VECTORS")
        assert "vectors" in complaint(aesg, "stats")
    with monkeypatch.context() as other:
        other.setenv("AESG_RETRY_TIMEOUT", "0")
        other.setenv("AESG_GRAPH", "bolt://127.0.0.1:9")
        assert "cannot be reached" in complaint(aesg, "check")
    with monkeypatch.context() as other:
        other.setenv(SECRET, "wrong-and-secret")
        told = complaint(aesg, "stats")
        assert "password" in told
        assert "wrong-and-secret" not in told
    assert "There is no memory in" in complaint(aesg, "stats", "-d", tmp_path / "absent")


def test_a_concept_that_is_not_there(aesg, path):
    assert "Concept 7 does not exist in the memory 'test-" in complaint(aesg, "show", 7)
