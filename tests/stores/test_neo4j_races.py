"""Several processes write to one memory in Neo4j at the same time: what each rule of the transaction is there for."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import neo4j
import numpy as np
import pytest
from neo4j_world import at_once, memory_of, opened, prepare

from aesg_graph.concepts import COUNTER_BITS
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Advance, Merge, Prune, Remove
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import Counts
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.loading import Loading
from aesg_graph.stores.testing.graph.building import LIMITS, Scribe, create, edges, link, row, rows, touch


@pytest.fixture(scope="module")
def server(neo4j_server: Any) -> Any:
    prepare(neo4j_server)
    return neo4j_server


@pytest.fixture
def settings(server: Any) -> Iterator[StoreSettings]:
    with memory_of(server, "races") as settings:
        yield settings


@pytest.fixture
def join(settings: StoreSettings) -> Iterator[Callable[[], Scribe]]:
    """A function that gives another writer, with a store (and so connections) of its own."""
    with ExitStack() as stack:
        yield lambda: Scribe(stack.enter_context(opened(settings)))


@contextmanager
def held(server: Any, statement: str, **values: Any) -> Iterator[None]:
    """Somebody's transaction that has carried out a statement, and ends with the block."""
    with (
        neo4j.GraphDatabase.driver(server.url, auth=(server.user, server.password)) as driver,
        driver.session() as session,
        session.begin_transaction() as transaction,
    ):
        transaction.run(statement, values).consume()
        yield
        transaction.commit()


def waiting(server: Any) -> int:
    """How many transactions wait for a lock."""
    with neo4j.GraphDatabase.driver(server.url, auth=(server.user, server.password)) as driver:
        query = "SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN count(*)"
        return int(driver.execute_query(query).records[0][0])


def until_one_waits(server: Any, count: int = 1) -> None:
    for _ in range(500):
        if waiting(server) >= count:
            return
    raise AssertionError("nobody waits for the lock")


def true_counts(store: Neo4jGraphStore) -> Counts:
    counted = store.recount()
    assert store.count() == counted
    return counted


def scribe_while(scribe: Scribe, server: Any, statement: str, values: dict[str, Any], *operations: Any) -> Any:
    """Write a batch that has to wait for somebody's transaction; what became of it."""
    batch, outcomes = scribe.batch(*operations), []
    writing = threading.Thread(target=lambda: outcomes.extend(scribe.store.apply([batch])))
    with held(server, statement, **values):
        writing.start()
        until_one_waits(server)
    writing.join(30)
    (outcome,) = outcomes
    return outcome


def test_a_retry_that_races_its_lost_first_attempt_counts_once(join: Callable[[], Scribe]) -> None:
    scribe, other = join(), join()
    (a,) = scribe.create(1).tolist()
    for _ in range(5):
        batch = scribe.batch(touch([a]))
        outcomes = at_once(*[partial(s.store.apply, [batch]) for s in (scribe, other, scribe, other)])
        assert sorted(outcome.status for (outcome,) in outcomes) == ["applied", "skipped", "skipped", "skipped"]
    assert row(scribe.store, a).use_frequency == 5


def test_a_touch_for_a_concept_that_another_removes_meanwhile_is_void(
    server: Any, join: Callable[[], Scribe], settings: StoreSettings
) -> None:
    scribe = join()
    a, b = scribe.create(2).tolist()
    gone = "MATCH (c:Concept {memory: $memory, id: $id}) DETACH DELETE c"
    outcome = scribe_while(scribe, server, gone, {"memory": settings.memory, "id": a}, touch([a, b]), link([(a, b)]))
    assert outcome.status == "applied"
    assert outcome.voided == 2
    assert a in outcome.declined
    assert row(scribe.store, b).use_frequency == 1
    assert edges(scribe.store, [b]) == {}


def test_a_link_to_a_concept_that_is_born_meanwhile_is_whole_or_void(join: Callable[[], Scribe]) -> None:
    one, two = join(), join()
    (a,) = one.create(1).tolist()
    for _ in range(5):
        (b,) = two.fresh(1).tolist()
        linked, born = at_once(lambda b=b: one.try_write(link([(a, b)])), lambda b=b: two.try_write(create([b])))
        assert born.status == linked.status == "applied"
        assert (len(edges(one.store, [b])), linked.voided) in {(1, 0), (0, 1)}
    true_counts(one.store)


def test_a_touch_for_a_concept_that_merged_reaches_what_it_became(join: Callable[[], Scribe]) -> None:
    one, two = join(), join()
    survivors, merged = one.create(6), one.create(6)
    at_once(
        lambda: one.write(Merge(survivors, merged)), lambda: two.write(touch(merged, 2), link([(merged[0], merged[1])]))
    )
    assert [r.use_frequency for r in rows(one.store, survivors).values()] == [2] * 6
    assert list(edges(one.store, survivors)) == [(int(survivors[0]), int(survivors[1]), "CAUSAL")]
    assert true_counts(one.store) == Counts(6, 1, 6)


def test_overlapping_merges_lose_no_count(join: Callable[[], Scribe]) -> None:
    one, two = join(), join()
    a, b, c = one.create(3).tolist()
    one.write(touch([a, b, c], [1, 10, 100]))
    at_once(
        lambda: one.write(Merge(np.array([a]), np.array([b]))),
        lambda: two.write(Merge(np.array([c]), np.array([b]))),
    )
    left = rows(one.store, [a, b, c])
    assert b not in left
    # Whoever came second merged what was left: all counts are somewhere, once.
    assert sum(r.use_frequency for r in left.values()) == 111
    true_counts(one.store)


def test_a_prune_planned_before_another_s_touch_spares_the_concept(join: Callable[[], Scribe]) -> None:
    planner, other = join(), join()
    ids = planner.create(2)
    due = planner.store.due(1000, 10)
    assert due.tolist() == ids.tolist()
    other.write(touch(ids[:1], LIMITS.survival_threshold_frequency))
    outcome = planner.write(Prune(due, epoch=1000))
    assert outcome.declined.tolist() == ids[:1].tolist()
    assert list(rows(planner.store, ids)) == ids[:1].tolist()


def test_a_holder_that_paused_too_long_can_no_longer_do_maintenance(join: Callable[[], Scribe]) -> None:
    paused, other = join(), join()
    ids = paused.create(2)
    lost = paused.store.acquire("paused", 0.001)
    assert lost is not None
    late = [replace(paused.batch(Remove(ids[:1])), fence=lost), paused.batch(touch(ids))]
    fence = None
    while fence is None:  # until the lease has run out by the server's clock
        fence = other.store.acquire("other", 30)
    assert fence > lost
    outcomes = paused.store.apply(late)
    assert [o.status for o in outcomes] == ["refused", "applied"]
    assert str(fence) in outcomes[0].reason
    assert paused.store.absent(ids).size == 0
    assert paused.store.acquire("paused", 30) is None
    paused.store.release(lost)
    assert other.store.acquire("other", 30) == fence
    (kept,) = other.store.apply([replace(other.batch(Remove(ids[:1])), fence=fence)])
    assert kept.status == "applied"
    other.store.release(fence)
    again = paused.store.acquire("paused", 30)
    assert again is not None
    assert again > fence


def test_writers_with_opposite_orders_do_not_stop_each_other(join: Callable[[], Scribe]) -> None:
    one, two = join(), join()
    ids = one.create(30)
    spokes = [(int(ids[0]), int(id)) for id in ids[1:]] + [(int(ids[-1]), int(id)) for id in ids[:-1]]
    one.write(link(spokes))
    # Removing locks neighbours late and out of order, so deadlocks happen, and are tried again.
    for low, high in zip(range(1, 6), range(28, 23, -1), strict=True):
        at_once(
            lambda low=low: one.write(Remove(ids[low : low + 1]), touch(ids[::-1])),
            lambda high=high: two.write(touch(ids), Remove(ids[high : high + 1])),
        )
    assert len(rows(one.store, ids)) == 20
    assert row(one.store, int(ids[0])).use_frequency == 10
    assert true_counts(one.store).tombstones == 10


def test_a_deadlock_is_tried_again_and_counts_once(
    join: Callable[[], Scribe], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds a concept and waits for our writer, whom we hold while we wait for the concept."""
    scribe, load, attempts = join(), Loading.load, []
    ids = scribe.create(50)
    known = {"memory": scribe.store.head().name, "id": int(ids[1]), "writer": scribe.state.id}

    with (
        neo4j.GraphDatabase.driver(server.url, auth=(server.user, server.password)) as driver,
        driver.session() as session,
        session.begin_transaction() as theirs,
        ThreadPoolExecutor(1) as pool,
    ):
        theirs.run("MATCH (c:Concept {memory: $memory}) WHERE c.id >= $id SET c.name = 'theirs'", known).consume()

        def want_our_writer() -> None:
            theirs.run("MATCH (w:Writer {memory: $memory, id: $writer}) SET w.seen = true", known).consume()
            theirs.commit()

        def load_late(loading: Loading, named: Any) -> None:
            if not attempts:
                pool.submit(want_our_writer)
                until_one_waits(server)
            attempts.append(loading)
            load(loading, named)

        monkeypatch.setattr(Loading, "load", load_late)
        scribe.write(touch(ids[:2]))
    assert len(attempts) == 2
    assert [(c.name, c.use_frequency) for c in (row(scribe.store, int(id)) for id in ids[:2])] == [
        (None, 1),
        ("theirs", 1),
    ]


def test_who_reads_beside_removals_gets_whole_rows_or_none(join: Callable[[], Scribe]) -> None:
    """Without locks Neo4j reads column by column: of what is deleted meanwhile the rest is null."""
    scribe, reader = join(), join().store
    ids = scribe.create(1000)
    scribe.write(link(list(pairwise(ids.tolist()))))
    with ThreadPoolExecutor(1) as pool:
        gone = pool.submit(lambda: [scribe.write(Remove(part)) for part in np.split(ids, 50)])
        seen = []
        while not gone.done():
            for found in (reader.read(ids), reader.page(-1, 500)):
                assert np.isfinite(found.concepts.relevance).all()
                assert np.isfinite(found.edges.weights).all()
                seen.append(len(found.concepts))
            assert len(reader.weakest(50)[0]) <= 50
            assert len(reader.changed(scribe.state.id, 0)) >= 0
    gone.result()
    assert len(set(seen)) > 5
    assert len(reader.page(-1, 500).concepts) == 0


def test_eight_writers_at_once_lose_nothing_and_double_nothing(join: Callable[[], Scribe]) -> None:
    scribes = [join() for _ in range(8)]
    shared = scribes[0].create(4)

    def lessons(scribe: Scribe) -> Callable[[], None]:
        def work() -> None:
            for _ in range(5):
                ids = scribe.fresh(3)
                pairs = [(int(id), int(other)) for id in ids for other in shared]
                scribe.write(create(ids), link(pairs), link([(int(shared[0]), int(shared[1]))]), touch(shared, 1, 1))

        return work

    at_once(*map(lessons, scribes))
    found = rows(scribes[0].store, shared)
    assert [(r.use_frequency, r.contradictions) for r in found.values()] == [(40, 40)] * 4
    bond = edges(scribes[0].store, shared)[(int(shared[0]), int(shared[1]), "CAUSAL")]
    assert bond.use_count == 39  # born once, used by every later Link
    assert true_counts(scribes[0].store) == Counts(4 + 120, 480 + 1, 0)
    positions = scribes[0].store.positions()
    assert {p.id: (p.sequence, p.content) for p in positions} == {0: (0, 0)} | {
        s.state.id: (s.sequence, s.sequence) for s in scribes
    }
    changed = scribes[0].store.changed(scribes[1].state.id, 0)
    assert np.isin(changed >> COUNTER_BITS, [s.state.id for s in scribes]).all()


def test_an_id_that_two_writers_give_birth_to_at_once_is_born_once(join: Callable[[], Scribe]) -> None:
    one, two = join(), join()
    for _ in range(5):
        (a,) = one.fresh(1).tolist()
        outcomes = at_once(lambda a=a: one.try_write(create([a])), lambda a=a: two.try_write(create([a])))
        assert sorted(o.status for o in outcomes) == ["applied", "refused"]
    assert true_counts(one.store).concepts == 5


def test_a_batch_refused_for_its_content_stops_nothing_behind_it(join: Callable[[], Scribe]) -> None:
    scribe = join()
    ids = scribe.fresh(2)
    bad, good = scribe.batch(create(ids), link([(ids[0], ids[1])], 2.0)), scribe.batch(create(ids))
    outcomes = scribe.store.apply([bad, good])
    assert [o.status for o in outcomes] == ["refused", "applied"]
    position = next(p for p in scribe.store.positions() if p.id == scribe.state.id)
    assert (position.sequence, position.content) == (2, 2)
    assert scribe.try_write().status == "applied"
    position = next(p for p in scribe.store.positions() if p.id == scribe.state.id)
    assert (position.sequence, position.content) == (3, 2)


def test_a_renewed_writer_s_old_self_can_no_longer_write(join: Callable[[], Scribe]) -> None:
    old = join()
    (a,) = old.create(1).tolist()
    old.store.renew(old.state.id)
    with pytest.raises(AESGStorageError, match="incarnation"):
        old.write(touch([a]))
    assert row(old.store, a).use_frequency == 0


def test_counts_that_somebody_s_own_cypher_made_wrong_are_mended(
    server: Any, join: Callable[[], Scribe], settings: StoreSettings
) -> None:
    scribe = join()
    a, b, c = scribe.create(3).tolist()
    scribe.write(link([(a, b), (b, c)]), Remove(np.array([c])))
    with held(server, "MATCH (c:Concept {memory: $memory, id: $id}) DETACH DELETE c", memory=settings.memory, id=a):
        pass
    assert scribe.store.count() == Counts(2, 1, 1)
    assert scribe.store.mend_counts() == Counts(-1, -1, 0)
    assert true_counts(scribe.store) == Counts(1, 0, 1)


MOVED = {
    "the fence of a lease": (
        "MATCH (l:Lease {memory: $memory}) SET l.fence = 7",
        "MATCH (l:Lease {memory: $memory}) RETURN l.fence",
    ),
    "the incarnation of a memory": (
        "MATCH (m:Memory {name: $memory}) SET m.incarnation = 7",
        "MATCH (m:Memory {name: $memory}) RETURN m.incarnation",
    ),
    "what a writer has forgotten": (
        "MATCH (w:Writer {memory: $memory, id: $writer}) SET w.forgotten = 7",
        "MATCH (w:Writer {memory: $memory, id: $writer}) RETURN w.forgotten",
    ),
    "the version of a concept": (
        "MATCH (c:Concept {memory: $memory, id: $id}) SET c.version = 7",
        "MATCH (c:Concept {memory: $memory, id: $id}) RETURN c.version",
    ),
}


@pytest.mark.parametrize("what", MOVED)
def test_whoever_waits_for_a_lock_takes_back_nothing_of_what_was_done_under_it(
    server: Any, join: Callable[[], Scribe], settings: StoreSettings, what: str
) -> None:
    scribe = join()
    (a,) = scribe.create(1).tolist()
    values = {"memory": settings.memory, "id": a, "writer": scribe.state.id}
    change, ask = MOVED[what]
    batch = replace(scribe.batch(touch([a]), Advance(1)), fence=0)  # locks all four
    writing = threading.Thread(target=scribe.store.apply, args=([batch],))
    with held(server, change, **values):
        writing.start()
        until_one_waits(server)
    writing.join(30)
    with neo4j.GraphDatabase.driver(server.url, auth=(server.user, server.password)) as driver:
        assert driver.execute_query(ask, values).records[0][0] == 7
