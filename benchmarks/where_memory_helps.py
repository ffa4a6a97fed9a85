"""Where memory helps a model and where it does not: plain, k nearest neighbours over all examples, and memory.

    python benchmarks/where_memory_helps.py                     # everything, five seeds
    python benchmarks/where_memory_helps.py --quick             # everything, small, to see that it runs
    python benchmarks/where_memory_helps.py --only noise,once

Parameters of all sides are chosen in the same run, on data that nobody is tested on. docs/where-memory-helps.md tells
what the tasks are and what came out.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from helps import digits, language, table, topics
from helps.comparing import Task, compare
from helps.rows import Row
from helps.setting import SCRATCH, Setting, Tell
from helps.texts import Categories, categories
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

RESULTS = Path(__file__).parent / "results"


def on_digits(tasks: Callable[[bool], list[Task]], setting: Setting, tell: Tell) -> list[Row]:
    """The rows of tasks on digits."""
    return rows_of(tasks(setting.quick), setting, tell)


def on_texts(tasks: Callable[[Categories], list[Task]], setting: Setting, tell: Tell) -> list[Row]:
    """The rows of tasks on glosses."""
    tell("encoding glosses")
    return rows_of(tasks(categories(setting.scratch)), setting, tell)


def rows_of(tasks: Sequence[Task], setting: Setting, tell: Tell) -> list[Row]:
    """A row for each case."""
    return [compare(task, setting, lambda what, case=task.case: tell(f"{case}: {what}")) for task in tasks]


TASKS: dict[str, Callable[[Setting, Tell], list[Row]]] = {
    "digits": partial(on_digits, digits.in_turn),
    "topics": partial(on_texts, topics.in_turn),
    "noise": partial(on_digits, digits.noisy),
    "once": partial(on_digits, digits.once),
    "once-topics": partial(on_texts, topics.once),
    "characters": language.rows,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    asked = _parser().parse_args(arguments)
    # Small matrices: more threads than one only get into each other's way.
    torch.set_num_threads(1)
    threadpool_limits(1)
    # Where each thing comes once, births at once are meant.
    logging.getLogger("aesg_graph").setLevel(logging.ERROR)
    setting = Setting.small(asked.scratch) if asked.quick else Setting(asked.scratch)
    console = Console() if Console().is_terminal else Console(width=180)
    results: Path | None = asked.results or (None if asked.quick else RESULTS)
    rows = list[Row]()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for name in asked.only or TASKS:
            line = progress.add_task(name, total=None)
            tell: Tell = lambda what, line=line: progress.update(line, description=what)  # noqa: E731
            began = time.perf_counter()
            found = TASKS[name](setting, tell)
            progress.remove_task(line)
            seconds = time.perf_counter() - began
            progress.console.print(f"{name}: {seconds:.0f} s", style="dim")
            if results is not None:
                table.keep(results, name, found, seconds, list(TASKS))
            rows += found
    table.show(console, rows)
    console.print(
        f"Results are in {results}" if results else "This was --quick: figures that mean little are not kept."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seeds and little data: its figures mean little")
    parser.add_argument("--only", type=_names, help=f"some of {', '.join(TASKS)}")
    parser.add_argument("--results", type=Path, help=f"the folder for the results (default: {RESULTS.name}/)")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where embeddings and trained models are kept")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(TASKS)):
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; expected some of {', '.join(TASKS)}")
    return [name for name in TASKS if name in names]


if __name__ == "__main__":
    main()
