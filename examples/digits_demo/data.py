"""The digits of scikit-learn as five tasks, two classes at a time, and who may look at which picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

CLASSES = 10
PIXELS = 64
BRIGHTEST = 16.0
TASKS = tuple((first, first + 1) for first in range(0, CLASSES, 2))

HELD_OUT = 0.2
"""The share of all pictures that validates, and the share that tests."""
VALIDATION_SEED = 20_000

Rows = npt.NDArray[np.int64]
"""Pictures by their number in the data set."""


@dataclass(frozen=True, eq=False)
class Digits:
    """All pictures [1797, 64] with brightness 0 to 16, their labels [1797], and which of them train and test."""

    images: Tensor
    labels: Tensor
    train: Rows
    test: Rows

    def task(self, number: int) -> Rows:
        """The training pictures of task ``number``."""
        return self._of(self.train, TASKS[number])

    def seen(self, number: int) -> Rows:
        """The test pictures of every class met up to task ``number``."""
        return self._of(self.test, [c for pair in TASKS[: number + 1] for c in pair])

    def meanings(self, rows: Rows) -> Tensor:
        """What the pictures mean: one-hot values [N, 10]."""
        return torch.eye(CLASSES)[self.labels[rows]]

    def _of(self, rows: Rows, classes: object) -> Rows:
        return rows[np.isin(self.labels[rows].numpy(), classes)]


def split(seed: int, *, validate: bool = False, train_limit: int | None = None) -> Digits:
    """One way of dividing the pictures: three fifths train, a fifth tests, a fifth (always the same) validates.

    The classes are mixed alike in all parts. A method is judged on the test pictures, with ``validate`` on the
    validation pictures, so that nothing is ever chosen by pictures that it is tested on.
    """
    images, labels = load_digits(return_X_y=True)
    rest, validation = _divided(np.arange(len(labels)), labels, len(labels), VALIDATION_SEED)
    train, test = _divided(rest, labels, len(labels), seed)
    if train_limit is not None:
        train, _ = train_test_split(train, train_size=train_limit, random_state=seed, stratify=labels[train])
    judged = validation if validate else test
    return Digits(torch.tensor(images, dtype=torch.float32), torch.tensor(labels), train, judged)


def _divided(rows: Rows, labels: npt.NDArray[np.int64], total: int, seed: int) -> tuple[Rows, Rows]:
    taken = round(HELD_OUT * total)
    first, second = train_test_split(rows, test_size=taken, random_state=seed, stratify=labels[rows])
    return np.sort(first), np.sort(second)


def batches(rows: Rows, size: int, chance: np.random.Generator) -> Iterator[Rows]:
    """One pass over pictures in random order, at most ``size`` at a time."""
    order = chance.permutation(rows)
    for start in range(0, len(order), size):
        yield order[start : start + size]
