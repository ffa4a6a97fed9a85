"""The flusher: batches reach both stores in order, exactly once, and what fails is told."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sync_world import Faulty, V, create, keys, link, remove, touch

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Advance, Create, Merge, Regions, Rekey, Split
from aesg_graph.stores.abc import Points
from aesg_graph.sync import Event, GroupLimits, failpoints


def test_batches_reach_both_stores_and_leave_the_journal(world):
    a = world.ids(1, 2, 3)
    world.write(create(a))
    world.write(touch(a[:1], 4), link(a[:1], a[1:2]))
    world.flusher.flush(10)
    assert world.agree() == a.tolist()
    assert world.uses(a[0]) == 4
    assert world.graph.count().edges == 1
    assert world.journal.pending() == []
    assert world.journal.bytes_pending == 0
    np.testing.assert_allclose(world.store.fetch(a).keys, keys(3), atol=1e-6)


def test_flush_of_nothing_returns_at_once(world):
    world.flusher.flush(0)


def test_touches_do_not_need_the_vector_store(world):
    a = world.ids(1)
    world.write(create(a))
    world.flusher.flush(10)
    world.flusher._carrier._vectors = lambda: pytest.fail("opened")
    world.write(touch(a))
    world.flusher.flush(10)
    assert world.uses(a[0]) == 1


def test_several_births_are_one_upsert(opened):
    world = opened(limits=GroupLimits(linger=5.0))
    world.store = store = Faulty(world.store)
    for n in range(5):
        world.write(create(world.ids(10 * n + 1, 10 * n + 2), seed=n))
    world.flusher.flush(10)
    assert store.calls.count("upsert") == 1
    assert len(world.agree()) == 10
    table = world.store.fetch(world.ids(1, 21))
    assert table.sequences.tolist() == [1, 3]
    assert table.writers.tolist() == [world.journal.writer] * 2


def test_small_batches_wait_for_company_and_go_at_once_when_somebody_waits(opened):
    world = opened(limits=GroupLimits(linger=30.0))
    world.graph = graph = Faulty(world.graph)
    world.flusher._carrier._graph = graph
    a = world.ids(1)
    world.write(create(a))
    for _ in range(20):
        world.write(touch(a))
    started = time.monotonic()
    world.flusher.flush(10)
    assert time.monotonic() - started < 5
    assert graph.calls.count("apply") == 1
    assert world.uses(a[0]) == 20


def test_what_is_born_and_removed_in_one_group_leaves_no_vector(opened):
    world = opened(limits=GroupLimits(linger=5.0))
    a = world.ids(1, 2)
    world.write(create(a))
    world.write(remove(a[:1]))
    world.flusher.flush(10)
    assert world.agree() == [a[1]]


def test_the_graph_learns_which_vectors_are_gone(world):
    a = world.ids(1, 2)
    world.write(create(a), remove(a[:1]))
    world.flusher.flush(10)
    world.write(touch(a[1:]))
    world.flusher.flush(10)
    assert world.graph.tombstones(a[:1]).vector_removed.tolist() == [True]
    world.write(remove(a[1:]))
    world.flusher.close(10)  # and without a next transaction, at the end
    assert world.graph.unswept(10).size == 0


def test_a_merged_concepts_vector_goes_also_when_it_had_merged_before(world):
    a = world.ids(1, 2, 3)
    world.write(create(a))
    world.write(Merge(a[2:3], a[1:2]))  # 2 into 3
    world.write(Merge(a[0:1], a[1:2]))  # 2 stands for 3 by now
    world.flusher.flush(10)
    assert world.agree() == [a[0]]


def test_rekeyed_split_and_labelled_vectors(opened):
    world = opened(limits=GroupLimits(linger=5.0))
    a, half = world.ids(1, 2), world.ids(3)
    world.write(Create(a, keys(2), np.zeros((2, V), np.float32), np.zeros(2, np.bool_), "episode", 0))
    world.write(Rekey(a, keys(2, seed=7), 3, "other"))
    world.write(Split(int(a[0]), int(half[0]), keys(1, 9)[0], np.ones(V, np.float32), True, a[1:]))
    world.write(Regions(a, np.array([5, NO_ID])))
    world.flusher.flush(10)
    table = world.store.fetch(np.concatenate([a, half]))
    np.testing.assert_allclose(table.keys, np.concatenate([keys(2, 7), keys(1, 9)]), atol=1e-6)
    assert table.versions.tolist() == [3, 3, 3]
    assert table.has_value.tolist() == [False, False, True]
    found, _ = world.store.search(keys(1, 9), 3, kind="episode")
    assert found[0, 0] == half[0]
    assert world.store.search(keys(1, 9), 3, region=5)[0][0].tolist() == [a[0], NO_ID, NO_ID]
    assert world.agree() == [*a.tolist(), *half.tolist()]


def test_a_split_without_a_source_leaves_no_vector(world):
    a, half = world.ids(1), world.ids(2)
    world.write(create(a))
    world.write(remove(a))
    world.write(Split(int(a[0]), int(half[0]), keys(1)[0], np.zeros(V, np.float32), False, np.empty(0, np.int64)))
    world.flusher.flush(10)
    assert world.agree() == []
    assert world.journal.refused() == []


def test_a_split_of_what_its_own_batch_created(world):
    a, half = world.ids(1), world.ids(2)
    split = Split(int(a[0]), int(half[0]), keys(1)[0], np.zeros(V, np.float32), False, np.empty(0, np.int64))
    quarter = Split(int(half[0]), int(world.ids(3)[0]), keys(1)[0], np.zeros(V, np.float32), False, a[:0])
    world.write(
        Create(a, keys(1), np.zeros((1, V), np.float32), np.zeros(1, np.bool_), "episode", 0, version=2), split, quarter
    )
    world.flusher.flush(10)
    assert len(world.agree()) == 3
    assert (world.store.search(keys(1), 3, kind="episode")[0] != NO_ID).all()
    assert world.store.fetch(world.ids(1, 2, 3)).versions.tolist() == [2, 2, 2]


# -- refusal ------------------------------------------------------------------------------------------------------


def test_a_refused_batch_is_set_aside_and_its_neighbours_go_on(opened):
    told = []
    world = opened(limits=GroupLimits(linger=5.0), on_settled=lambda outcomes, up_to: told.append((outcomes, up_to)))
    a = world.ids(1, 2, 3)
    world.write(create(a[:2]))
    bad = world.write(create(a[2:]), world.refuse_later())
    world.write(touch(a[:1]))
    world.flusher.flush(10)
    assert world.agree() == a[:2].tolist()
    assert world.uses(a[0]) == 1
    (refused,) = world.journal.refused()
    assert (refused.writer, refused.sequence) == (bad.writer, bad.sequence)
    assert "NO_SUCH_TYPE" in refused.reason
    np.testing.assert_array_equal(refused.batch.operations[0].ids, a[2:])
    ((outcomes, up_to),) = told
    assert [o.status for o in outcomes] == ["applied", "refused", "applied"]
    assert up_to == 3
    assert world.journal.pending() == []


def test_a_refused_batch_does_not_touch_the_vectors_of_the_id_that_it_claims(world):
    a = world.ids(1)
    world.write(create(a, seed=1))
    world.flusher.flush(10)
    world.write(create(a, seed=2))
    world.flusher.flush(10)
    assert len(world.journal.refused()) == 1
    np.testing.assert_allclose(world.store.fetch(a).keys, keys(1, 1), atol=1e-6)
    assert world.agree() == a.tolist()


def test_an_id_born_twice_in_one_group_keeps_its_first_vectors(opened):
    world = opened(limits=GroupLimits(linger=5.0))
    a = world.ids(1)
    world.write(create(a, seed=1))
    world.write(create(a, seed=2))
    world.flusher.flush(10)
    assert [r.sequence for r in world.journal.refused()] == [2]
    np.testing.assert_allclose(world.store.fetch(a).keys, keys(1, 1), atol=1e-6)


def test_what_the_vector_store_will_not_take_is_refused_whole(opened):
    world = opened(limits=GroupLimits(linger=5.0))
    a = world.ids(1, 2, 3)
    world.write(create(a[:1]))
    wide = Create(a[1:2], np.ones((1, 9), np.float32), np.zeros((1, V), np.float32), np.zeros(1, np.bool_), "x", 0)
    world.write(wide, touch(a[:1]))
    world.write(create(a[2:]))
    world.flusher.flush(10)
    assert world.agree() == [a[0], a[2]]
    assert world.uses(a[0]) == 0
    (refused,) = world.journal.refused()
    assert refused.sequence == 2
    assert "vector store" in refused.reason


def test_a_refusal_that_only_the_graph_had_seen_is_listed_after_a_replay(world):
    # As after a kill between the graph's commit and the journal's: the graph now says "skipped", and not why.
    a = world.ids(1, 2)
    applied = world.write(create(a[:1]), submit=False)
    refused = world.write(create(a[1:]), world.refuse_later(), submit=False)
    removed = world.write(remove(a[:1]), submit=False)
    assert [o.status for o in world.graph.apply([applied, refused, removed])] == ["applied", "refused", "applied"]
    outcomes = world.flusher.recover()
    assert [o.status for o in outcomes] == ["skipped", "refused", "skipped"]
    assert outcomes[1].declined.tolist() == a.tolist()
    assert [r.sequence for r in world.journal.refused()] == [2]
    assert world.agree() == []


def test_refusals_survive_reopening(opened, tmp_path):
    world = opened()
    world.write(Advance(7))
    world.flusher.flush(10)
    world.close()
    assert [r.sequence for r in opened().journal.refused()] == [1]


# -- failure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "method"), [("graph", "apply"), ("store", "upsert"), ("store", "delete"), ("graph", "absent")]
)
def test_a_failure_surfaces_once_at_the_next_call_and_is_overcome(world, part, method):
    a = world.ids(1, 2)
    faulty = Faulty(getattr(world, part), method)
    faulty.fails = 1
    setattr(world, part, faulty)
    world.flusher._carrier._graph = world.graph
    world.write(create(a), touch(a[:1]), remove(a[1:]))
    deadline = time.monotonic() + 10
    while world.flusher._failures.untold is None and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(AESGStorageError, match="disk is on fire"):
        world.flusher.raise_failure()
    world.flusher.raise_failure()
    world.flusher.flush(10)
    assert world.agree() == a[:1].tolist()
    assert world.uses(a[0]) == 1
    assert world.journal.refused() == []


def test_a_failure_of_the_owner_is_retried_with_the_outcome_that_counted(opened):
    told = []

    def settled(outcomes, up_to):
        told.append(outcomes)
        if len(told) == 1:
            raise RuntimeError("the owner stumbled")

    world = opened(on_settled=settled)
    world.write(world.refuse_later())
    with pytest.raises(AESGStorageError, match="stumbled"):
        world.flusher.flush(10)
    world.flusher.flush(10)
    assert [[o.status for o in outcomes] for outcomes in told] == [["refused"], ["refused"]]
    assert "NO_SUCH_TYPE" in world.journal.refused()[0].reason


def test_flush_says_why_it_failed_and_later_succeeds(world):
    world.graph = world.flusher._carrier._graph = faulty = Faulty(world.graph, "apply")
    faulty.fails = 1000
    world.write(create(world.ids(1)))
    with pytest.raises(AESGStorageError, match=r"disk is on fire.*1 batches"):
        world.flusher.flush(10)
    with pytest.raises(AESGStorageError, match="disk is on fire"):
        world.flusher.flush(10)  # tried again at once, whatever the delay has grown to
    faulty.fails = 0
    world.flusher.flush(10)
    assert len(world.agree()) == 1


def test_flush_gives_up_after_its_timeout_and_says_how_much_waits(world):
    hold, entered = threading.Event(), threading.Event()
    world.flusher.on_settled = lambda outcomes, up_to: (entered.set(), hold.wait(10))
    world.write(create(world.ids(1)))
    entered.wait(10)
    world.write(create(world.ids(2)))
    with pytest.raises(AESGStorageError, match=r"gave up after 0.05 s: 2 batches"):
        world.flusher.flush(0.05)
    assert world.flusher.lag().batches == 2
    hold.set()
    world.flusher.flush(10)
    assert world.flusher.lag() == (0, 0)


def test_a_full_journal_slows_writers_then_tells_them(opened):
    world = opened(journal_bytes=100)
    world.graph = world.flusher._carrier._graph = faulty = Faulty(world.graph, "apply")
    faulty.fails = 1000
    world.flusher.wait_for_room(0)
    world.write(create(world.ids(1)))
    with pytest.raises(AESGStorageError) as caught:
        world.flusher.wait_for_room(0.2)
    for said in (f"{world.journal.bytes_pending} bytes", "journal_bytes", " 100", "disk is on fire"):
        assert said in caught.value.message
    waiter = threading.Thread(target=world.flusher.wait_for_room, args=(10,))
    waiter.start()
    faulty.fails = 0
    waiter.join(10)
    assert not waiter.is_alive()
    assert world.journal.bytes_pending == 0


def test_what_was_appended_but_never_submitted_goes_before_what_came_later(world):
    a = world.ids(1)
    world.write(create(a), submit=False)  # as when an interrupt came between the two
    world.write(touch(a))
    world.flusher.flush(10)
    assert world.uses(a[0]) == 1


def test_batches_beyond_the_memory_limit_are_read_from_the_journal(world, monkeypatch):
    monkeypatch.setattr("aesg_graph.sync.flusher.RECENT_BYTES", 3000)
    world.flusher._limits = GroupLimits(batches=4, linger=0.0)
    for n in range(1, 41):
        world.write(create(world.ids(n), seed=n), touch(world.ids(n)))
        assert world.flusher._recent_bytes <= 3000
    world.flusher.flush(10)
    assert len(world.agree()) == 40
    assert not world.flusher._recent
    assert world.flusher._recent_bytes == 0


# -- the end ------------------------------------------------------------------------------------------------------


def test_close_flushes_and_stop_leaves_the_rest_in_the_journal(opened):
    world = opened()
    world.write(create(world.ids(1)))
    world.flusher.close(10)
    assert len(world.agree()) == 1
    world.flusher.close(10)
    batch = world.write(create(world.ids(2)), submit=False)
    with pytest.raises(AESGStorageError, match="ended"):
        world.flusher.submit(batch)
    world.close()
    again = opened()
    assert len(again.agree()) == 2


def test_stop_ends_a_flusher_that_cannot_succeed(world):
    world.graph = world.flusher._carrier._graph = faulty = Faulty(world.graph, "apply")
    faulty.fails = 10**6
    world.write(create(world.ids(1)))
    world.flusher.stop(10)
    assert world.journal.pending() == [1]


def test_steps_are_passed_in_order(world):
    passed = []
    failpoints.install(passed.append)
    try:
        world.write(create(world.ids(1)))
        world.flusher.flush(10)
    finally:
        failpoints.clear()
    assert passed == [s for s in failpoints.STEPS if s != failpoints.CACHE_APPLIED]


def test_power_durability_syncs_both_stores_before_a_batch_leaves_the_journal(opened, monkeypatch):
    world = opened(durability="power")
    calls = []
    world.store, world.graph = Faulty(world.store, calls=calls), Faulty(world.graph, calls=calls)
    world.flusher._carrier._graph = world.graph
    drop = world.journal.drop
    monkeypatch.setattr(world.journal, "drop", lambda *given: (calls.append("drop"), drop(*given)))
    world.write(create(world.ids(1)))
    world.flusher.flush(10)
    assert [c for c in calls if c in ("upsert", "apply", "sync", "drop")] == ["upsert", "apply", "sync", "sync", "drop"]
    del calls[:]
    world.write(touch(world.ids(1)))
    world.flusher.flush(10)
    assert [c for c in calls if c in ("apply", "sync", "drop")] == ["apply", "sync", "drop"]


def test_process_durability_syncs_nothing(world):
    calls = []
    world.store, world.graph = Faulty(world.store, calls=calls), Faulty(world.graph, calls=calls)
    world.flusher._carrier._graph = world.graph
    world.write(create(world.ids(1)))
    world.flusher.flush(10)
    assert "sync" not in calls


def test_forgetting_to_close_neither_hangs_nor_spoils_the_exit(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from sync_world import World, create, touch\n"
        "w = World(sys.argv[2])\n"
        "for n in range(1, 200): w.write(create(w.ids(n)), touch(w.ids(n)))\n"
    )
    here = str(Path(__file__).parent)
    run = subprocess.run(
        [sys.executable, "-c", script, here, str(tmp_path / "m")], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_history_is_kept_with_the_batch(world):
    a = world.ids(1, 2)
    world.write(create(a), events=[Event("CREATE", a)])
    assert [(e["type"], e["id1"]) for e in world.journal.events()] == [("CREATE", a[0]), ("CREATE", a[1])]


def test_a_foreign_point_without_a_concept_is_overwritten(world):
    # What a power cut may leave: a vector whose concept and journal record are gone, and whose id comes again.
    a = world.ids(1)
    world.store.upsert(
        Points(a, keys(1, 5), np.zeros((1, V), np.float32), np.zeros(1, np.bool_), ("x",), 9, a * 0, a * 0)
    )
    world.write(create(a, seed=6))
    world.flusher.flush(10)
    np.testing.assert_allclose(world.store.fetch(a).keys, keys(1, 6), atol=1e-6)
