"""Retrieval as one torch operator, so that compilers see shapes and never learn.

The operator has a fake implementation (shapes only), refuses vmap, and writes ``clock``, a counter of its module, so
that no compiler drops or reorders calls that learn.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from aesg_graph.errors import AESGMemoryError, AESGNavigationError

if TYPE_CHECKING:
    from aesg_graph.memory import AESGMemory

LEARN_BY_MODE = -1

_modules: weakref.WeakValueDictionary[int, AESGMemory] = weakref.WeakValueDictionary()
_handles = itertools.count(1)


Found = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


class Asked(NamedTuple):
    """How a flat batch was asked.

    ``learn`` is 0, 1 or LEARN_BY_MODE, ``steps`` the T of [B, T, D] or 0, ``sources`` a JSON list (lists of strings do
    not pass through an operator).
    """

    learn: int
    training: bool
    steps: int
    kind: str | None
    region: int | None
    sources: str | None


def register(module: AESGMemory) -> int:
    """A number by which the operator finds a module."""
    handle = next(_handles)
    _modules[handle] = module
    return handle


def _module(handle: int) -> AESGMemory:
    module = _modules.get(handle)
    if module is None:
        raise AESGMemoryError(f"Memory module {handle} is gone, expected one that is alive in this process")
    return module


# Not `torch.library.custom_op`: its first call imports all of torch's compiler.
torch.library.define(
    "aesg::retrieve",
    "(Tensor query, Tensor? value, Tensor(a!) clock, int handle, int learn, bool training, int steps, "
    "str? kind, int? region, str? sources) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def _retrieve(
    query: Tensor,
    value: Tensor | None,
    clock: Tensor,
    handle: int,
    learn: int,
    training: bool,
    steps: int,
    kind: str | None,
    region: int | None,
    sources: str | None,
) -> Found:
    """Recall for [R, D] queries: ids, energies, vectors, values, has_value, stability, explanation, novel, degraded."""
    asked = Asked(learn, training, steps, kind, region, sources)
    found = _module(handle).answer(query.float(), None if value is None else value.float(), asked)
    clock.add_(1)

    elsewhere = None if query.device.type == "cpu" else query.device

    def there(array: Any, dtype: type[np.generic] = np.float32) -> Tensor:
        tensor = torch.from_numpy(np.asarray(array, dtype))
        return tensor if elsewhere is None else tensor.to(elsewhere)

    return (
        there(found.ids, np.int64),
        there(found.energies),
        there(found.keys),
        there(found.values),
        there(found.has_value, np.bool_),
        there(found.stability),
        there(found.explanation),
        there(found.novel, np.bool_),
        there(np.full(len(found.novel), found.degraded), np.bool_),
    )


def _shapes(
    query: Tensor,
    value: Tensor | None,
    clock: Tensor,
    handle: int,
    learn: int,
    training: bool,
    steps: int,
    kind: str | None,
    region: int | None,
    sources: str | None,
) -> Found:
    """As :func:`_retrieve`, of tensors that have shapes alone."""
    config = _module(handle).config
    rows, count = query.shape[0], config.top_k

    def shaped(*rest: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return query.new_empty((rows, *rest), dtype=dtype)

    return (
        shaped(count, dtype=torch.int64),
        shaped(count),
        shaped(count, config.vector_dim),
        shaped(count, config.value_dim),
        shaped(count, dtype=torch.bool),
        shaped(count),
        shaped(),
        shaped(dtype=torch.bool),
        shaped(dtype=torch.bool),
    )


def _no_vmap(info: Any, in_dims: Any, *args: Any) -> Any:
    raise AESGNavigationError(
        "Memory was called under torch.vmap, expected one call with the whole batch: query of shape [B, D] or [B, T, D]"
    )


torch.library.impl("aesg::retrieve", "default", _retrieve)
torch.library.register_fake("aesg::retrieve", _shapes)
torch.library.register_vmap("aesg::retrieve", _no_vmap)
retrieve_op: Callable[..., Found] = torch.ops.aesg.retrieve.default
"""The operator."""
