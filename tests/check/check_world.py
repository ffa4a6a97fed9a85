"""A small closed memory, ways to damage it, and what must be true once it has been mended."""

import contextlib
import shutil
import sqlite3

import numpy as np

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.checking import check
from aesg_graph.engine.mending import repair
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.sync import Journal, Kind

D, V, N = 8, 2, 12
CONFIG = AESGConfig(vector_dim=D, value_dim=V)


def keys():
    drawn = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def values():
    return np.random.default_rng(1).standard_normal((N, V)).astype(np.float32)


def build(path):
    """A memory with concepts, edges, a tombstone and an epoch, closed in order; the ids of its concepts."""
    engine = MemoryEngine(path, CONFIG, StoreSettings())
    ids = engine.create(keys(), values(), names=[f"n{i}" for i in range(N)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.link(ids[:3], ids[3:6], "SIMILARITY", 0.5)
    extra = engine.create(np.eye(D)[:1])
    engine.remove(extra)
    engine.consolidate()
    engine.close()
    return ids, int(extra[0])


class Memory:
    """A copy of the built memory, closed."""

    def __init__(self, path, ids, removed):
        self.path, self.ids, self.removed = path, ids, removed

    def check(self):
        return check(self.path)

    def repair(self):
        return repair(self.path)

    def drop_cache(self):
        shutil.rmtree(self.path / "cache")

    @contextlib.contextmanager
    def vectors(self):
        with contextlib.closing(EdgeVectorStore.open(self.path / "vectors", D, V)) as store:
            yield store

    @contextlib.contextmanager
    def journal(self):
        with contextlib.closing(Journal.open(self.path / "journal.db")) as journal:
            yield journal

    def sql(self, file, *statements):
        with contextlib.closing(sqlite3.connect(self.path / file, isolation_level=None)) as connection:
            for statement in statements:
                rows = connection.execute(*statement if isinstance(statement, tuple) else (statement,)).fetchall()
        return rows

    def answers(self, without=()):
        """Every concept (``without`` some) is found by its key, with its value; and the memory can learn on."""
        engine = MemoryEngine(self.path, None, StoreSettings())
        try:
            found = engine.recall(engine.query(keys()))
            for i, id in enumerate(self.ids.tolist()):
                if i in without:
                    assert id not in found.ids
                else:
                    assert found.seeds.ids[i, 0] == id
                    assert id in found.ids[i]
                    np.testing.assert_array_equal(found.seeds.values[i, 0], values()[i])
            new = engine.create(np.ones((1, D)))
            engine.flush()
            assert engine.inspector.concept(int(new[0])).id == new[0]
            assert N - 1 in without or len(engine.inspector.neighbors(int(self.ids[-1]))) == 1
        finally:
            engine.close()


def wrong(report):
    """The kinds of what is neither a note nor mended."""
    return [finding.kind for finding in report.findings if not (finding.note or finding.mended)]


def said(report, kind):
    return next(finding for finding in report.findings if finding.kind is kind)


def is_mended(memory, kind, without=()):
    """The damage is found as ``kind`` and nothing else, mended, and gone; the memory answers. The two findings."""
    before = memory.check()
    assert wrong(before) == [kind]
    assert not before.clean
    assert wrong(memory.check()) == [kind]  # looking has mended nothing
    done = memory.repair()
    assert done.clean
    assert said(done, kind).mended
    after = memory.check()
    assert after.clean
    assert [finding for finding in after.findings if finding.kind is not Kind.REFUSED] == []
    memory.answers(without)
    assert memory.check().clean
    return said(before, kind), said(done, kind)
