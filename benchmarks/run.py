"""Run the benchmarks: all of them, or some. Figures go to the terminal, to results.json and results.md.

    python benchmarks/run.py                      all but the served engine, at full size (about half an hour)
    python benchmarks/run.py --quick              the same, small (about a minute)
    python benchmarks/run.py --only retrieve --sizes 10000,100000
    python benchmarks/run.py --only served --sizes 100000      on servers that it starts (needs Java 17 and Maven)
    python benchmarks/run.py --only procedures --sizes 200000,1000000

Run it on a machine that does nothing else: what else runs is in the figures too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import bulk
import consolidation
import importing
import learning
import memory_use
import models
import opening
import packs
import procedures
import reorganisation
import reporting
import retrieve
import scaling
import served
from measuring import Figure
from rich.console import Console
from settings import Setting

# In this order the subjects that change the shared memories come after those that read them.
SUBJECTS: dict[str, tuple[str, Callable[[Setting], list[Figure]]]] = {
    "bulk": (bulk.TITLE, bulk.measure),
    "retrieve": (retrieve.TITLE, retrieve.measure),
    "opening": (opening.TITLE, opening.measure),
    "learning": (learning.TITLE, learning.measure),
    "consolidation": (consolidation.TITLE, consolidation.measure),
    "memory_use": (memory_use.TITLE, memory_use.measure),
    "models": (models.TITLE, models.measure),
    "packs": (packs.TITLE, packs.measure),
    "importing": (importing.TITLE, importing.measure),
    "reorganisation": (reorganisation.TITLE, reorganisation.measure),
    "served": (served.TITLE, served.measure),
    "procedures": (procedures.TITLE, procedures.measure),
    "reorganisation_served": (f"{reorganisation.TITLE}, on servers", reorganisation.measure_served),
    "importing_served": (importing.SERVED_TITLE, importing.measure_served),
}
WITH_SERVERS = ("served", "procedures", "reorganisation_served", "importing_served")
"""What needs Java for a Neo4j: measured when it is asked for."""
QUICK_SIZES = (1_000, 10_000)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    asked = _parser().parse_args(arguments)
    console = Console() if Console().is_terminal else Console(width=150)
    console.print(", ".join(f"{name} {value}" for name, value in reporting.machine().items()), style="dim")
    with tempfile.TemporaryDirectory(prefix="aesg-bench-", dir=asked.directory) as folder:
        setting = Setting(Path(folder))
        if asked.quick:
            setting = Setting(Path(folder), QUICK_SIZES, seconds=1.0, rounds=30, other_seconds=5.0)
        setting.sizes = asked.sizes or setting.sizes
        for name in asked.only or (name for name in SUBJECTS if name not in WITH_SERVERS):
            _measure(console, name, setting, asked.results)
    console.print(f"Results are in {asked.results}")


def _measure(console: Console, name: str, setting: Setting, folder: Path) -> None:
    title, measure = SUBJECTS[name]
    began = time.perf_counter()
    figures = measure(setting)
    reporting.show(console, title, figures)
    console.print(f"{name}: {time.perf_counter() - began:.0f} s\n", style="dim")
    results = reporting.keep(folder, name, title, figures)
    if name == "retrieve":
        scaling.draw(results[name]["figures"], folder / "scaling.png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"sizes {QUICK_SIZES} and few repetitions")
    parser.add_argument("--sizes", type=_numbers, help="how many concepts, for example 10000,100000")
    parser.add_argument("--only", type=_subjects, help=f"some of {', '.join(SUBJECTS)}")
    parser.add_argument("--results", type=Path, default=reporting.RESULTS, help="the folder for the results")
    parser.add_argument("--directory", type=Path, help="where memories are built (12 GB at full size); removed after")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted(int(part.replace("_", "")) for part in text.split(",")))
    if not sizes or sizes[0] < 100:
        raise argparse.ArgumentTypeError(f"{text!r}, expected sizes of at least 100, separated by commas")
    return sizes


def _subjects(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(SUBJECTS)):
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; expected some of {', '.join(SUBJECTS)}")
    return [name for name in SUBJECTS if name in names]


if __name__ == "__main__":
    main()
