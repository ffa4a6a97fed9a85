"""Private memory (RssAnon) of a process that serves reads from a reopened memory, above one with an empty memory.

What is mapped from files can be dropped by the system at any time and is not counted; what the vector shard takes is
shown on its own, for a memory that is resident in its cache answers without it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measuring import Figure, Goal, at_most
from settings import Setting

from aesg_graph import AESGConfig, AESGMemory

TITLE = "Private memory of a process that serves reads: degree 8, 16 dimensions"
DIM = 16
GOAL_SIZE = 1_000_000
QUERIES = 200


def measure(setting: Setting) -> list[Figure]:
    """The largest size."""
    size = setting.largest
    empty = setting.place("empty")
    AESGMemory(empty, AESGConfig(vector_dim=DIM)).close()
    full = setting.shared(size, DIM)
    baseline, used = _anonymous(empty), _anonymous(full)
    goal: Goal | None = at_most(150, "ours") if size >= GOAL_SIZE else None

    def above(stage: str, case: str, goal: Goal | None = None) -> Figure:
        more, beside = used[stage] - baseline[stage], "an empty memory's process in all"
        return Figure(f"{size:,} concepts, {case}", more, "MB", beside, baseline[stage], goal=goal)

    return [
        above("opened", "opened"),
        above("read", f"after {QUERIES} reads", goal),
        above("shard", "and with the vector shard opened", goal),
        Figure(f"{size:,} concepts, of that the shard", used["shard"] - used["read"], "MB"),
    ]


def _anonymous(where: Path) -> dict[str, float]:
    """RssAnon in MB of a process at each stage."""
    command = [sys.executable, __file__, str(where)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    stages: dict[str, float] = json.loads(answer.stdout)
    return stages


def serve(where: Path) -> dict[str, float]:
    """Open a memory, serve reads, open its vector shard; RssAnon in MB after each."""
    import torch

    stages: dict[str, Any] = {}
    with AESGMemory(where).eval() as memory:
        stages["opened"] = _rss_anon()
        generator = torch.Generator().manual_seed(0)
        for number in range(QUERIES):
            memory(torch.randn(32 if number % 2 else 1, DIM, generator=generator)).read()
        stages["read"] = _rss_anon()
        memory.engine.residency.vectors().count()
        stages["shard"] = _rss_anon()
    return stages


def _rss_anon() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


if __name__ == "__main__":
    print(json.dumps(serve(Path(sys.argv[1]))))
