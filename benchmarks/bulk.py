"""Bulk writing: how fast concepts and edges are accepted (journal and cache), and how fast they are in both stores."""

from __future__ import annotations

import time

import numpy as np
import worlds
from aesg.config import AESGConfig as OtherConfig
from aesg.memory.controller import AESGMemory as OtherMemory
from measuring import Figure, Goal, at_least
from settings import DIM, Setting
from worlds import FLUSH_SECONDS, World

from aesg_graph import AESGConfig, AESGMemory

TITLE = "Bulk creation: 64 dimensions"
VALUE_DIM = 10
LEAST_SIZE = 1_000
"""Smaller memories are over before the flusher has begun."""
ACCEPTED, THROUGH = at_least(100_000, "ours"), at_least(30_000, "ours")
GOAL_SIZE = 100_000
SAMPLE = 20_000
"""So many concepts and edges are added to ``aesg``."""


def measure(setting: Setting) -> list[Figure]:
    """Creation without and with values, and links, at every size that is large enough."""
    sizes = [size for size in setting.sizes if size >= min(LEAST_SIZE, setting.largest)]
    return [figure for size in sizes for figure in _one_size(setting, size)]


def _one_size(setting: Setting, size: int) -> list[Figure]:
    world = setting.world(size)
    nodes, edges = _others_rates(setting, world)
    figures = _with_values(setting, world, nodes)
    # What is built here is what the other subjects read.
    where = setting.directory / f"shared-{size}-{DIM}"
    config = AESGConfig(vector_dim=DIM, max_concepts=4 * size + 1000)
    with AESGMemory(where if not where.exists() else setting.place("bulk"), config) as memory:
        began = time.perf_counter()
        ids = memory.create(world.keys).numpy()
        figures += _rates(memory, began, size, f"{size:,} concepts, no values", nodes)
        began = time.perf_counter()
        worlds.link(memory, world, ids)
        figures += _rates(memory, began, len(world.sources), f"{len(world.sources):,} edges", edges, goals=False)
    return figures


def _with_values(setting: Setting, world: World, beside: float) -> list[Figure]:
    values = np.eye(VALUE_DIM, dtype=np.float32)[np.arange(len(world)) % VALUE_DIM]
    config = AESGConfig(vector_dim=DIM, value_dim=VALUE_DIM, max_concepts=4 * len(world) + 1000)
    with AESGMemory(setting.place("values"), config) as memory:
        began = time.perf_counter()
        memory.create(world.keys, values)
        return _rates(memory, began, len(world), f"{len(world):,} concepts, values of width {VALUE_DIM}", beside)


def _rates(memory: AESGMemory, began: float, count: int, case: str, beside: float, goals: bool = True) -> list[Figure]:
    """What has been accepted since ``began``, and then what has arrived in both stores."""
    accepted = time.perf_counter() - began
    memory.flush(FLUSH_SECONDS)
    through = time.perf_counter() - began
    goals = goals and count >= GOAL_SIZE

    def figure(name: str, seconds: float, goal: Goal) -> Figure:
        rate = count / seconds
        return Figure(f"{case}: {name}", rate, "/s", "aesg, a call each", beside, "faster", goal if goals else None)

    return [figure("accepted", accepted, ACCEPTED), figure("through to both stores", through, THROUGH)]


def _others_rates(setting: Setting, world: World) -> tuple[float, float]:
    """Concepts and edges a second of ``aesg``, from a sample: its calls cost the same in a memory of any size."""
    count = min(SAMPLE, len(world))
    config = OtherConfig(vector_dim=DIM, max_concepts=2 * len(world))
    storage = OtherMemory(str(setting.place("aesg-bulk")), config).storage
    began = time.perf_counter()
    for row in range(count):
        storage.add_node(row, world.keys[row])
    nodes = count / (time.perf_counter() - began)
    sources, targets, weights = (column[:count].tolist() for column in (world.sources, world.targets, world.weights))
    began = time.perf_counter()
    for source, target, weight in zip(sources, targets, weights, strict=True):
        storage.add_edge(source, target, weight)
    return nodes, len(sources) / (time.perf_counter() - began)
