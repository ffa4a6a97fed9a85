"""Writing a checkpoint."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from aesg_graph.engine.moving.snapshots import take_snapshot
from aesg_graph.training.checkpoints.folder import STATE, draft_of, write_json, written
from aesg_graph.training.checkpoints.randomness import random_state
from aesg_graph.training.checkpoints.trained import (
    CONFIG,
    MODEL,
    OPTIMIZER,
    RANDOM,
    SCHEDULER,
    Trained,
    class_of,
    file_of,
    folder_of,
)
from aesg_graph.training.checkpoints.tree import save_tree

if TYPE_CHECKING:
    from accelerate import Accelerator


def write_checkpoint(path: Path, trained: Trained, accelerator: Accelerator) -> None:
    """Write a checkpoint to ``path``, which is there as a whole or not at all (see ``AESGTrainer.save``).

    Of several processes the main one writes what they share, each what is its own, and the main one puts it in place.
    """
    rank = accelerator.process_index
    if rank == 0:
        with written(path) as draft:
            accelerator.wait_for_everyone()  # there is a folder to write into
            _write_shared(draft, trained, accelerator.num_processes)
            _write_own(draft, trained, rank)
            accelerator.wait_for_everyone()  # everything is in it
    else:
        accelerator.wait_for_everyone()
        _write_own(draft_of(path), trained, rank)
        accelerator.wait_for_everyone()
    accelerator.wait_for_everyone()  # it is in its place


def _write_shared(draft: Path, trained: Trained, processes: int) -> None:
    save_tree(draft / file_of(MODEL), trained.weights(), "the model")
    scaler = None if trained.scaler is None else trained.scaler.state_dict()
    steps = {"optimizer": trained.optimizer.state_dict(), "scaler": scaler}
    save_tree(draft / file_of(OPTIMIZER), steps, "the optimizer")
    if trained.scheduler is not None:
        save_tree(draft / file_of(SCHEDULER), trained.scheduler.state_dict(), "the scheduler")
    write_json(draft / CONFIG, described(trained, processes))
    trained.state.callbacks = trained.callbacks.states()
    write_json(draft / STATE, trained.state.to_json())


def _write_own(draft: Path, trained: Trained, rank: int) -> None:
    """What each process has of its own: random numbers and memories. What is in servers is the main one's to write."""
    save_tree(draft / file_of(RANDOM, rank), random_state(trained.order, trained.loaders), "random numbers")
    for place, (_, memory) in enumerate(trained.memories):
        shared = memory.engine.settings.engine == "served"
        take_snapshot(memory.engine, draft / folder_of(place, rank), stores=rank == 0 or not shared)


def described(trained: Trained, processes: int) -> dict[str, Any]:
    """What a checkpoint is of, for people and for the comparison before it is loaded."""
    memories = [
        {"name": name, "engine": memory.engine.settings.engine, "config": json.loads(memory.config.to_json())}
        for name, memory in trained.memories
    ]
    return {
        "package": version("aesg-graph"),
        "torch": torch.__version__,
        "model": class_of(trained.model),
        "optimizer": class_of(trained.optimizer),
        "scheduler": class_of(trained.scheduler),
        "processes": processes,
        "memories": memories,
    }
