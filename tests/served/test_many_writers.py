"""Several processes share a memory: what one learns another recalls, and one of them looks after it."""

import dataclasses
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import Advance, Touch
from aesg_graph.sync import failpoints
from tests.served.world import CONFIG, D, V, assert_cache_is_true, assert_in_step, teach, vectors


def test_writer_numbers_are_leased_from_the_graph(opened):
    first, second = opened("a"), opened("b")
    assert first._backend.writer != second._backend.writer
    assert {p.id for p in first.residency.graph.positions()} >= {first._backend.writer, second._backend.writer}


def test_a_lesson_of_one_process_is_recalled_by_another(opened):
    first, second = opened("a"), opened("b")
    keys, values = vectors(20), vectors(20, 1, V)
    ids = first.create(keys, values, names=[f"thing {i}" for i in range(20)])
    first.link(ids[:10], ids[10:])
    first.flush()
    assert second.recall(second.query(keys[:1])).ids[0, 0] == -1
    second.refresh()
    for row in range(20):
        mine, theirs = (m.recall(m.query(keys[row : row + 1])) for m in (first, second))
        assert mine.ids.tolist() == theirs.ids.tolist()
        np.testing.assert_allclose(mine.energies, theirs.energies, rtol=1e-5)
        np.testing.assert_allclose(mine.values, theirs.values, rtol=1e-6)
    assert second.recorder.concepts == 20
    assert second.inspector.concept(int(ids[3])).name == "thing 3"


def test_a_lesson_is_seen_within_the_refresh_interval_without_being_asked_for(opened):
    first, second = opened("a"), opened("b", refresh_interval=0.05)
    first.create(vectors(3), vectors(3, 1, V))
    first.flush()
    deadline = time.monotonic() + 20
    while second.recorder.concepts < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_both_touch_the_same_concepts_and_no_use_is_lost(opened):
    first, second = opened("a"), opened("b")
    keys, values = vectors(6), vectors(6, 1, V)
    first.create(keys, values)
    first.flush()
    second.refresh()
    for _ in range(10):
        teach(first, keys, values)
        teach(second, keys, values)
    first.flush()
    second.flush()
    rows = first.residency.graph.page(-1, 100).concepts
    nearest = first.recall(first.query(keys)).seeds.ids  # who was lit by whom does not change: no key does
    lit = np.array([(nearest == id).sum() for id in rows.ids.tolist()])
    assert (rows.use_frequency + rows.contradictions).tolist() == (20 * lit).tolist()
    assert_in_step(first)
    for engine in (first, second):
        assert_cache_is_true(engine)


def test_refresh_keeps_own_lessons_that_are_unsent(opened, monkeypatch):
    first, second = opened("a"), opened("b")
    keys, values = vectors(4), vectors(4, 1, V)
    ids = first.create(keys, values)
    first.flush()
    second.refresh()
    teach(second, keys, values)
    second.flush()
    # From here on nothing of the first gets to the stores, and it learns on.
    monkeypatch.setattr(first.recorder.attendant()._carrier, "carry", refuse)
    teach(first, keys, values)
    before = first.residency.cache.read(np.sort(ids)).concepts.use_frequency.copy()
    first.recorder.attendant()  # the flusher is busy failing, so the look is taken here
    first.follower.refresh()
    after = first.residency.cache.read(np.sort(ids)).concepts.use_frequency
    assert (after > before).all()
    monkeypatch.undo()
    first.flush()
    assert_cache_is_true(first)


def refuse(batches):
    raise AESGStorageError("refused by the test")


def test_a_removed_concept_leaves_the_other_cache_too(opened):
    first, second = opened("a"), opened("b")
    keys = vectors(4)
    ids = first.create(keys, vectors(4, 1, V))
    first.link(ids[:1], ids[1:2])
    first.flush()
    second.refresh()
    second.remove(ids[:1])
    second.flush()
    first.refresh()
    assert ids[0] not in first.recall(first.query(keys[:1])).ids
    assert first.residency.cache.edge_count == 0
    assert first.recorder.concepts == 3
    assert_in_step(first)
    teach(first, keys, vectors(4, 1, V))  # the dead concept's neighbours go on living
    first.flush()
    assert_in_step(first)


def test_a_touch_for_a_concept_that_another_process_removed_is_void(opened):
    first, second = opened("a"), opened("b")
    ids = first.create(vectors(3), vectors(3, 1, V))
    first.flush()
    second.refresh()
    second.remove(ids[:1])
    second.flush()
    first.write(Touch(ids, np.ones(3, np.int64), np.zeros(3, np.int64), 0))
    first.flush()
    assert first.recorder.voided == 1
    assert first.residency.cache.lookup(ids[:1]).tolist() == [-1]
    assert_cache_is_true(first)


def test_a_refresh_inside_a_step_is_refused_and_waits_outside_of_it(opened):
    first, second = opened("a"), opened("b", refresh_interval=0.02)
    with second.step():
        with pytest.raises(AESGMemoryError, match="inside a step"):
            second.refresh()
        first.create(vectors(3), vectors(3, 1, V))
        first.flush()
        time.sleep(0.3)
        assert second.recall(second.query(vectors(1))).ids[0, 0] == -1
        second.flush()  # whoever waits for the flusher inside a step does not wait for ever
    second.refresh()
    assert second.recorder.concepts == 3


def test_a_cache_that_was_closed_catches_up_when_it_is_opened(opened):
    first, second = opened("a"), opened("b")
    first.create(vectors(5), vectors(5, 1, V))
    first.close()
    second.create(vectors(5, 7), vectors(5, 8, V))
    second.refresh()
    second.close()
    again = opened("a")
    assert again.residency.cache.reused
    assert again.recorder.concepts == again.residency.cache.resident == 10
    assert_cache_is_true(again)


def test_a_reader_follows_without_writing(opened, tmp_path):
    writer = opened("a")
    writer.create(vectors(5), vectors(5, 1, V))
    writer.flush()
    opened("b").close()
    before = bytes_of(tmp_path / "b")
    reader = opened("b", None)
    reader.set_mode("INFERENCE")
    writer.create(vectors(5, 7), vectors(5, 8, V))
    writer.flush()
    reader.refresh()
    assert reader.recorder.concepts == 10
    assert (reader.recall(reader.query(vectors(5, 7))).ids[:, 0] != -1).all()
    reader.close()
    assert before.keys() <= bytes_of(tmp_path / "b").keys()


def bytes_of(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != "lock"}


# -- the lease -------------------------------------------------------------------------------------------------------


def test_one_process_consolidates_and_the_other_hears_of_it(opened):
    first, second = opened("a"), opened("b")
    assert first.consolidate().epoch == 1
    assert second.consolidate() is None
    first.flush()
    second.refresh()
    assert second.recorder.epoch == 1


def test_a_holder_that_ends_lets_go(opened):
    first, second = opened("a"), opened("b")
    assert first.consolidate().epoch == 1
    first.close()
    second.refresh()
    assert second.consolidate().epoch == 2


def test_what_a_paused_holder_planned_is_refused(opened):
    first, second = opened("a", lease_seconds=1.0), opened("b", lease_seconds=1.0)
    ids = first.create(vectors(3), vectors(3, 1, V))
    first.flush()
    tenure = first.lease.hold()
    assert tenure is not None
    time.sleep(1.2)  # it says nothing for longer than its lease
    second.refresh()
    assert second.consolidate().epoch == 1
    second.flush()
    first.recorder.record([Advance(1)], fence=tenure.fence)  # it comes to, and goes on with its plan
    first.flush()
    assert first._backend.journal.refused()[-1].batch.operations[0].epoch == 1
    assert first.recorder.epoch == first.residency.graph.head().epoch == 1
    assert first.recall(first.query(vectors(3))).ids[0, 0] in ids


def test_no_epoch_begins_twice_whoever_asks(opened):
    engines = [opened(name, lease_seconds=1.0) for name in "abc"]
    done = [engine.consolidate() for _ in range(3) for engine in engines]
    for engine in engines:
        engine.flush()
    epochs = [c.epoch for c in done if c is not None]
    assert epochs == sorted(set(epochs))
    assert engines[0].residency.graph.head().epoch == max(epochs)


# -- directories ------------------------------------------------------------------------------------------------------


def test_a_directory_belongs_to_one_memory_and_one_engine(opened, served, tmp_path):
    opened("a").close()
    with pytest.raises(AESGStorageError, match=r"belongs to the memory 'test-\d+', but memory='other'"):
        opened("a", memory="other")
    with pytest.raises(AESGStorageError, match="is of the served engine, expected the settings graph, vectors"):
        opened("a", graph=None, vectors=None)
    opened("e", graph=None, vectors=None).close()
    with pytest.raises(AESGStorageError, match="is of the embedded engine, expected no addresses"):
        opened("e")


def test_a_directory_is_refused_to_a_second_process(opened, tmp_path):
    opened("a")
    code = "import sys; from aesg_graph.sync import MemoryDirectory; MemoryDirectory.create_or_open(sys.argv[1])"
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True)
    assert "AESGStorageError" in run.stderr
    assert f"process {os.getpid()}" in run.stderr


def test_other_dimensions_than_the_memorys_are_refused_and_nothing_is_written(opened, tmp_path):
    opened("a").close()
    with pytest.raises(AESGStorageError, match=f"has vector_dim={D}.*says vector_dim={D + 1}"):
        opened("b", dataclasses.replace(CONFIG, vector_dim=D + 1))
    assert not (tmp_path / "b").exists()


@pytest.fixture(autouse=True)
def _no_failpoints():
    yield
    failpoints.clear()
