"""A classifier with a memory learns scikit-learn's digits; then its memory is emptied, to see what it was worth."""

from __future__ import annotations

import tempfile

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from aesg_graph import AESGConfig
from aesg_graph.nn.image import AESGCNNClassifier

CLASSES = 10


def learn(model: AESGCNNClassifier, pictures: Tensor, labels: Tensor, passes: int) -> None:
    """Train; memory learns what each picture means."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(passes):
        for rows in torch.randperm(len(pictures)).split(32):
            with model.memory.step():
                logits = model(pictures[rows], value=nn.functional.one_hot(labels[rows], CLASSES).float())
                optimizer.zero_grad()
                nn.functional.cross_entropy(logits, labels[rows]).backward()
                optimizer.step()
            model.memory.update_topology()


@torch.no_grad()
def share_right(model: AESGCNNClassifier, pictures: Tensor, labels: Tensor) -> float:
    """How many of these pictures the model names rightly; nothing is learned."""
    model.eval()
    return float((model(pictures).argmax(-1) == labels).double().mean())


def main(directory: str, passes: int = 3, examples: int = 1000) -> tuple[float, float]:
    """The share of unseen digits that is named rightly with the memory, and with the memory emptied."""
    digits = load_digits()
    pictures, labels = torch.from_numpy(digits.images).float().unsqueeze(1) / 16, torch.from_numpy(digits.target)
    torch.manual_seed(0)
    config = AESGConfig(vector_dim=64, value_dim=CLASSES, novelty_birth_threshold=1)  # concepts that mean a class
    model = AESGCNNClassifier.small(CLASSES, directory, config=config, in_channels=1)
    with model.memory as memory:
        learn(model, pictures[:examples], labels[:examples], passes)
        unseen = pictures[examples:], labels[examples:]
        concepts, full = memory.storage.node_count, share_right(model, *unseen)
        memory.remove(memory.storage.nodes["id"].astype("int64"))
        empty = share_right(model, *unseen)
    print(f"{concepts} concepts: {full:.1%} of unseen digits named rightly; without them {empty:.1%}")
    return full, empty


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(temporary)
