"""Opening a memory: with a cache that is taken over, and with one that has to be built from the stores.

Files are in the system's page cache, as they are on a machine that has run the memory before.
"""

from __future__ import annotations

import shutil
import time
from statistics import median

from measuring import Figure, Goal, at_most
from settings import Setting

from aesg_graph import AESGMemory

TITLE = "Opening: degree 8, 64 dimensions"
GOAL_SIZE = 1_000_000
TIMES = 5


def measure(setting: Setting) -> list[Figure]:
    """The largest size."""
    size = setting.largest
    where, query = setting.shared(size), setting.world(size).queries(1)
    opened, answered = [], []
    for _ in range(TIMES):
        began = time.perf_counter()
        with AESGMemory(where).eval() as memory:
            opened.append(time.perf_counter() - began)
            memory(query)
            answered.append(time.perf_counter() - began)
    shutil.rmtree(where / "cache")
    began = time.perf_counter()
    with AESGMemory(where).eval():
        rebuilt = time.perf_counter() - began
    goal: Goal | None = at_most(1.0, "ours") if size >= GOAL_SIZE else None
    case = f"{size:,} concepts"
    return [
        Figure(f"{case}, good cache", median(opened), "s", goal=goal),
        Figure(f"{case}, good cache, until the first answer", median(answered), "s"),
        Figure(f"{case}, cache built from the stores", rebuilt, "s", "good cache", median(opened), "cost"),
    ]
