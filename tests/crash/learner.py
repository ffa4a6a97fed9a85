"""The process that is killed: it learns, and says on a pipe what it is about to do and what was acknowledged."""

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

from aesg_graph.activation import SpreadParams, spread
from aesg_graph.cache import CacheLayout, CacheStamp, ConceptCache
from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch, Create, Link, Remove, Touch
from aesg_graph.sync import failpoints

CONFIG = AESGConfig(
    vector_dim=8,
    value_dim=3,
    novelty_birth_threshold=1,
    novelty_explanation_threshold=0.9,
    coactivation_threshold_create=3,
    survival_threshold_frequency=4,
    survival_threshold_relevance=0.9,
    survival_min_age=1,
    max_prune_fraction=0.3,
    max_concepts=150,
    region_detection_interval=2,  # every second consolidation reorganises: much merges and splits
    merge_similarity_threshold=0.8,
    max_edges_per_node=8,
)
INTENT, ACKNOWLEDGED, FINISHED = b"i", b"a", b"f"


def warm_up():
    """Load the compiled kernels once, in the server that learners are forked from."""
    with tempfile.TemporaryDirectory() as place:
        layout = CacheLayout.of(8, 3, CONFIG.vocabulary)
        cache = ConceptCache.open(Path(place) / "c", layout, 1 << 20, CacheStamp(1, 1, 0), CONFIG.thresholds)
        ids, zeros = np.arange(1, 9), np.zeros(4, np.int64)
        keys, values = np.eye(8, dtype=np.float32), np.zeros((8, 3), np.float32)
        cache.apply(Create(ids, keys, values, np.ones(8, bool), "concept", 0), 1, 0.0)
        cache.apply(Link("CAUSAL", ids[:4], ids[4:], np.full(4, 0.5, np.float32), zeros, 0), 2, 0.0)
        cache.apply(Touch(ids[:4], zeros + 1, zeros, 0), 3, 0.0)
        slots, cosines = cache.seeds(keys, 3, 0.1)
        spread(cache.adjacency(), slots, cosines, CONFIG.vocabulary.gains, SpreadParams())
        cache.apply(Remove(ids[:1]), 4, 0.0)
        cache.close(CacheStamp(1, 1, 4), clean=False)


def live_and_die(directory, settings, seed, step, nth, pipe, sociable=False):
    """Learn in ``directory``; die at the ``nth`` time that a write reaches ``step`` (None: when the parent says so).

    A ``sociable`` one removes nothing, so that what several do commutes.
    """
    left = [nth]

    def hook(reached):
        if reached == step:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    failpoints.install(hook)
    engine = opened(directory, settings)
    spy(engine.recorder, engine.steps, pipe)
    learn(engine, seed, sociable=sociable)
    with contextlib.suppress(AESGStorageError):  # its servers may be away: then what it learned waits in the journal
        engine.close()
    pipe.send((FINISHED, 0, b""))


def opened(directory, settings):
    """The memory, as soon as its servers answer: one of them may have been killed just now."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return MemoryEngine(directory, CONFIG, settings)
        except AESGStorageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def spy(recorder, steps, pipe):
    """Tell of each batch before and after it is recorded; the batch itself is sent as the journal would encode it."""
    append, record = recorder.backend.journal.append, recorder.record

    def telling_append(operations, at, events=(), counter=None, fence=None):
        journal = recorder.backend.journal
        if not operations:  # it only proves that what came before is whole
            return append(operations, at, events, counter, fence)
        batch = Batch(journal.writer, journal.incarnation, journal.last_sequence + 1, at, tuple(operations), fence)
        pipe.send((INTENT, batch.writer, batch.encode()))
        return append(operations, at, events, counter, fence)

    def telling_record(operations, events=None, fence=None):
        batch = record(operations, events, fence)
        if batch is not None:
            pipe.send((ACKNOWLEDGED, batch.writer, batch.sequence))
        return batch

    recorder.backend.journal.append = telling_append
    recorder.record = telling_record
    steps._record = telling_record


def learn(engine, seed, lessons=60, sociable=False):
    """A mixed life: queries with values, bulk creation, links, removals, consolidation."""
    rng = np.random.default_rng(seed)
    prototypes = np.random.default_rng(7).standard_normal((40, 8))
    for _ in range(lessons):
        choice = rng.integers(0, 10)
        if choice < 6:
            picked = rng.integers(0, 40, 6)
            queries = prototypes[picked] + 0.05 * rng.standard_normal((6, 8))
            query = engine.query(queries, np.eye(3)[picked % 3])
            engine.learn(query, engine.recall(query), engine.steps.tags(6))
        elif choice == 6 or sociable:
            ids = engine.create(rng.standard_normal((5, 8)), names=[f"n{seed}"] * 5)
            engine.link(ids[:-1], ids[1:], "CAUSAL")
        elif choice == 7:
            known = engine.recall(engine.query(rng.standard_normal((1, 8)))).ids
            engine.remove(np.unique(known[known >= 0])[:2])
        elif choice == 8:
            engine.consolidate()
        else:
            engine.update_topology()
