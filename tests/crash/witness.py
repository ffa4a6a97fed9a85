"""Who heard everything that a learner said, and holds a memory against it."""

from dataclasses import fields

import numpy as np
from learner import ACKNOWLEDGED, CONFIG, INTENT

from aesg_graph.concepts import EdgeTable
from aesg_graph.engine import MemoryEngine
from aesg_graph.operations import Batch, Split, born_ids
from aesg_graph.stores.abc import MemoryHead, Shared
from aesg_graph.stores.sqlite import SqliteGraphStore

EVERYTHING = 1_000_000


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
            if (born := born_ids(operation)).size:
                keys = [operation.key] if isinstance(operation, Split) else operation.keys
                self.keys.update(zip(born.tolist(), keys, strict=True))

    def compare(self, directory, settings):
        """Open the memory and hold everything against what was acknowledged."""
        engine = MemoryEngine(directory, CONFIG, settings)
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
        graph = engine.residency.graph
        if isinstance(graph, Shared):  # there, an empty batch may have taken its sequence
            return any(p.id == batch.writer and p.content >= batch.sequence for p in graph.positions())
        before = self.graph.writer(batch.writer)
        return graph.writer(batch.writer).sequence > (before.sequence if before else 0)


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
