"""What layers may be given; the errors say what was given and what is expected."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from aesg_graph.errors import AESGConfigError, AESGMemoryError
from aesg_graph.memory import AESGMemory


def check_memory(memory: Any) -> AESGMemory:
    """AESGConfigError for anything that is no AESGMemory."""
    if not isinstance(memory, AESGMemory):
        raise AESGConfigError(f"memory is a {type(memory).__name__}, expected an AESGMemory")
    return memory


def check_count(given: Any, name: str, least: int = 1) -> int:
    """AESGConfigError for anything but a whole number of at least ``least``."""
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise AESGConfigError(f"{name} is {given!r}, expected a whole number of at least {least}")
    return given


def check_choice(given: Any, name: str, choices: tuple[str, ...]) -> str:
    """AESGConfigError for anything but one of ``choices``."""
    if not isinstance(given, str) or given not in choices:
        raise AESGConfigError(f"{name} is {given!r}, expected one of {', '.join(map(repr, choices))}")
    return given


def check_input(given: Any, name: str, shape: tuple[str, ...], sizes: dict[str, int]) -> Tensor:
    """AESGMemoryError unless ``given`` is a floating point tensor of a shape like ("B", "T", "E").

    ``sizes`` says which of these letters have a fixed size.
    """
    told = f"[{', '.join(shape)}]" + "".join(f", {letter}={size}" for letter, size in sizes.items())
    if not isinstance(given, Tensor):
        raise AESGMemoryError(f"{name} is a {type(given).__name__}, expected a tensor {told}")
    if not given.is_floating_point():
        raise AESGMemoryError(f"{name} has dtype {given.dtype}, expected floating point numbers {told}")
    fits = given.dim() == len(shape) and all(
        sizes.get(letter, size) == size for letter, size in zip(shape, given.shape, strict=True)
    )
    if not fits:
        raise AESGMemoryError(f"{name} has shape {list(given.shape)}, expected {told}")
    if given.numel() == 0:
        raise AESGMemoryError(f"{name} is empty, of shape {list(given.shape)}, expected at least one row {told}")
    return given
