"""States of modules, optimizers and schedulers as safetensors: tensors as such, all else as JSON beside them.

A state is a tree of mappings, lists and tuples whose leaves are tensors, numbers, texts, None and booleans. Tensors are
named by their path (``layer.weight``), so that the file of a model is one that any reader of safetensors reads. Nothing
is pickled: a file can hold no code. A tensor that is found twice (tied weights) is written once.
"""

from __future__ import annotations

import json
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from aesg_graph.errors import AESGStorageError, AESGTrainingError

TREE = "tree"
Plain = str | int | float | bool | None


def save_tree(path: Path, state: Any, what: str) -> None:
    """Write a state to a file and to disk. AESGTrainingError, naming the leaf, if it has what no JSON can hold."""
    tensors: dict[str, Tensor] = {}
    tree = _Writer(what, tensors).write(state, ())
    whole = {name: _own(tensor) for name, tensor in tensors.items()}
    try:
        save_file(whole, path, metadata={TREE: json.dumps(tree)})
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except (OSError, SafetensorError) as error:
        raise AESGStorageError(f"Cannot write {path}: {error}") from error


def load_tree(path: Path) -> Any:
    """The state in a file, its tensors on the CPU. AESGStorageError if it cannot be read."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tree = json.loads((file.metadata() or {})[TREE])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        return _read(tree, tensors)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AESGStorageError(f"{path} cannot be read: {error!r}") from error


def _own(tensor: Tensor) -> Tensor:
    """A tensor whose memory is its own, as the file wants it."""
    return tensor.detach().to("cpu").contiguous().clone()


class _Writer:
    """Turns a state into JSON, and puts its tensors aside under names."""

    def __init__(self, what: str, tensors: dict[str, Tensor]) -> None:
        self._what = what
        self._tensors = tensors
        self._named: dict[tuple[Any, ...], str] = {}

    def write(self, value: Any, path: tuple[str, ...]) -> Any:
        """What JSON says of a value: itself if it is plain, else a mapping that begins with its kind."""
        if isinstance(value, Tensor):
            return {"tensor": self._name(value, path)}
        if value is None or type(value) in (str, int, float, bool):
            return value
        if isinstance(value, Mapping):
            kind = "counter" if isinstance(value, Counter) else "map"
            return {kind: [[self._key(key, path), self.write(part, (*path, str(key)))] for key, part in value.items()]}
        if isinstance(value, list | tuple):
            parts = [self.write(part, (*path, str(place))) for place, part in enumerate(value)]
            return {"list" if isinstance(value, list) else "tuple": parts}
        if isinstance(value, int | float) or (hasattr(value, "item") and not getattr(value, "shape", True)):
            return self.write(value.item() if hasattr(value, "item") else float(value), path)  # numpy's numbers
        raise self._refused(value, path)

    def _key(self, key: Any, path: tuple[str, ...]) -> Plain:
        if key is None or isinstance(key, str | int | float | bool):
            return key
        raise self._refused(key, path)

    def _refused(self, value: Any, path: tuple[str, ...]) -> AESGTrainingError:
        return AESGTrainingError(
            f"The state of {self._what} has a {type(value).__name__} at {'.'.join(path) or 'its top'}, expected "
            "tensors, numbers, texts, lists and mappings: a checkpoint holds no pickles"
        )

    def _name(self, tensor: Tensor, path: tuple[str, ...]) -> str:
        """The name of a tensor; the same for one that lies in the same place and has the same form."""
        if tensor.layout is not torch.strided:
            raise self._refused(tensor, path)
        lies = (tensor.device, tensor.dtype, tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if tensor.numel() and lies in self._named:
            return self._named[lies]
        name = wanted = ".".join(path) or "value"
        again = 1
        while name in self._tensors:
            name, again = f"{wanted}#{again}", again + 1
        self._tensors[name] = tensor
        self._named[lies] = name
        return name


def _read(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "map":
            return OrderedDict((key, _read(part, tensors)) for key, part in content)
        case "counter":
            return Counter({key: part for key, part in content})
        case "list":
            return [_read(part, tensors) for part in content]
        case "tuple":
            return tuple(_read(part, tensors) for part in content)
        case _:
            raise ValueError(f"{kind!r} is no kind of state")
