"""Every query of the Cypher cookbook runs on a real Neo4j, answers something, and does not walk the whole database."""

import re
from dataclasses import replace
from pathlib import Path

import neo4j
import pytest

from tests.served.world import CONFIG, V, teach, vectors

PAGE = (Path(__file__).parents[2] / "docs" / "inspect.md").read_text()
QUERIES = re.findall(r"^### (.*?)\n+```cypher\n(.*?)\n```", PAGE, re.M | re.S)
NAMES = [f"a {i % 5}" for i in range(10)]
SCANS = {"AllNodesScan", "DirectedAllRelationshipsScan", "UndirectedAllRelationshipsScan"}


@pytest.fixture
def asked(opened, served):
    """Parameters and a session on a memory in which something is used, associated, consolidated, alone and removed."""
    engine = opened("a", replace(CONFIG, survival_threshold_frequency=2))
    ids = engine.create(vectors(10), vectors(10, 1, V), names=NAMES, sources=[f"page {i}" for i in range(10)])
    gone = engine.create(vectors(2, 7), vectors(2, 8, V), names=["gone", "alone"])[:1]
    engine.link(ids[:-2], ids[1:-1], "ASSOCIATION", 0.9)
    engine.link(ids[:3], ids[3:6], "SIMILARITY", 0.5)
    engine.remove(gone)
    for _ in range(3):
        teach(engine, vectors(10)[:1], vectors(10, 1, V)[:1])
        engine.consolidate()
    engine.create(vectors(1, 9), vectors(1, 9, V), names=["new"])
    engine.close()
    known = {"memory": served.memory, "id": int(ids[0]), "other": int(ids[2]), "words": "alone", "epochs": 10_000}
    auth = (served.user, served.password.get_secret_value())
    with neo4j.GraphDatabase.driver(served.graph, auth=auth) as driver, driver.session() as session:
        session.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()").consume()
        yield session, known


def test_there_is_a_cookbook():
    assert len(QUERIES) >= 20
    assert len(QUERIES) == PAGE.count("```cypher")


def test_every_query_answers(asked):
    session, known = asked
    for title, query in QUERIES:
        records = list(session.run(query, known))
        assert records, title
        assert any(value is not None for value in records[0].values()), title


def test_no_query_walks_the_whole_database(asked):
    session, known = asked
    for title, query in QUERIES:
        if query.startswith("SHOW"):
            continue
        plan = session.run(f"EXPLAIN {query}", known).consume().plan
        assert plan is not None
        assert not SCANS & set(operators(plan)), title


def test_queries_name_their_memory():
    for title, query in QUERIES:
        assert (
            "$memory" in query or "SHOW INDEXES" in query or re.search(r"MATCH \(m:(Memory|AESGMigration)\)", query)
        ), title


def operators(plan):
    """The name of each operator of a plan."""
    yield plan["operatorType"].split("@")[0]
    for child in plan.get("children", ()):
        yield from operators(child)
