"""A model with a memory, in fifteen lines. Run as a script, it learns the digits two at a time, and keeps them."""

from __future__ import annotations

import tempfile

import numpy as np
import torch
from torch import Tensor, nn

from aesg_graph import AESGConfig, AESGMemory


class ModelWithMemory(nn.Module):
    """Adds what a memory recalls to what a layer computes."""

    def __init__(self, directory: str, width: int, classes: int) -> None:
        super().__init__()
        config = AESGConfig(vector_dim=width, value_dim=classes, novelty_birth_threshold=1)
        self.memory = AESGMemory(directory, config)
        self.layer = nn.Linear(width, classes)
        self.trust = nn.Parameter(torch.tensor(10.0))

    def forward(self, x: Tensor, meaning: Tensor | None = None) -> Tensor:
        recalled = self.memory(x, meaning).read()  # answers first; then, while training, learns what x means
        return self.layer(x) + self.trust * recalled


def train(model: ModelWithMemory, optimizer: torch.optim.Optimizer, x: Tensor, labels: Tensor) -> None:
    """One training step. What the memory learns in it is kept if the whole step succeeds."""
    with model.memory.step():
        logits = model(x, nn.functional.one_hot(labels, model.layer.out_features))
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()
    model.memory.update_topology()  # once a batch: consolidates now and then


def main(directory: str, passes: int = 5) -> float:
    """Learn the digits task after task; the share of unseen pictures, of all ten digits, that is then named rightly."""
    from digits_demo.data import TASKS, batches, split

    digits, chance = split(seed=0), np.random.default_rng(0)
    x = (digits.images - digits.images[digits.task(0)].mean(0)) / 16  # cosine needs centred keys
    torch.manual_seed(0)
    model = ModelWithMemory(directory, width=64, classes=10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for task in range(len(TASKS)):
        for _ in range(passes):
            for rows in batches(digits.task(task), 32, chance):
                train(model, optimizer, x[rows], digits.labels[rows])
    model.eval()  # now it recalls, and learns nothing
    with torch.no_grad():
        right = model(x[digits.test]).argmax(-1) == digits.labels[digits.test]
    model.memory.close()
    return float(right.double().mean())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(f"all ten digits, learned two at a time: {main(temporary):.1%} named rightly")
