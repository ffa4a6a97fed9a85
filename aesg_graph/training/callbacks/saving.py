"""Checkpoints at regular intervals."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aesg_graph.errors import AESGConfigError
from aesg_graph.training.callbacks.base import Better, Callback, Logs, Monitor
from aesg_graph.training.checkpoints.folder import is_checkpoint, remove

NAME = re.compile(r"epoch_(\d+)")


class Checkpoint(Callback):
    """Saves everything after every ``save_every``-th epoch as ``path/epoch_<completed epochs>``.

    Parameters
    ----------
    save_every: 2 saves after the second epoch (``epoch_2``), the fourth, and so on.
    path: the folder of checkpoints, made if absent.
    keep_last: only so many are kept, the newest; None keeps all.
    best: a name in the logs: after each epoch that betters it, ``path/best`` is written too.
    mode: "min" where less of ``best`` is better, "max" where more is.

    It is called after all other callbacks, so that their state of the same epoch is saved. An unknown ``best`` raises
    AESGTrainingError at the end of the first epoch.
    """

    last = True

    def __init__(
        self,
        save_every: int = 1,
        path: str | os.PathLike[str] = "./checkpoints",
        keep_last: int | None = None,
        best: str | None = None,
        mode: Better = "min",
    ) -> None:
        for name, given in (("save_every", save_every), ("keep_last", 1 if keep_last is None else keep_last)):
            if isinstance(given, bool) or not isinstance(given, int) or given < 1:
                raise AESGConfigError(f"{name} is {given!r}, expected an integer of at least 1")
        self.save_every = save_every
        self.path = Path(path).expanduser().absolute()
        self.keep_last = keep_last
        self._best = None if best is None else Monitor(best, mode)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save what is due."""
        if self.trainer is None:
            return
        completed = epoch + 1
        if self._best is not None and self.trainer.agreed(self._best.improves(logs)):
            self.trainer.save(self.path / "best")
        if completed % self.save_every == 0:
            self.trainer.save(self.path / f"epoch_{completed}")
            if self.trainer.is_main_process:
                self._forget(completed)

    def _forget(self, newest: int) -> None:
        """Remove checkpoints that are too old. Those of later epochs, of a run that was gone back on, stay."""
        if self.keep_last is None:
            return
        found = ((int(name[1]), entry) for entry in self.path.iterdir() if (name := NAME.fullmatch(entry.name)))
        older = sorted((number, entry) for number, entry in found if number <= newest and is_checkpoint(entry))
        for _, entry in older[: -self.keep_last]:
            remove(entry)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": None if self._best is None else self._best.best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the best value."""
        if self._best is not None:
            self._best.best = state["best"]
