"""What is measured: a row of the table for each case, and in it each side's figures over the seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

PLAIN, EVERYTHING, AS_MANY, MEMORY = "plain", "kNN, all examples", "kNN, as many as memory", "memory"
FROZEN = "plain, learning nothing"
"""A side of the tasks on characters alone."""
Metric = Literal["accuracy", "bits per character"]


@dataclass
class Measured:
    """One side in one case: a score for each seed, how many entries it kept, and the parameters that were chosen."""

    chosen: str
    scores: list[float] = field(default_factory=list)
    entries: list[float] = field(default_factory=list)

    def add(self, score: float, entries: float) -> None:
        """One seed more."""
        self.scores.append(score)
        self.entries.append(entries)

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds; 0 of a single one."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0

    @property
    def kept(self) -> float:
        """Entries, the mean over the seeds."""
        return float(np.mean(self.entries))


@dataclass
class Row:
    """One case of one task. ``plain`` says what the plain learner is, ``note`` what else a reader should know."""

    task: str
    case: str
    metric: Metric
    plain: str
    sides: dict[str, Measured]
    note: str = ""

    def told(self, side: str) -> str:
        """A side's score as a table has it."""
        measured = self.sides[side]
        if self.metric == "accuracy":
            return f"{100 * measured.mean:.1f} % ± {100 * measured.spread:.1f}"
        return f"{measured.mean:.3f} ± {measured.spread:.3f}"

    def kept(self, side: str) -> str:
        """How many entries a side keeps, as a table has it."""
        return f"{self.sides[side].kept:,.0f}"

    @property
    def gain(self) -> float:
        """How much better memory is than kNN over all examples: points of accuracy, or bits; below 0 it is worse."""
        difference = self.sides[MEMORY].mean - self.sides[EVERYTHING].mean
        return 100 * difference if self.metric == "accuracy" else -difference

    def plainly(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "task": self.task,
            "case": self.case,
            "metric": self.metric,
            "plain": self.plain,
            "note": self.note,
            "sides": {
                name: {
                    "mean": side.mean,
                    "sd": side.spread,
                    "scores": side.scores,
                    "entries": side.kept,
                    "chosen": side.chosen,
                }
                for name, side in self.sides.items()
            },
        }
