"""Two processes train one model, data-parallel, and learn into one memory on servers.

    AESG_GRAPH=neo4j://host:7687 AESG_VECTORS=http://host:6333 AESG_PASSWORD=... \\
        torchrun --standalone --nproc_per_node 2 examples/data_parallel.py ./rank-memories

Each rank has its own directory (journal and cache) and half of the pictures. Gradients meet in every step; what either
rank learns, the other recalls within ``refresh_interval``.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from aesg_graph import AESGConfig, AESGMemory, StoreSettings


class Classifier(nn.Module):
    """What is trained: a layer beside what the memory recalls. The memory itself has no parameters to share."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, classes)
        self.trust = nn.Parameter(torch.tensor(10.0))

    def forward(self, x: Tensor, recalled: Tensor) -> Tensor:
        logits: Tensor = self.layer(x) + self.trust * recalled
        return logits


def train(directory: Path, name: str, passes: int) -> dict[str, float]:
    """One rank's part; what it says in the end."""
    from digits_demo.data import batches, split

    accelerator = Accelerator(cpu=True)
    rank, ranks = accelerator.process_index, accelerator.num_processes
    digits = split(seed=0)
    x = (digits.images - digits.images[digits.train].mean(0)) / 16  # cosine needs centred keys
    mine = digits.train[rank::ranks]
    torch.manual_seed(0)
    config = AESGConfig(vector_dim=64, value_dim=10, novelty_birth_threshold=1)
    memory = AESGMemory(directory / f"rank-{rank}", config, stores=StoreSettings(memory=name, refresh_interval=0.2))
    model = Classifier(64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model, optimizer = accelerator.prepare(model, optimizer)
    chance = np.random.default_rng(rank)
    for _ in range(passes):
        for rows in islice(batches(mine, 32, chance), len(digits.train) // ranks // 32):  # as many on every rank
            meaning = nn.functional.one_hot(digits.labels[rows], 10)
            with memory.step():
                logits = model(x[rows], memory(x[rows], meaning).read())
                optimizer.zero_grad()
                accelerator.backward(nn.functional.cross_entropy(logits, digits.labels[rows]))
                optimizer.step()
            memory.update_topology()
    memory.flush()
    accelerator.wait_for_everyone()  # everything is in the stores
    memory.refresh()
    memory.eval()
    with torch.no_grad():
        right = model(x[digits.test], memory(x[digits.test]).read()).argmax(-1) == digits.labels[digits.test]
    said = {"concepts": memory.stats()["concepts"], "right": float(right.double().mean())}
    accelerator.wait_for_everyone()
    memory.close()
    print(f"rank {rank} of {ranks}: {said['concepts']} concepts in the memory, {said['right']:.1%} named rightly")
    return said


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("directory", type=Path)
    options.add_argument("--memory", default="data-parallel")
    options.add_argument("--passes", type=int, default=1)
    chosen = options.parse_args()
    train(chosen.directory, chosen.memory, chosen.passes)
