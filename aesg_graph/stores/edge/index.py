"""Building a shard's index in a process of its own: whoever starts it need not load anything else."""

from __future__ import annotations

from pathlib import Path

from aesg_graph.stores.edge.store import EdgeVectorStore


def build_index(path: Path, vector_dim: int, value_dim: int) -> tuple[int, int, bool]:
    """Open a shard, optimise it, close it: how many points it has, how many are indexed, and if anything was done."""
    store = EdgeVectorStore.open(path, vector_dim, value_dim)
    try:
        done = store.optimize()
        return store.count(), store.indexed(), done
    finally:
        store.close()
