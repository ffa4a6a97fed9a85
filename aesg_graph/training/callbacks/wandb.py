"""Losses in Weights & Biases."""

from __future__ import annotations

import importlib
import os
from typing import Any, Literal

from aesg_graph.errors import AESGConfigError
from aesg_graph.training.callbacks.base import Callback, Logs
from aesg_graph.training.callbacks.tensorboard import numbers

INSTALL = "WandBCallback needs the package wandb: pip install 'aesg-graph[wandb]'"


class WandBCallback(Callback):
    """Logs every number of an epoch to a run of Weights & Biases.

    Parameters
    ----------
    project, run_name: where the run belongs, and what it is called.
    mode: "offline" (default) writes files below ``directory`` that ``wandb sync`` sends later; "online" sends at once.
    directory: where runs are written; None leaves that to wandb.

    AESGConfigError, saying how to install it, where wandb is missing.
    """

    def __init__(
        self,
        project: str = "aesg",
        run_name: str | None = None,
        mode: Literal["offline", "online", "disabled"] = "offline",
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        try:
            self._wandb: Any = importlib.import_module("wandb")
        except ImportError as error:
            raise AESGConfigError(INSTALL) from error
        self.project, self.run_name, self.mode = project, run_name, mode
        self.directory = None if directory is None else os.fspath(directory)
        self._run: Any = None

    def on_train_start(self, logs: Logs) -> None:
        """Begin a run; of several processes the main one does."""
        if self.trainer is not None and self.trainer.is_main_process:
            self._run = self._wandb.init(
                project=self.project, name=self.run_name, mode=self.mode, dir=self.directory, reinit="create_new"
            )

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Everything of an epoch, by epochs completed."""
        if self._run is not None:
            self._run.log({**numbers(logs), "epoch": epoch + 1})

    def close(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.finish()
            self._run = None
