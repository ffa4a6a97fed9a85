"""What tests of reorganisation share: near pairs, uses, edges, and what became of what merged."""

import itertools

import numpy as np
import torch
from memory_scenes import D, rows

from aesg_graph.operations import Touch

QUIET = {"seeds": 1, "abstraction_enabled": False}


def pairs(count, seed=0, apart=0.02, width=D):
    """``count`` directions, and as many again that are near to them."""
    first = rows(count, seed, width)
    return torch.cat([first, first + apart * first.norm(dim=1, keepdim=True) * rows(count, seed + 1, width)])


def touch(memory, ids, n=1):
    """So many uses of each, as a lesson would record them."""
    each = np.full(len(ids), n, np.int64)
    memory.engine.write(Touch(np.asarray(ids), each, 0 * each, memory.engine.recorder.epoch))


def join(memory, ids, weight=0.9):
    """An edge between every two."""
    ends = list(itertools.combinations([int(id) for id in ids], 2))
    memory.link(*zip(*ends, strict=True), "ASSOCIATION", [weight] * len(ends))


def into(memory, id):
    """What a concept is now."""
    memory.flush()
    graph = memory.engine.residency.graph
    while (tomb := graph.tombstones(np.array([id]))).ids.size:
        id = int(tomb.into[0])
    return id
