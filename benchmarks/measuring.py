"""How the benchmarks measure, and what a figure is.

Sides that are compared are called in turn, so that whatever else the machine does hits both, and the median of many
calls counts. Nothing here ever fails because something was slow: a goal is met or missed, and the table says which.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """What a figure should be: ``bound`` at least or at most, of the ratio or of our own figure."""

    direction: Literal["at least", "at most"]
    bound: float
    of: Literal["ratio", "ours"]

    def is_met(self, ours: float, ratio: float | None) -> bool | None:
        """Whether it is met; None where there is nothing to compare with."""
        figure = ratio if self.of == "ratio" else ours
        if figure is None:
            return None
        return figure >= self.bound if self.direction == "at least" else figure <= self.bound


@dataclass(frozen=True)
class Figure:
    """One line of a table: our figure in ``unit``, and what it is beside.

    ``ratio`` says how many times better we are ("faster") or how many times the other's cost ours is ("cost").
    """

    case: str
    ours: float
    unit: Literal["s", "/s", "MB", "loss", "share", ""]
    beside: str = ""
    other: float | None = None
    ratio_is: Literal["faster", "cost", ""] = ""
    goal: Goal | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours and the other's as one number."""
        if self.other is None or not self.ratio_is:
            return None
        better, worse = (self.ours, self.other) if self.unit == "/s" else (self.other, self.ours)
        return better / worse if self.ratio_is == "faster" else worse / better

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.is_met(self.ours, self.ratio)


def at_least(bound: float, of: Literal["ratio", "ours"] = "ratio") -> Goal:
    """A goal from below."""
    return Goal("at least", bound, of)


def at_most(bound: float, of: Literal["ratio", "ours"] = "ratio") -> Goal:
    """A goal from above."""
    return Goal("at most", bound, of)


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def over(call: Callable[[T], object], inputs: Sequence[T]) -> Callable[[], object]:
    """``call`` on one of ``inputs`` after the other, again and again: so that nobody answers from what the last call
    left in a processor's cache.
    """
    endless = itertools.cycle(inputs)
    return lambda: call(next(endless))


def in_turn(sides: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, float]:
    """Median seconds of each side, called in turn ``rounds`` times after ``warm_up`` rounds that do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round in range(warm_up + rounds):
        for name, call in sides.items():
            took = timed(call)
            if round >= warm_up:
                seconds[name].append(took)
    return {name: median(each) for name, each in seconds.items()}


def rounds_within(sides: Mapping[str, Callable[[], object]], seconds: float, least: int, most: int) -> int:
    """How many rounds of :func:`in_turn` fit into so many seconds, judged by the second one."""
    for call in sides.values():
        call()
    once = sum(timed(call) for call in sides.values())
    return max(min(least, most), min(most, int(seconds / max(once, 1e-6))))
