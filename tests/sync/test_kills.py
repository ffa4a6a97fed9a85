"""A process killed at each named step of a write, then the directory opened again."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sync_world import World

from aesg_graph.sync import failpoints

CHILD = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from sync_world import World, create, link, remove, touch
from aesg_graph.operations import Merge
from aesg_graph.sync import GroupLimits, failpoints

world = World(sys.argv[2], durability=sys.argv[5], limits=GroupLimits(batches=3, linger=0.0))
left = [int(sys.argv[4])]

def hook(step):
    if step == sys.argv[3]:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

failpoints.install(hook)
one = world.ids(1)
for n in range(30):
    new = world.ids(100 + 2 * n, 101 + 2 * n)
    operations = [create(one)] if n == 0 else [touch(one), create(new), link(one, new[:1])]
    if n % 3 == 2:
        operations.append(remove(new[1:]))
    if n % 5 == 4:
        operations.append(Merge(one, new[:1]))
    if n % 7 == 6:
        operations.append(world.refuse_later())
    batch = world.journal.append(operations, 1.0)
    print(n, flush=True)
    failpoints.reach(failpoints.CACHE_APPLIED)
    world.flusher.submit(batch)
world.flusher.close(30)
"""


def expected(count):
    """What the first ``count`` batches make, none of them twice: uses of the first concept, and who lives."""
    uses, alive = 0, {1}
    for n in range(1, count):
        if n % 7 == 6:
            continue
        uses += 1
        alive |= {100 + 2 * n, 101 + 2 * n}
        if n % 3 == 2:
            alive.discard(101 + 2 * n)
        if n % 5 == 4:
            alive.discard(100 + 2 * n)
    return uses, alive


@pytest.mark.parametrize("step", failpoints.STEPS)
@pytest.mark.parametrize(("nth", "durability"), [(1, "process"), (4, "power")])
def test_nothing_acknowledged_is_lost_or_done_twice(tmp_path, step, nth, durability):
    here = str(Path(__file__).parent)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, here, str(tmp_path / "m"), step, str(nth), durability],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    acknowledged = len(child.stdout.split())

    world = World(tmp_path / "m", durability=durability)
    try:
        done = world.graph.writer(world.journal.writer).sequence
        assert acknowledged <= done <= acknowledged + 1  # the last may have died before it could tell
        uses, alive = expected(done)
        if done:
            assert {id & ((1 << 43) - 1) for id in world.agree()} == alive
            assert world.uses(world.ids(1)[0]) == uses
        assert [r.sequence for r in world.journal.refused()] == [n + 1 for n in range(done) if n % 7 == 6]
        assert world.journal.pending() == []
    finally:
        world.close()
