"""Cost against size, drawn from what :mod:`retrieve` measured: no figure of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLES = {
    "aesg-graph": ("o-", "tab:blue"),
    "plain top-k": ("s--", "tab:gray"),
    "aesg 3.0.0": ("^-", "tab:red"),
}

Point = tuple[int, float]


def draw(figures: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw retrieval's figures (as the results hold them) into a PNG: seconds over concepts, both logarithmic."""
    matplotlib.use("Agg")
    page = Figure(figsize=(9, 4), layout="constrained")
    rows = sorted({_rows(figure) for figure in figures})
    for place, count in enumerate(rows, 1):
        axes = page.add_subplot(1, len(rows), place)
        _panel(axes, [figure for figure in figures if _rows(figure) == count])
        axes.set_title(f"{count} row{'s' if count > 1 else ''}")
    page.savefig(file, dpi=150)


def curves(figures: Sequence[Mapping[str, Any]]) -> dict[str, list[Point]]:
    """Seconds over sizes, for each side."""
    found: dict[str, dict[int, float]] = {name: {} for name in STYLES}
    for figure in figures:
        size = int(figure["case"].split()[0].replace(",", ""))
        other = "plain top-k" if figure["beside"] == "plain top-k" else "aesg 3.0.0"
        found["aesg-graph"][size] = figure["ours"]
        found[other][size] = figure["other"]
    return {name: sorted(points.items()) for name, points in found.items()}


def _rows(figure: Mapping[str, Any]) -> int:
    return int(figure["case"].split(", ")[1].split()[0])


def _panel(axes: Axes, figures: Sequence[Mapping[str, Any]]) -> None:
    for name, points in curves(figures).items():
        style, colour = STYLES[name]
        axes.loglog([size for size, _ in points], [took * 1e3 for _, took in points], style, color=colour, label=name)
    axes.set_xlabel("concepts")
    axes.set_ylabel("milliseconds a call")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend()
