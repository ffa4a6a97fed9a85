"""What layers may be given; the errors say what was given and what is expected."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from aesg_graph.engine import inputs
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


def check_share(given: Any, name: str) -> float:
    """AESGConfigError for anything but a number in [0, 1)."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1:
        raise AESGConfigError(f"{name} is {given!r}, expected a number in [0, 1)")
    return float(given)


def check_kind(given: Any) -> str | None:
    """AESGConfigError for anything but None or what may be a concept's kind."""
    try:
        return None if given is None else inputs.kind_name(given)
    except AESGMemoryError as error:
        raise AESGConfigError(f"{error.message}, or None") from error


def check_input(given: Any, name: str, *shape: int | str) -> Tensor:
    """AESGMemoryError unless ``given`` is a floating point tensor of this shape, which is not empty.

    A size that may be any is named by a letter.
    """
    expected = f"floating point numbers [{', '.join(map(str, shape))}]"
    if not isinstance(given, Tensor):
        raise AESGMemoryError(f"{name} is a {type(given).__name__}, expected {expected}")
    if not given.is_floating_point():
        raise AESGMemoryError(f"{name} has dtype {given.dtype}, expected {expected}")
    if given.dim() != len(shape) or any(
        isinstance(size, int) and size != here for size, here in zip(shape, given.shape, strict=True)
    ):
        raise AESGMemoryError(f"{name} has shape {list(given.shape)}, expected {expected}")
    if given.numel() == 0:
        raise AESGMemoryError(f"{name} is empty, of shape {list(given.shape)}, expected at least one row of {expected}")
    return given
