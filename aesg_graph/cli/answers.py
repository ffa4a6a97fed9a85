"""What commands print: one JSON object for machines, a few short lines or a table for people, errors on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from aesg_graph.errors import AESGError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NO = 1
"""The exit code of a question whose answer is no: nothing found, no path, or disagreements."""
FAILED = 3
"""The exit code of an error that the message explains. (2 is a command that was not understood.)"""


@contextlib.contextmanager
def answering(as_json: bool) -> Iterator[None]:
    """Turn an AESGError into a message on stderr and an exit code."""
    try:
        yield
    except AESGError as error:
        said = str(error)
        if as_json:
            said = json.dumps({"error": said, "subsystem": error.subsystem})
        print(said if as_json else f"aesg: {plain(said)}", file=sys.stderr)
        raise typer.Exit(FAILED) from None


def as_object(answer: dict[str, Any]) -> None:
    """Print the answer for machines. Ids are integers of up to 63 bits."""
    print(json.dumps(answer, indent=2, default=_listed))


def _listed(value: Any) -> Any:
    """Arrays as lists and numpy's numbers as Python's."""
    return value.tolist()


def console() -> Console:
    """Where people read."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def plain(text: str) -> str:
    """Text without what could drive a terminal: names and texts are other people's."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def cell(value: Any) -> Text:
    """A value as it is, never as markup; numbers short, nothing as a dash."""
    from rich.text import Text

    if value is None:
        return Text("-", style="dim")
    return Text(f"{value:.4g}" if isinstance(value, float) else plain(" ".join(str(value).split())))


def facts(rows: Sequence[tuple[str, Any]]) -> None:
    """Names and values, one pair a line."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, cell(value))
    console().print(table)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], wide: str) -> None:
    """A table of single lines; only the column ``wide`` gives way where there is not room for all."""
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    numbers = {i for i in range(len(columns)) if all(isinstance(row[i], int | float | None) for row in rows)}
    for i, name in enumerate(columns):
        drawn.add_column(
            name,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if i in numbers else "left",
            min_width=None if name == wide else max([len(name), *(cell(row[i]).cell_len for row in rows)]),
        )
    for row in rows:
        drawn.add_row(*map(cell, row))
    console().print(drawn)


def note(text: str) -> None:
    """A remark on the answer."""
    from rich.text import Text

    console().print(Text(plain(text), style="yellow"))


def moment(seconds: float) -> str:
    """A time of day, local."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def size(count: float) -> str:
    """Bytes in the unit that reads best."""
    power = min(4, int(max(0, int(count)).bit_length() - 1) // 10) if count >= 1 else 0
    return f"{count / 1024**power:.{1 if power else 0}f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


@contextlib.contextmanager
def progress(as_json: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr while something takes long, for people at a terminal only."""
    if as_json or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total or None)

        yield tell
