"""The served engine: a real Neo4j and a server of Qdrant's protocol, both on this machine, which they share with us.

The vector server is the one that the tests use (Qdrant Edge behind gRPC); a real Qdrant may be faster or slower.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import worlds
from measuring import Figure, at_least, at_most, in_turn, over, rounds_within, timed
from settings import DIM, Setting

sys.path.insert(0, str(Path(__file__).parents[1]))

from aesg_graph import AESGConfig, AESGMemory, StoreSettings
from tests.servers.neo4j_server import Neo4jServer
from tests.servers.qdrant_server import QdrantTestServer

TITLE = "The served engine: Neo4j and Qdrant's protocol over gRPC on the same machine"
WIDTH = 10
ROWS = 32
BATCHES = 64
WRITERS = 8
LESSONS = 20_000
GOAL_SIZE = 100_000
HERE = Path(__file__).parent
PIPED: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


def measure(setting: Setting) -> list[Figure]:
    """Writing with one and with eight processes, then one memory of the largest size: warm, cold, beside a hang."""
    size = min(setting.largest, GOAL_SIZE)
    with servers(setting.place("servers")) as (graph, vectors, settings):
        figures = writing(setting, settings, min(LESSONS, 20 * size))
        figures += reading(setting, settings, size)
        figures.append(travelling(setting, settings))
        figures += hanging(setting, settings, size, (graph, vectors))
        figures.append(checking(setting, settings, size))
    return figures


@contextlib.contextmanager
def servers(root: Path) -> Iterator[tuple[Neo4jServer, QdrantTestServer, Callable[..., StoreSettings]]]:
    """Both servers, and what makes the settings of a memory by name on them."""
    from aesg_graph.stores.neo4j.migrating import apply

    with Neo4jServer.create(root / "neo4j") as graph, QdrantTestServer.create(root / "qdrant") as vectors:

        def settings(memory: str, **more: Any) -> StoreSettings:
            known = {"graph": graph.url, "password": graph.password, "vectors": vectors.url}
            return StoreSettings(memory=memory, grpc_port=vectors.grpc_port, flush_timeout=600.0, **(known | more))

        apply(settings("none"))
        yield graph, vectors, settings


# -- writing -----------------------------------------------------------------------------------------------------------


def writing(setting: Setting, settings: Callable[..., StoreSettings], lessons: int) -> list[Figure]:
    """Lessons through to both servers: a concept with its vector and two edges each, 32 in a batch."""
    figures = []
    for writers in (1, WRITERS):
        name = f"writing-{writers}"
        rate = _rate(setting.place(name), settings(name), writers, lessons)
        case = f"{lessons:,} lessons (a concept, its vectors, two edges), writing processes: {writers}"
        goal = at_least(2500, "ours") if writers == 1 and lessons == LESSONS else None
        figures.append(Figure(case, rate, "/s", goal=goal, note="after a warm-up"))
    return figures


def _rate(place: Path, settings: StoreSettings, writers: int, lessons: int) -> float:
    command = [sys.executable, str(HERE / "served_writer.py"), str(lessons // writers)]
    environment = environment_of(settings)
    children = [subprocess.Popen([*command, str(place / str(n))], env=environment, **PIPED) for n in range(writers)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
    took = time.perf_counter() - began
    for child in children:
        child.communicate()
    return lessons // writers * writers / took


def _secret(settings: StoreSettings) -> str:
    assert settings.password is not None
    return settings.password.get_secret_value()


def environment_of(settings: StoreSettings) -> dict[str, str]:
    """What a process has to be told to work on the same memory."""
    told = {name: str(getattr(settings, name)) for name in ("graph", "vectors", "grpc_port", "memory")}
    return os.environ | {f"AESG_{k.upper()}": v for k, v in told.items()} | {"AESG_PASSWORD": _secret(settings)}


# -- reading -----------------------------------------------------------------------------------------------------------


def reading(setting: Setting, settings: Callable[..., StoreSettings], size: int) -> list[Figure]:
    """The same memory in either engine, all resident; then the served one with a cache that has next to nothing."""
    world = setting.world(size)
    memory, _ = worlds.ours(setting.place("warm"), world, stores=settings("reading"))
    embedded, _ = setting.opened(size)
    with memory, embedded:
        figures = [_beside(setting, memory, embedded, size, rows) for rows in (1, ROWS)]
    return figures + [_cold(setting, settings("reading", cache_bytes=4096), size, rows) for rows in (1, ROWS)]


def _beside(setting: Setting, memory: AESGMemory, embedded: AESGMemory, size: int, rows: int) -> Figure:
    batches = [setting.world(size).queries(rows, seed=100 + n) for n in range(BATCHES)]
    sides = {"served": over(memory.retrieve, batches), "embedded": over(embedded.retrieve, batches)}
    took = in_turn(sides, rounds_within(sides, setting.seconds, 20, setting.rounds))
    case = f"{size:,} concepts, all resident: recall of {rows} row{'s'[: rows - 1]}"
    goal = at_most(1.2) if size == GOAL_SIZE else None
    return Figure(case, took["served"], "s", "the embedded engine", took["embedded"], "cost", goal)


def _cold(setting: Setting, settings: StoreSettings, size: int, rows: int) -> Figure:
    """Every call asks for something else, so that little of it is in the cache."""
    with AESGMemory(setting.place("cold"), None, stores=settings).eval() as memory:
        memory.set_mode("INFERENCE")
        batches = [setting.world(size).queries(rows, seed=1000 + n) for n in range(max(8, min(100, setting.rounds)))]
        memory.retrieve(batches[0])
        seconds = [timed(lambda batch=batch: memory.retrieve(batch)) for batch in batches[1:]]  # type: ignore[misc]
    slowest = quantiles(seconds, n=100)[98] if len(seconds) > 1 else seconds[0]
    case = f"{size:,} concepts, cache with room for 64: recall of {rows} row{'s'[: rows - 1]}, p50"
    return Figure(case, median(seconds), "s", note=f"p99 {1e3 * slowest:.0f} ms")


# -- between processes -------------------------------------------------------------------------------------------------


def travelling(setting: Setting, settings: Callable[..., StoreSettings]) -> Figure:
    """From a lesson's acknowledgement in one process to its recall in another, which looks every 50 ms."""
    chosen = settings("travelling", refresh_interval=0.05)
    config = AESGConfig(vector_dim=DIM, novelty_birth_threshold=1)
    environment = environment_of(chosen) | {"AESG_REFRESH_INTERVAL": "0.05"}
    with AESGMemory(setting.place("teller"), config, stores=chosen) as memory:
        command = [sys.executable, str(HERE / "served_listener.py"), str(setting.place("listener"))]
        child = subprocess.Popen(command, env=environment, **PIPED)
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        keys = np.random.default_rng(5).standard_normal((40, DIM)).astype(np.float32)
        seconds = []
        for row in range(max(5, min(40, setting.rounds))):
            child.stdin.write(json.dumps(keys[row].tolist()) + "\n")
            child.stdin.flush()
            began = time.time()
            memory.create(keys[row : row + 1])
            seconds.append(float(child.stdout.readline()) - began)
        child.communicate()
    slowest = max(seconds)
    note = f"refresh_interval 50 ms; slowest of {len(seconds)}: {1e3 * slowest:.0f} ms"
    return Figure("a lesson until another process recalls it, median", median(seconds), "s", note=note)


# -- beside servers that hang ------------------------------------------------------------------------------------------


def hanging(
    setting: Setting, settings: Callable[..., StoreSettings], size: int, both: tuple[Neo4jServer, QdrantTestServer]
) -> list[Figure]:
    """Forward and learn of 32 rows: with both servers well, and with both hanging, in turn."""
    memory = AESGMemory(setting.place("hanging"), None, stores=settings("reading", request_timeout=5.0))
    batches = [setting.world(size).queries(ROWS, seed=100 + n) for n in range(BATCHES)]
    learn = over(lambda query: memory.retrieve(query, learn=True), batches)
    well: list[float] = []
    hung: list[float] = []
    rounds = max(5, min(60, setting.rounds))
    with memory:
        for _ in range(3):
            learn()
        for _ in range(3):
            well += [timed(learn) for _ in range(rounds)]
            memory.flush()
            for server in both:
                server.pause()
            try:
                time.sleep(0.2)
                hung += [timed(learn) for _ in range(rounds)]
            finally:
                for server in both:
                    server.resume()
            memory.flush()
    goal = at_most(1.5) if size == GOAL_SIZE else None
    case = f"{size:,} concepts resident: forward and learn of {ROWS} rows, both servers hanging"
    return [Figure(case, median(hung), "s", "both servers well", median(well), "cost", goal)]


# -- checking ----------------------------------------------------------------------------------------------------------


def checking(setting: Setting, settings: Callable[..., StoreSettings], size: int) -> Figure:
    """``aesg check`` over both servers, on the memory that was read."""
    double = 2 * size
    memory, _ = worlds.ours(setting.place("checked"), setting.world(double), stores=settings("checked"))
    memory.close()
    command = [sys.executable, "-m", "aesg_graph.cli", "check", "--json"]
    began = time.perf_counter()
    run = subprocess.run(command, env=environment_of(settings("checked")), capture_output=True, text=True, cwd="/")
    took = time.perf_counter() - began
    assert run.returncode == 0, run.stdout + run.stderr
    note = f"{took:.0f} s in all, starting the command included"
    return Figure(f"{double:,} concepts: check over both servers", double / took, "/s", note=note)
