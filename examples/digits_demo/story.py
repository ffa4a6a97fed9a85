"""What the demo says: before, while it runs, and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
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
            concepts = outcome.splits[-1].life.concepts
            console.print(
                f"split {len(outcome.splits)} of {setting.splits}: network alone {alone:.1f} %, "
                f"memory {memory:.1f} % ({concepts} concepts), {outcome.seconds:.0f} s",
                highlight=False,
            )

        yield progress, finished


def table(outcome: Outcome) -> Table:
    """Mean accuracy after each task; after the last one also the spread over the splits."""
    title = f"Accuracy in % on every digit seen so far, mean of {len(outcome.splits)} test splits"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    shown.add_column("after learning the digits")
    shown.add_column("keeps", justify="right")
    for _, last in TASKS:
        shown.add_column(f"0-{last}", justify="right")
    for method in METHODS:
        *cells, last = [f"{mean:.1f}" for mean in 100 * outcome.accuracy(method).mean(0)]
        cells = [method, f"{outcome.kept(method):.0f}", *cells, f"{last} ± {spread(outcome.final(method))}"]
        shown.add_row(*cells, style=STYLE.get(method))
    return shown


def markdown(outcome: Outcome) -> str:
    """The table's last column for a README."""
    lines = ["| | keeps | accuracy at the end, % | worst to best split |", "|---|---:|---:|---:|"]
    for method in METHODS:
        final = 100 * outcome.final(method)
        mean, span = f"{final.mean():.1f} ± {spread(outcome.final(method))}", f"{final.min():.1f} to {final.max():.1f}"
        lines.append(f"| {method} | {outcome.kept(method):.0f} | {mean} | {span} |")
    return "\n".join(lines)


def spread(shares: npt.NDArray[np.float64]) -> str:
    """The standard deviation of a sample, in points."""
    return f"{100 * np.std(shares, ddof=1) if len(shares) > 1 else 0.0:.1f}"


def after(console: Console, outcome: Outcome) -> None:
    """The table, and three sentences on what it says."""
    console.print()
    console.print(table(outcome))
    end = {method: 100 * float(outcome.final(method).mean()) for method in METHODS}
    lives = [split.life for split in outcome.splits]
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
