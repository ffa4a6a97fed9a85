"""Consolidation beside ``aesg``: nothing due; all faded but well used; all due.

Both sides hold the same concepts at the same ages and relevances: ours reach them by living through as many epochs,
``aesg`` gets them written into its arrays. Neither looks at edges here, and the memories have none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import worlds
from aesg.config import AESGConfig as OtherConfig
from aesg.memory.controller import AESGMemory as OtherMemory
from measuring import Figure, Goal, at_least, timed
from settings import DIM, Setting
from worlds import FLUSH_SECONDS, Ids

from aesg_graph import AESGConfig, AESGMemory
from aesg_graph.operations import Touch

TITLE = "Consolidation: 64 dimensions"
GOAL_SIZE = 1_000_000
YOUNG, FADED = 10, 70
"""Epochs: old enough to be looked at, and old enough to have faded below the threshold even if well used once."""
USES = 5
TOUCHED_AT_ONCE = 1 << 15
OTHER_ROUNDS = 3


def measure(setting: Setting) -> list[Figure]:
    """The largest size."""
    size = setting.largest
    world = setting.world(size)
    config = AESGConfig(vector_dim=DIM, max_concepts=4 * size + 1000, max_prune_fraction=1.0)
    other = OtherMemory(str(setting.place("aesg-consolidation")), OtherConfig(vector_dim=DIM, max_concepts=2 * size))
    worlds.fill_by_arrays(other, world.without_edges())
    with AESGMemory(setting.place("consolidation"), config) as memory:
        ids = memory.create(world.keys).numpy()
        memory.flush(FLUSH_SECONDS)
        return [
            _nothing_due(memory, other, size),
            _well_used(memory, other, size, ids),
            *_all_due(memory, other, size, ids),
        ]


def _nothing_due(memory: AESGMemory, other: OtherMemory, size: int) -> Figure:
    ours = median(_epochs(memory, YOUNG))
    theirs = median(_others(other, size, YOUNG, uses=0) for _ in range(OTHER_ROUNDS))
    return Figure(f"{size:,} concepts, nothing due", ours, "s", "aesg", theirs, "faster", _goal(size, 100))


def _well_used(memory: AESGMemory, other: OtherMemory, size: int, ids: Ids) -> Figure:
    _touch(memory, ids, uses=USES)
    ours = max(_epochs(memory, FADED))
    theirs = median(_others(other, size, YOUNG + FADED, uses=USES) for _ in range(OTHER_ROUNDS))
    case, note = f"{size:,} concepts, faded but well used", f"ours the slowest of {FADED} epochs"
    return Figure(case, ours, "s", "aesg", theirs, "faster", _goal(size, 100), note)


def _all_due(memory: AESGMemory, other: OtherMemory, size: int, ids: Ids) -> list[Figure]:
    _touch(memory, ids, contradictions=USES)  # what was gained by use is lost
    began = time.perf_counter()
    done = memory.engine.consolidate()
    accepted = time.perf_counter() - began
    memory.flush(FLUSH_SECONDS)
    through = time.perf_counter() - began
    if done is None or done.pruned != size:
        raise RuntimeError(f"{done} of {size} concepts were pruned, expected all")
    theirs = _others(other, size, YOUNG + FADED, uses=0)
    if other.storage.nodes["is_active"][:size].any():
        raise RuntimeError("aesg kept concepts that were due")
    case, goal = f"{size:,} concepts, all due", _goal(size, 5)
    return [
        Figure(f"{case}: accepted", accepted, "s", "aesg", theirs, "faster", goal),
        Figure(f"{case}: through to both stores", through, "s", "aesg", theirs, "faster", goal),
    ]


def _epochs(memory: AESGMemory, count: int) -> list[float]:
    """Seconds of each of so many consolidations in a row, with what they write taken to the stores in between."""
    consolidate: Callable[[], object] = memory.engine.consolidate
    took = []
    for _ in range(count):
        took.append(timed(consolidate))
        memory.flush(FLUSH_SECONDS)
    return took


def _touch(memory: AESGMemory, ids: Ids, uses: int = 0, contradictions: int = 0) -> None:
    """Every concept was used, or contradicted, so many times in the present epoch, as lessons would record it."""
    for start in range(0, len(ids), TOUCHED_AT_ONCE):
        part = ids[start : start + TOUCHED_AT_ONCE]
        for_each = [np.full(len(part), n, np.int64) for n in (uses, contradictions)]
        memory.engine.recorder.record([Touch(part, *for_each, memory.engine.recorder.epoch)])
    memory.flush(FLUSH_SECONDS)


def _others(other: OtherMemory, size: int, age: int, uses: int) -> float:
    """Seconds in which ``aesg`` consolidates concepts of one age that were used so often."""
    nodes = other.storage.nodes[:size]
    nodes["age"], nodes["relevance"], nodes["use_frequency"] = age, 0.95**age, uses
    return timed(other.cognitive_engine.consolidate)


def _goal(size: int, times: float) -> Goal | None:
    return at_least(times) if size >= GOAL_SIZE else None
