"""How both networks of the benchmark are trained: the same pictures, in the same order, by the same loss."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from aesg_graph.memory import AESGMemory
from aesg_graph.training.colorization.pictures import gray

BATCH, RATE = 32, 1e-3


def fit(model: nn.Module, pictures: Tensor, epochs: int, seed: int) -> list[float]:
    """Train on colour pictures [N, 3, S, S]: from gray to colour, by mean squared error; each epoch's mean loss."""
    memories = [module for module in model.modules() if isinstance(module, AESGMemory)]
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    order = torch.Generator().manual_seed(seed)
    model.train()
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(pictures), generator=order), BATCH):
            batch = pictures[rows]
            with ExitStack() as steps:
                for memory in memories:
                    steps.enter_context(memory.step())
                loss = nn.functional.mse_loss(model(gray(batch)), batch)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            for memory in memories:
                memory.update_topology()
            total += loss.item() * len(rows)
        losses.append(total / len(pictures))
    return losses
