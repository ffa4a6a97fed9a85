"""What tests of packs share: a small memory about birds, another about numbers, and packs of them."""

import numpy as np
import torch

from aesg_graph import AESGConfig

D, V, N = 8, 3, 40
BIRDS = AESGConfig(vector_dim=D, value_dim=V, relations={"EATS": (0.7, 0.2)}, novelty_birth_threshold=1)


def rows(count, seed, width=D):
    """Random rows [count, width]."""
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def fill(memory):
    """Forty concepts of three kinds, most with values, a chain and a few edges of a declared type. Their ids."""
    ids = memory.create(
        rows(N // 2, 1),
        rows(N // 2, 2, V),
        names=[f"bird {i}" if i else None for i in range(N // 2)],
        texts=["Vögel fliegen", *[None] * (N // 2 - 1)],
        sources=[f"{i}.txt" for i in range(N // 2)],
        kind="bird",
    )
    others = memory.create(rows(N // 2 - 4, 3))
    wrens = memory.create(rows(4, 4), rows(4, 5, V), names=["a", None, "b", "ü"], kind="wren")
    ids = torch.cat([ids, others, wrens])
    memory.link(ids[:-1], ids[1:], "CAUSAL", np.linspace(0.3, 0.9, N - 1))
    memory.link(ids[:5], ids[10:15], "EATS", np.full(5, 0.5))
    memory.link(wrens[:1], wrens[2:3], "EATS")
    for _ in range(3):
        memory.link(ids[:1], ids[1:2], "CAUSAL")
    return ids


def told(memory, queries, **more):
    """What a memory answers, as arrays."""
    found = memory.retrieve(torch.as_tensor(queries), learn=False, **more)
    fields = ("ids", "energies", "vectors", "values", "has_value", "stability", "explanation", "novel")
    return {name: getattr(found, name).numpy() for name in fields if getattr(found, name) is not None}


def same(first, second):
    """Whether two answers are equal to the last bit."""
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
