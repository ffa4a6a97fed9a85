"""What a person at a terminal sees of training."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class TrainingProgress:
    """A line for each epoch: how many batches are done, and the mean loss so far. Shows nothing if ``quiet``.

    ``quiet`` None: quiet where standard output is no terminal.
    """

    def __init__(self, quiet: bool | None) -> None:
        self._shown: Progress | None = None
        self._line: TaskID | None = None
        if not (not sys.stdout.isatty() if quiet is None else quiet):
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._shown = Progress(*columns, TextColumn("{task.fields[said]}"), console=Console(file=sys.stdout))

    def __enter__(self) -> Self:
        if self._shown is not None:
            self._shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            self._shown.stop()

    def begin(self, epoch: int, last: int, batches: int | None) -> None:
        """An epoch of so many batches (None: nobody knows) begins."""
        if self._shown is not None:
            self._line = self._shown.add_task(f"epoch {epoch} of {last}", total=batches, said="")

    def advance(self, batches: int, loss: float) -> None:
        """So many more batches are done, and this is the mean loss so far."""
        if self._shown is not None and self._line is not None:
            self._shown.update(self._line, advance=batches, said=f"loss {loss:.4f}")

    def end(self, said: str) -> None:
        """The epoch is over, and this is how it went."""
        if self._shown is not None and self._line is not None:
            self._shown.update(self._line, said=said)
