"""Forward and learn beside retrieval alone: 32 rows, the same memory, the same queries."""

from __future__ import annotations

from collections.abc import Callable

import torch
from measuring import Figure, Goal, at_most, in_turn, over, rounds_within
from settings import DIM, Setting

from aesg_graph import AESGMemory

TITLE = "Forward and learn: 32 rows, degree 8, 64 dimensions"
ROWS = 32
BATCHES = 64
GOAL_SIZE = 100_000


def measure(setting: Setting) -> list[Figure]:
    """The size nearest to the goal's: queries that memory explains, and queries that are new to it."""
    size = min(setting.sizes, key=lambda size: abs(size - GOAL_SIZE))
    world = setting.world(size)
    generator = torch.Generator().manual_seed(3)
    familiar = [world.queries(ROWS, seed=100 + n) for n in range(BATCHES)]
    novel = [torch.randn(ROWS, DIM, generator=generator) for _ in range(BATCHES)]
    memory, _ = setting.opened(size)
    with memory:
        return [
            _one_kind(setting, memory, size, "familiar queries", familiar),
            _one_kind(setting, memory, size, "queries that are all new", novel),
        ]


def _one_kind(setting: Setting, memory: AESGMemory, size: int, kind: str, batches: list[torch.Tensor]) -> Figure:
    def asked(learn: bool) -> Callable[[torch.Tensor], object]:
        return lambda query: memory.retrieve(query, learn=learn)

    sides = {"alone": over(asked(False), batches), "learning": over(asked(True), batches)}
    took = in_turn(sides, rounds_within(sides, setting.seconds, 10, setting.rounds))
    born = int(memory.storage.node_count) - size
    note = f"{born:,} born" if born > 0 else ""
    goal: Goal | None = at_most(3) if size == GOAL_SIZE else None
    return Figure(
        f"{size:,} concepts, {kind}", took["learning"], "s", "retrieve alone", took["alone"], "cost", goal, note
    )
