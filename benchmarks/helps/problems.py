"""A problem of classification: examples that are shown in turn, and those by which a side is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Problem:
    """What every side sees, in the same order.

    keys: [N, D] float32, the same for all sides, with a mean taken away.
    told: [N] the label that a side is told of an example. true: [N] the label that it should give.
    shown: the examples of each part; a part that has passed does not come back.
    judged: the examples that a side is asked for in the end, and is never shown.
    """

    keys: Tensor
    told: Tensor
    true: Tensor
    shown: tuple[Rows, ...]
    judged: Rows

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.true.max()) + 1

    @property
    def everything(self) -> Rows:
        """All examples that are shown."""
        return np.concatenate(self.shown)

    def accuracy(self, scores: Tensor) -> float:
        """The share of the judged examples whose highest score [judged, classes] is at their label."""
        return float((scores.argmax(-1) == self.true[self.judged]).double().mean())

    def lessons(self, passes: int, batch: int, seed: int) -> Iterator[Rows]:
        """Batches: each part in random order, as many passes as are asked for, then the next part."""
        chance = np.random.default_rng(seed)
        for part in self.shown:
            for _ in range(passes):
                order = chance.permutation(part)
                yield from (order[start : start + batch] for start in range(0, len(order), batch))


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Values [N, classes]."""
    return torch.eye(classes)[labels]
