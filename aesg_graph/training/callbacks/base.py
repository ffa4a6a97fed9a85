"""The base of callbacks, and how the trainer calls them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from aesg_graph.errors import AESGConfigError, AESGTrainingError

if TYPE_CHECKING:
    from aesg_graph.training.trainer import AESGTrainer

Logs = dict[str, Any]
Better = Literal["min", "max"]


class Callback:
    """What may be done at each stage of training; every hook does nothing unless a subclass says otherwise.

    Callbacks are called in the order in which the trainer was given them, those with ``last`` after all others. Epochs
    and batches are counted from 0, epochs go on counting over several ``fit()`` and over ``resume()``. ``logs`` is one
    mapping for all callbacks of a stage: what one adds, those after it see and can monitor. An exception in a hook ends
    training and reaches the caller of ``fit()``.

    Attributes
    ----------
    trainer: the trainer that is at work, None before the first.
    last: whether to be called after callbacks that come later in the list.
    """

    trainer: AESGTrainer | None = None
    last: bool = False

    def on_train_start(self, logs: Logs) -> None:
        """Before the first epoch. ``logs``: ``trainer``, ``epochs`` (how many are asked for), ``epoch`` (the first)."""

    def on_train_end(self, logs: Logs) -> None:
        """After the last epoch, if training came to its end. ``logs``: ``trainer`` and ``losses``."""

    def on_epoch_start(self, epoch: int, logs: Logs) -> None:
        """Before the first batch of an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch. ``logs``: ``loss``, ``learning_rate``, if there are any ``val_loss`` and ``concepts``."""

    def on_batch_start(self, batch: int, logs: Logs) -> None:
        """Before a batch (with gradient accumulation: before all those of one optimizer step)."""

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        """After an optimizer step, when its lessons have been taken. ``logs``: ``loss``."""

    def close(self) -> None:
        """Training is over, whether or not it came to its end: let go of files and the like."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint should keep for this callback, as JSON can hold it."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""


class Callbacks:
    """All callbacks of a trainer. AESGConfigError for what is none."""

    def __init__(self, given: Iterable[Callback] | None) -> None:
        self.all = list(given or ())
        for one in self.all:
            if not isinstance(one, Callback):
                raise AESGConfigError(f"callbacks has a {type(one).__name__}, expected instances of Callback")

    def call(self, hook: str, *about: Any) -> None:
        """Call one hook of each, in order."""
        for one in sorted(self.all, key=lambda callback: callback.last):
            getattr(one, hook)(*about)

    def states(self) -> list[dict[str, Any]]:
        """What each wants to be kept, with its class."""
        return [{"class": type(one).__name__, "state": one.state_dict()} for one in self.all]

    def load(self, states: list[dict[str, Any]]) -> None:
        """Give back what was kept, to the callbacks of the same class in the same order."""
        waiting = list(states)
        for one in self.all:
            found = next((said for said in waiting if said["class"] == type(one).__name__), None)
            if found is not None:
                waiting.remove(found)
                one.load_state_dict(found["state"])


class Monitor:
    """The best value of something in the logs so far. AESGConfigError for a bad direction or difference."""

    def __init__(self, name: str, better: Better, min_delta: float = 0.0) -> None:
        if better not in get_args(Better):
            raise AESGConfigError(f"mode is {better!r}, expected 'min' or 'max'")
        if isinstance(min_delta, bool) or not isinstance(min_delta, int | float) or not 0 <= min_delta < math.inf:
            raise AESGConfigError(f"min_delta is {min_delta!r}, expected a number of at least 0")
        self.name = name
        self.best: float | None = None
        self._sign = 1.0 if better == "min" else -1.0
        self._min_delta = float(min_delta)

    def improves(self, logs: Mapping[str, Any]) -> bool:
        """Whether the logs have a better value than the best so far, by more than ``min_delta``; it is the best then.

        NaN improves nothing. AESGTrainingError, naming what there is, if the logs lack it or it is no number.
        """
        known = [name for name, value in logs.items() if isinstance(value, int | float)]
        if self.name not in known:
            raise AESGTrainingError(
                f"monitor={self.name!r} is not in the logs of an epoch, expected one of {', '.join(sorted(known))}"
                + ("; val_loss is there with fit(validation=...)" if self.name == "val_loss" else "")
            )
        value = float(logs[self.name])
        better = not math.isnan(value) and (self.best is None or self._sign * (self.best - value) > self._min_delta)
        if better:
            self.best = value
        return better
