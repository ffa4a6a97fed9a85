"""The embedded and the served engine give the same answers after the same history, whatever it is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aesg_graph.concepts import COUNTER_BITS, NO_ID
from aesg_graph.config import StoreSettings
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from tests.served.world import CONFIG, D, V, assert_in_step, graph_rows, settings_for, teach

COUNTER = (1 << COUNTER_BITS) - 1
SMALL = 4096
"""A cache with room for 64 concepts: both engines answer from their stores too."""

deeds = st.lists(
    st.one_of(
        st.tuples(st.just("teach"), st.integers(0, 40), st.integers(1, 6)),
        st.tuples(st.just("ask"), st.integers(0, 40), st.integers(1, 6)),
        st.tuples(st.just("create"), st.integers(0, 40), st.integers(1, 30)),
        st.tuples(st.just("link"), st.integers(0, 99), st.integers(1, 8)),
        st.tuples(st.just("remove"), st.integers(0, 99), st.integers(1, 3)),
        st.tuples(st.just("consolidate"), st.just(0), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0), st.just(0)),
        st.tuples(st.just("step"), st.integers(0, 40), st.integers(1, 6)),
    ),
    min_size=6,
    max_size=24,
)
_numbers = itertools.count()


def directions(seed: int, count: int, width: int) -> Any:
    """Few different ones, so that histories meet themselves again."""
    drawn = np.stack([np.random.default_rng(1000 * width + seed + i).standard_normal(width) for i in range(count)])
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


class Twins:
    """One memory in either engine, to which the same things happen."""

    def __init__(self, root: Any, served: StoreSettings, cache_bytes: int) -> None:
        self.places = {
            root / "embedded": StoreSettings(cache_bytes=cache_bytes),
            root / "served": served.model_copy(update={"cache_bytes": cache_bytes}),
        }
        self.engines = [MemoryEngine(path, CONFIG, chosen) for path, chosen in self.places.items()]

    def close(self) -> None:
        for engine in self.engines:
            engine.close()

    def reopen(self) -> None:
        self.close()
        self.engines = [MemoryEngine(path, CONFIG, chosen) for path, chosen in self.places.items()]

    def do(self, deed: str, seed: int, count: int) -> None:
        match deed:
            case "teach":
                self.same([teach(e, directions(seed, count, D), directions(seed, count, V)) for e in self.engines])
            case "ask":
                self.same([e.recall(e.query(directions(seed, count, D))) for e in self.engines])
            case "create":
                for e in self.engines:
                    e.create(directions(seed, count, D), directions(seed, count, V), names=[f"n{seed}"] * count)
            case "step":
                for e in self.engines:
                    with e.step():
                        teach(e, directions(seed, count, D), directions(seed, count, V))
                        teach(e, directions(seed + 1, count, D), directions(seed, count, V))
            case "link" | "remove":
                for e in self.engines:
                    self.change(e, deed, seed, count)
            case "consolidate":
                done = [e.consolidate() for e in self.engines]
                assert done[0] == done[1]
            case _:
                self.reopen()

    def change(self, engine: MemoryEngine, deed: str, seed: int, count: int) -> None:
        engine.flush()
        ids = engine.residency.graph.page(-1, 500, edges=False).concepts.ids
        if len(ids) > 4 * count:
            chosen = np.random.default_rng(seed).choice(len(ids), 2 * count, replace=False)
            if deed == "remove":
                engine.remove(ids[chosen[:count]])
            else:
                engine.link(ids[chosen[:count]], ids[chosen[count:]], "CAUSAL" if seed % 2 else "ASSOCIATION")

    def same(self, answers: list[Any]) -> None:
        mine, theirs = answers
        assert plain(mine.ids).tolist() == plain(theirs.ids).tolist()
        assert plain(mine.seeds.ids).tolist() == plain(theirs.seeds.ids).tolist()
        for name in ("energies", "keys", "values", "stability", "explanation"):
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-5, atol=1e-6, err_msg=name)
        assert mine.novel.tolist() == theirs.novel.tolist()

    def same_in_the_end(self) -> None:
        for engine in self.engines:
            engine.flush()
        mine, theirs = (mapped(*graph_rows(engine.residency.graph)) for engine in self.engines)
        assert mine == theirs
        embedded, served = self.engines
        assert embedded.residency.graph.count() == served.residency.graph.count()
        assert embedded.residency.graph.head().epoch == served.residency.graph.head().epoch
        assert_in_step(served)


def plain(ids: Any) -> Any:
    """Ids without the writer's number, which each engine draws for itself."""
    return np.where(ids == NO_ID, NO_ID, ids & COUNTER)


def mapped(concepts: Any, edges: Any) -> Any:
    """What a graph holds, by such ids."""
    return (
        {id & COUNTER: row for id, row in concepts.items()},
        {(source & COUNTER, target & COUNTER, type): row for (source, target, type), row in edges.items()},
    )


@pytest.mark.parametrize("cache_bytes", [1 << 26, SMALL], ids=["all resident", "little room"])
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=deeds)
def test_both_engines_give_the_same_answers(tmp_path_factory, neo4j_server, qdrant_server, cache_bytes, history):
    from tests.served.world import migrated

    migrated(neo4j_server)
    chosen = settings_for(neo4j_server, qdrant_server, f"twin-{next(_numbers)}")
    twins = Twins(tmp_path_factory.mktemp("twins"), chosen, cache_bytes)
    try:
        for deed, seed, count in history:
            twins.do(deed, seed, count)
        twins.same_in_the_end()
    finally:
        twins.close()
        Neo4jGraphStore.destroy(chosen)
        QdrantVectorStore.destroy(chosen)
