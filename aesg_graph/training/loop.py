"""One epoch of training, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from aesg_graph.errors import AESGTrainingError
from aesg_graph.memory import AESGMemory
from aesg_graph.training.callbacks.base import Callbacks, Logs
from aesg_graph.training.data import EMPTY, call, in_groups, on_device, rows
from aesg_graph.training.held import or_undone, together

if TYPE_CHECKING:
    from accelerate import Accelerator

Group = list[tuple[int, Any, Any]]
"""Batches of one optimizer step: the number of each, input, target."""
HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass
class Mean:
    """A mean over samples, also over those of other processes."""

    total: float = 0.0
    samples: int = 0

    def add(self, value: float, samples: int) -> None:
        """So many more samples, of this mean."""
        self.total += value * samples
        self.samples += samples

    def everywhere(self, accelerator: Accelerator) -> float:
        """The mean over all processes."""
        if accelerator.num_processes > 1:
            sums = torch.tensor([self.total, self.samples], dtype=torch.float64)
            self.total, samples = accelerator.reduce(sums.to(accelerator.device), "sum").tolist()
            self.samples = int(samples)
        return self.value

    @property
    def value(self) -> float:
        """The mean so far. AESGTrainingError if there was no sample."""
        if not self.samples:
            raise AESGTrainingError(EMPTY)
        return self.total / self.samples


@dataclass
class Loop:
    """What it takes to train for an epoch, or to look at one."""

    model: nn.Module
    """As accelerate wants it called: among several processes it is wrapped."""
    bare: nn.Module
    memories: list[AESGMemory]
    optimizer: Any
    """As accelerate wraps it."""
    criterion: Callable[[Any, Any], Tensor]
    accelerator: Accelerator
    device: torch.device
    precision: str
    accumulation: int
    max_grad_norm: float | None
    callbacks: Callbacks
    stepped: Callable[[], None]
    """Called after every optimizer step."""
    shown: Callable[[int, float], None] = field(default=lambda batches, loss: None)

    def train(self, batches: Iterable[Any], epoch: int) -> float:
        """Learn from every batch; the mean loss."""
        mean = Mean()
        for number, group in enumerate(in_groups(batches, self.accumulation)):
            logs: Logs = {}
            self.callbacks.call("on_batch_start", number, logs)
            loss, samples = self._learn(group, epoch)
            mean.add(loss, samples)
            self.stepped()
            logs["loss"] = loss
            self.shown(len(group), mean.value)
            self.callbacks.call("on_batch_end", number, logs)
        return mean.everywhere(self.accelerator)

    def look(self, batches: Iterable[Any]) -> float:
        """The mean loss of every batch; learns nothing."""
        mean = Mean()
        with torch.no_grad():
            for _, given, target in in_groups_of_one(batches):
                mean.add(self._loss(given, target).item(), rows(given))
        return mean.everywhere(self.accelerator)

    def _learn(self, group: Group, epoch: int) -> tuple[float, int]:
        """One optimizer step on a group of batches; its loss and how many samples. Of a failed one nothing stays."""
        samples = [rows(given) for _, given, _ in group]
        for memory in self.memories:
            memory.reset_state()
        try:
            with together(self.memories), or_undone(self.bare):
                mean = Mean()
                for place, (batch, given, target) in enumerate(group):
                    with self._in_sync(place == len(group) - 1):
                        loss = self._loss(given, target)
                        mean.add(self._finite(loss, epoch, batch), samples[place])
                        self.accelerator.backward(loss * (samples[place] / sum(samples)))
                self._clip(epoch, group[-1][0])
                self.optimizer.step()
        finally:
            self.optimizer.zero_grad()
        for memory in self.memories:
            memory.update_topology()
        return mean.value, sum(samples)

    def _loss(self, given: Any, target: Any) -> Tensor:
        with self.autocast():
            output = call(self.model, on_device(given, self.device))
            loss = self.criterion(output, on_device(target, self.device))
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            what = f"shape {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise AESGTrainingError(f"The criterion gave {what}, expected a tensor with one number")
        return loss.reshape(())

    def autocast(self) -> AbstractContextManager[Any]:
        """Arithmetic in the precision that was asked for."""
        if self.precision not in HALF:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=HALF[self.precision])

    def _in_sync(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients of several processes meet once an optimizer step."""
        return nullcontext() if last else self.accelerator.no_sync(self.model)

    def _finite(self, loss: Tensor, epoch: int, batch: int) -> float:
        """The loss as a number; AESGTrainingError, in every process, if it is none in one."""
        number = loss.item()
        if not self._everywhere(math.isfinite(number)):
            raise AESGTrainingError(
                f"The loss became {number} in epoch {epoch}, batch {batch} (counted from 0); weights and memory have "
                "learned nothing of that batch"
            )
        return number

    def _everywhere(self, right: bool) -> bool:
        if self.accelerator.num_processes == 1:
            return right
        wrong = torch.tensor([0 if right else 1], device=self.accelerator.device)
        return not int(self.accelerator.reduce(wrong, "sum").item())

    def _clip(self, epoch: int, batch: int) -> None:
        """Bound the gradient's norm. AESGTrainingError if it is not finite; in fp16 the scaler skips such steps."""
        parameters = [p for p in self.bare.parameters() if p.grad is not None]
        if not parameters:
            raise AESGTrainingError("No parameter has a gradient: the loss does not depend on what is trained")
        if self.max_grad_norm is not None:
            norm = self.accelerator.clip_grad_norm_(parameters, self.max_grad_norm)
        else:
            norm = _norm(parameters, self.device)
        if self.precision != "fp16" and not math.isfinite(float(norm)):
            raise AESGTrainingError(
                f"The gradient became {float(norm)} in epoch {epoch}, batch {batch} (counted from 0); weights and "
                "memory have learned nothing of that batch"
            )


def in_groups_of_one(batches: Iterable[Any]) -> Iterable[tuple[int, Any, Any]]:
    """Batches, numbered from 0."""
    return (one for group in in_groups(batches, 1) for one in group)


def _norm(parameters: list[nn.Parameter], device: torch.device) -> Tensor:
    """The norm of the whole gradient, whose parts may be sparse or on other devices."""
    found = [p.grad.coalesce().values() if p.grad.is_sparse else p.grad for p in parameters if p.grad is not None]
    whole: Tensor = torch.stack([torch.linalg.vector_norm(part).to(device) for part in found]).norm()
    return whole
