"""One writing process of the benchmark ``served``: at "go" it records lessons, and says when both servers have them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from aesg_graph.concepts import COUNTER_BITS
from aesg_graph.config import AESGConfig, StoreSettings
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.operations import Create, Link

DIM, WIDTH, ROWS, WARM = 64, 10, 32, 4000
NEAR = 20_000
"""Edges go to one of so many of the writer's latest concepts."""


def lesson(engine: MemoryEngine, chance: np.random.Generator) -> None:
    """32 concepts, each with its vectors, an edge to an older one and one from an older one."""
    ids = engine.recorder.allocate(ROWS)
    keys = chance.standard_normal((ROWS, DIM)).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    values = chance.standard_normal((ROWS, WIDTH)).astype(np.float32)
    operations: list[Create | Link] = [Create(ids, keys, values, np.ones(ROWS, np.bool_), "concept", 0)]
    first = int(ids[0]) & ((1 << COUNTER_BITS) - 1)
    if first > 1:
        older = chance.integers(max(1, first - NEAR), first, (2, ROWS)) | (int(ids[0]) >> COUNTER_BITS << COUNTER_BITS)
        weights, uses = np.full(ROWS, 0.5, np.float32), np.zeros(ROWS, np.int64)
        operations += [
            Link("SIMILARITY", ids, older[0], weights, uses, 0),
            Link("TEMPORAL", older[1], ids, weights, uses, 0),
        ]
    engine.recorder.record(operations)


def main() -> None:
    count, directory = int(sys.argv[1]), Path(sys.argv[-1])
    config = AESGConfig(vector_dim=DIM, value_dim=WIDTH)
    engine = MemoryEngine(directory, config, StoreSettings(flush_timeout=600))
    chance = np.random.default_rng(engine._backend.writer)
    for _ in range(min(count, WARM) // ROWS):
        lesson(engine, chance)
    engine.flush()
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count // ROWS):
        lesson(engine, chance)
    engine.flush()
    print("done", flush=True)
    engine.close()


if __name__ == "__main__":
    main()
