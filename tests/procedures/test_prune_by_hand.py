"""Consolidating and pruning in Cypher beside engines: caches follow, vectors go, and no epoch comes twice."""

import contextlib
from dataclasses import replace

import neo4j
import numpy as np
import pytest
from neo4j.exceptions import ClientError

from aesg_graph.engine.checking import check
from aesg_graph.engine.mending import repair
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import Kind
from tests.served.world import CONFIG, D, V, assert_cache_is_true, assert_in_step, teach, vectors

QUICK = replace(
    CONFIG, relevance_boost=1.0, relevance_decay=0.1, survival_min_age=0, max_prune_fraction=1.0, memory_mode="TRAIN"
)
"""What is not used may go in epoch 2; one use in epoch 1 puts it off to epoch 3."""
N, USED = 6, 2
KEYS = np.eye(N, D, dtype=np.float32)
"""Each seeds nothing but its own concept."""
VALUES = vectors(N, 1, V)


@pytest.fixture
def call(served):
    """Calls a procedure as a person does in cypher-shell; its rows."""
    auth = (served.user, served.password.get_secret_value())
    with neo4j.GraphDatabase.driver(served.graph, auth=auth) as driver:

        def one(query, **parameters):
            return [row.data() for row in driver.execute_query(query, parameters, m=served.memory).records]

        yield one


@pytest.fixture
def aged(opened, call):
    """An engine whose memory is in epoch 2, where all but the first two concepts may go; and the ids of all."""
    engine = opened("a", QUICK)
    ids = engine.create(KEYS, VALUES, names=[f"n{i}" for i in range(N)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.flush()
    assert call("CALL aesg.consolidate($m)") == [{"epoch": 1, "pruned": 0, "due": 0}]
    engine.refresh()
    assert engine.recorder.epoch == 1
    teach(engine, KEYS[:USED], VALUES[:USED])
    engine.flush()
    assert call("CALL aesg.consolidate($m, {prune: false})")[0]["due"] == N - USED
    engine.refresh()
    return engine, ids


def stored_vectors(settings, ids):
    with contextlib.closing(QdrantVectorStore.open(settings, D, V)) as store:
        return store.fetch(ids).ids.tolist()


def test_what_is_pruned_in_cypher_leaves_the_cache_and_the_vectors(aged, call, served):
    engine, ids = aged
    due = call("CALL aesg.due($m) YIELD id, name, in_epochs")
    assert sorted(row["name"] for row in due) == [f"n{i}" for i in range(USED, N)]
    assert call("CALL aesg.prune($m, {dryRun: true})") == [{"pruned": 0, "due": 4, "batches": 0, "dry_run": True}]
    assert call("CALL aesg.prune($m, {batch: 3})") == [{"pruned": 4, "due": 4, "batches": 2, "dry_run": False}]
    engine.refresh()
    engine.flush()
    assert (engine.residency.cache.lookup(ids) >= 0).tolist() == [True] * USED + [False] * 4
    assert engine.recorder.concepts == USED
    assert stored_vectors(served, ids) == ids[:USED].tolist()
    assert_in_step(engine)
    assert_cache_is_true(engine)
    assert check(None, settings=served).findings == ()
    stats = call("CALL aesg.stats($m) YIELD concepts, edges, tombstones, unswept, due")
    assert stats == [{"concepts": USED, "edges": 1, "tombstones": 4, "unswept": 0, "due": 0}]


def test_every_cache_follows_and_whoever_has_the_lease_sweeps(aged, call, served, opened):
    engine, ids = aged
    other = opened("b", QUICK)
    assert engine.lease.hold() is not None
    call("CALL aesg.prune($m)")
    other.refresh()
    assert (other.residency.cache.lookup(ids[USED:]) < 0).all()
    assert stored_vectors(served, ids) == ids.tolist()  # that is the other one's business
    engine.refresh()
    assert stored_vectors(served, ids) == ids[:USED].tolist()
    assert_cache_is_true(engine)
    assert_cache_is_true(other)


def test_a_cache_with_little_room_follows_too(aged, call, opened):
    engine, ids = aged
    engine.create(vectors(300, 5), vectors(300, 6, V))
    engine.flush()
    little = opened("b", QUICK, cache_bytes=4096)
    assert little.recall(little.query(KEYS)).seeds.ids[:, 0].tolist() == ids.tolist()
    assert not little.residency.cache.complete
    call("CALL aesg.prune($m)")
    little.refresh()
    found = little.recall(little.query(KEYS))
    assert not np.isin(ids[USED:], found.ids).any()
    assert little.recorder.concepts == USED + 300


def test_whoever_was_not_given_the_lease_tries_again(aged, call, served, opened):
    engine, ids = aged
    other = opened("b", QUICK)
    assert engine.lease.hold() is not None
    call("CALL aesg.prune($m)")
    other.refresh()
    engine.lease.release()
    other.refresh()
    assert stored_vectors(served, ids) == ids[:USED].tolist()


def test_a_prune_that_nobody_saw_is_swept_at_the_next_opening(aged, call, served, opened):
    engine, ids = aged
    engine.close()
    call("CALL aesg.prune($m)")
    assert stored_vectors(served, ids) == ids.tolist()
    again = opened("a", QUICK)
    again.refresh()
    assert stored_vectors(served, ids) == ids[:USED].tolist()
    assert_cache_is_true(again)


def test_a_prune_that_nobody_saw_is_swept_by_repair(aged, call, served):
    engine, ids = aged
    engine.close()
    call("CALL aesg.prune($m)")
    assert {finding.kind for finding in check(None, settings=served).findings} == {Kind.REMAINS, Kind.UNSWEPT}
    assert repair(None, served).clean
    assert stored_vectors(served, ids) == ids[:USED].tolist()
    assert check(None, settings=served).findings == ()


def test_a_lesson_on_its_way_to_a_concept_that_went_is_void(aged, call):
    engine, _ = aged
    call("CALL aesg.prune($m)")
    teach(engine, KEYS[USED:], VALUES[USED:])  # nobody has told it yet
    engine.flush()
    engine.refresh()
    assert engine.recorder.voided >= N - USED
    assert engine.recorder.concepts == USED
    assert_in_step(engine)
    assert_cache_is_true(engine)


def test_epochs_that_people_and_processes_begin_follow_each_other(opened, call):
    engine = opened("a", QUICK)
    engine.create(vectors(2), vectors(2, 1, V))
    engine.flush()
    for epoch in (1, 3, 5):
        assert call("CALL aesg.consolidate($m, {prune: false})")[0]["epoch"] == epoch
        engine.refresh()
        assert engine.recorder.epoch == epoch
        assert engine.consolidate().epoch == epoch + 1
        engine.flush()
        engine.lease.release()
    rows = call("MATCH (n:Consolidation {memory: $m}) RETURN n.epoch AS epoch, n.writer = 0 AS by_hand ORDER BY epoch")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["by_hand"] for row in rows] == [True, False] * 3


def test_an_epoch_that_was_begun_in_cypher_is_not_begun_again(opened, call):
    engine = opened("a", QUICK)
    engine.create(vectors(2), vectors(2, 1, V))
    engine.flush()
    call("CALL aesg.consolidate($m)")
    engine.consolidate()  # it has not heard of epoch 1
    engine.flush()
    engine.refresh()
    assert engine.recorder.epoch == call("MATCH (m:Memory {name: $m}) RETURN m.epoch AS epoch")[0]["epoch"] == 1
    assert call("MATCH (n:Consolidation {memory: $m}) RETURN count(*) AS runs") == [{"runs": 1}]


def test_consolidation_is_the_business_of_whoever_has_the_lease(opened, call):
    engine = opened("a", QUICK)
    engine.consolidate()
    engine.flush()
    with pytest.raises(ClientError, match=f"the process '{engine.writer}:.*' looks after the memory") as refused:
        call("CALL aesg.consolidate($m)")
    assert "nothing was changed" in str(refused.value)
    assert call("CALL aesg.stats($m) YIELD epoch, holder")[0]["epoch"] == 1
    engine.close()
    assert call("CALL aesg.consolidate($m)")[0]["epoch"] == 2


def test_a_prune_goes_on_beside_a_writer(aged, call):
    engine, _ = aged
    graph = engine.residency.graph
    assert isinstance(graph, Neo4jGraphStore)
    more = engine.create(vectors(200, 5), vectors(200, 6, V))
    engine.link(more[:-1], more[1:], "CAUSAL", 0.9)
    call("CALL aesg.prune($m, {batch: 1})")
    engine.flush()
    engine.refresh()
    assert graph.count().concepts == USED + 200
    assert_in_step(engine)
    assert_cache_is_true(engine)
