"""Procedures and their twins in plain Cypher do the same: on random graphs, and on the same memory aged at random."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

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


def answers(both: Any, scene: Scene, allowed: Any = None) -> list[list[list[tuple[int, float]]]]:
    """What procedures and twins give for each query."""
    session, *ways = both
    told = []
    with session.begin_transaction() as transaction:
        put(transaction, MEMORY, scene)
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
    for way in answers(both, scene):
        for row, given_ in enumerate(way):
            assert agrees_with_reference(scene, given_, row)
