"""Where a memory's keys come from. Cosine needs keys that are centred, so each encoder takes a mean away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from digits_demo.data import PIXELS, Digits, Rows
from digits_demo.networks import HIDDEN, Training
from digits_demo.setting import Setting


class Encoder(Protocol):
    """Makes keys of pictures."""

    width: int

    def begin(self, rows: Rows) -> None:
        """Look at the first task, before anything is remembered."""

    def train(self, rows: Rows) -> None:
        """Learn one batch, if this encoder goes on learning."""

    def encode(self, rows: Rows) -> Tensor:
        """Keys [N, width] of pictures."""


class Pixels:
    """The picture itself is the key, less the mean picture of the first task."""

    width = PIXELS

    def __init__(self, digits: Digits) -> None:
        self.digits = digits

    def begin(self, rows: Rows) -> None:
        """Take the mean picture of the first task."""
        self.mean = self.digits.images[rows].mean(0)

    def train(self, rows: Rows) -> None:
        """Pixels do not learn."""

    def encode(self, rows: Rows) -> Tensor:
        """Keys [N, 64]."""
        return self.digits.images[rows] - self.mean


class FrozenFeatures:
    """The hidden layer of a network that learned the first task, and then held still."""

    width = HIDDEN

    def __init__(self, digits: Digits, setting: Setting, seed: int) -> None:
        self.setting, self.chance = setting, np.random.default_rng(seed)
        self.training = Training(digits, seed)

    def begin(self, rows: Rows) -> None:
        """Learn the first task; take the mean of its features."""
        self.training.run(rows, self.setting, self.chance)
        self.mean = self.features(rows).mean(0)

    def train(self, rows: Rows) -> None:
        """Frozen."""

    def encode(self, rows: Rows) -> Tensor:
        """Keys [N, 128]."""
        return self.features(rows) - self.mean

    @torch.no_grad()
    def features(self, rows: Rows) -> Tensor:
        """What the hidden layer makes of pictures."""
        return self.training.network.features(self.training.digits.images[rows])


class LoopFeatures(FrozenFeatures):
    """The hidden layer of a network that goes on learning, batch by batch, while the memory is used."""

    def begin(self, rows: Rows) -> None:
        """Take the mean of the first task's features as they are before learning."""
        self.mean = self.features(rows).mean(0)

    def train(self, rows: Rows) -> None:
        """The network learns the batch, and forgets what it had learned before."""
        self.training.step(rows)

    def renew(self, sources: Sequence[str]) -> Tensor:
        """Keys of everything that the memory holds, as the network sees it today; the mean is today's too."""
        features = self.features(rows_of(sources))
        self.mean = features.mean(0)
        return features - self.mean


def sources_of(rows: Rows) -> list[str]:
    """Names by which pictures can be found again."""
    return [f"digits/{row}" for row in rows.tolist()]


def rows_of(sources: Sequence[str]) -> Rows:
    """The pictures that :func:`sources_of` named."""
    return np.array([int(source.removeprefix("digits/")) for source in sources], np.int64)
