"""Retrieval beside ``aesg`` and beside a plain exact top-k with no graph: one row and 32 rows, over sizes.

Every side answers the same queries over the same keys; ours and ``aesg`` walk the same edges, three pulses deep. Ours
is the whole public call, tensors in and out, in eval mode. The plain side is what any exact search must at least do: it
reads every key.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from statistics import median

import torch
import worlds
from measuring import Figure, Goal, at_least, at_most, in_turn, over, rounds_within, timed
from settings import Setting
from worlds import OtherMemory, World

from aesg_graph import AESGMemory

TITLE = "Retrieval: three pulses, degree 8, 64 dimensions"
ROWS = (1, 32)
TOP = 10
BATCHES = 16
"""How many different batches are asked in turn."""
LEAST = 10
"""Rounds at least."""


def measure(setting: Setting) -> list[Figure]:
    """All sizes, smallest first."""
    return [figure for size in setting.sizes for figure in _one_size(setting, size)]


def _one_size(setting: Setting, size: int) -> list[Figure]:
    world = setting.world(size)
    other, filled = worlds.others(setting.place("aesg"), world)
    keys = torch.from_numpy(world.keys)
    memory, ids = setting.opened(size)
    with memory:
        _check(memory, torch.from_numpy(ids), other, keys, world.queries(4))
        single = _seconds_of(other, world.queries(max(ROWS), seed=2), setting.other_seconds)
        figures = [figure for rows in ROWS for figure in _one_width(setting, memory, keys, world, rows, median(single))]
    note = f"aesg {filled}; {len(single)} of its calls timed"
    return [replace(figures[0], note=note), *figures[1:]]


def _one_width(
    setting: Setting, memory: AESGMemory, keys: torch.Tensor, world: World, rows: int, other: float
) -> list[Figure]:
    """Figures for so many rows a call; ``other`` is what one row costs ``aesg``."""
    size = len(world)
    batches = [world.queries(rows, seed=10 + n) for n in range(BATCHES)]
    sides = {"ours": over(memory, batches), "plain": over(partial(plain_top, keys=keys), batches)}
    took = in_turn(sides, rounds_within(sides, setting.seconds, LEAST, setting.rounds))
    case = f"{size:,} concepts, {rows} row{'s' if rows > 1 else ''}"
    beside = "aesg, a call a row" if rows > 1 else "aesg"
    return [
        Figure(case, took["ours"], "s", beside, rows * other, "faster", _speed_goal(size)),
        Figure(case, took["ours"], "s", "plain top-k", took["plain"], "cost", _cost_goal(size)),
    ]


def plain_top(query: torch.Tensor, keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``TOP`` nearest of unit ``keys`` [N, D] by cosine for each row of ``query`` [B, D]."""
    unit = torch.nn.functional.normalize(query, dim=-1)
    values, places = torch.topk(unit @ keys.T, min(TOP, len(keys)))
    return values, places


def ask_other(memory: OtherMemory, query: torch.Tensor) -> list[int]:
    """One search of ``aesg``: without the reset it would go on from the last answer, and search nothing."""
    memory.reset_state()
    context = memory.retrieve(query)
    found: list[int] = [*context.primary_concepts, *context.secondary_concepts]
    return found


def _seconds_of(memory: OtherMemory, queries: torch.Tensor, budget: float) -> list[float]:
    """Seconds of single calls: one for each query, as far as the budget goes, but three."""
    took: list[float] = []
    for query in queries:
        if len(took) >= 3 and sum(took) + median(took) > budget:
            break
        took.append(timed(partial(ask_other, memory, query)))
    return took


def _check(
    memory: AESGMemory, ids: torch.Tensor, other: OtherMemory, keys: torch.Tensor, queries: torch.Tensor
) -> None:
    """All three must find the nearest concept, or they are not doing the same."""
    nearest = plain_top(queries, keys)[1][:, 0]
    found = memory(queries).ids
    if not (found == ids[nearest].unsqueeze(1)).any(1).all():
        raise RuntimeError("Our memory missed the nearest concept of a query")
    if other.graph.find_nearest_neighbors(queries[0].numpy(), 1)[0][0] != int(nearest[0]):
        raise RuntimeError("aesg missed the nearest concept of a query")


def _speed_goal(size: int) -> Goal | None:
    return at_least(1000) if size >= 1_000_000 else at_least(500) if size >= 100_000 else None


def _cost_goal(size: int) -> Goal | None:
    return at_most(2) if size >= 100_000 else None
