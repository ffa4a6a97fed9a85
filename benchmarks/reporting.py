"""Tables on the terminal, and one file of results that every run adds to: JSON for programs, Markdown for people."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measuring import Figure
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
COLUMNS = ("case", "ours", "beside", "its figure", "ratio", "goal", "met")
PACKAGES = ("aesg-graph", "numpy", "torch", "numba", "qdrant-edge-py", "aesg")


def machine() -> dict[str, str]:
    """What the figures depend on."""
    facts = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    return facts | {name: version(name) for name in PACKAGES}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def cells(figure: Figure) -> tuple[str, ...]:
    """A figure as the texts of a table's row."""
    ratio, goal = figure.ratio, figure.goal
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    bound = "" if goal is None else f"{goal.direction} {_goal(figure)}"
    other = "" if figure.other is None else told(figure.other, figure.unit)
    times = "" if ratio is None else f"{ratio:,.0f} x" if ratio >= 100 else f"{ratio:.3g} x"
    if figure.ratio_is == "faster":
        times += " as fast"
    case = f"{figure.case} ({figure.note})" if figure.note else figure.case
    return case, told(figure.ours, figure.unit), figure.beside, other, times, bound, met


def _goal(figure: Figure) -> str:
    assert figure.goal is not None
    return f"{figure.goal.bound:g} x" if figure.goal.of == "ratio" else told(figure.goal.bound, figure.unit)


def told(amount: float, unit: str) -> str:
    """A number with its unit, as a person would write it."""
    if unit == "/s":
        return f"{amount:,.0f}/s"
    if unit == "MB":
        return f"{amount:,.0f} MB"
    if unit in ("loss", "share", ""):
        return f"{amount:.4f}" if unit else f"{amount:,.0f}"
    for factor, name in ((1.0, "s"), (1e3, "ms")):
        if amount * factor >= 1:
            return f"{amount * factor:,.3g} {name}" if amount * factor < 100 else f"{amount * factor:,.0f} {name}"
    return f"{amount * 1e6:,.0f} µs"


def show(console: Console, title: str, figures: Sequence[Figure]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("case", "beside", "goal", "met") else "right")
    for figure in figures:
        row = cells(figure)
        style = {True: "green", False: "red", None: ""}[figure.met]
        table.add_row(*row[:-1], f"[{style}]{row[-1]}[/]" if style else row[-1])
    console.print(table)


def keep(folder: Path, subject: str, title: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """Put a subject's figures into the results, over those of an earlier run, and write both files; all results."""
    folder.mkdir(parents=True, exist_ok=True)
    results = load(folder)
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    results[subject] = {
        "title": title,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(load_average, 1),
        "machine": machine(),
        "figures": [_plain(figure) for figure in figures],
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "results.md").write_text(markdown(results))
    return results


def load(folder: Path) -> dict[str, Any]:
    """The results so far."""
    file = folder / "results.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _plain(figure: Figure) -> dict[str, Any]:
    plain: dict[str, Any] = {
        name: getattr(figure, name) for name in ("case", "ours", "unit", "beside", "other", "note")
    }
    plain |= {"ratio": figure.ratio, "ratio_is": figure.ratio_is, "met": figure.met, "cells": cells(figure)}
    return plain


def markdown(results: dict[str, Any]) -> str:
    """All results as tables."""
    lines = ["# Results", ""]
    facts: dict[str, str] = {}
    for subject in results.values():
        if subject["machine"] != facts:
            facts = subject["machine"]
            lines += [", ".join(f"{name} {value}" for name, value in facts.items()), ""]
        lines += [f"## {subject['title']}", "", f"Measured {subject['at']}, load average {subject['load']}.", ""]
        lines += ["| " + " | ".join(COLUMNS) + " |", "|---|--:|---|--:|--:|---|---|"]
        lines += ["| " + " | ".join(figure["cells"]) + " |" for figure in subject["figures"]]
        lines.append("")
    return "\n".join(lines)
