"""What a checkpoint is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from aesg_graph.memory import AESGMemory
from aesg_graph.training.callbacks.base import Callbacks
from aesg_graph.training.checkpoints.state import TrainingState

MODEL, OPTIMIZER, SCHEDULER, RANDOM = "model", "optimizer", "scheduler", "random"
CONFIG = "config.json"


@dataclass(frozen=True)
class Trained:
    """A model in training. ``order``, ``loaders``: the generators of the data's order."""

    model: nn.Module
    memories: list[tuple[str, AESGMemory]]
    optimizer: Optimizer
    scheduler: LRScheduler | None
    scaler: Any
    state: TrainingState
    callbacks: Callbacks
    order: torch.Generator
    loaders: list[torch.Generator]

    def weights(self) -> dict[str, Any]:
        """The model's state without what its memories say of themselves: they are in the checkpoint as a whole."""
        of_memories = {
            f"{name}._extra_state".removeprefix(".")
            for name, module in self.model.named_modules(remove_duplicate=False)
            if isinstance(module, AESGMemory)
        }
        return {name: value for name, value in self.model.state_dict().items() if name not in of_memories}


def file_of(what: str, rank: int | None = None) -> str:
    """The name of a state's file; of what each process has of its own with its rank."""
    return f"{what}.safetensors" if rank is None else f"{what}-{rank}.safetensors"


def folder_of(place: int, rank: int) -> str:
    """The folder of a model's memory, by its place among them and by process: ``memory`` for the only one."""
    name = "memory" if place == 0 else f"memory-{place}"
    return name if rank == 0 else f"rank-{rank}/{name}"


def class_of(thing: object) -> str | None:
    """How a checkpoint names a class; None for None."""
    return None if thing is None else type(thing).__qualname__
