"""Whatever people call things, it is data to Neo4j and never Cypher."""

import string
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from neo4j_world import memory_of, opened, prepare, settings_for

from aesg_graph.operations import Describe, Remove
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.testing.graph import HEAD, LIMITS
from aesg_graph.stores.testing.graph.building import Scribe, create, row

NASTY = [
    "' OR 1=1 //",
    '"}) DETACH DELETE n //',
    "`",
    "\\u0027",
    "$memory",
    "{type}",
    "\x00",
    "😀\u202e",
    "a'); CALL db()",
]
texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=40))


@pytest.fixture(scope="module")
def scribe(neo4j_server: Any) -> Iterator[Scribe]:
    prepare(neo4j_server)
    with memory_of(neo4j_server, "hostile") as where, opened(where) as store:
        yield Scribe(store)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts, texts, texts, texts, texts.filter(bool))
@example("", "", "", "", "k")
def test_names_texts_sources_encoders_and_kinds_come_back_as_they_were_given(
    scribe: Scribe, name: str, text: str, source: str, encoder: str, kind: str
) -> None:
    ids = scribe.fresh(1)
    born = create(ids, kind=kind, names=[name])
    scribe.write(replace(born, texts=(text,), sources=(source,), encoder=encoder))
    found = row(scribe.store, int(ids[0]))
    assert (found.name, found.text, found.source, found.encoder, found.kind) == (name, text, source, encoder, kind)
    scribe.write(Describe(ids, (text,), (name,)))
    found = row(scribe.store, int(ids[0]))
    assert (found.name, found.text) == (text, name)
    if name:
        assert scribe.store.find(name, 1000).tolist() == ids.tolist()
    scribe.write(Remove(ids))
    assert scribe.store.count().concepts == 0


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=128), texts)
def test_a_memory_may_have_any_allowed_name_and_configuration(
    neo4j_server: Any, scribe: Scribe, name: str, config: str
) -> None:
    where = settings_for(neo4j_server, name)
    head = replace(HEAD, name=name, config=config)
    assert Neo4jGraphStore.establish(where, head, LIMITS) == head
    assert head in Neo4jGraphStore.memories(where)
    Neo4jGraphStore.destroy(where)
    assert Neo4jGraphStore.peek(where) is None
    assert np.size(scribe.store.positions()) > 0
