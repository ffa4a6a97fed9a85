"""The random graphs of the tests of spreading, put into a real Neo4j and asked there."""

from __future__ import annotations

from typing import Any

from aesg_graph.concepts import NO_REGION
from tests.activation.spreading_scenes import RELATIONS, Scene

HEAD = """
MERGE (m:Memory {name: $memory})
SET m.incarnation = 1, m.epoch = 0, m.relation_types = $names, m.relation_forward = $forward,
    m.relation_backward = $backward, m.relevance_decay = 0.95
"""
CONCEPTS = "UNWIND $rows AS row CREATE (c:Concept {memory: $memory}) SET c.id = row[0], c.region_id = row[1]"
EDGES = """
UNWIND $rows AS row
MATCH (a:Concept {{memory: $memory, id: row[0]}}), (b:Concept {{memory: $memory, id: row[1]}})
CREATE (a)-[:{type} {{weight: row[2]}}]->(b)
"""
CLEAR = "MATCH (c:Concept {memory: $memory}) DETACH DELETE c"


def put(transaction: Any, memory: str, scene: Scene) -> None:
    """The scene's graph, instead of what the memory held."""
    transaction.run(CLEAR, memory=memory).consume()
    gains = RELATIONS.gains
    head = {"names": list(RELATIONS.names), "forward": gains[:, 0].tolist(), "backward": gains[:, 1].tolist()}
    transaction.run(HEAD, memory=memory, **head).consume()
    rows = [[id_, None if region == NO_REGION else region] for id_, region in scene.regions.items()]
    transaction.run(CONCEPTS, memory=memory, rows=rows).consume()
    for code, name in enumerate(RELATIONS.names):
        edges = [[a, b, float(weight)] for a, b, c, weight in scene.edges if c == code]
        if edges:
            transaction.run(EDGES.format(type=name), memory=memory, rows=edges).consume()


def without_loops(scene: Scene) -> Scene:
    """No store holds an edge from a concept to itself."""
    return Scene(scene.regions, [e for e in scene.edges if e[0] != e[1]], scene.queries, scene.params, scene.gains)


def params_of(scene: Scene) -> dict[str, Any]:
    """The scene's rules as the procedures take them."""
    rules = scene.params
    gains = {name: [0.0, 0.0] for name in RELATIONS.names}
    gains |= {RELATIONS.names[code]: list(pair) for code, pair in enumerate(scene.gains)}
    return {
        "steps": rules.steps,
        "decay": rules.decay,
        "fan": rules.fan,
        "min_energy": rules.min_energy,
        "max_fanout": rules.max_fanout,
        "region_multiplier": rules.region_multiplier,
        "top_k": rules.top_k,
        "gains": gains,
    }


def seeds_of(scene: Scene) -> list[list[list[float]]]:
    """The scene's queries as the procedures take them."""
    return [[[id_, energy] for id_, energy in query] for query in scene.queries]
