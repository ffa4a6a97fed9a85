"""`aesg status` tells an operator how servers and memory are, and exits with 1 when something is wrong."""

import json

import pytest
from typer.testing import CliRunner

from aesg_graph.cli.app import app
from tests.served.world import V, vectors

runner = CliRunner()


@pytest.fixture
def environment(served, neo4j_server):
    return {
        "AESG_MEMORY": served.memory,
        "AESG_GRAPH": served.graph,
        "AESG_VECTORS": served.vectors,
        "AESG_GRPC_PORT": str(served.grpc_port or ""),
        "AESG_PASSWORD": neo4j_server.password,
        "AESG_CONNECT_TIMEOUT": "2",
        "AESG_REQUEST_TIMEOUT": "10",
    }


def told(environment, *more):
    answer = runner.invoke(app, ["status", "--json", *more], env=environment)
    return answer.exit_code, json.loads(answer.stdout)


def test_a_healthy_memory(opened, environment, tmp_path):
    engine = opened("a")
    ids = engine.create(vectors(4), vectors(4, 1, V))
    engine.link(ids[:2], ids[2:])
    engine.consolidate()
    engine.flush()
    for _ in range(3):
        engine.recall(engine.query(vectors(4)))
    engine.tally.write()
    code, said = told(environment, "-d", str(tmp_path / "a"))
    assert (code, said["healthy"], said["problems"]) == (0, True, [])
    assert (said["concepts"], said["edges"], said["points"], said["epoch"]) == (4, 2, 4, 1)
    assert said["graph"]["version"]
    assert said["vectors"]["version"]
    assert set(said["migrations"].values()) == {"applied"}
    assert [w["writer"] for w in said["writers"]] == [engine.writer]
    assert said["lease"]["holder"].startswith(f"{engine.writer}:")
    assert said["journal"]["refused"] == 0
    assert said["cache"] == {"hits": 12, "misses": 0}
    answer = runner.invoke(app, ["status", "-d", str(tmp_path / "a")], env=environment)
    assert "4, 2 edges, epoch 1" in answer.output
    assert "answered 100.0% of 12 rows" in answer.output


def test_no_such_memory(environment):
    code, said = told(environment)
    assert code == 1
    assert "there is no memory" in said["problems"][0]


def test_servers_that_do_not_answer(environment, opened):
    opened("a")
    code, said = told(environment | {"AESG_GRAPH": "bolt://127.0.0.1:1", "AESG_RETRY_TIMEOUT": "0"})
    assert (code, said["graph"]["reachable"]) == (1, False)
    assert "setting" in said["problems"][0]
    code, said = told(environment | {"AESG_GRPC_PORT": "1"})
    assert (code, said["graph"]["reachable"], said["vectors"]["reachable"]) == (1, True, False)


def test_lost_vectors_are_noticed(opened, environment):
    engine = opened("a")
    ids = engine.create(vectors(4), vectors(4, 1, V))
    engine.flush()
    engine.residency.vectors().delete(ids[:1])
    code, said = told(environment)
    assert (code, said["problems"]) == (1, ["4 concepts and 3 vectors: run 'aesg check'"])


def test_without_servers_it_says_what_is_missing():
    answer = runner.invoke(app, ["status"], env={"AESG_GRAPH": "", "AESG_VECTORS": "", "AESG_MEMORY": ""})
    assert (answer.exit_code, "AESG_GRAPH" in answer.output) == (3, True)
