"""How much is done, and where what takes long to make is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SCRATCH = Path("~/.cache/aesg-graph/where-memory-helps").expanduser()
TUNING_SEED = 1_000
"""Seeds from here on draw the data on which parameters are chosen; seeds below it draw what is reported."""

Tell = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True)
class Setting:
    """``seeds`` are reported, ``tuning_seeds`` choose. ``scratch`` keeps embeddings and trained language models.

    ``characters`` of each text are streamed; ``quick`` tries only the first few parameters of each side.
    """

    scratch: Path = SCRATCH
    seeds: int = 5
    tuning_seeds: int = 2
    quick: bool = False
    characters: int = 10_000

    @classmethod
    def small(cls, scratch: Path = SCRATCH) -> Setting:
        """Enough to see that everything runs; its figures mean little."""
        return cls(scratch, seeds=2, tuning_seeds=1, quick=True, characters=1_500)
