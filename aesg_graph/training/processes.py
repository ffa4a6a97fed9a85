"""Devices, precision and processes: what the trainer asks of accelerate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

import torch

from aesg_graph.errors import AESGConfigError

if TYPE_CHECKING:
    from accelerate import Accelerator

Precision = Literal["no", "fp16", "bf16"]


def device_named(device: str | torch.device) -> torch.device:
    """A device that is there; AESGConfigError for any other."""
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise AESGConfigError(f"device is {device!r}, expected one such as 'cpu', 'cuda' or 'cuda:0'") from error
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise AESGConfigError(f"device is {device!r}, and torch sees {torch.cuda.device_count()} CUDA devices")
    return wanted


def accelerator_for(device: torch.device, precision: Precision) -> Accelerator:
    """What accelerate needs for one trainer. AESGConfigError for an unknown precision, or fp16 without a CUDA device.

    accelerate keeps one state a process. Where that is of another device or precision it begins anew for this trainer;
    among several processes it is the state that they were started with.
    """
    if precision not in get_args(Precision):
        raise AESGConfigError(f"mixed_precision is {precision!r}, expected one of {', '.join(get_args(Precision))}")
    if precision == "fp16" and device.type != "cuda":
        raise AESGConfigError(f"mixed_precision='fp16' needs a CUDA device, got device {device}; 'bf16' works there")
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    # What a memory does not recall may leave a parameter of one process without a gradient.
    apart = DistributedDataParallelKwargs(find_unused_parameters=True)

    def made() -> Accelerator:
        return Accelerator(
            cpu=device.type == "cpu", mixed_precision=precision, device_placement=False, kwargs_handlers=[apart]
        )

    try:
        accelerator = made()
    except ValueError:  # it has begun with something else
        accelerator = None
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    if alone and (accelerator is None or accelerator.device.type != device.type):
        AcceleratorState._reset_state(reset_partial_state=True)
    return accelerator if accelerator is not None and accelerator.device.type == device.type else made()
