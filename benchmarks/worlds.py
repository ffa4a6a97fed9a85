"""What is measured on: random concepts with random edges, in our memory, in ``aesg`` and as a plain matrix."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from aesg.config import AESGConfig as OtherConfig
from aesg.memory.controller import AESGMemory as OtherMemory
from rich.console import Console
from rich.progress import track

from aesg_graph import AESGConfig, AESGMemory, StoreSettings

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

DEGREE = 8
LINKS_AT_ONCE = 1 << 18
FLUSH_SECONDS = 1800.0
LOOP_LIMIT = 360.0
"""Seconds that filling ``aesg`` through its own API may take; a larger memory is filled by array writes."""


@dataclass(frozen=True, eq=False)
class World:
    """N unit keys [N, D], and edges between them: M rows of two positions and a weight."""

    keys: Floats
    sources: Ids
    targets: Ids
    weights: Floats

    def __len__(self) -> int:
        return len(self.keys)

    def without_edges(self) -> World:
        """The same concepts alone."""
        return World(self.keys, self.sources[:0], self.targets[:0], self.weights[:0])

    def queries(self, rows: int, seed: int = 1) -> torch.Tensor:
        """Queries [rows, D]: keys of random concepts, with as much noise again as would make a cosine of about 0.8."""
        generator = np.random.default_rng(seed)
        noise = generator.standard_normal((rows, self.keys.shape[1])).astype(np.float32)
        noise *= 0.75 / np.sqrt(self.keys.shape[1])
        return torch.from_numpy(self.keys[generator.integers(0, len(self), rows)] + noise)


def world(count: int, dim: int, seed: int = 0, degree: int = DEGREE) -> World:
    """``count`` concepts, each with degree / 2 edges out and as many in, but for a few that would come twice."""
    generator = np.random.default_rng(seed)
    keys = generator.standard_normal((count, dim), np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    sources = np.tile(np.arange(count, dtype=np.int64), degree // 2)
    targets = np.concatenate([generator.permutation(count) for _ in range(degree // 2)])
    pairs = np.minimum(sources, targets) * count + np.maximum(sources, targets)
    _, kept = np.unique(pairs, return_index=True)
    kept = np.sort(kept[sources[kept] != targets[kept]])
    weights = generator.uniform(0.3, 0.9, len(kept)).astype(np.float32)
    return World(keys, sources[kept], targets[kept], weights)


# -- ours --------------------------------------------------------------------------------------------------------------


def ours(
    directory: Path, world: World, value_dim: int = 0, stores: StoreSettings | None = None, **parameters: Any
) -> tuple[AESGMemory, Ids]:
    """A memory of this world, flushed and in eval mode, and the concepts' ids. ``parameters`` as in AESGConfig."""
    settings = {"max_concepts": max(4 * len(world), 1000), **parameters}
    config = AESGConfig(vector_dim=world.keys.shape[1], value_dim=value_dim, **settings)
    memory = AESGMemory(directory, config, stores=stores).eval()
    ids = memory.create(world.keys).numpy()
    link(memory, world, ids)
    memory.flush(FLUSH_SECONDS)
    return memory, ids


def link(memory: AESGMemory, world: World, ids: Ids) -> None:
    """Give a memory the world's edges."""
    for start in range(0, len(world.sources), LINKS_AT_ONCE):
        part = slice(start, start + LINKS_AT_ONCE)
        memory.link(ids[world.sources[part]], ids[world.targets[part]], "SIMILARITY", world.weights[part])


# -- aesg --------------------------------------------------------------------------------------------------------------


def others(directory: Path, world: World) -> tuple[OtherMemory, str]:
    """``aesg`` with the same concepts and the same edges, each in both directions, and how it was filled."""
    # Its room for edges is five times max_concepts: twice the count holds degree 8.
    config = OtherConfig(vector_dim=world.keys.shape[1], max_concepts=2 * len(world), memory_mode="INFERENCE")
    memory = OtherMemory(str(directory), config)
    sample = min(len(world), 2000)
    took = _fill_by_calls(memory, world, slice(0, sample), f"aesg.add_node, add_edge: {sample:,}")
    expected = took * len(world) / sample
    if expected > LOOP_LIMIT:
        storage = memory.storage
        by_calls = storage.nodes[:sample].copy(), storage.edges[: storage.edge_count].copy()
        fill_by_arrays(memory, world)
        expect_equal(storage.nodes[:sample], by_calls[0])
        expect_equal(storage.edges[: len(by_calls[1])], by_calls[1])
        return memory, f"filled by array writes: its own API would have taken {expected / 60:.0f} minutes"
    took += _fill_by_calls(memory, world, slice(sample, len(world)), f"aesg.add_node, add_edge: {len(world):,}")
    return memory, f"filled through its own API in {took:.0f} s"


def expect_equal(by_arrays: npt.NDArray[Any], by_calls: npt.NDArray[Any]) -> None:
    """RuntimeError unless rows that were written at once are as ``aesg``'s own calls write them, but for the time."""
    for name in set(by_calls.dtype.names or ()) - {"created_at", "modified_at"}:
        if not np.array_equal(by_arrays[name], by_calls[name]):
            raise RuntimeError(f"aesg's {name} differ between its own calls and writing its arrays")


def edges_in_order(world: World) -> tuple[Ids, Ids, Floats]:
    """Every edge in both directions, in the order of where it starts."""
    starts, ends = np.concatenate([world.sources, world.targets]), np.concatenate([world.targets, world.sources])
    order = np.argsort(starts, kind="stable")
    return starts[order], ends[order], np.concatenate([world.weights, world.weights])[order]


def _fill_by_calls(memory: OtherMemory, world: World, part: slice, label: str) -> float:
    storage = memory.storage
    rows = range(*part.indices(len(world)))
    began = time.perf_counter()
    for row in track(rows, f"  {label} nodes", disable=not Console().is_terminal, transient=True):
        storage.add_node(row, world.keys[row])
    starts, ends, weights = edges_in_order(world)
    edges = np.flatnonzero((starts >= part.start) & (starts < part.stop))
    for edge in track(edges.tolist(), f"  {label} edges", disable=not Console().is_terminal, transient=True):
        storage.add_edge(int(starts[edge]), int(ends[edge]), float(weights[edge]))
    return time.perf_counter() - began


def fill_by_arrays(memory: OtherMemory, world: World) -> None:
    """Write into ``aesg``'s arrays, at once, what its add_node and add_edge would have written."""
    storage, count = memory.storage, len(world)
    starts, ends, weights = edges_in_order(world)
    nodes, edges = storage.nodes[:count], storage.edges[: len(starts)]
    nodes["id"], nodes["vector"] = np.arange(count), world.keys
    nodes["created_at"] = nodes["modified_at"] = int(time.time())
    nodes["use_frequency"] = nodes["age"] = nodes["region_id"] = 0
    nodes["relevance"], nodes["stability"], nodes["is_active"] = 1.0, 0.5, 1
    edges["source_id"], edges["target_id"], edges["weight"] = starts, ends, weights
    edges["confidence"], edges["use_count"] = 1.0, 0
    # A node's edges are a list that begins with the last one added.
    first = np.ones(len(starts), np.bool_)
    first[1:] = starts[1:] != starts[:-1]
    edges["next_edge_idx"] = np.where(first, -1, np.arange(len(starts)) - 1)
    nodes["head_edge_idx"] = -1
    last = np.flatnonzero(np.append(first[1:], True))[: len(starts)]
    nodes["head_edge_idx"][starts[last]] = last
    storage.node_count, storage.edge_count = count, len(starts)
