"""What a run of the benchmarks is told, and the memories that its subjects share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import worlds
from worlds import Ids, World

from aesg_graph import AESGMemory

DIM = 64


@dataclass
class Setting:
    """Where to work and how much to do.

    ``sizes``: how many concepts. ``seconds``: about how long each comparison may be repeated; ``rounds``: at most how
    often. ``other_seconds``: how long each call of ``aesg`` may be repeated, for it is slow.
    """

    directory: Path
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    seconds: float = 6.0
    rounds: int = 200
    other_seconds: float = 150.0
    _worlds: dict[tuple[int, int], World] = field(default_factory=dict)

    @property
    def largest(self) -> int:
        """The size at which what is measured at one size alone is measured."""
        return max(self.sizes)

    def world(self, size: int, dim: int = DIM) -> World:
        """The world of a size, the same for every subject; only the last one is kept in memory."""
        if (size, dim) not in self._worlds:
            self._worlds = {(size, dim): worlds.world(size, dim)}
        return self._worlds[size, dim]

    def place(self, name: str) -> Path:
        """A folder that does not exist yet."""
        return next(p for n in range(1000) if not (p := self.directory / f"{name}-{n}").exists())

    def shared(self, size: int, dim: int = DIM) -> Path:
        """The folder of the memory of that world, closed; built at the first call."""
        where = self.directory / f"shared-{size}-{dim}"
        if not where.exists():
            memory, _ = worlds.ours(where, self.world(size, dim))
            memory.close()
        return where

    def opened(self, size: int, dim: int = DIM) -> tuple[AESGMemory, Ids]:
        """The shared memory of that world, open and in eval mode, and its concepts' ids in the world's order."""
        memory = AESGMemory(self.shared(size, dim)).eval()
        # The cache holds them in the order of their birth, as nothing was ever removed.
        ids: Ids = memory.engine.residency.cache.columns()["id"][:size].copy()
        return memory, ids
