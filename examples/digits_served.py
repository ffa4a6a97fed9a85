"""The digits in a real Neo4j, asked in Cypher what the memory has learned: ``make demo-served``.

Servers are started for it (Java 17 and Maven are needed), unless AESG_GRAPH and AESG_VECTORS name some.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import neo4j
import numpy as np
import torch
from digits_demo.data import TASKS, split
from digits_demo.encoders import Pixels
from digits_demo.memories import MemoryLearner
from digits_demo.setting import ON_PIXELS, Setting
from rich.console import Console
from rich.table import Table

from aesg_graph import StoreSettings

QUERIES = {
    "What has it learned?": """
MATCH (c:Concept {memory: $memory})
RETURN c.name AS concept, count(*) AS variants, sum(c.use_frequency) AS uses, sum(c.contradictions) AS contradicted
ORDER BY concept""",
    "What are the strongest associations?": """
MATCH (a:Concept {memory: $memory})-[e:ASSOCIATION]->(b:Concept)
RETURN a.name AS from, b.name AS to, round(e.weight, 3) AS weight, e.use_count AS uses
ORDER BY e.weight DESC, a.id, b.id LIMIT 5""",
    "What fades next?": """
MATCH (m:Memory {name: $memory})
MATCH (c:Concept {memory: $memory}) WHERE c.expires_epoch IS NOT NULL
RETURN c.name AS concept, c.use_frequency AS uses, c.expires_epoch - m.epoch AS `may go in epochs`
ORDER BY c.expires_epoch, c.fades_at LIMIT 5""",
    "What is around the concept that is used most?": """
MATCH (c:Concept {memory: $memory})
WITH c ORDER BY c.use_frequency DESC, c.id LIMIT 1
MATCH (c)-[e]-(n:Concept)
RETURN c.name AS concept, type(e) AS edge, n.name AS neighbour, round(e.weight, 3) AS weight
ORDER BY e.weight DESC, n.id LIMIT 5""",
    "Who wrote what?": """
MATCH (w:Writer {memory: $memory}) WHERE w.sequence > 0
OPTIONAL MATCH (c:Concept {memory: $memory, writer: w.id})
RETURN w.id AS writer, w.sequence AS batches, count(c) AS `concepts it changed last`
ORDER BY writer""",
}


def main(given: list[str]) -> None:
    """Learn the digits, two at a time, into servers; then ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds' worth, to see that it runs")
    parser.add_argument("--memory", default="digits-demo", help="the memory's name (default: digits-demo)")
    chosen = parser.parse_args(given)
    console, began = Console(), time.perf_counter()
    torch.set_num_threads(1)
    with (
        tempfile.TemporaryDirectory(prefix="aesg-demo-") as temporary,
        servers(Path(temporary), chosen.memory) as stores,
    ):
        console.print(f"A Neo4j at {stores.graph} and a Qdrant at {stores.vectors} answer.")
        learn(console, Path(temporary) / "learner", stores, Setting.quick() if chosen.quick else Setting(passes=5))
        for title, query in QUERIES.items():
            ask(console, stores, title, query)
        console.print(f"This took {time.perf_counter() - began:.0f} s. More to ask: docs/inspect.md")


@contextlib.contextmanager
def servers(root: Path, memory: str) -> Iterator[StoreSettings]:
    """Settings of a memory on the servers that the environment names, or on two that are started for it."""
    from aesg_graph.stores.neo4j.migrating import apply

    if os.environ.get("AESG_GRAPH"):
        stores = StoreSettings(memory=memory)
        apply(stores)
        yield stores
        return
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.servers.neo4j_server import Neo4jServer
    from tests.servers.qdrant_server import QdrantTestServer

    with Neo4jServer.create(root / "neo4j") as graph, QdrantTestServer.create(root / "qdrant") as vectors:
        known: dict[str, Any] = {"graph": graph.url, "password": graph.password, "vectors": vectors.url}
        stores = StoreSettings(memory=memory, grpc_port=vectors.grpc_port, **known)
        apply(stores)
        yield stores


def learn(console: Console, directory: Path, stores: StoreSettings, setting: Setting) -> None:
    """The demo's memory on pixels, on these stores; every concept is named after the digit that it means."""
    digits = split(0, train_limit=setting.train_limit)
    learner = MemoryLearner(digits, setting, 0, directory, Pixels(digits), ON_PIXELS, stores=stores)
    try:
        for number in range(len(TASKS)):
            learner.learn(digits.task(number))
        right = learner.score(digits.test)
        memory = learner.memory
        ids = memory.storage.nodes["id"]
        meant = [int(np.argmax(memory.concept(int(id)).value)) for id in ids]
        memory.annotate(ids, names=[f"a {digit}" for digit in meant])
        memory.flush()
        life = learner.life()
    finally:
        learner.close()
    console.print(
        f"All ten digits, learned two at a time: {right:.1%} of unseen pictures named rightly, with {life.concepts} "
        f"concepts and {life.edges} edges after {life.consolidations} consolidations ({life.pruned} pruned).\n"
    )


def ask(console: Console, stores: StoreSettings, title: str, query: str) -> None:
    """One question in Cypher, as anybody could put it, and the server's answer."""
    assert stores.graph is not None
    password = stores.password.get_secret_value() if stores.password else ""
    with neo4j.GraphDatabase.driver(stores.graph, auth=(stores.user, password)) as driver:
        records, _, keys = driver.execute_query(query.strip(), memory=stores.memory, database_=stores.database)
    console.print(title, style="bold")
    console.print(query.strip(), style="dim", markup=False, highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for key in keys:
        table.add_column(key)
    for record in records:
        table.add_row(*map(str, record.values()))
    console.print(table if records else "(nothing)")
    console.print()


if __name__ == "__main__":
    main(sys.argv[1:])
