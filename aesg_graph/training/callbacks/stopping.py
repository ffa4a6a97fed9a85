"""Stopping when nothing gets better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aesg_graph.errors import AESGConfigError
from aesg_graph.training.callbacks.base import Better, Callback, Logs, Monitor


class EarlyStopping(Callback):
    """Ends training after ``patience`` epochs in a row that do not better what is monitored.

    Parameters
    ----------
    patience: how many epochs without improvement are borne. [1, inf)
    monitor: a name in the logs of an epoch: ``loss``, ``val_loss`` (with validation), or what another callback adds.
    min_delta: only a change larger than this is an improvement.
    mode: "min" where less is better, "max" where more is.

    Weights stay those of the last epoch; ``Checkpoint(best=...)`` keeps the best, memory included. The first epoch's
    end raises AESGTrainingError if ``monitor`` is unknown. Prechelt, "Early stopping - but when?", 1998.
    """

    def __init__(self, patience: int = 5, monitor: str = "loss", min_delta: float = 0.0, mode: Better = "min") -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise AESGConfigError(f"patience is {patience!r}, expected an integer of at least 1")
        self.patience = patience
        self.waited = 0
        self.stopped_epoch: int | None = None
        self._monitor = Monitor(monitor, mode, min_delta)

    @property
    def best(self) -> float | None:
        """The best value so far, None before the first epoch."""
        return self._monitor.best

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Count epochs without improvement; enough of them stop the trainer."""
        if self._monitor.improves(logs):
            self.waited = 0
            return
        self.waited += 1
        if self.waited >= self.patience and self.trainer is not None:
            self.stopped_epoch = epoch
            self.trainer.stop()

    def state_dict(self) -> dict[str, Any]:
        """The best value, and how long it has been waited."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on waiting."""
        self._monitor.best, self.waited = state["best"], int(state["waited"])
