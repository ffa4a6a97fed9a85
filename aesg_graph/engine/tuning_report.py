"""What trying parameters out came to, as a table, as a picture and as lines to paste."""

from __future__ import annotations

import os
import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aesg_graph.concepts import Floats
from aesg_graph.config import AESGConfig
from aesg_graph.engine.tuning_plot import draw
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.learning.tuning import Trial, unbeaten

WIDTH = 79
COLUMNS = ("", "centred", "threshold", "birth", "concepts", "explanation", "novel", "agreement")


@dataclass(frozen=True, eq=False)
class Fit:
    """A proposal, and all that was tried. ``print(fit)`` shows both.

    Attributes
    ----------
    config: the proposed configuration; nothing but the two novelty thresholds differs from what was given.
    mean: float32 [D], what to subtract from every query and key; None to leave them as they are.
    chosen: the trial that is proposed, one of ``trials``.
    taught, held_out: how many rows were taught and asked.
    mean_cosine: between the queries of the sample; above 0.5, cosine hardly tells them apart.
    reason: why ``chosen`` was chosen.
    remarks: what to know before following the proposal.
    """

    config: AESGConfig
    mean: Floats | None = field(repr=False)
    chosen: Trial
    trials: tuple[Trial, ...] = field(repr=False)
    taught: int
    held_out: int
    mean_cosine: float
    reason: str
    remarks: tuple[str, ...]

    @property
    def centre(self) -> bool:
        """Whether to centre queries."""
        return self.mean is not None

    def table(self, everything: bool = False) -> str:
        """A line for each candidate that no other beats with fewer concepts, or for all; ``*`` marks the proposal."""
        valued = self.chosen.agreement is not None
        columns = COLUMNS if valued else COLUMNS[:-1]
        lines = ["  ".join(columns).strip().rjust(len("  ".join(columns)))]
        shown = sorted(self.trials, key=_order) if everything else self._worth_a_line()
        for trial in shown:
            cells = _cells(trial, trial is self.chosen)[: len(columns)]
            widths = map(len, columns)
            lines.append("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))
        if others := len(self.trials) - len(shown):
            lines.append(f"(and {others} that do no better with as many concepts or more)")
        return "\n".join(line.rstrip() for line in lines)

    def _worth_a_line(self) -> list[Trial]:
        """What is not beaten, and the proposal, in order of concepts."""
        found = unbeaten(self.trials)
        if self.chosen not in found:  # it may be beaten by one that does not settle, or by an equal
            found.append(self.chosen)
        return sorted(found, key=lambda trial: trial.concepts)

    def proposal(self) -> str:
        """The lines of Python that follow the proposal."""
        unlike = self.config.differences(AESGConfig())
        told = ["vector_dim", "value_dim", "novelty_explanation_threshold", "novelty_birth_threshold"]
        names = [*told, *(name for name in unlike if name not in told)]
        lines = ["config = AESGConfig(", *(f"    {name}={getattr(self.config, name)!r}," for name in names), ")"]
        if self.centre:
            lines.append("mean = sample.mean(axis=0)  # memory(queries - mean), memory.create(keys - mean)")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Everything, in a form that JSON can hold."""
        return {
            "config": asdict(self.config),
            "centre": self.centre,
            "mean": None if self.mean is None else self.mean.tolist(),
            "reason": self.reason,
            "remarks": list(self.remarks),
            "mean_cosine": self.mean_cosine,
            "taught": self.taught,
            "held_out": self.held_out,
            "chosen": _flat(self.chosen),
            "trials": [_flat(trial) for trial in sorted(self.trials, key=_order)],
        }

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw all candidates, concepts against what they were judged by, as a picture (``.png``, ``.svg``, ``.pdf``).

        AESGMemoryError for what is no path; AESGConfigError without matplotlib (``pip install 'aesg-graph[plots]'``);
        AESGStorageError where the file cannot be written.
        """
        if not isinstance(path, str | os.PathLike):
            raise AESGMemoryError(f"path is {path!r}, expected the name of a picture")
        if not Path(path).suffix:  # matplotlib would add one: of a folder "." it makes a hidden file
            raise AESGStorageError(f"The plot cannot be written to {path}, expected a name as tuning.png")
        draw(self.trials, self.chosen, path)

    def __str__(self) -> str:
        return self.report()

    def report(self, everything: bool = False) -> str:
        """The table, the proposal, the lines of Python and what is to be remarked."""
        centring = (
            "subtract the mean of the sample from queries and keys" if self.centre else "leave queries as they are"
        )
        said = [
            f"taught {self.taught} rows, asked {self.held_out}; their mean cosine is {self.mean_cosine:.2f}",
            self.table(everything),
            textwrap.fill(f"proposed (*), {self.reason}; {centring}:", WIDTH),
            self.proposal(),
            *(textwrap.fill(f"note: {remark}", WIDTH) for remark in self.remarks),
        ]
        return "\n\n".join(said)


def _order(trial: Trial) -> tuple[bool, int, float]:
    tried = trial.candidate
    return tried.centred, tried.birth_threshold, tried.explanation_threshold


def _cells(trial: Trial, chosen: bool) -> list[str]:
    tried = trial.candidate
    return [
        "*" if chosen else "",
        "yes" if tried.centred else "no",
        f"{tried.explanation_threshold:g}",
        str(tried.birth_threshold),
        f"{trial.concepts:,}",
        f"{trial.explanation:.3f}",
        f"{trial.novel:.0%}",
        "" if trial.agreement is None else f"{trial.agreement:.3f}",
    ]


def _flat(trial: Trial) -> dict[str, Any]:
    told = asdict(trial)
    candidate: dict[str, Any] = told.pop("candidate")
    return candidate | told
