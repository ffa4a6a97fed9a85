"""Importing what ``aesg`` made: its own calls make a directory, ``aesg import`` takes it in, and nothing is missing.

The time is that of the whole command in a process of its own, its start included; the memory is the most that process
ever had, files that it maps included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from aesg.config import AESGConfig as OtherConfig
from aesg.memory.controller import AESGMemory as OtherMemory
from measuring import Figure
from settings import DIM, Setting
from worlds import Ids, World

from aesg_graph.engine.moving import Place, sources
from aesg_graph.stores.portable import GraphRows

TITLE = "Importing a directory of aesg 3.0.0: degree 8, 64 dimensions"
SERVED_TITLE = f"{TITLE}, into Neo4j and Qdrant's protocol on the same machine"
LARGEST = 100_000
PRUNED = 50
"""Of every so many concepts one is merged away before it is saved, as ``aesg`` does with what is alike."""
PAGE = 10_000
WATCHED = """
import sys
from aesg_graph.cli import main
try:
    main()
finally:
    with open("/proc/self/status") as status:
        print(*(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""
"""The command, which says at last how much memory it ever had."""

Ends = npt.NDArray[np.uint64]


def measure(setting: Setting) -> list[Figure]:
    """Into a new embedded memory, again when everything is there, and to look alone."""
    size = min(setting.largest, LARGEST)
    folder, made = made_by_aesg(setting, size)
    place = setting.place("imported")
    figures = [made, *_taken(folder, str(place), {}, f"{size:,} concepts, embedded")]
    expect_everything(folder, Place.named(str(place)))
    again = _taken(folder, str(place), {}, f"{size:,} concepts, all there already")
    return [*figures, again[0], _taken(folder, "--dry-run", {}, f"{size:,} concepts, looked at alone")[0]]


def measure_served(setting: Setting) -> list[Figure]:
    """Into a new memory on servers that it starts."""
    from served import environment_of, servers

    size = min(setting.largest, LARGEST)
    folder, _ = made_by_aesg(setting, size)
    with servers(setting.place("servers")) as (_, _, settings):
        chosen = settings("imported")
        figures = _taken(folder, "served:imported", environment_of(chosen), f"{size:,} concepts, served")
        expect_everything(folder, Place(None, chosen))
    return figures


# -- what aesg makes ---------------------------------------------------------------------------------------------------


def made_by_aesg(setting: Setting, size: int) -> tuple[Path, Figure]:
    """The folder that ``aesg`` saved, made through its own calls, and what that took."""
    folder, world = setting.place("aesg-source"), setting.world(size)
    began = time.perf_counter()
    memory = OtherMemory(str(folder), OtherConfig(vector_dim=DIM, max_concepts=2 * size))
    _fill(memory, world)
    memory.save()
    took = time.perf_counter() - began
    edges = memory.storage.edge_count
    return folder, Figure(f"{size:,} concepts and {edges:,} edges: made and saved by aesg", took, "s")


def _fill(memory: OtherMemory, world: World) -> None:
    storage, engine = memory.storage, memory.cognitive_engine
    for key in torch.from_numpy(world.keys):
        engine.create_sensory_concept(key)
    ids = storage.nodes["id"][: len(world)].tolist()
    columns = (world.sources.tolist(), world.targets.tolist(), world.weights.tolist())
    for source, target, weight in zip(*columns, strict=True):
        storage.add_edge(source, ids[target], weight)
    for place in range(0, len(world) - 1, PRUNED):
        engine.merge_concepts(place, place + 1)


# -- ours --------------------------------------------------------------------------------------------------------------


def _taken(folder: Path, target: str, known: dict[str, str], case: str) -> list[Figure]:
    """The command, in a process of its own: seconds and memory."""
    where = [target] if target.startswith("--") else ["-d", target]
    command = [sys.executable, "-c", WATCHED, "import", str(folder), *where, "--json"]
    began = time.perf_counter()
    done = subprocess.run(command, env=os.environ | known, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"aesg import ended with {done.returncode}: {done.stderr}")
    return [Figure(case, took, "s"), Figure(f"{case}: most memory", int(done.stderr.split()[-2]) / 1024, "MB")]


def expect_everything(folder: Path, place: Place) -> None:
    """RuntimeError unless the memory has every active concept of the folder, its key, and every edge between them."""
    other = OtherMemory(str(folder), OtherConfig(vector_dim=DIM, max_concepts=1)).storage
    nodes, edges = other.nodes[: other.node_count], other.edges[: other.edge_count]
    active = nodes[nodes["is_active"] == 1]
    with sources.opened(place) as source:
        texts, ends, keys = _read(source)
    if texts != Counter(active["id"].tolist()):
        raise RuntimeError(f"{len(active)} active concepts were to come, {texts.total()} are there, or others")
    wanted = active["vector"] / np.linalg.norm(active["vector"], axis=1, keepdims=True)
    order = np.argsort(active["id"], kind="stable")
    # Ids are drawn at random: a few can be those of two concepts, whose order is open.
    single = np.array([texts[id] == 1 for id in active["id"][order].tolist()])
    if not np.allclose(keys[single], wanted[order][single], atol=1e-6):
        raise RuntimeError("keys differ from the vectors of aesg")
    between = np.isin(edges["source_id"], active["id"]) & np.isin(edges["target_id"], active["id"])
    pairs = _pairs(edges["source_id"][between], edges["target_id"][between])
    if not np.array_equal(pairs, ends):
        raise RuntimeError(f"{len(pairs)} edges were to come, {len(ends)} are there")


def _read(source: sources.Source) -> tuple[Counter[int], Ends, npt.NDArray[np.float32]]:
    """How often each old id is there, every pair of old ids that an edge joins, and keys in the order of old ids."""
    ids, old, lows, highs, keys = [], [], [], [], []
    for page in _pages(source):
        ids.append(page.concepts.table.ids)
        old.append(np.array([int(str(t).removeprefix("aesg id ")) for t in page.concepts.table.texts], np.uint64))
        keys.append(source.vectors.fetch(ids[-1]).keys)
        lows.append(page.edges.sources)
        highs.append(page.edges.targets)
    known, names = np.concatenate(ids), np.concatenate(old)

    def renamed(ends: list[Ids]) -> Ends:
        return names[np.searchsorted(known, np.concatenate(ends))]

    order = np.argsort(names, kind="stable")
    return Counter(names.tolist()), _pairs(renamed(lows), renamed(highs)), np.concatenate(keys)[order]


def _pages(source: sources.Source) -> Iterator[GraphRows]:
    after = -1
    while len((page := source.graph.page(after, PAGE)).concepts):
        after = int(page.concepts.table.ids[-1])
        yield page


def _pairs(one: Ends, other: Ends) -> Ends:
    """Pairs of different ids [M, 2], the lower first, ascending and once each."""
    both = np.stack([np.minimum(one, other), np.maximum(one, other)], axis=1)
    return np.unique(both[both[:, 0] != both[:, 1]], axis=0)
