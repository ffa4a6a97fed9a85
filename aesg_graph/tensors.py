"""What callers may pass in, as tensors and arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aesg_graph.concepts import Floats
from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGMemoryError


def as_tensor(given: Any, what: str) -> Tensor:
    """A tensor, array or list of real numbers as a floating point tensor; AESGMemoryError for anything else."""
    tensor = given if isinstance(given, Tensor) else _from_numbers(given, what)
    _check_real(tensor, what)
    return tensor if tensor.is_floating_point() else tensor.to(torch.float32)


def _from_numbers(given: Any, what: str) -> Tensor:
    """An array in its own precision, anything else in float32."""
    if given is None or isinstance(given, str | bytes):
        raise AESGMemoryError(f"{what} is {given!r}, expected a tensor, an array or a list of numbers")
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(given).__name__
        raise AESGMemoryError(f"{what} is a {kind} that is no array ({error}), expected numbers") from error
    if array.dtype.kind not in "fiub":
        raise AESGMemoryError(f"{what} has dtype {array.dtype}, expected real numbers")
    own = isinstance(given, np.ndarray) and array.dtype.kind == "f"
    precision = np.float64 if own and array.dtype.itemsize >= 8 else np.float32
    return torch.from_numpy(np.require(array, precision, ["C", "W"]))


def _check_real(tensor: Tensor, what: str) -> None:
    if tensor.is_complex():
        raise AESGMemoryError(f"{what} has dtype {tensor.dtype}, expected real numbers")
    if tensor.layout is not torch.strided:
        raise AESGMemoryError(f"{what} has layout {tensor.layout}, expected a dense tensor")


def check_query(query: Tensor, config: AESGConfig, rows: int | None = None) -> None:
    """AESGMemoryError unless ``query`` is [D], [B, D] or [B, T, D], and not empty; with so many ``rows``, if given."""
    dim = config.vector_dim
    if query.dim() not in (1, 2, 3) or query.shape[-1] != dim or rows not in (None, query.numel() // dim):
        expected = f"[{dim}], [B, {dim}] or [B, T, {dim}]" if rows is None else f"[{dim}]"
        raise AESGMemoryError(f"query has shape {list(query.shape)}, expected {expected} (vector_dim={dim})")
    if query.numel() == 0:
        raise AESGMemoryError(f"query is an empty batch of shape {list(query.shape)}, expected at least one row")


def check_value(value: Tensor, query: Tensor, config: AESGConfig) -> None:
    """AESGMemoryError unless ``value`` has one row of ``value_dim`` for each of the query's."""
    if config.value_dim == 0:
        raise AESGMemoryError("A value was given, but this memory has value_dim=0: expected no value")
    expected = [*query.shape[:-1], config.value_dim]
    if list(value.shape) != expected:
        raise AESGMemoryError(
            f"value has shape {list(value.shape)}, expected {expected} for a query of {list(query.shape)}"
        )


NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


def as_array(given: Any, what: str) -> Any:
    """What the engine takes: tensors as arrays (dtypes that numpy lacks as float32), the rest as it is."""
    if not isinstance(given, Tensor):
        return given
    _check_real(given, what)
    here = given.detach().to("cpu")
    return (here.float() if here.is_floating_point() and here.dtype not in NUMPY_FLOATS else here).numpy()


def numpy_encoder(encode: Callable[[Sequence[str]], Any]) -> Callable[[Sequence[str]], Any]:
    """An encoder that may give tensors, as one that gives arrays."""
    if not callable(encode):
        raise AESGMemoryError(f"encode is a {type(encode).__name__}, expected a function from sources to keys")
    return lambda sources: as_array(encode(sources), "the encoder's output")


def torch_product(keys: Floats, queries: Floats, scores: Floats) -> None:
    """Writes keys [n, D] times queries [B, D] into scores [n, B], on the threads that torch has anyway.

    numpy's BLAS has threads of its own, and both kinds wait for work by spinning: measured on two cores, a search by
    torch followed by a scan by numpy takes six times as long as the two alone.
    """
    if len(queries) == 1:
        torch.mv(torch.from_numpy(keys), torch.from_numpy(queries[0]), out=torch.from_numpy(scores[:, 0]))
    else:
        torch.mm(torch.from_numpy(keys), torch.from_numpy(queries).T, out=torch.from_numpy(scores))
