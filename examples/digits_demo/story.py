"""What the demo says: before, while it runs, and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from digits_demo import experiment as methods
from digits_demo.data import TASKS
from digits_demo.experiment import METHODS, Outcome
from digits_demo.setting import Setting

BEFORE = (
    "A small network learns to read handwritten digits two at a time: 0 and 1, then 2 and 3, and so on, and what came "
    "before never comes back. After each task it is tested on all the digits met so far, on pictures that it has never "
    "learned. Networks forget under such conditions; here is what a memory beside the network changes.",
)
STYLE = {methods.PIXELS: "bold green", methods.SEQUENTIAL: "bold red"}


def before(console: Console) -> None:
    """The first three sentences."""
    console.print()
    console.print(*BEFORE)
    console.print()


@contextmanager
def watching(console: Console, setting: Setting) -> Iterator[tuple[methods.Progress, methods.Finished]]:
    """A bar while it runs, and a line after each split: gives the two functions that the experiment calls."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        job = bar.add_task("", total=setting.splits * len(TASKS) * len(METHODS))
        done = -1

        def progress(split: int, task: int, method: str) -> None:
            nonlocal done
            done += 1
            digits = " and ".join(map(str, TASKS[task]))
            where = f"split {split + 1} of {setting.splits}, digits {digits}"
            bar.update(job, completed=done, description=f"{where}: {method}")

        def finished(outcome: Outcome) -> None:
            alone, memory = (100 * outcome.final(method)[-1] for method in (methods.SEQUENTIAL, methods.PIXELS))
            concepts = outcome.lives[-1].concepts
            console.print(
                f"split {len(outcome.lives)} of {setting.splits}: network alone {alone:.1f} %, "
                f"memory {memory:.1f} % ({concepts} concepts), {outcome.seconds:.0f} s",
                highlight=False,
            )

        yield progress, finished


def table(outcome: Outcome) -> Table:
    """Mean accuracy after each task; after the last one also the spread over the splits."""
    title = f"Accuracy in % on every digit seen so far, mean of {len(outcome.lives)} test splits"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("after learning the digits")
    for _, last in TASKS:
        shown.add_column(f"0 to {last}", justify="right")
    for method in METHODS:
        means = 100 * outcome.accuracy[method].mean(0)
        final = 100 * outcome.final(method)
        *cells, last = [f"{mean:.1f}" for mean in means]
        shown.add_row(method, *cells, f"{last} ± {spread(final):.1f}", style=STYLE.get(method))
    return shown


def markdown(outcome: Outcome) -> str:
    """The table's last column for a README."""
    lines = ["| | accuracy at the end | worst to best split |", "|---|---|---|"]
    for method in METHODS:
        final = 100 * outcome.final(method)
        worst, best = f"{final.min():.1f}", f"{final.max():.1f}"
        lines.append(f"| {method} | {final.mean():.1f} % ± {spread(final):.1f} | {worst} to {best} % |")
    return "\n".join(lines)


def spread(values: np.ndarray) -> float:
    """The standard deviation of a sample."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def after(console: Console, outcome: Outcome) -> None:
    """The table, and three sentences on what it says."""
    console.print()
    console.print(table(outcome))
    end = {method: 100 * float(outcome.final(method).mean()) for method in METHODS}
    lives = outcome.lives
    concepts, examples = np.mean([life.concepts for life in lives]), end[outcome.examples]
    console.print(
        f"Alone, the network ends at {end[methods.SEQUENTIAL]:.1f} %, because each task overwrites the one before. "
        f"The memory on pixels ends at {end[methods.PIXELS]:.1f} % with {concepts:.0f} concepts, "
        f"{compared(end[methods.PIXELS] - examples)} as many random examples and "
        f"{compared(end[methods.PIXELS] - end[methods.JOINT])} a network that saw everything at once; on the way it "
        f"consolidated {spanned([life.consolidations for life in lives])} times, and of "
        f"{spanned([life.born for life in lives])} concepts born it pruned {spanned([life.pruned for life in lives])}. "
        f"Where keys come from a network that goes on learning they must be renewed as it changes: "
        f"{end[methods.RENEWED]:.1f} % if they are, {end[methods.STALE]:.1f} % if not."
    )
    console.print()


def compared(points: float) -> str:
    """Say a difference in points in words."""
    if abs(points) < 0.05:
        return "level with"
    return f"{abs(points):.1f} points {'above' if points > 0 else 'below'}"


def spanned(counts: list[int]) -> str:
    """The range of some counts."""
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
