"""The small network that forgets, and the same network trained on everything at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from digits_demo.data import BRIGHTEST, CLASSES, PIXELS, Digits, Rows, batches
from digits_demo.setting import Setting

HIDDEN = 128
LEARNING_RATE = 1e-3


class Network(nn.Module):
    """One hidden layer, 64 to 128 to 10."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(PIXELS, HIDDEN)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def features(self, images: Tensor) -> Tensor:
        """What the hidden layer makes of images [N, 64]: [N, 128]."""
        return torch.tanh(self.hidden(images / BRIGHTEST))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, 10]."""
        return self.head(self.features(images))


class Training:
    """A network and its optimizer, born from a seed."""

    def __init__(self, digits: Digits, seed: int) -> None:
        torch.manual_seed(seed)
        self.digits = digits
        self.network = Network()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    def step(self, rows: Rows) -> None:
        """Learn one batch."""
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.network(self.digits.images[rows]), self.digits.labels[rows]).backward()
        self.optimizer.step()

    def run(self, rows: Rows, setting: Setting, chance: np.random.Generator) -> None:
        """Learn pictures, as many passes as the setting says."""
        for _ in range(setting.passes):
            for batch in batches(rows, setting.batch, chance):
                self.step(batch)

    @torch.no_grad()
    def score(self, rows: Rows) -> float:
        """The share of pictures that the network names rightly."""
        return accuracy(self.network(self.digits.images[rows]), self.digits.labels[rows])


class SequentialNetwork:
    """Learns each task when it comes, and never sees it again."""

    def __init__(self, digits: Digits, setting: Setting, seed: int) -> None:
        self.setting, self.chance = setting, np.random.default_rng(seed)
        self.training = Training(digits, seed)

    kept = 0
    """So many pictures of earlier tasks it needs."""

    def learn(self, rows: Rows) -> None:
        """Learn a task."""
        self.training.run(rows, self.setting, self.chance)

    def score(self, rows: Rows) -> float:
        """Accuracy on pictures."""
        return self.training.score(rows)


class JointNetwork:
    """Begins anew with each task, and learns it together with all the tasks before: the ceiling."""

    def __init__(self, digits: Digits, setting: Setting, seed: int) -> None:
        self.digits, self.setting, self.seed = digits, setting, seed
        self.met: list[Rows] = []

    @property
    def kept(self) -> int:
        """All pictures so far."""
        return sum(map(len, self.met))

    def learn(self, rows: Rows) -> None:
        """Learn a task, and everything before it once more."""
        self.met.append(rows)
        self.training = Training(self.digits, self.seed)
        self.training.run(np.concatenate(self.met), self.setting, np.random.default_rng(self.seed))

    def score(self, rows: Rows) -> float:
        """Accuracy on pictures."""
        return self.training.score(rows)


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """The share of rows whose highest score is at their label."""
    return float((scores.argmax(-1) == labels).double().mean())
