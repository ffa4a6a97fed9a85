"""A memory on both servers with the closed directory of one of its processes, ways to damage it, and what must be true
once it has been mended.
"""

import contextlib

import neo4j
import numpy as np

from aesg_graph.engine.checking import check
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.mending import repair
from aesg_graph.stores.abc import Points
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from tests.served.world import CONFIG, D, V, assert_cache_is_true, assert_in_step, vectors

N = 12


def build(engine):
    """Concepts in a causal chain, some similar, a tombstone, an epoch; closed. Ids of the living and of the dead."""
    ids = engine.create(vectors(N), vectors(N, 1, V), names=[f"n{i}" for i in range(N)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.link(ids[:3], ids[3:6], "SIMILARITY", 0.5)
    extra = engine.create(vectors(1, 50), vectors(1, 51, V))
    engine.remove(extra)
    engine.consolidate()
    engine.close()
    return ids, int(extra[0])


class Memory:
    """A memory on both servers, the closed directory of one of its processes, and ways to damage it."""

    def __init__(self, settings, path, ids, removed):
        self.settings, self.path, self.ids, self.removed = settings, path, ids, removed

    def check(self, directory=None):
        return check(directory, settings=self.settings)

    def repair(self, directory=None):
        return repair(directory, self.settings)

    def cypher(self, statement, **parameters):
        secret = self.settings.password.get_secret_value()
        with neo4j.GraphDatabase.driver(self.settings.graph, auth=(self.settings.user, secret)) as driver:
            return driver.execute_query(statement, parameters, m=self.settings.memory).records

    @contextlib.contextmanager
    def graph(self):
        with contextlib.closing(Neo4jGraphStore.open(self.settings, CONFIG.vocabulary)) as graph:
            yield graph

    @contextlib.contextmanager
    def vectors(self):
        with contextlib.closing(QdrantVectorStore.open(self.settings, D, V)) as store:
            yield store

    def put(self, id, writer, sequence, kind="concept"):
        """A vector by hand, as if a writer had written it with its batch ``sequence``."""
        with self.vectors() as store:
            number, flag = np.array([id], np.int64), np.ones(1, bool)
            sequences, versions = np.array([sequence]), np.zeros(1, np.int64)
            store.upsert(Points(number, vectors(1, 99), vectors(1, 98, V), flag, (kind,), writer, sequences, versions))

    def answers(self, without=()):
        """Every concept (``without`` some) is found by its key, with its value; and the memory can learn on."""
        engine = MemoryEngine(self.path, None, self.settings)
        try:
            found = engine.recall(engine.query(vectors(N)))
            for i, id in enumerate(self.ids.tolist()):
                if i in without:
                    assert id not in found.ids
                else:
                    assert found.seeds.ids[i, 0] == id
                    np.testing.assert_array_equal(found.seeds.values[i, 0], vectors(N, 1, V)[i])
            assert_cache_is_true(engine)
            engine.create(vectors(1, 77), vectors(1, 77, V))
            engine.flush()
            assert_in_step(engine)
        finally:
            engine.close()


def wrong(report):
    """The kinds of what is neither a note nor mended."""
    return [finding.kind for finding in report.findings if not (finding.note or finding.mended)]


def said(report, kind):
    return next(finding for finding in report.findings if finding.kind is kind)


def is_mended(memory, *kinds, directory=None, without=()):
    """Exactly this is found, twice; it is mended, and gone; the memory answers. The last look before mending."""
    before = memory.check(directory)
    assert wrong(before) == list(kinds)
    assert wrong(memory.check(directory)) == list(kinds)  # looking has mended nothing
    done = memory.repair(directory)
    assert wrong(done) == []
    assert {finding.kind for finding in done.findings if finding.mended} >= set(kinds)
    assert memory.check(directory).findings == ()
    assert memory.check(memory.path).findings == ()
    memory.answers(without)
    return before, done
