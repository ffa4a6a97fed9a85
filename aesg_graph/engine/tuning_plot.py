"""A picture of what candidates did: how many concepts they made, against how well held-out queries fared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec

from aesg_graph.errors import AESGConfigError, AESGStorageError
from aesg_graph.learning.tuning import Trial


def require_plots() -> None:
    """AESGConfigError where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise AESGConfigError("matplotlib is not installed, expected it for a plot: pip install 'aesg-graph[plots]'")


def draw(trials: Sequence[Trial], chosen: Trial, path: str | os.PathLike[str]) -> None:
    """Draw a line for each birth threshold, a point for each explanation threshold, a ring around the chosen one.

    AESGConfigError without matplotlib; AESGStorageError where the file cannot be written, or not in its format.
    """
    require_plots()
    from matplotlib.figure import Figure  # no global state, no window

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    groups = sorted({(t.candidate.centred, t.candidate.birth_threshold) for t in trials})
    births = sorted({birth for _, birth in groups})
    for centred, birth in groups:
        of = [t for t in trials if (t.candidate.centred, t.candidate.birth_threshold) == (centred, birth)]
        of.sort(key=lambda t: t.candidate.explanation_threshold)
        axes.plot(
            [t.concepts for t in of],
            [_judged(t) for t in of],
            marker="o",
            markersize=4,
            color=f"C{births.index(birth)}",
            linestyle="-" if centred else ":",
            label=f"birth {birth}, {'centred' if centred else 'not centred'}",
        )
    axes.plot(
        [chosen.concepts], [_judged(chosen)], marker="o", markersize=14, markerfacecolor="none", color="black", ls=""
    )
    for trial in trials:  # along a line the threshold grows: told for the line of the chosen one
        if replace(trial.candidate, explanation_threshold=0.0) == replace(chosen.candidate, explanation_threshold=0.0):
            at = (trial.concepts, _judged(trial))
            told = f"{trial.candidate.explanation_threshold:g}"
            axes.annotate(told, at, (4, -11), textcoords="offset points", fontsize="small")
    axes.set_title(
        f"proposed: threshold {chosen.candidate.explanation_threshold:g}, birth {chosen.candidate.birth_threshold}, "
        f"{'' if chosen.candidate.centred else 'not '}centred"
    )
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlabel("concepts made of what was taught")
    axes.set_ylabel("held-out explanation" if chosen.agreement is None else "held-out agreement of value and read-out")
    axes.legend(fontsize="small")
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise AESGStorageError(f"The plot cannot be written to {os.fspath(path)} ({error})") from error


def _judged(trial: Trial) -> float:
    return trial.explanation if trial.agreement is None else trial.agreement
