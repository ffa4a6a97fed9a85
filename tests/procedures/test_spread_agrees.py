"""The procedure says what the reference and the kernel say, whatever the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import neo4j
import pytest
from hypothesis import HealthCheck, given, settings

from tests.activation.spreading_scenes import Scene, agrees_with_reference, scenes
from tests.procedures.scenes_in_neo4j import params_of, put, seeds_of, without_loops
from tests.served.world import migrated

SPREAD = """
CALL aesg.spread($memory, $seeds, $params) YIELD row, node, id, activation
RETURN row, node.id, id, activation
"""
MEMORY = "spread-agrees"


@pytest.fixture(scope="module")
def session(neo4j_server: Any) -> Iterator[Any]:
    migrated(neo4j_server)
    auth = (neo4j_server.user, neo4j_server.password)
    with neo4j.GraphDatabase.driver(neo4j_server.url, auth=auth) as driver, driver.session() as session:
        yield session
        session.run("MATCH (n) WHERE n.memory = $m OR n.name = $m DETACH DELETE n", m=MEMORY).consume()


def asked(session: Any, scene: Scene) -> list[list[tuple[int, float]]]:
    """What the procedure gives for each query, in a transaction that leaves nothing."""
    with session.begin_transaction() as transaction:
        put(transaction, MEMORY, scene)
        found = transaction.run(SPREAD, memory=MEMORY, seeds=seeds_of(scene), params=params_of(scene)).values()
        transaction.rollback()
    rows: list[list[tuple[int, float]]] = [[] for _ in scene.queries]
    for row, of_node, id_, activation in found:
        assert of_node == id_
        rows[row].append((id_, activation))
    return rows


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenes().map(without_loops))
def test_procedure_and_reference_agree(session: Any, scene: Scene) -> None:
    for row, given_ in enumerate(asked(session, scene)):
        assert agrees_with_reference(scene, given_, row)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenes(max_concepts=60, max_edges=400).map(without_loops))
def test_so_they_do_on_denser_graphs(session: Any, scene: Scene) -> None:
    for row, given_ in enumerate(asked(session, scene)):
        assert agrees_with_reference(scene, given_, row)
