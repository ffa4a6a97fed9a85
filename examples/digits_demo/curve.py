"""The first picture: accuracy on everything seen so far, task by task."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")  # files only: the demo also runs where there is no screen

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from digits_demo import experiment as methods
from digits_demo.data import TASKS
from digits_demo.experiment import Outcome

# The colours of Okabe and Ito (2008), which most colour-blind people can tell apart; dashes help the rest.
STYLES: dict[str, tuple[str, str, float]] = {
    methods.JOINT: ("#000000", ":", 2.2),
    methods.PIXELS: ("#0072B2", "-", 3.2),
    methods.RENEWED: ("#009E73", "-", 2.2),
    methods.FROZEN: ("#56B4E9", "-", 2.2),
    methods.NEAREST: ("#E69F00", "--", 2.2),
    methods.READ_OUT: ("#E69F00", "--", 2.2),
    methods.STALE: ("#CC79A7", "--", 2.2),
    methods.SEQUENTIAL: ("#D55E00", "-", 3.2),
}
ENLARGED = (86, 100.5)
"""Per cent that the enlarged part of the picture shows."""
LINE_HEIGHT, HIGHEST = 5.6, 104.0
"""How much of the y axis a label takes, in per cent, and where the highest may stand."""


def draw(outcome: Outcome, path: Path) -> None:
    """Write the picture to ``path``."""
    with plt.rc_context({"font.size": 13, "font.family": "DejaVu Sans"}):
        figure, axes = plt.subplots(figsize=(10, 5.6), dpi=160)
        _lines(axes, outcome, drawn(outcome))
        _frame(axes, outcome)
        _label(axes, outcome)
        _enlarge(axes, outcome)
        figure.subplots_adjust(left=0.075, right=0.6, top=0.875, bottom=0.12)
        figure.savefig(path)
        plt.close(figure)


def _lines(axes: Axes, outcome: Outcome, told: list[str]) -> None:
    """Means and bands."""
    places = np.arange(len(TASKS))
    for method in reversed(told):
        colour, dashes, width = STYLES[method]
        runs = 100 * outcome.accuracy(method)
        axes.fill_between(places, runs.min(0), runs.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(places, runs.mean(0), dashes, color=colour, linewidth=width)


def _enlarge(axes: Axes, outcome: Outcome) -> None:
    """The crowd at the top once more, in the empty middle, where its lines can be told apart."""
    inset = axes.inset_axes((0.52, 0.43, 0.47, 0.36))
    _lines(inset, outcome, [method for method in drawn(outcome) if 100 * outcome.final(method).mean() > ENLARGED[0]])
    inset.set_xlim(0, len(TASKS) - 1)
    inset.set_ylim(*ENLARGED)
    inset.set_xticks(range(len(TASKS)), [])
    inset.set_yticks(range(88, 101, 4), [f"{y} %" for y in range(88, 101, 4)], fontsize=11)
    inset.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    inset.set_axisbelow(True)
    inset.tick_params(length=0)
    inset.set_title("the upper lines, enlarged", fontsize=11, color="#555555", loc="left")
    for side in inset.spines.values():
        side.set_color("#BBBBBB")


def drawn(outcome: Outcome) -> list[str]:
    """The methods of the picture: of the two ways to use random examples only the better, and none that keeps all."""
    worse = ({methods.NEAREST, methods.READ_OUT} - {outcome.examples}).pop()
    return [method for method in STYLES if method != worse]


def _label(axes: Axes, outcome: Outcome) -> None:
    """Each line's name and final value at its end, moved apart where lines end close together."""
    ends = {method: 100 * float(outcome.final(method).mean()) for method in drawn(outcome)}
    falling = sorted(ends, key=lambda method: -ends[method])
    last = len(TASKS) - 1
    for method, y in zip(falling, apart([ends[method] for method in falling], LINE_HEIGHT, HIGHEST), strict=True):
        colour = STYLES[method][0]
        bend = [last + 0.03, last + 0.2, last + 0.26]
        axes.plot(bend, [ends[method], y, y], color=colour, linewidth=1, clip_on=False, alpha=0.7)
        axes.text(last + 0.3, y, f"{ends[method]:.1f} %", color=colour, va="center", weight="bold")
        axes.text(last + 0.9, y, method, color="#333333", va="center")


def apart(wanted: list[float], height: float, highest: float) -> list[float]:
    """Places for labels, as near to ``wanted`` (falling) as they can be without overlap or rising over ``highest``."""
    # Isotonic regression: labels that would overlap become one block, around the mean of what its members want.
    blocks: list[list[float]] = []
    for i, place in enumerate(wanted):
        blocks.append([place + i * height])
        while len(blocks) > 1 and np.mean(blocks[-2]) < np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    levels = [min(float(np.mean(block)), highest) for block in blocks for _ in block]
    return [level - i * height for i, level in enumerate(levels)]


def _frame(axes: Axes, outcome: Outcome) -> None:
    axes.set_xlim(-0.05, len(TASKS) - 1 + 0.02)
    axes.set_ylim(0, 102)
    axes.set_xticks(range(len(TASKS)), [f"{first} and {second}" for first, second in TASKS])
    axes.set_xlabel("digits learned last; what came before never comes back")
    axes.set_yticks(range(0, 101, 20), [f"{y} %" for y in range(0, 101, 20)])
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, pad=8)
    splits = len(outcome.final(methods.PIXELS))
    axes.text(-0.05, 114, "Accuracy on every digit seen so far", weight="bold", fontsize=15, va="center")
    axes.text(
        -0.05, 107, f"mean of {splits} test splits; bands: from the worst to the best", color="#555555", va="center"
    )
