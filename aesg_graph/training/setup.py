"""What a trainer is made from, checked and with defaults filled in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from torch import nn
from torch.optim import LBFGS, Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from aesg_graph.errors import AESGConfigError, AESGTrainingError

T = TypeVar("T")


def optimizer_for(model: nn.Module, given: Any, learning_rate: float) -> Optimizer:
    """The optimizer that was given, or Adam. AESGTrainingError if the model has nothing to train."""
    if given is not None and not isinstance(given, Optimizer):
        raise AESGConfigError(f"optimizer is a {type(given).__name__}, expected a torch.optim.Optimizer or None")
    if isinstance(given, LBFGS):
        raise AESGConfigError(
            "optimizer is LBFGS, which looks at a batch several times, expected one that does so once"
        )
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise AESGTrainingError(
            f"{type(model).__name__} has no parameter that requires a gradient, expected at least one"
        )
    return Adam(trained, lr=learning_rate) if given is None else given


def scheduler_for(optimizer: Optimizer, given: Any) -> LRScheduler | None:
    """The scheduler that was given, or that a function makes of the optimizer."""
    if given is None:
        return None
    made = given if isinstance(given, LRScheduler) else given(optimizer) if callable(given) else given
    if not isinstance(made, LRScheduler):
        raise AESGConfigError(
            f"scheduler is a {type(made).__name__}, expected a scheduler of torch.optim.lr_scheduler, or a function "
            "that makes one of an optimizer"
        )
    if made.optimizer is not optimizer:
        raise AESGConfigError(
            "scheduler belongs to another optimizer, expected one of the optimizer that is trained with"
        )
    return made


def count(name: str, given: Any) -> int:
    """An integer of at least 1, or AESGConfigError."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise AESGConfigError(f"{name} is {given!r}, expected an integer of at least 1")
    return given


def positive(name: str, given: Any) -> float:
    """A finite number above 0, or AESGConfigError."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
        raise AESGConfigError(f"{name} is {given!r}, expected a number above 0")
    return float(given)


def one_of(name: str, given: T, known: Sequence[T]) -> T:
    """One of what is known, or AESGConfigError."""
    if given not in known:
        raise AESGConfigError(f"{name} is {given!r}, expected one of {', '.join(map(str, known))}")
    return given


def criterion_for(given: Any, default: Callable[..., Any]) -> Callable[..., Any]:
    """What computes the loss; AESGConfigError for what cannot be called."""
    if given is not None and not callable(given):
        raise AESGConfigError(
            f"criterion is a {type(given).__name__}, expected a function of (output, target), or None"
        )
    return default if given is None else given
