"""What holds while a trainer works, and is as it was before afterwards, whatever happens inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from aesg_graph.memory import AESGMemory


def memories_of(model: nn.Module) -> list[tuple[str, AESGMemory]]:
    """The memories of a model, by their names in it; one that is opened twice counts once."""
    engines: set[int] = set()
    found = []
    for name, module in model.named_modules():
        if isinstance(module, AESGMemory) and id(module.engine) not in engines:
            engines.add(id(module.engine))
            found.append((name, module))
    return found


@contextmanager
def conduct(model: nn.Module, memories: Sequence[AESGMemory], *, training: bool, mode: str) -> Iterator[None]:
    """The model trains or not, its memories are in a mode; afterwards every module and memory is as it was."""
    with ExitStack() as after:
        for module in model.modules():
            after.callback(setattr, module, "training", module.training)
        for memory in memories:
            after.callback(memory.set_mode, memory.mode)
            memory.set_mode(mode)
        model.train(training)
        yield


@contextmanager
def together(memories: Sequence[AESGMemory]) -> Iterator[None]:
    """One step of all memories: what they learn in it they learn at its end, or not at all."""
    with ExitStack() as steps:
        handles = [steps.enter_context(memory.step()) for memory in memories]
        try:
            yield
        except BaseException:
            for handle in handles:
                handle.discard()
            raise


@contextmanager
def or_undone(model: nn.Module) -> Iterator[None]:
    """Buffers (running means and the like) go back to what they were if what happens inside fails."""
    kept = [(buffer, buffer.detach().clone()) for buffer in _buffers(model)]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)
        raise


def _buffers(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        if not isinstance(module, AESGMemory):
            yield from module.buffers(recurse=False)
