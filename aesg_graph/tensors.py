"""What callers may pass in, as tensors and arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from aesg_graph.errors import AESGMemoryError


def as_tensor(given: Any, what: str) -> Tensor:
    """A tensor, array or list of real numbers as a floating point tensor; AESGMemoryError for anything else."""
    if not isinstance(given, Tensor):
        if given is None or isinstance(given, str | bytes):
            raise AESGMemoryError(f"{what} is {given!r}, expected a tensor, an array or a list of numbers")
        try:
            given = torch.as_tensor(given)
        except (TypeError, ValueError, RuntimeError) as error:
            kind = type(given).__name__
            raise AESGMemoryError(f"{what} is a {kind} that is no tensor ({error}), expected numbers") from error
    if given.is_complex():
        raise AESGMemoryError(f"{what} has dtype {given.dtype}, expected real numbers")
    return given if given.is_floating_point() else given.to(torch.float32)


def as_array(given: Any, what: str) -> Any:
    """What the engine takes: tensors as arrays (dtypes that numpy lacks as float32), the rest as it is."""
    if not isinstance(given, Tensor):
        return given
    if given.is_complex():
        raise AESGMemoryError(f"{what} has dtype {given.dtype}, expected real numbers")
    here = given.detach().to("cpu")
    return (here.float() if here.dtype == torch.bfloat16 else here).numpy()


def numpy_encoder(encode: Callable[[Sequence[str]], Any]) -> Callable[[Sequence[str]], Any]:
    """An encoder that may give tensors, as one that gives arrays."""
    return lambda sources: as_array(encode(sources), "the encoder's output")
