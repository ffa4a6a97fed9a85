"""Races of section 6 that need journal, flusher and both servers. Each test fails without the rule that it names."""

import os
import shutil

import numpy as np
import pytest

from aesg_graph.engine.core import MemoryEngine
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Create, Link, Prune
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.sync import Freshness, failpoints
from tests.served.world import CONFIG, D, V, assert_cache_is_true, assert_in_step, graph_rows, teach, vectors

STEPS_THAT_STOP = [
    failpoints.VECTORS_UPSERTED,
    failpoints.GRAPH_COMMITTED,
    failpoints.VECTORS_DELETED,
]


class StoppedError(Exception):
    """As far as a kill lets a thread get."""


@pytest.fixture(autouse=True)
def _no_failpoints():
    yield
    failpoints.clear()


def stop_at(step):
    """From now on whoever reaches a step gets no further, as often as it tries."""

    def hook(reached):
        if reached == step:
            raise StoppedError(step)

    failpoints.install(hook)


@pytest.mark.parametrize("step", STEPS_THAT_STOP)
def test_an_attempt_that_was_lost_half_way_counts_once(opened, step):
    engine = opened("a")
    keys, values = vectors(4), vectors(4, 1, V)
    ids = engine.create(keys, values)
    engine.flush()
    stop_at(step)
    for _ in range(3):
        teach(engine, keys, values)
    engine.create(vectors(2, 9), vectors(2, 8, V))
    engine.remove(ids[:1])
    with pytest.raises(AESGStorageError, match="Stopped"):
        engine.flush(1)
    failpoints.clear()
    engine.flush()
    used = engine.residency.graph.read(np.sort(ids[1:])).concepts
    assert (used.use_frequency + used.contradictions >= 3).all()
    assert engine.recorder.concepts == engine.residency.graph.count().concepts == 5
    assert_in_step(engine)
    assert_cache_is_true(engine)


def test_a_kill_between_the_deletion_in_the_graph_and_that_of_the_vector_leaves_no_orphan(opened, tmp_path):
    engine = opened("a")
    ids = engine.create(vectors(4), vectors(4, 1, V))
    engine.flush()
    stop_at(failpoints.GRAPH_COMMITTED)
    engine.remove(ids[:2])
    with pytest.raises(AESGStorageError):
        engine.flush(0.5)
    kill(engine)
    failpoints.clear()
    again = opened("a")
    assert again.residency.vectors().count() == again.residency.graph.count().concepts == 2
    assert_in_step(again)


def kill(engine):
    """End an engine as a kill does: nothing is told to anybody, files stay as they are, the lock is free."""
    engine.recorder.attendant()._stopping = True
    engine.recorder.attendant().stop()
    engine._closed = True
    backend = engine._backend
    for part in (backend.directory, backend.journal, backend.graph, backend.vectors):
        part.close()


def test_a_journal_that_lost_its_tail_goes_on_under_another_number(opened, tmp_path):
    engine = opened("a")
    engine.create(vectors(2), vectors(2, 1, V))
    engine.flush()
    engine.close()
    shutil.copy(tmp_path / "a" / "journal.db", tmp_path / "older.db")
    engine = opened("a")
    number = engine._backend.writer
    keys = vectors(3, 5)
    engine.create(keys, vectors(3, 6, V))
    engine.close()
    shutil.copy(tmp_path / "older.db", tmp_path / "a" / "journal.db")  # as a power cut may leave it
    again = opened("a")
    assert again._backend.writer != number
    assert again.recorder.concepts == 5
    again.create(vectors(1, 9), vectors(1, 9, V))
    again.flush()
    assert again.residency.graph.count().concepts == 6  # no id was given twice
    assert_in_step(again)
    assert_cache_is_true(again)


def test_a_copied_directory_leases_a_number_of_its_own(opened, tmp_path):
    engine = opened("a")
    engine.create(vectors(2), vectors(2, 1, V))
    engine.close()
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    original, copy = opened("a"), opened("copy")
    assert original._backend.writer != copy._backend.writer
    original.create(vectors(2, 5), vectors(2, 6, V))
    copy.create(vectors(2, 7), vectors(2, 8, V))
    original.flush()
    copy.flush()
    assert original.residency.graph.count().concepts == 6
    assert_in_step(original)


def test_what_a_copy_still_holds_of_its_original_is_not_done_twice(opened, tmp_path):
    engine = opened("a")
    keys, values = vectors(2), vectors(2, 1, V)
    engine.create(keys, values)
    engine.flush()
    stop_at(failpoints.JOURNALLED + " never")
    stop_at(failpoints.VECTORS_UPSERTED)
    teach(engine, keys, values)
    engine.create(vectors(2, 5), vectors(2, 6, V))
    with pytest.raises(AESGStorageError):
        engine.flush(0.5)
    kill(engine)
    failpoints.clear()
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    copy = opened("copy")  # sends what was pending under the old number, and then leases its own
    copied = graph_rows(copy.residency.graph)
    original = opened("a")
    assert graph_rows(original.residency.graph) == copied
    assert original.residency.graph.count().concepts == 4
    assert_in_step(original)


def test_a_batch_that_the_server_refuses_for_its_content_blocks_nothing(opened):
    engine = opened("a")
    ids = engine.create(vectors(2), vectors(2, 1, V))
    engine.flush()
    taken = engine.residency.vectors().fetch(np.sort(ids))
    engine.write(Create(ids[:1], vectors(1, 9), vectors(1, 9, V), np.ones(1, bool), "concept", 0))
    later = engine.create(vectors(1, 5), vectors(1, 6, V))
    engine.flush()
    refused = engine._backend.journal.refused()
    assert [r.batch.operations[0].ids.tolist() for r in refused] == [ids[:1].tolist()]
    assert engine.residency.graph.absent(later).size == 0
    np.testing.assert_array_equal(engine.residency.vectors().fetch(np.sort(ids)).keys, taken.keys)
    assert_in_step(engine)
    assert_cache_is_true(engine)


def test_a_concept_used_since_a_prune_was_planned_stays(opened):
    first, second = opened("a"), opened("b")
    keys, values = vectors(2), vectors(2, 1, V)
    ids = first.create(keys, values)
    first.flush()
    second.refresh()
    weakest, fades = first.caretaker.weakest(2)
    teach(second, keys[:1], values[:1])
    second.flush()
    first.recorder.record([Prune(weakest, fades_at=fades)])
    first.flush()
    used = second.recall(second.query(keys[:1])).seeds.ids
    kept = first.residency.graph.page(-1, 10).concepts.ids
    assert set(kept.tolist()) == set(ids.tolist()) & set(used[used >= 0].tolist())
    assert first.recorder.concepts == len(kept)
    assert_cache_is_true(first)


def test_a_link_to_a_concept_that_another_process_removes_meanwhile_is_void(opened):
    first, second = opened("a"), opened("b")
    ids = first.create(vectors(3), vectors(3, 1, V))
    first.flush()
    second.refresh()
    second.remove(ids[:1])
    first.write(Link("CAUSAL", ids[:1], ids[1:2], np.ones(1, np.float32), np.zeros(1, np.int64), 0))
    second.flush()
    first.flush()
    assert first.residency.graph.count().edges == 0
    assert first.residency.cache.edge_count == 0
    assert first.recorder.voided == 1


class Half:
    """A graph store in which writer w's latest batch is seen half: one concept of it is not visible yet."""

    def __init__(self, graph, hidden):
        self._graph, self.hidden = graph, hidden

    def positions(self):
        return self._graph.positions()

    def changed(self, writer, after):
        return np.setdiff1d(self._graph.changed(writer, after), self.hidden)


def test_a_commit_that_is_seen_half_is_looked_at_again(opened):
    first, second = opened("a"), opened("b")
    ids = first.create(vectors(2), vectors(2, 1, V))
    first.flush()
    graph = second.residency.graph
    half = Half(graph, ids[:1])
    freshness = Freshness(half, dict(second.follower.freshness.seen))
    news = freshness.look(second._backend.writer)
    assert news.ids.tolist() == ids[1:].tolist()
    freshness.advance(news)
    half.hidden = ids[:0]
    assert set(freshness.look(second._backend.writer).ids.tolist()) == set(ids.tolist())


def test_once_an_empty_batch_has_proved_a_commit_whole_it_is_not_looked_at_again(opened):
    first, second = opened("a"), opened("b")
    first.create(vectors(2), vectors(2, 1, V))
    first.flush()
    first.refresh()  # its queue is dry: it proves what it wrote
    first.flush()
    second.refresh()
    news = second.follower.freshness.look(second._backend.writer)
    assert (news.ids.size, news.moved) == (0, False)


def test_what_covers_another_writers_stamp_is_read_again(opened):
    first, second = opened("a"), opened("b")
    keys, values = vectors(1), vectors(1, 1, V)
    first.create(keys, values)
    first.flush()
    second.refresh()
    teach(second, keys, values)
    second.flush()
    teach(first, keys, values)  # the same concept: the first one's stamp covers the second one's
    first.flush()
    first.refresh()
    assert_cache_is_true(first)


def test_a_process_whose_number_was_taken_up_elsewhere_writes_nothing_more(opened):
    engine = opened("a")
    engine.create(vectors(1), vectors(1, 1, V))
    engine.flush()
    engine.residency.graph.renew(engine._backend.writer)  # as a second opening of the same directory would
    engine.create(vectors(1, 5), vectors(1, 6, V))
    with pytest.raises(AESGStorageError, match="incarnation"):
        engine.flush(1)
    assert engine.residency.graph.count().concepts == 1
    with pytest.raises(AESGStorageError, match="incarnation"):
        engine.close()


def test_tombstones_that_a_cache_has_not_seen_make_it_begin_anew(opened, served):
    first, second = opened("a"), opened("b")
    ids = first.create(vectors(4), vectors(4, 1, V))
    first.flush()
    second.refresh()
    first.remove(ids[:1])
    first.flush()
    for _ in range(3):  # vectors reported gone, and sequences beyond
        first.create(vectors(1, 7), vectors(1, 7, V))
        first.flush()
    assert first.residency.graph.forget(float("inf")) == 1
    second.refresh()
    assert second.residency.cache.lookup(ids[:1]).tolist() == [-1]
    assert_cache_is_true(second)


def test_fifty_processes_worth_of_openings_leave_no_trace_but_writers(served, tmp_path):
    for number in range(3):
        MemoryEngine(tmp_path / str(number), CONFIG, served).close()
    graph = Neo4jGraphStore.open(served, CONFIG.vocabulary)
    try:
        assert graph.count().concepts == 0
        assert graph.head().vector_dim == D
    finally:
        graph.close()
    assert sorted(os.listdir(tmp_path / "0")) >= ["cache", "format.json", "journal.db"]
