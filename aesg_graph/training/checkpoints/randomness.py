"""Where the generators of random numbers stand: python's, numpy's, torch's, and those that order the data.

And by how many threads torch adds up, which decides the last bit of a sum.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

log = logging.getLogger("aesg_graph")


def random_state(own: torch.Generator, loader: Sequence[torch.Generator]) -> dict[str, Any]:
    """All states of this process as a tree. ``own`` orders the trainer's data, ``loader`` are a user's loader's."""
    kind, keys, place, has_gauss, gauss = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [str(kind), torch.from_numpy(np.asarray(keys, np.int64)), int(place), int(has_gauss), float(gauss)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "trainer": own.get_state(),
        "loader": [generator.get_state() for generator in loader],
        "threads": torch.get_num_threads(),
    }


def set_random_state(state: dict[str, Any], own: torch.Generator) -> list[torch.Tensor]:
    """Let every generator stand where it stood; the states of the user's loader, which the next fit() gives it."""
    random.setstate(state["python"])
    kind, keys, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    own.set_state(state["trainer"])
    if (threads := torch.get_num_threads()) != state["threads"]:
        log.warning(
            "the checkpoint was saved with %d threads of torch, here are %d: the last bits of losses may differ; "
            "torch.set_num_threads() sets them",
            state["threads"],
            threads,
        )
    loader: list[torch.Tensor] = state["loader"]
    return loader
