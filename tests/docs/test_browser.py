"""The style file names what is in a memory; each saved query answers on a real Neo4j with something to draw."""

import re
from pathlib import Path

import neo4j
import pytest
from neo4j.graph import Node
from neo4j.graph import Path as GraphPath

from aesg_graph.concepts import Relations
from tests.served.world import CONFIG, V, teach, vectors

FOLDER = Path(__file__).parents[2] / "docs" / "browser"
STYLE = (FOLDER / "aesg.grass").read_text()
RULES = re.findall(r"^(node|relationship)\.(\w+) \{\n(.*?)^\}", STYLE, re.M | re.S)
SAVED = {path.stem: path.read_text() for path in sorted((FOLDER / "saved").glob("*.cypher"))}
OWN = {"Concept", "Memory", "Writer", "Consolidation", "Removed"}
WORDS = {"Noun", "Verb", "Adjective", "Adverb"}


@pytest.fixture
def session(opened, served):
    """A session on a memory with two named words and edges between them, which is aging."""
    engine = opened("a", CONFIG)
    ids = engine.create(vectors(6), vectors(6, 1, V), names=["lens", "telescope", "a", "b", "c", "d"], kind="noun")
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.link(ids[:2], ids[2:4], "ASSOCIATION", 0.7)
    teach(engine, vectors(6)[:1], vectors(6, 1, V)[:1])
    engine.consolidate()
    engine.remove(engine.create(vectors(1, 7), vectors(1, 8, V), names=["gone"]))
    engine.close()
    auth = (served.user, served.password.get_secret_value())
    with neo4j.GraphDatabase.driver(served.graph, auth=auth) as driver, driver.session() as session:
        session.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()").consume()
        yield session


def drawn(value):
    """Whether Browser would draw something of a value."""
    return isinstance(value, Node | GraphPath) or (isinstance(value, list) and any(map(drawn, value)))


def test_there_are_styles_and_queries():
    assert len(RULES) >= 12
    assert STYLE.count("{\n") == len(RULES) + 2
    assert len(SAVED) >= 8
    assert all(text.startswith("// ") for text in SAVED.values())


@pytest.mark.parametrize("title", SAVED)
def test_every_saved_query_has_something_to_draw(title, session, served, monkeypatch):
    text = SAVED[title].replace(
        "$memory, 100,", "$memory, 100000,"
    )  # nothing of this small memory fades in a hundred epochs
    records = list(session.run(text, memory=served.memory, name="lens", other="telescope"))
    assert records
    assert any(drawn(value) for value in records[0].values())


def test_the_style_names_labels_and_properties_that_are_there(session, served):
    known = Relations(()).names
    for sort, name, body in RULES:
        caption = re.search(r'caption: "\{(\w+)\}"', body)
        if sort == "relationship":
            assert name in known
            continue
        assert name in OWN | WORDS
        if caption and name in OWN | {"Noun"}:
            key = "name" if name == "Memory" else "memory"
            query = f"MATCH (n:{name} {{{key}: $memory}}) RETURN n.{caption[1]} IS NOT NULL AS has LIMIT 1"
            assert session.run(query, memory=served.memory).single()["has"], name
