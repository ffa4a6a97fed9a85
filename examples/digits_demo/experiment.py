"""Everyone learns the five tasks; after each, everyone is tested on all that was seen so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from digits_demo.data import TASKS, Digits, Rows, split
from digits_demo.encoders import FrozenFeatures, LoopFeatures, Pixels
from digits_demo.memories import Life, MemoryLearner
from digits_demo.networks import JointNetwork, SequentialNetwork
from digits_demo.setting import ON_FROZEN, ON_PIXELS, ON_RENEWED, Setting
from digits_demo.stored import RandomExamples

SEQUENTIAL, PIXELS, RENEWED, FROZEN, STALE, NEAREST, READ_OUT, JOINT, EVERYTHING = METHODS = (
    "network alone",
    "memory on pixels",
    "memory on network, rekeyed",
    "memory on frozen network",
    "memory on network, stale",
    "as many examples, nearest",
    "as many examples, read out",
    "network, all tasks at once",
    "all examples, nearest",
)


class Learner(Protocol):
    """Whatever can learn tasks one after another."""

    @property
    def kept(self) -> int:
        """How many concepts or examples it keeps."""

    def learn(self, rows: Rows) -> None:
        """Learn a task."""

    def score(self, rows: Rows) -> float:
        """Accuracy on pictures."""


Progress = Callable[[int, int, str], None]
"""Told which split and task is next, and for which method."""


@dataclass(frozen=True, eq=False)
class SplitOutcome:
    """What was measured in one split, by method: accuracy after each task, and how much was kept in the end."""

    accuracy: dict[str, list[float]]
    kept: dict[str, int]
    life: Life
    """Of the memory on pixels."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was measured in all splits so far."""

    splits: list[SplitOutcome]
    seconds: float
    processor_seconds: float

    def accuracy(self, method: str) -> npt.NDArray[np.float64]:
        """Accuracy [splits, tasks]."""
        return np.array([split.accuracy[method] for split in self.splits])

    def final(self, method: str) -> npt.NDArray[np.float64]:
        """Accuracy after the last task, one for each split."""
        return np.asarray(self.accuracy(method)[:, -1])

    def kept(self, method: str) -> float:
        """How many concepts or examples a method kept in the end, on average."""
        return float(np.mean([split.kept[method] for split in self.splits]))

    @property
    def examples(self) -> str:
        """Which way of using random examples was the better one."""
        return max((NEAREST, READ_OUT), key=lambda method: float(self.final(method).mean()))


Finished = Callable[[Outcome], None]
"""Told after each split what is known so far."""


def learners(digits: Digits, setting: Setting, seed: int, directory: Path, pixels: Path) -> dict[str, Learner]:
    """All methods, in the order in which they learn a task. The memory on pixels lives in ``pixels``, others below
    ``directory``.
    """
    own = Pixels(digits)
    memory = MemoryLearner(digits, setting, seed, pixels, own, ON_PIXELS)

    def on(encoder: FrozenFeatures, name: str, rekeys: bool) -> MemoryLearner:
        chosen = ON_RENEWED if isinstance(encoder, LoopFeatures) else ON_FROZEN
        return MemoryLearner(digits, setting, seed, directory / name, encoder, chosen, rekeys)

    def stored(count: Callable[[], int], draws: int, temperature: float | None = None) -> RandomExamples:
        return RandomExamples(digits, seed, own, count, draws, temperature)

    return {
        SEQUENTIAL: SequentialNetwork(digits, setting, seed),
        PIXELS: memory,
        NEAREST: stored(lambda: memory.kept, setting.draws),
        READ_OUT: stored(lambda: memory.kept, setting.draws, ON_PIXELS.temperature),
        EVERYTHING: stored(lambda: len(digits.train), 1),
        RENEWED: on(LoopFeatures(digits, setting, seed), "renewed", rekeys=True),
        STALE: on(LoopFeatures(digits, setting, seed), "stale", rekeys=False),
        FROZEN: on(FrozenFeatures(digits, setting, seed), "frozen", rekeys=False),
        JOINT: JointNetwork(digits, setting, seed),
    }


def run(
    setting: Setting,
    seed: int,
    directory: Path,
    first: Path,
    progress: Progress = lambda split, task, method: None,
    finished: Finished = lambda outcome: None,
) -> Outcome:
    """Run every split. The first split's memory on pixels lives in ``first``, all others below ``directory``."""
    began, spent = time.perf_counter(), time.process_time()
    splits: list[SplitOutcome] = []
    for number in range(setting.splits):
        place = directory / f"split-{number + 1}"
        place.mkdir(parents=True)
        digits = split(seed + number, train_limit=setting.train_limit)
        everyone = learners(digits, setting, seed + number, place, first if number == 0 else place / "pixels")
        splits.append(run_split(digits, everyone, partial(progress, number)))
        outcome = Outcome(list(splits), time.perf_counter() - began, time.process_time() - spent)
        finished(outcome)
    return outcome


def run_split(digits: Digits, everyone: dict[str, Learner], progress: Callable[[int, str], None]) -> SplitOutcome:
    """Everyone learns every task, and is tested after each. Memories are closed in the end."""
    memories = [learner for learner in everyone.values() if isinstance(learner, MemoryLearner)]
    accuracy: dict[str, list[float]] = {method: [] for method in METHODS}
    try:
        for task in range(len(TASKS)):
            for method, learner in everyone.items():
                progress(task, method)
                learner.learn(digits.task(task))
                accuracy[method].append(learner.score(digits.seen(task)))
        kept = {method: learner.kept for method, learner in everyone.items()}
        return SplitOutcome(accuracy, kept, memories[0].life())  # the first is the one on pixels
    finally:
        for memory in memories:
            memory.close()
