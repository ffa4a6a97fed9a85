"""The page of procedures says what the server offers, and its examples answer."""

import re
from pathlib import Path

import neo4j
import pytest

from tests.served.world import V, vectors

PAGE = (Path(__file__).parents[2] / "docs" / "procedures.md").read_text()
SIGNATURES = set(re.findall(r"^(aesg\.\w+\(.*)$", PAGE, re.M))
EXAMPLES = re.findall(r"```cypher\n(.*?)\n```", PAGE, re.S)
OFFERED = """
SHOW {kind} YIELD name, signature WHERE name STARTS WITH 'aesg.' RETURN signature
"""


@pytest.fixture
def session(served):
    auth = (served.user, served.password.get_secret_value())
    with neo4j.GraphDatabase.driver(served.graph, auth=auth) as driver, driver.session() as session:
        yield session


def test_every_signature_is_as_the_server_has_it(session):
    offered = {
        row[0] for kind in ("PROCEDURES", "FUNCTIONS") for row in session.run(OFFERED.format(kind=kind)).values()
    }
    assert offered == SIGNATURES


def test_every_example_answers(session, opened, served):
    engine = opened("a")
    ids = engine.create(vectors(10), vectors(10, 1, V), names=[f"n{i}" for i in range(10)])
    engine.link(ids[:-1], ids[1:], "ASSOCIATION", 0.9)
    engine.close()
    assert len(EXAMPLES) >= 7
    for example in EXAMPLES:
        assert list(session.run(example, memory=served.memory, id=int(ids[0]), other=int(ids[2]))), example


def test_of_every_procedure_the_twin_is_named():
    alone = ("version", "relevance", "age", "stability")
    named = {signature.split("(")[0] for signature in SIGNATURES} - {f"aesg.{name}" for name in alone}
    assert len(named) == PAGE.count("\nTwin: ") == 6
