"""AESGTrainer: trains a model and its memory together."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError, AESGTrainingError
from aesg_graph.training.callbacks.base import Callback, Callbacks, Logs
from aesg_graph.training.checkpoints.reading import CheckpointReader
from aesg_graph.training.checkpoints.state import TrainingState
from aesg_graph.training.checkpoints.trained import Trained
from aesg_graph.training.checkpoints.writing import write_checkpoint
from aesg_graph.training.criterion import sequence_cross_entropy
from aesg_graph.training.data import adapt_data, call, on_device
from aesg_graph.training.held import conduct, memories_of
from aesg_graph.training.loop import Loop
from aesg_graph.training.order import Order
from aesg_graph.training.processes import Precision, accelerator_for, device_named
from aesg_graph.training.progress import TrainingProgress
from aesg_graph.training.setup import count, criterion_for, one_of, optimizer_for, positive, scheduler_for

LearningMode = Literal["TRAIN", "FINETUNE", "ONLINE", "INFERENCE"]


class AESGTrainer:
    """Trains any module; the memories in it (:class:`AESGMemory`) learn with it, and are kept with it.

    Parameters
    ----------
    model: moved to ``device``. Without a memory in it there is a UserWarning, and weights alone are trained.
    optimizer: None is Adam with ``learning_rate``.
    criterion: called with (output, target) as they are; None is :func:`sequence_cross_entropy`.
    callbacks: called in this order.
    device: such as "cpu" or "cuda:0". Under ``torchrun`` or ``accelerate launch`` each process has its own.
    batch_size, learning_rate: None takes those in the configuration of the model's memory (32 and 1e-3).
    scheduler: a scheduler of ``optimizer``, or a function that makes one of it; it steps ``scheduler_every`` "epoch" or
        "batch". ReduceLROnPlateau is told ``val_loss`` where there is validation, else ``loss``.
    mixed_precision: "no", "bf16", or on CUDA "fp16".
    gradient_accumulation_steps: so many batches make one optimizer step, as one batch of all their samples would.
    max_grad_norm: larger gradients are scaled down to this norm; None: not.
    quiet: whether to show no progress; None: quiet where standard output is no terminal.

    Attributes
    ----------
    state: how far training has come (:class:`TrainingState`).

    Raises AESGConfigError for bad parameters, AESGTrainingError for a model without parameters to train.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        criterion: Callable[[Any, Any], Tensor] | None = None,
        callbacks: Iterable[Callback] | None = None,
        device: str | torch.device = "cpu",
        batch_size: int | None = None,
        learning_rate: float | None = None,
        *,
        scheduler: LRScheduler | Callable[[Optimizer], LRScheduler] | None = None,
        scheduler_every: Literal["epoch", "batch"] = "epoch",
        mixed_precision: Precision = "no",
        gradient_accumulation_steps: int = 1,
        max_grad_norm: float | None = None,
        quiet: bool | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise AESGConfigError(f"model is a {type(model).__name__}, expected a torch.nn.Module")
        self._memories = memories_of(model)
        if not self._memories:
            warnings.warn("The model has no AESGMemory: only its weights are trained", UserWarning, stacklevel=2)
        config = self._memories[0][1].config if self._memories else AESGConfig()
        self.batch_size = count("batch_size", config.batch_size if batch_size is None else batch_size)
        self.learning_rate = positive("learning_rate", config.learning_rate if learning_rate is None else learning_rate)
        self.criterion = criterion_for(criterion, sequence_cross_entropy)
        self.quiet = quiet
        self.state = TrainingState()
        self._callbacks = Callbacks(callbacks)
        self._every = one_of("scheduler_every", scheduler_every, ("epoch", "batch"))
        accumulation = count("gradient_accumulation_steps", gradient_accumulation_steps)
        norm = None if max_grad_norm is None else positive("max_grad_norm", max_grad_norm)
        device = device_named(device)
        self._accelerator = accelerator_for(device, mixed_precision)
        self.device = device if self._accelerator.num_processes == 1 else self._accelerator.device
        self.model = model.to(self.device)
        self.optimizer = optimizer_for(model, optimizer, self.learning_rate)
        self.scheduler = scheduler_for(self.optimizer, scheduler)
        self._order = Order(torch.initial_seed())
        self._stopping = False
        alone = self._accelerator.num_processes == 1
        self._loop = Loop(
            model=model if alone else self._accelerator.prepare_model(model),
            bare=model,
            memories=[memory for _, memory in self._memories],
            optimizer=self._accelerator.prepare_optimizer(self.optimizer, device_placement=False),
            criterion=self.criterion,
            accelerator=self._accelerator,
            device=self.device,
            precision=mixed_precision,
            accumulation=accumulation,
            max_grad_norm=norm,
            callbacks=self._callbacks,
            stepped=self._after_step,
        )

    @property
    def callbacks(self) -> list[Callback]:
        """The callbacks, in order."""
        return self._callbacks.all

    @property
    def is_main_process(self) -> bool:
        """Whether this process is the one that writes files and shows progress."""
        return bool(self._accelerator.is_main_process)

    def agreed(self, wanted: bool) -> bool:
        """What the main process wants: a decision that every process must take alike. All of them must ask."""
        if self._accelerator.num_processes == 1:
            return wanted
        from accelerate.utils import broadcast_object_list

        return bool(broadcast_object_list([wanted])[0])

    # -- training ---------------------------------------------------------------------------------------------------

    def fit(
        self,
        train_data: Any,
        epochs: int,
        *,
        validation: Any = None,
        mode: LearningMode = "TRAIN",
        shuffle: bool = True,
    ) -> list[float]:
        """Train for so many epochs more; the mean loss of each.

        Parameters
        ----------
        train_data: a DataLoader, a Dataset, or a list of (input, target) pairs. An input that is a tuple or a mapping
            is given to the model as several arguments.
        validation: the same; after each epoch its loss is ``val_loss`` in the logs.
        mode: what memory may do meanwhile: "TRAIN", "FINETUNE", "ONLINE", or "INFERENCE" (then weights alone learn).
        shuffle: whether a Dataset or a list comes in another order each epoch. A DataLoader has an order of its own.

        Every optimizer step is a step of the memory: it learns what it was shown when the step is done, and nothing of
        a batch that failed. Afterwards, also after an exception, memory mode and ``training`` of every module are what
        they were. AESGTrainingError for an empty dataset, for data of another form, and for a loss or a gradient that
        is not finite; weights, memory and buffers are then as they were before that batch.
        """
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
            raise AESGTrainingError(f"epochs is {epochs!r}, expected an integer of at least 0")
        one_of("mode", mode, get_args(LearningMode))
        loader = self._order.followed_by(adapt_data(train_data, self.batch_size, shuffle, self._order.own))
        held_out = None if validation is None else adapt_data(validation, self.batch_size, generator=torch.Generator())
        before, last = len(self.state.losses), self.state.epoch + epochs
        self._stopping = False
        with ExitStack() as held:
            held.enter_context(conduct(self.model, self._loop.memories, training=True, mode=mode))
            for callback in self.callbacks:
                callback.trainer = self
                held.callback(callback.close)
            progress = held.enter_context(TrainingProgress(self.quiet if self.is_main_process else True))
            self._loop.shown = progress.advance
            self._callbacks.call("on_train_start", {"trainer": self, "epochs": epochs, "epoch": self.state.epoch})
            batches = self._shared(loader)
            while self.state.epoch < last and not self._stopping:
                progress.begin(self.state.epoch + 1, last, _length(batches))
                progress.end(self._epoch(batches, held_out))
            losses = self.state.losses[before:]
            self._callbacks.call("on_train_end", {"trainer": self, "losses": losses})
        return losses

    def stop(self) -> None:
        """End training after the epoch that is under way; for callbacks."""
        self._stopping = True

    def _epoch(self, batches: Any, held_out: DataLoader[Any] | None) -> str:
        """Train for one epoch; what progress says of it."""
        epoch, logs = self.state.epoch, Logs()
        self._callbacks.call("on_epoch_start", epoch, logs)
        loss = self._loop.train(batches, epoch)
        for memory in self._loop.memories:
            memory.save()
        logs |= {"loss": loss, "learning_rate": float(self.optimizer.param_groups[0]["lr"])}
        if held_out is not None:
            logs["val_loss"] = self._loss_of(held_out)
        if self._memories:
            logs["concepts"] = sum(memory.storage.node_count for memory in self._loop.memories)
        if self._every == "epoch":
            self._schedule(logs.get("val_loss", loss))
        self.state.completed(loss)
        said = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
        self._callbacks.call("on_epoch_end", epoch, logs)
        self._stopping = self.agreed(self._stopping)
        return said

    def _after_step(self) -> None:
        self.state.global_step += 1
        if self._every == "batch" and not self._loop.optimizer.step_was_skipped:
            self._schedule(None)

    def _schedule(self, measured: float | None) -> None:
        if isinstance(self.scheduler, ReduceLROnPlateau):
            if measured is None:
                raise AESGConfigError("ReduceLROnPlateau steps once an epoch, expected scheduler_every='epoch'")
            self.scheduler.step(measured)
        elif self.scheduler is not None:
            self.scheduler.step()

    def _shared(self, loader: DataLoader[Any]) -> Any:
        """Each process's part of the data."""
        if self._accelerator.num_processes == 1:
            return loader
        return self._accelerator.prepare_data_loader(loader, device_placement=False)

    # -- using ------------------------------------------------------------------------------------------------------

    def evaluate(self, test_data: Any) -> dict[str, float]:
        """The mean loss over data as ``fit`` takes it: ``{"loss": ...}``. Memory answers and learns nothing."""
        return {"loss": self._loss_of(adapt_data(test_data, self.batch_size, generator=torch.Generator()))}

    def _loss_of(self, loader: DataLoader[Any]) -> float:
        with conduct(self.model, self._loop.memories, training=False, mode="INFERENCE"):
            return self._loop.look(self._shared(loader))

    def predict(self, x: Any) -> Any:
        """What the model makes of a batch of inputs, on the trainer's device. Memory answers and learns nothing."""
        with (
            conduct(self.model, self._loop.memories, training=False, mode="INFERENCE"),
            torch.no_grad(),
            self._loop.autocast(),
        ):
            return call(self.model, on_device(x, self.device))

    # -- keeping ----------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint to a folder: everything that training needs to go on, memory included.

        It is there as a whole or not at all; one that was there before is replaced. AESGTrainingError if a state holds
        what only a pickle could, AESGStorageError if something else is at ``path``, or if a store or the disk fails.
        """
        write_checkpoint(Path(path).expanduser().absolute(), self._trained(), self._accelerator)

    def load(self, path: str | os.PathLike[str], *, weights_only: bool = False, replace: bool = False) -> None:
        """Take over model, memory, optimizer and scheduler from a checkpoint; epochs count on from where they are.

        An embedded memory becomes the checkpoint's, in its own directory; a served one is written under a new name, in
        a new directory beside, and whoever writes to the old one is not disturbed.

        Parameters
        ----------
        weights_only: leave optimizer and scheduler as they are.
        replace: also where the model's directory holds a memory that did not grow out of the checkpoint's: it is lost.

        Raises, with nothing changed, AESGStorageError for a checkpoint that is damaged or not whole, AESGTrainingError
        for one of another model, optimizer or scheduler, and AESGStorageError for one whose memory does not fit.
        """
        self._reader(path, replace).apply(optimizer=not weights_only)

    def resume(self, path: str | os.PathLike[str], *, replace: bool = False) -> int:
        """As :meth:`load`, with all that decides how training goes on; the epoch to go on from.

        These are the count of epochs and steps, callbacks, and every generator of random numbers, those that order the
        data included. On the CPU, with an embedded memory small enough to be scanned exactly, ``fit()`` then gives the
        losses that it would have given without the interruption, to the last bit.
        """
        reader = self._reader(path, replace)
        self._order.awaited = reader.apply(optimizer=True, onwards=True)
        return self.state.epoch

    def _reader(self, path: str | os.PathLike[str], replace: bool) -> CheckpointReader:
        return CheckpointReader(Path(path).expanduser().absolute(), self._trained(), self._accelerator, replace)

    def _trained(self) -> Trained:
        return Trained(
            self.model,
            self._memories,
            self.optimizer,
            self.scheduler,
            self._accelerator.scaler,
            self.state,
            self._callbacks,
            self._order.own,
            self._order.loaders,
        )


def _length(batches: Any) -> int | None:
    try:
        return len(batches)
    except TypeError:
        return None  # an iterable dataset
