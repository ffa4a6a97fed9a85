"""The cheap alternative: keep as many random examples as the memory has concepts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from digits_demo.data import CLASSES, Digits, Rows
from digits_demo.encoders import Encoder
from digits_demo.networks import accuracy

READ = 10
"""So many of the nearest take part in the read-out, as many as a memory retrieves."""


class RandomExamples:
    """Examples drawn at random from all that was seen, as many as ``count()`` says; the mean of several draws.

    With ``temperature`` they are read out by the memory's own formula (all of stability one half), without by the label
    of the one nearest.
    """

    def __init__(
        self,
        digits: Digits,
        seed: int,
        encoder: Encoder,
        count: Callable[[], int],
        draws: int,
        temperature: float | None,
    ) -> None:
        self.digits, self.chance = digits, np.random.default_rng(seed)
        self.encoder, self.count, self.draws, self.temperature = encoder, count, draws, temperature
        self.met: list[Rows] = []

    @property
    def kept(self) -> int:
        """How many examples are kept."""
        return min(self.count(), sum(map(len, self.met)))

    def learn(self, rows: Rows) -> None:
        """See a task; which of it is kept is drawn when it is needed."""
        self.met.append(rows)

    def score(self, rows: Rows) -> float:
        """Accuracy on pictures, the mean over the draws."""
        met = np.concatenate(self.met)
        kept = [self.chance.choice(met, self.kept, replace=False) for _ in range(self.draws)]
        return float(np.mean([accuracy(self._scores(rows, k), self.digits.labels[rows]) for k in kept]))

    def _scores(self, rows: Rows, kept: Rows) -> Tensor:
        keys, queries = (torch.nn.functional.normalize(self.encoder.encode(r)) for r in (kept, rows))
        near, which = (queries @ keys.T).topk(1 if self.temperature is None else min(READ, len(kept)))
        shares = torch.ones_like(near) if self.temperature is None else torch.softmax(near / self.temperature, -1)
        votes = torch.zeros(len(rows), CLASSES)
        return votes.scatter_add_(1, self.digits.labels[kept][which], shares)
