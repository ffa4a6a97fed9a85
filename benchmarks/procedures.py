"""Inside Neo4j: the procedures beside their plain-Cypher twins and beside the hot cache, over Bolt, in one run.

The graph is loaded with Cypher, with every column that a concept and an edge have: reading properties is what costs.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import neo4j
import numpy as np
from measuring import Figure, at_least, at_most, timed
from settings import DIM, Setting
from worlds import World

sys.path.insert(0, str(Path(__file__).parents[1]))

from aesg_graph import AESGConfig, AESGMemory, StoreSettings
from aesg_graph.activation import SpreadParams, spread
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.migrating import apply
from aesg_graph.stores.neo4j.procedures import Procedures
from tests.servers.neo4j_server import Neo4jServer
from tests.servers.plugin import built_jar

TITLE = "Inside Neo4j: procedures beside plain Cypher and the hot cache"
SIZES = (200_000, 1_000_000)
SEEDS, ROWS, CALLS = 3, 32, 200
WARMING = 1500
"""Single queries of each side before any is timed: over the first two thousand the server's p50 falls by a third."""
DUE = 100_000
CHUNK = 8_000
MEMORY = "procedures"
TRANSACTION = 128
"""Megabytes that one transaction may use: what is done in batches stays below, however much it is."""
CONF = f"""\
server.memory.heap.max_size=1500m
server.memory.pagecache.size=1500m
db.memory.transaction.max={TRANSACTION}m
"""
CONCEPTS = """
UNWIND range($first, $last) AS id
CREATE (:Concept {memory: $memory, id: id, kind: 'concept', encoder: '', version: 0, created_at: 1.0, modified_at: 1.0,
    born_epoch: 0, touched_epoch: 0, relevance: 1.0, use_frequency: 9, contradictions: 0, writer: 7, sequence: 1,
    fades_at: 0.0})
"""
EDGES = """
UNWIND range(0, size($sources) - 1) AS i
MATCH (a:Concept {memory: $memory, id: $sources[i]}), (b:Concept {memory: $memory, id: $targets[i]})
CREATE (a)-[:SIMILARITY {weight: $weights[i], confidence: 1.0, use_count: 0, created_at: 1.0, touched_epoch: 0}]->(b)
"""
COUNTS = """
MATCH (w:Writer {memory: $memory, id: 0}) SET w.concepts = $concepts, w.edges = $edges
"""
FADE = """
MATCH (c:Concept {memory: $memory}) WHERE $first <= c.id < $last
SET c.use_frequency = 0, c.relevance = 0.001, c.expires_epoch = 1, c.fades_at = -100.0
"""


def measure(setting: Setting) -> list[Figure]:
    """Spreading at each size; then consolidation and pruning at the last."""
    figures = []
    for size in setting.sizes:
        with served(setting, size) as (driver, store, world):
            figures += spreading(setting, size, world, driver, store)
            if size == setting.largest:
                figures += caring(setting, size, driver, store)
    return figures


@contextlib.contextmanager
def served(setting: Setting, size: int) -> Iterator[tuple[neo4j.Driver, Neo4jGraphStore, World]]:
    """A server with the plugin that holds the world of a size; ids are places in the world, and one more."""
    world = setting.world(size)
    with Neo4jServer.create(setting.place("neo4j"), plugins=(built_jar(),), conf=CONF) as server:
        known: dict[str, Any] = {"graph": server.url, "password": server.password, "vectors": "http://127.0.0.1:1"}
        settings = StoreSettings(memory=MEMORY, request_timeout=600.0, **known)
        apply(settings)
        config = AESGConfig(vector_dim=DIM, max_concepts=4 * size)
        head = MemoryHead(MEMORY, 1, 5, 0, DIM, 0, config.to_json())
        Neo4jGraphStore.establish(settings, head, config.thresholds)
        auth = ("neo4j", server.password)
        with (
            contextlib.closing(Neo4jGraphStore.open(settings, config.vocabulary)) as store,
            neo4j.GraphDatabase.driver(server.url, auth=auth) as driver,
        ):
            load(driver, world)
            yield driver, store, world


def load(driver: neo4j.Driver, world: World) -> None:
    """The world's concepts and edges."""
    for first in range(0, len(world), CHUNK):
        last = min(first + CHUNK, len(world))
        driver.execute_query(CONCEPTS, memory=MEMORY, first=first + 1, last=last)
    for first in range(0, len(world.sources), CHUNK):
        part = slice(first, first + CHUNK)
        columns = {"sources": (world.sources[part] + 1).tolist(), "targets": (world.targets[part] + 1).tolist()}
        weights = world.weights[part].astype(float).tolist()
        driver.execute_query(EDGES, memory=MEMORY, weights=weights, **columns)
    driver.execute_query(COUNTS, memory=MEMORY, concepts=len(world), edges=len(world.sources))
    driver.execute_query("CALL db.awaitIndexes()")


# -- spreading ---------------------------------------------------------------------------------------------------------


def spreading(setting: Setting, size: int, world: World, driver: neo4j.Driver, store: Neo4jGraphStore) -> list[Figure]:
    """One query, and a batch of them in one call: by the procedure, by the twin, from the hot cache."""
    figures = []
    memory, _ = setting.opened(size)
    with memory:
        for rows in (1, ROWS):
            calls = max(5, min(CALLS if rows == 1 else CALLS // 8, setting.rounds))
            sides = {
                "procedure": by_server(store, world, rows, "auto"),
                "twin": by_server(store, world, rows, "never"),
                "cache": from_cache(memory, world, rows),
            }
            figures += told(size, rows, turns(sides, calls))
    return figures


def queries(world: World, rows: int, seed: int) -> list[list[tuple[int, float]]]:
    """Seeds of a batch: places in the world, and one more, with energies as cosines have them."""
    generator = np.random.default_rng(seed)
    places = generator.integers(0, len(world), (rows, SEEDS)) + 1
    energies = generator.uniform(0.3, 0.9, (rows, SEEDS))
    return [list(zip(p, e, strict=True)) for p, e in zip(places.tolist(), energies.tolist(), strict=True)]


def by_server(store: Neo4jGraphStore, world: World, rows: int, way: str) -> Callable[[int], object]:
    """Spreads in Neo4j, by the procedure ("auto") or in plain Cypher ("never")."""
    connection = store._connection
    known = Procedures(connection, MEMORY, store._relations)
    if way == "never":
        from aesg_graph.stores.neo4j.procedures import NOTHING

        known._offered = NOTHING
    else:
        assert known.has("spread")
    gains = AESGConfig(vector_dim=DIM).vocabulary.gains
    return lambda call: known.spread(queries(world, rows, call), gains, SpreadParams())


def from_cache(memory: AESGMemory, world: World, rows: int) -> Callable[[int], object]:
    """Spreads over the mapped cache of an embedded memory of the same world."""
    cache = memory.engine.residency.cache
    gains = AESGConfig(vector_dim=DIM).vocabulary.gains

    def call(number: int) -> object:
        asked = queries(world, rows, number)
        slots = np.array([[place - 1 for place, _ in row] for row in asked], np.int32)
        energies = np.array([[energy for _, energy in row] for row in asked])
        return spread(cache.adjacency(), slots, energies, gains, SpreadParams())

    return call


def turns(sides: dict[str, Callable[[int], object]], calls: int) -> dict[str, list[float]]:
    """Seconds of each call of each side, in turn, after rounds in which the just-in-time compilers get going."""
    for warming in range(WARMING if calls == CALLS else min(100, calls)):
        for call in sides.values():
            call(10_000 + warming)
    took: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(calls):
        for name, call in sides.items():
            took[name].append(timed(lambda call=call, number=number: call(number)))  # type: ignore[misc]
    return took


def told(size: int, rows: int, took: dict[str, list[float]]) -> list[Figure]:
    """p50 of each side, and p99 in the note."""
    middle = {name: median(seconds) for name, seconds in took.items()}
    slow = {name: quantiles(seconds, n=100)[98] for name, seconds in took.items()}
    case = f"{size:,} concepts, spread of {rows} quer{'y' if rows == 1 else 'ies in one call'}"
    note = ", ".join(f"p99 {name} {1e3 * seconds:.1f} ms" for name, seconds in slow.items())
    real = size in SIZES
    figures = [
        Figure(
            f"{case}: aesg.spread",
            middle["procedure"],
            "s",
            "plain Cypher",
            middle["twin"],
            "faster",
            at_least(1.5 if rows == 1 else 2.0) if real else None,
            note,
        ),
        Figure(f"{case}: hot cache", middle["cache"], "s", "aesg.spread", middle["procedure"], "faster"),
    ]
    if size == SIZES[0] and rows == 1:
        figures.append(Figure(f"{case}: aesg.spread", middle["procedure"], "s", goal=at_most(0.010, "ours")))
    return figures


# -- caring ------------------------------------------------------------------------------------------------------------


def at_once(driver: neo4j.Driver) -> str:
    """Whether the server would delete all that is due in one transaction; nothing is deleted."""
    every = "MATCH (c:Concept {memory: $memory, expires_epoch: 1}) DETACH DELETE c"
    with driver.session() as session:
        transaction = session.begin_transaction()
        try:
            transaction.run(every, memory=MEMORY).consume()
        except neo4j.exceptions.Neo4jError as error:
            return str(error.code).rsplit(".", 1)[-1]
        finally:
            transaction.close()  # undone either way
    return "possible"


def caring(setting: Setting, size: int, driver: neo4j.Driver, store: Neo4jGraphStore) -> list[Figure]:
    """``aesg.consolidate`` with nothing due, then ``aesg.prune`` of many while one writes and one reads."""
    consolidate = "CALL aesg.consolidate($memory)"
    idle = [timed(lambda: driver.execute_query(consolidate, memory=MEMORY)) for _ in range(25)][5:]
    due = min(DUE, size // 2)
    for first in range(1, due + 1, CHUNK):
        driver.execute_query(FADE, memory=MEMORY, first=first, last=min(first + CHUNK, due + 1))
    whole = at_once(driver)
    with busy(driver, due + 1, size) as others:
        began = time.perf_counter()
        pruned = driver.execute_query("CALL aesg.prune($memory)", memory=MEMORY).records[0]["pruned"]
        took = time.perf_counter() - began
    assert pruned == due, pruned
    counts = asdict(store.count())
    assert counts == asdict(store.recount()), counts
    note = ", ".join(f"{count:,} {what} meanwhile" for what, count in others.items())
    note += f"; in transactions of at most {TRANSACTION} MB, all in one: {whole}"
    goal = at_most(0.050, "ours") if size == SIZES[1] else None
    return [
        Figure(f"{size:,} concepts, nothing due: aesg.consolidate", median(idle), "s", goal=goal),
        Figure(f"{size:,} concepts, {due:,} due: aesg.prune", due / took, "/s", note=note),
    ]


@contextlib.contextmanager
def busy(driver: neo4j.Driver, low: int, high: int) -> Iterator[dict[str, int]]:
    """One that writes and one that reads among what is not due; how often each did."""
    done = {"writes": 0, "reads": 0}
    ended = threading.Event()

    def go_on(what: str, query: str) -> None:
        generator = np.random.default_rng(1)
        while not ended.is_set():
            driver.execute_query(query, memory=MEMORY, id=int(generator.integers(low, high)))
            done[what] += 1

    write = "MATCH (c:Concept {memory: $memory, id: $id}) SET c.relevance = c.relevance + 0.1"
    read = "CALL aesg.spread($memory, [[[$id, 1.0]]]) YIELD id, activation RETURN count(*)"
    threads = [threading.Thread(target=go_on, args=each) for each in (("writes", write), ("reads", read))]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        ended.set()
        for thread in threads:
            thread.join()
