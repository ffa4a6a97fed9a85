"""Reading a checkpoint: everything is looked at before anything is changed."""

from __future__ import annotations

import json
import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from aesg_graph.config import AESGConfig
from aesg_graph.engine.moving.snapshots import (
    Snapshot,
    named,
    restore_in_place,
    restore_under,
    take_over_working,
)
from aesg_graph.errors import AESGTrainingError
from aesg_graph.memory import AESGMemory
from aesg_graph.training.checkpoints.folder import STATE, CheckpointFolder
from aesg_graph.training.checkpoints.randomness import set_random_state
from aesg_graph.training.checkpoints.state import TrainingState
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
from aesg_graph.training.checkpoints.tree import load_tree

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("aesg_graph")

ELSEWHERE = frozenset({"storage_directory", "memory_mode", "learning_rate", "batch_size"})
"""Parameters that do not decide how a memory learns."""
NAME_ROOM = 128 - len("-resumed-12345678")


class CheckpointReader:
    """A checkpoint that is whole and is of what is trained here.

    AESGStorageError for one that is damaged, or whose memory does not fit; AESGTrainingError for one of another model.
    """

    def __init__(self, path: Path, trained: Trained, accelerator: Accelerator, replace: bool) -> None:
        self._folder = CheckpointFolder(path)
        self._trained = trained
        self._accelerator = accelerator
        self._replace = replace
        self._said = self._folder.json(CONFIG)
        self._weights = load_tree(self._file(file_of(MODEL)))
        self._require("model", trained.model)
        self._require_weights()
        self._snapshots = self._fitting_snapshots()

    def apply(self, optimizer: bool, onwards: bool = False) -> list[Tensor]:
        """Take over memories and weights; optimizer and scheduler; and ``onwards`` all that decides how it goes on.

        The states that the loader of the next ``fit()`` is to have.
        """
        steps = self._steps() if optimizer else None
        scheduler = self._scheduler() if optimizer else None
        state = TrainingState.from_json(self._folder.json(STATE)) if onwards else None
        random = self._random() if onwards else None
        for (_, memory), snapshot in zip(self._trained.memories, self._snapshots, strict=True):
            self._restore(memory, snapshot)
        self._trained.model.load_state_dict(self._weights)
        if steps is not None:
            self._trained.optimizer.load_state_dict(steps["optimizer"])
            if self._trained.scaler is not None and steps["scaler"] is not None:
                self._trained.scaler.load_state_dict(steps["scaler"])
        if scheduler is not None and self._trained.scheduler is not None:
            self._trained.scheduler.load_state_dict(scheduler)
        if state is not None:
            vars(self._trained.state).update(vars(state))
            self._trained.callbacks.load(state.callbacks)
        return [] if random is None else set_random_state(random, self._trained.order)

    # -- looking ----------------------------------------------------------------------------------------------------

    def _file(self, name: str) -> Path:
        return self._folder.path / name

    def _require(self, what: str, here: object) -> None:
        if self._said.get(what) != class_of(here):
            raise AESGTrainingError(
                f"The checkpoint {self._folder.path} has the {what} {self._said.get(what)}, expected {class_of(here)}"
            )

    def _require_weights(self) -> None:
        """AESGTrainingError, naming the first difference, unless weights have the names and shapes of those here."""
        here, there = self._trained.weights(), self._weights
        for name in sorted({*here, *there}):
            forms = [_form(tree[name]) if name in tree else "absent" for tree in (there, here)]
            if forms[0] != forms[1]:
                raise AESGTrainingError(
                    f"The checkpoint {self._folder.path} is of another model: {name} is {forms[0]} in it, expected "
                    f"{forms[1]}"
                )

    def _fitting_snapshots(self) -> list[Snapshot]:
        said, here = self._said["memories"], self._trained.memories
        if [memory["name"] for memory in said] != [name for name, _ in here]:
            raise AESGTrainingError(
                f"The checkpoint {self._folder.path} is of a model with memories {[m['name'] for m in said]}, expected "
                f"{[name for name, _ in here]}"
            )
        rank, found = self._accelerator.process_index, []
        for place, (_, memory) in enumerate(here):
            snapshot = Snapshot(self._file(folder_of(place, rank)))
            snapshot.require(memory.engine, self._replace)
            if snapshot.has_stores:
                snapshot.verified()
            _tell_differences(AESGConfig.from_json(json.dumps(said[place]["config"])), memory)
            found.append(snapshot)
        return found

    def _steps(self) -> dict[str, Any]:
        self._require("optimizer", self._trained.optimizer)
        steps: dict[str, Any] = load_tree(self._file(file_of(OPTIMIZER)))
        sizes = [[len(group["params"]) for group in steps["optimizer"]["param_groups"]]]
        sizes.append([len(group["params"]) for group in self._trained.optimizer.param_groups])
        if sizes[0] != sizes[1]:
            raise AESGTrainingError(
                f"The optimizer in {self._folder.path} has groups of {sizes[0]} parameters, expected {sizes[1]}"
            )
        return steps

    def _scheduler(self) -> Any:
        self._require("scheduler", self._trained.scheduler)
        return None if self._trained.scheduler is None else load_tree(self._file(file_of(SCHEDULER)))

    def _random(self) -> dict[str, Any]:
        processes = self._accelerator.num_processes
        if self._said["processes"] != processes:
            raise AESGTrainingError(
                f"The checkpoint {self._folder.path} is of {self._said['processes']} processes, expected {processes}; "
                "load() takes over its model alone"
            )
        state: dict[str, Any] = load_tree(self._file(file_of(RANDOM, self._accelerator.process_index)))
        return state

    # -- taking over ------------------------------------------------------------------------------------------------

    def _restore(self, memory: AESGMemory, snapshot: Snapshot) -> None:
        if snapshot.position.engine == "embedded":
            restore_in_place(memory.engine, snapshot, self._replace)
            return
        name = self._written_to_servers(memory, snapshot)
        directory = memory.engine.directory
        memory.move_to(directory.with_name(f"{directory.name}-{name[-8:]}"), named(memory.engine.settings, name))
        take_over_working(memory.engine, snapshot)
        log.warning("the memory of the checkpoint is %r on the servers, with its directory %s", name, memory.directory)

    def _written_to_servers(self, memory: AESGMemory, snapshot: Snapshot) -> str:
        """Under which new name: the main process writes it, all others learn the name."""
        name = f"{memory.engine.name[:NAME_ROOM]}-resumed-{secrets.token_hex(4)}"
        if self._accelerator.is_main_process:
            restore_under(memory.engine, snapshot, name)
        if self._accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            name = str(broadcast_object_list([name])[0])
        return name


def _tell_differences(saved: AESGConfig, memory: AESGMemory) -> None:
    """A word in the log where the memory is to learn by other rules than the one that was saved."""
    differences = saved.differences(memory.config)
    told = [f"{name}={there!r} (here {here!r})" for name, (there, here) in differences.items() if name not in ELSEWHERE]
    if told:
        log.warning("the memory of the checkpoint had %s; it goes on by what it is here", ", ".join(told))


def _form(value: Any) -> str:
    return f"{list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
