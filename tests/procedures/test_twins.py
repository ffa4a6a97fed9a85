"""Spreading by the plugin, in plain Cypher, by the kernel and by the reference is the same on every graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from aesg_graph.concepts import NO_REGION
from aesg_graph.errors import AESGMemoryError
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.neo4j.procedures import Procedures
from tests.activation.spreading_scenes import RELATIONS, Scene, agrees_with_reference, scenes
from tests.procedures.scenes_in_neo4j import put, without_loops
from tests.served.world import migrated, settings_for

MEMORY = "twins"
GAINS = RELATIONS.gains


class Inside(Connection):
    """A connection whose reads all happen in one transaction, which leaves nothing."""

    transaction: Any = None

    def read(self, doing: str, work: Any) -> Any:
        return super().read(doing, work) if self.transaction is None else work(self)

    def rows(self, statement: str, /, **parameters: Any) -> Any:
        return self.transaction.run(statement, parameters).values()


@pytest.fixture(scope="module")
def both(neo4j_server: Any) -> Iterator[tuple[Any, Procedures, Procedures]]:
    """A session, and the procedures and the twins that work in its transaction."""
    migrated(neo4j_server)
    given = settings_for(neo4j_server, None, MEMORY)
    with contextlib.ExitStack() as opened:
        ways = []
        for procedures in ("auto", "never"):
            connection = Inside(given.model_copy(update={"procedures": procedures}))
            opened.callback(connection.close)
            ways.append(Procedures(connection, MEMORY, RELATIONS))
        assert ways[0].has("spread"), "the test server lacks the plugin: tests/servers/plugin.py puts it there"
        assert not ways[1].has("spread")
        yield opened.enter_context(ways[0].connection._made().session()), *ways


def gains_of(scene: Scene) -> Any:
    gains = np.zeros((len(RELATIONS.names), 2))
    gains[: len(scene.gains)] = scene.gains
    return gains


def answers(
    both: Any, scene: Scene, allowed: Any = None, drawn: str = "RETURN 1"
) -> list[list[list[tuple[int, float]]]]:
    """What procedures and twins give for each query."""
    session, *ways = both
    told = []
    with session.begin_transaction() as transaction:
        put(transaction, MEMORY, scene)
        transaction.run(drawn, memory=MEMORY).consume()
        for way in ways:
            way.connection.transaction = transaction
            found = way.spread(scene.queries, gains_of(scene), scene.params, allowed)
            way.connection.transaction = None
            rows: list[list[tuple[int, float]]] = [[] for _ in scene.queries]
            for row, id, activation in zip(found.rows, found.ids, found.activations, strict=True):
                rows[row].append((int(id), float(activation)))
            told.append(rows)
        transaction.rollback()
    return told


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenes().map(without_loops))
def test_reference_procedure_and_twin_agree(both: Any, scene: Scene) -> None:
    kernel = [scene.by_kernel(row) for row in range(len(scene.queries))]
    for way in (kernel, *answers(both, scene)):
        for row, given_ in enumerate(way):
            assert agrees_with_reference(scene, given_, row)


CHAIN = Scene(
    regions={1: 0, 2: 0, 3: NO_REGION, 4: NO_REGION},
    edges=[(1, 2, 2, 0.5), (2, 3, 2, 0.5), (1, 4, 2, 0.25)],
    queries=[((1, 0.6), (1, 0.4), (99, 1.0)), (), ((3, 0.5),)],
)
STRANGERS = """
MATCH (a:Concept {memory: $memory, id: 1}), (b:Concept {memory: $memory, id: 4})
CREATE (a)-[:OWN {weight: 1.0}]->(b), (a)-[:CAUSAL {weight: 1.0}]->(:Concept {memory: 'another', id: 2}),
       (a)-[:CAUSAL {weight: 1.0}]->(:Note {memory: $memory, id: 7}), (a)-[:INFERENCE]->(b)
"""


def test_strangers_take_no_part(both: Any) -> None:
    """What people draw beside a memory's edges, seeds that do not exist, and an empty query."""
    alone, among = answers(both, CHAIN), answers(both, CHAIN, drawn=STRANGERS)
    assert alone[0] == among[0]
    for way in (*alone, *among):
        assert [[id for id, _ in row] for row in way] == [[1, 2, 3, 4], [], [3]]
        assert dict(way[0]) == pytest.approx({1: 1.0, 2: 0.6, 3: 0.24, 4: 0.2})


def test_only_what_is_allowed_is_a_result(both: Any) -> None:
    for way in answers(both, CHAIN, allowed=np.array([3, 4])):
        assert [[id for id, _ in row] for row in way] == [[3, 4], [], [3]]


@pytest.mark.parametrize("energy", [-1.0, float("nan"), float("inf")])
def test_energies_that_are_none_are_refused(both: Any, energy: float) -> None:
    for way in both[1:]:
        with pytest.raises(AESGMemoryError, match="finite and at least 0"):
            way.spread([[(1, energy)]], GAINS, CHAIN.params)
