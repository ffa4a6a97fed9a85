"""Losses in TensorBoard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aesg_graph.errors import AESGConfigError
from aesg_graph.training.callbacks.base import Callback, Logs

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

INSTALL = "TensorBoardCallback needs the package tensorboard: pip install 'aesg-graph[tensorboard]'"


def numbers(logs: Logs) -> dict[str, float]:
    """Those entries of logs that are numbers."""
    return {
        name: float(value)
        for name, value in logs.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


class TensorBoardCallback(Callback):
    """Writes every number in the logs of an epoch to ``log_dir``, and the loss of every batch.

    AESGConfigError, saying how to install it, where tensorboard is missing.
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "./runs") -> None:
        try:
            import torch.utils.tensorboard  # noqa: F401  # asked for now, not after an epoch
        except ImportError as error:
            raise AESGConfigError(INSTALL) from error
        self.log_dir = os.fspath(log_dir)
        self._writer: SummaryWriter | None = None

    def on_train_start(self, logs: Logs) -> None:
        """Open the log; of several processes the main one writes."""
        if self.trainer is not None and self.trainer.is_main_process:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self.log_dir)

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        """The loss of a batch, by optimizer steps."""
        self._write("batch", logs, self.trainer.state.global_step if self.trainer is not None else batch)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Everything of an epoch, by epochs completed."""
        self._write("epoch", logs, epoch + 1)
        if self._writer is not None:
            self._writer.flush()

    def _write(self, stage: str, logs: Logs, step: int) -> None:
        if self._writer is not None:
            for name, value in numbers(logs).items():
                self._add(f"{stage}/{name}", value, step)

    def _add(self, name: str, value: float, step: int) -> None:
        writer: Any = self._writer
        writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
