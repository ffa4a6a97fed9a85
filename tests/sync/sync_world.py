"""A memory directory with real stores, and operations to write into it."""

import time

import numpy as np

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import COUNTER_BITS, Relations
from aesg_graph.operations import Create, Link, Remove, Touch
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.sync import Flusher, Journal, MemoryDirectory, take_up_writing

D, V = 4, 2
LIMITS = Thresholds(0.1, 0.95, 0.05, 5, 5)


class World:
    """Everything that is open in one directory."""

    def __init__(self, path, durability="process", start=True, **flusher):
        self.directory = MemoryDirectory.create_or_open(path, D, V)
        d = self.directory
        if d.fresh:
            head = MemoryHead("test", 1, 0, 0, D, V, "{}")
            self.graph = SqliteGraphStore.create(d.graph, head, LIMITS, Relations(), durability=durability)
            self.store = EdgeVectorStore.create(d.vectors, D, V, durability=durability)
            self.journal = Journal.create(d.journal, d.identity, durability)
            d.complete(D, V)
        else:
            self.journal = Journal.open(d.journal, durability)
            self.graph = SqliteGraphStore.open(d.graph, Relations(), durability=durability)
            self.store = EdgeVectorStore.open(d.vectors, D, V, durability=durability)
        self.flusher = Flusher(self.journal, self.graph, lambda: self.store, **flusher)
        self.taken = take_up_writing(self.journal, self.graph, d.identity, self.flusher.recover) if start else None

    def ids(self, *counters):
        return np.array(counters, np.int64) | (self.journal.writer << COUNTER_BITS)

    def write(self, *operations, events=(), submit=True):
        batch = self.journal.append(operations, time.time(), events)
        if submit:
            self.flusher.submit(batch)
        return batch

    def refuse_later(self):
        """A batch that the graph will refuse."""
        return Link("NO_SUCH_TYPE", self.ids(1), self.ids(2), np.ones(1, np.float32), np.zeros(1, np.int64), 0)

    def agree(self):
        """Graph and vectors hold the same concepts; which."""
        concepts = self.graph.page(-1, 100_000, edges=False).concepts.ids
        points = self.store.page(-1, 100_000, vectors=False).ids
        np.testing.assert_array_equal(concepts, points)
        return concepts.tolist()

    def uses(self, id):
        return int(self.graph.read(np.array([id]), edges=False).concepts.use_frequency[0])

    def close(self):
        self.flusher.stop(10)
        for part in (self.journal, self.graph, self.store, self.directory):
            part.close()


def keys(count, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def create(ids, seed=0, **more):
    n = len(ids)
    return Create(ids, keys(n, seed), np.zeros((n, V), np.float32), np.zeros(n, np.bool_), "concept", 0, **more)


def touch(ids, uses=1):
    n = len(ids)
    return Touch(ids, np.full(n, uses, np.int64), np.zeros(n, np.int64), 0)


def remove(ids):
    return Remove(ids)


def link(sources, targets):
    n = len(sources)
    return Link("ASSOCIATION", sources, targets, np.full(n, 0.5, np.float32), np.zeros(n, np.int64), 0)


class Faulty:
    """A real store whose chosen method fails while ``fails`` says so, and that remembers what was called."""

    def __init__(self, store, method="", calls=None):
        self.store, self.method, self.fails = store, method, 0
        self.calls = [] if calls is None else calls

    def __getattr__(self, name):
        real = getattr(self.store, name)
        if not callable(real):
            return real

        def call(*arguments, **named):
            self.calls.append(name)
            if name == self.method and self.fails:
                self.fails -= 1
                raise OSError("the disk is on fire")
            return real(*arguments, **named)

        return call
