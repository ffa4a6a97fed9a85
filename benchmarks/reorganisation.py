"""Reorganisation of a memory in which merges, splits, regions and abstractions do occur, on both engines.

A tenth of the concepts are near copies of others, a few are hubs with far more edges than a concept may have, the rest
stand in groups that are joined to one another more than to the others, some of them around one direction. Each
concept's own key is asked before and after: what merged into another is found if the other is.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import worlds
from measuring import Figure
from settings import DIM, Setting
from worlds import FLUSH_SECONDS, Ids, World

from aesg_graph import AESGMemory, StoreSettings

TITLE = "Reorganisation: merges, splits, regions and abstractions of one memory"
GROUP = 50
WITHIN = 0.8
"""The share of edges that stay in a group."""
DENSE = 0.1
"""The share of groups that lie around one direction."""
COPIES = 0.1
HUBS, RAYS, LIMIT = 20, 500, 100
"""So many concepts have so many edges, where only so many are allowed."""
ASKED = 512
QUESTIONS = 20_000
PAGE = 8192


def measure(setting: Setting) -> list[Figure]:
    """The embedded engine, at the largest size."""
    return _measured(setting, setting.place("reorganisation"), None)


def measure_served(setting: Setting) -> list[Figure]:
    """The same memory on servers."""
    from served import servers

    with servers(setting.place("servers")) as (_, _, settings):
        return _measured(setting, setting.place("reorganisation-served"), settings("reorganisation"))


def _measured(setting: Setting, place: Path, stores: StoreSettings | None) -> list[Figure]:
    size = setting.largest
    memory, ids = worlds.ours(place, world(size), stores=stores, max_edges_per_node=LIMIT, max_concepts=4 * size)
    with memory:
        memory.train()
        asked = np.random.default_rng(3).choice(size, min(size, QUESTIONS), replace=False)
        keys = world(size).keys[asked]
        before = found_by_key(memory, ids[asked], keys)
        figures = []
        for run in ("the first", "a second, with nothing new"):
            with watched() as seen:
                began = time.perf_counter()
                done = memory.reorganise()
                accepted = time.perf_counter() - began
                memory.flush(FLUSH_SECONDS)
                through = time.perf_counter() - began
            if done is None:
                raise RuntimeError("the memory was not reorganised, expected TRAIN")
            note = f"{done.merged:,} merged, {done.split:,} split off, {done.regions:,} regions, {done.moved:,} moved, "
            case = f"{size:,} concepts of degree 8, {run}"
            figures += [
                Figure(f"{case}: acknowledged", accepted, "s", note=note + f"{done.abstractions:,} abstractions"),
                Figure(f"{case}: through to both stores", through, "s"),
                Figure(f"{case}: more resident memory at its peak", seen.more, "MB", note=f"{seen.before:,.0f} before"),
            ]
        after = found_by_key(memory, ids[asked], keys)
    what = "recall@1 of their own keys"
    for place, how in enumerate(("nearest", "most active")):
        figures += [
            Figure(f"{size:,} concepts: {what}, {how}, before", before[place], "loss"),
            Figure(f"{size:,} concepts: {what}, {how}, after", after[place], "loss", note="merged: its heir"),
        ]
    return figures


# -- the world ---------------------------------------------------------------------------------------------------------


def world(count: int) -> World:
    """``count`` concepts in groups, with near copies and hubs."""
    random = np.random.default_rng(11)
    keys = random.standard_normal((count, DIM), np.float32)
    groups = np.arange(count) // GROUP
    centres = random.standard_normal((groups[-1] + 1, DIM), np.float32)
    dense = random.random(len(centres)) < DENSE
    keys += np.where(dense, 1.2, 0.0).astype(np.float32)[groups, None] * centres[groups]
    copies = random.choice(count, int(COPIES * count), replace=False)
    originals = np.where(copies >= count // 2, copies - count // 2, copies + count // 2)
    keys[copies] = keys[originals] + 0.1 * random.standard_normal((len(copies), DIM), np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    sources, targets = _edges(count, random)
    return World(keys, sources, targets, random.uniform(0.3, 0.9, len(sources)).astype(np.float32))


def _edges(count: int, random: np.random.Generator) -> tuple[Ids, Ids]:
    sources = np.repeat(np.arange(count), worlds.DEGREE // 2)
    near = sources // GROUP * GROUP + random.integers(0, GROUP, len(sources))
    targets = np.where(random.random(len(sources)) < WITHIN, near, random.integers(0, count, len(sources)))
    hubs = random.choice(count, HUBS, replace=False)
    rays = min(RAYS, count // 2)
    sources = np.concatenate([sources, np.repeat(hubs, rays)])
    targets = np.concatenate([np.minimum(targets, count - 1), random.integers(0, count, HUBS * rays)])
    low, high = np.minimum(sources, targets), np.maximum(sources, targets)
    pairs = np.unique(low * count + high)
    low, high = pairs // count, pairs % count
    return low[low != high], high[low != high]


# -- what is measured --------------------------------------------------------------------------------------------------


def found_by_key(memory: AESGMemory, ids: Ids, keys: worlds.Floats) -> tuple[float, float]:
    """The share of concepts of which they, or their heirs, are the nearest to their own key, and the most active."""
    engine, now = memory.engine, heirs(memory, ids)
    nearest, strongest = [], []
    for start in range(0, len(keys), ASKED):
        recalled = engine.recall(engine.query(keys[start : start + ASKED]))
        nearest.append(recalled.seeds.ids[:, 0])
        strongest.append(recalled.strongest)
    return float((np.concatenate(nearest) == now).mean()), float((np.concatenate(strongest) == now).mean())


def heirs(memory: AESGMemory, ids: Ids) -> Ids:
    """What each concept is now: itself, or what it merged into."""
    now, graph = ids.copy(), memory.engine.residency.graph
    while True:
        gone = [graph.tombstones(np.unique(now[start : start + PAGE])) for start in range(0, len(now), PAGE)]
        into = {int(a): int(b) for tombs in gone for a, b in zip(tombs.ids, tombs.into, strict=True) if b >= 0}
        moved = np.array([into.get(id, id) for id in now.tolist()], np.int64)
        if (moved == now).all():
            return now
        now = moved


class Watch:
    """Resident memory of this process, in megabytes: before, and how much more at its highest."""

    def __init__(self) -> None:
        self.before = self.highest = resident()

    @property
    def more(self) -> float:
        """How much more it was at its highest."""
        return self.highest - self.before


@contextmanager
def watched() -> Iterator[Watch]:
    """Look every 20 ms."""
    watch, over = Watch(), threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            watch.highest = max(watch.highest, resident())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield watch
    finally:
        over.set()
        looking.join()


def resident() -> float:
    """Megabytes that are resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
