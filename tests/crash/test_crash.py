"""Kill a learning process at every named write step and at random moments: nothing acknowledged is lost or done twice.

What the process said before it died is carried out on a second graph store, which nobody kills. Opened again, the
memory must hold the same: every row, every edge, every vector.
"""

import functools
import multiprocessing
import os
import random
import shutil
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from learner import ACKNOWLEDGED, CONFIG, FINISHED, INTENT, live_and_die

from aesg_graph.concepts import EdgeTable
from aesg_graph.engine import MemoryEngine
from aesg_graph.operations import Batch, born_ids
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.sync import failpoints

LIVES = 20
"""So many kills befall one directory, each on what the others left; then a new one begins."""
RUNS = 4
"""The kills are spread over so many tests."""
EVERYTHING = 1_000_000
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
        said, died = live(
            directory, chance.randrange(1 << 30), step, chance.randint(1, 12), durability, chance.random()
        )
        witness.hear(said)
        witness.compare(directory)
        if died:
            return


@functools.cache
def fork_server():
    """A server that has the learner loaded, kernels and all: lives are short, and importing is long."""
    # The server finds modules to preload by its environment alone.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["preload"])
    return context


def live(directory, seed, step, nth, durability, delay):
    """Run a learner until it is dead; everything that it said, and whether it was killed."""
    context = fork_server()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=live_and_die, args=(directory, seed, step, nth, durability, theirs))
    child.start()
    theirs.close()
    if step is None:
        time.sleep(delay)  # the moment is meant to be any
        child.kill()
    said = []
    try:
        while True:
            said.append(ours.recv())
    except (EOFError, OSError):
        pass
    child.join(60)
    assert child.exitcode in (0, -9), f"the learner failed by itself: {child.exitcode}"
    return said, child.exitcode == -9 and (not said or said[-1][0] != FINISHED)


class Witness:
    """A graph store that carries out what was acknowledged, and remembers the vectors."""

    def __init__(self, path):
        head = MemoryHead("witness", 1, 0, 0, CONFIG.vector_dim, CONFIG.value_dim, CONFIG.to_json())
        self.graph = SqliteGraphStore.create(path, head, CONFIG.thresholds, CONFIG.vocabulary)
        self.keys = {}
        self.waiting = None

    def close(self):
        self.graph.close()

    def hear(self, said):
        """Carry out what was acknowledged; what was only intended may have happened or not."""
        self.waiting = None
        for kind, _, what in said:
            if kind == INTENT:
                assert self.waiting is None
                self.waiting = Batch.decode(what)
            elif kind == ACKNOWLEDGED:
                assert self.waiting is not None
                assert self.waiting.sequence == what
                self.carry_out(self.waiting)
                self.waiting = None

    def carry_out(self, batch):
        state = self.graph.writer(batch.writer) or self.graph.lease(batch.writer)
        ours = Batch(batch.writer, state.incarnation, state.sequence + 1, batch.at, batch.operations)
        (outcome,) = self.graph.apply([ours])
        assert outcome.status == "applied", outcome.reason
        for operation in batch.operations:
            if born_ids(operation).size:
                self.keys.update(zip(operation.ids.tolist(), operation.keys, strict=True))

    def compare(self, directory):
        """Open the memory and hold everything against what was acknowledged."""
        engine = MemoryEngine(directory, CONFIG, StoreSettings())
        try:
            engine.flush()
            if self.waiting is not None and self.happened(engine, self.waiting):
                self.carry_out(self.waiting)
            theirs, ours = (g.page(-1, EVERYTHING) for g in (engine.residency.graph, self.graph))
            same_tables(theirs.concepts, ours.concepts)
            same_tables(in_order(theirs.edges), in_order(ours.edges))
            assert engine.residency.graph.head().epoch == self.graph.head().epoch
            vectors = engine.residency.vectors().page(-1, EVERYTHING)
            assert vectors.ids.tolist() == ours.concepts.ids.tolist()
            assert all(
                np.allclose(key, self.keys[i]) for i, key in zip(vectors.ids.tolist(), vectors.keys, strict=True)
            )
            assert engine.residency.cache.complete
            # The cache strengthens weights in float32.
            cached = engine.residency.cache.read(ours.concepts.ids).edges
            same_tables(in_order(cached), in_order(ours.edges), rtol=1e-5)
            assert engine.recorder.concepts == len(ours.concepts)
        finally:
            engine.close()

    def happened(self, engine, batch):
        """Whether a batch that was never acknowledged reached the journal all the same."""
        before = self.graph.writer(batch.writer)
        return engine.residency.graph.writer(batch.writer).sequence > (before.sequence if before else 0)


def in_order(edges):
    """Edges by ends and type: stores and cache give them in orders of their own."""
    order = np.lexsort((edges.types, edges.targets, edges.sources))
    return EdgeTable(**{column.name: getattr(edges, column.name)[order] for column in fields(edges)})


def same_tables(theirs, ours, rtol=1e-12):
    for column in fields(ours):
        given, expected = getattr(theirs, column.name), getattr(ours, column.name)
        if isinstance(expected, np.ndarray) and expected.dtype.kind == "f":
            np.testing.assert_allclose(given, expected, rtol=rtol, err_msg=column.name)
        else:
            assert list(given) == list(expected), column.name
