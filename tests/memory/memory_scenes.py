"""What tests of the memory share: small memories, and what can be known of one from outside."""

from pathlib import Path

import numpy as np
import torch
from sparse_files import digest

from aesg_graph import AESGConfig, StoreSettings

D, V = 8, 3


def config(**changes):
    """A small memory that takes whatever is new at once."""
    usual = {"vector_dim": D, "value_dim": V, "novelty_birth_threshold": 1}
    return AESGConfig(**{**usual, **changes})


def tiny_cache(**changes):
    """Room for 64 concepts, the least that a cache keeps."""
    return StoreSettings(cache_bytes=4096, **changes)


def rows(count, seed=0, width=D):
    """Random rows [count, width]; fewer of the same seed are the first of them."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, width), np.float32))


def unit(array):
    array = np.asarray(array, np.float64)
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def axis(number, width=D):
    """A unit vector along one axis."""
    vector = torch.zeros(width)
    vector[number] = 1.0
    return vector


def hashes(directory, aside=("lock",)):
    """Every file below a directory, and a digest of its bytes, the lock aside.

    ``*-shm`` holds SQLite's locks and nothing else: readers register there.
    """
    found = {}
    for file in sorted(Path(directory).rglob("*")):
        name = file.relative_to(directory).as_posix()
        if file.is_file() and name not in aside and not name.endswith("-shm"):
            found[name] = digest(file)
    return found


def written(memory):
    """All that a lesson would change: sequence, counts, and every file once the stores have everything.

    Not when concepts were last looked at, which the cache notes.
    """
    memory.flush()
    engine = memory.engine
    counts = engine.residency.graph.count()
    return engine.position, engine.changes, counts, hashes(memory.directory, aside=("lock", "cache/used.bin"))


def edges(memory):
    """Every edge: (source, target, type) to (weight, use count)."""
    memory.flush()
    page = memory.engine.residency.graph.page(-1, 1_000_000)
    names = memory.config.vocabulary.names
    table = page.edges
    return {
        (int(s), int(t), names[k]): (float(w), int(n))
        for s, t, k, w, n in zip(
            table.sources, table.targets, table.types, table.weights, table.use_counts, strict=True
        )
    }


def uses(memory):
    """Every concept's (use_frequency, contradictions), by id."""
    nodes = memory.engine.residency.graph.page(-1, 1_000_000, edges=False).concepts if not memory.flush() else None
    return {
        int(i): (int(u), int(c)) for i, u, c in zip(nodes.ids, nodes.use_frequency, nodes.contradictions, strict=True)
    }
