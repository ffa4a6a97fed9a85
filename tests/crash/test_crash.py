"""Kill a learning process at every named write step and at random moments: nothing acknowledged is lost or done twice.

What the process said before it died is carried out on a second graph store, which nobody kills. Opened again, the
memory must hold the same: every row, every edge, every vector.
"""

import random
import shutil

import pytest
from lives import live
from witness import Witness

from aesg_graph.settings import StoreSettings
from aesg_graph.sync import failpoints

LIVES = 20
"""So many kills befall one directory, each on what the others left; then a new one begins."""
RUNS = 4
"""The kills are spread over so many tests."""
WAYS = (*failpoints.STEPS, None)
"""Where to die; None: at any moment."""


@pytest.mark.crash
@pytest.mark.parametrize("run", range(RUNS))
def test_nothing_acknowledged_is_lost_or_counted_twice(tmp_path, kills, run):
    killed = {step or "at random": 0 for step in WAYS}
    number = 0
    while sum(killed.values()) < kills // RUNS:
        directory = tmp_path / f"memory-{number // LIVES}"
        if number % LIVES == 0:
            witness = Witness(tmp_path / f"witness-{number // LIVES}.db")
        step = WAYS[number % len(WAYS)]
        die_once(directory, witness, step, seed=1000 * run + number)
        killed[step or "at random"] += 1
        number += 1
        if number % LIVES == 0:
            witness.close()
            shutil.rmtree(directory)
    print(f"\nkilled {sum(killed.values())} times: {killed}")
    assert all(killed.values())


def die_once(directory, witness, step, seed):
    """One life and its end at a step, or at any moment. Lives that ended before their time are tried again."""
    chance = random.Random(seed)
    while True:
        durability = chance.choice(["process", "process", "power"])
        cache_bytes = chance.choice([4096, 1 << 26])  # room for a few concepts, or for all
        settings = StoreSettings(durability=durability, cache_bytes=cache_bytes)
        said, died = live(directory, settings, chance.randrange(1 << 30), step, chance.randint(1, 12), chance.random())
        witness.hear(said)
        witness.compare(directory, StoreSettings())
        if died:
            return
