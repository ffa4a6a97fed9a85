"""Taking up writing: every way in which a journal and a graph can stand to each other when a directory is opened."""

import shutil
import sqlite3

import pytest
from sync_world import World, create, touch

from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Touch
from aesg_graph.sync import Reason, take_up_writing

STATE = ("journal.db", "graph.db", "vectors")


def snapshot(world, into, *names):
    """Close a world and keep some of its files as they are now."""
    world.close()
    into.mkdir(exist_ok=True)
    for name in names or STATE:
        source = world.directory.path / name
        if source.is_dir():
            shutil.copytree(source, into / name)
        else:
            shutil.copy(source, into / name)


def restore(path, kept, *names):
    for name in names:
        (path / name).unlink()
        shutil.copy(kept / name, path / name)


def missing(taken):
    return [sequence for gap in taken.missing for sequence in gap]


def test_a_new_directory_leases_a_number(world):
    assert world.taken.reason is Reason.FRESH
    assert world.journal.writer == world.taken.writer.id > 0
    assert world.graph.writer(world.journal.writer).sequence == 0


def test_reopening_sends_what_is_pending_then_renews_the_incarnation(opened):
    world = opened()
    a, number = world.ids(1, 2), world.journal.writer
    world.journal.append([create(a)], 1.0, counter=2)
    world.write(touch(a), submit=False)
    world.close()
    again = opened()
    assert again.taken.reason is Reason.REOPENED
    assert again.journal.pending() == []
    assert again.agree() == a.tolist()
    assert again.uses(a[0]) == 1
    assert (again.journal.writer, again.journal.incarnation, again.journal.counter) == (number, 2, 2)
    assert again.graph.writer(number).incarnation == 2
    again.write(touch(a))
    again.flusher.flush(10)
    assert again.uses(a[0]) == 2


def test_whoever_holds_the_old_incarnation_can_write_no_more(opened):
    world = opened()
    world.write(create(world.ids(1)), submit=False)
    world.graph.renew(world.journal.writer)
    with pytest.raises(AESGStorageError, match="incarnation"):
        world.flusher.recover()
    assert world.journal.pending() == [1]


def test_death_between_renewing_and_recording_it_is_harmless(opened):
    world = opened()
    a = world.ids(1)
    world.write(create(a))
    world.flusher.flush(10)
    world.graph.renew(world.journal.writer)
    world.close()
    again = opened()
    assert again.taken.reason is Reason.REOPENED
    assert again.journal.incarnation == again.graph.writer(again.journal.writer).incarnation == 3
    again.write(touch(a))
    again.flusher.flush(10)
    assert again.uses(a[0]) == 1


def test_a_copy_sends_what_is_pending_under_the_old_number_and_leases_its_own(opened, tmp_path):
    world = opened()
    a = world.ids(1)
    world.journal.append([create(a)], 1.0, counter=1)
    old = world.journal.writer
    world.close()
    shutil.copytree(tmp_path / "m", tmp_path / "copy")
    copy = opened(tmp_path / "copy")
    assert copy.taken.reason is Reason.COPIED
    assert copy.agree() == a.tolist()
    assert copy.graph.writer(old).sequence == 1
    assert copy.journal.writer != old
    assert copy.journal.counter == 0
    assert copy.journal.identity == copy.directory.identity
    assert opened().taken.reason is Reason.REOPENED
    copy.close()
    assert opened(tmp_path / "copy").taken.reason is Reason.REOPENED


def test_a_copy_drops_what_the_original_has_sent_since(opened, tmp_path):
    # The copy's graph was taken later than its journal: the original had sent and gone on under a new incarnation.
    world = opened()
    a = world.ids(1)
    world.write(create(a))
    world.flusher.flush(10)
    world.write(touch(a), submit=False)
    snapshot(world, tmp_path / "kept", "journal.db")
    opened().close()
    shutil.copytree(tmp_path / "m", tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "kept", "journal.db")
    copy = opened(tmp_path / "copy")
    assert copy.taken.reason is Reason.COPIED
    assert copy.uses(a[0]) == 1
    assert copy.journal.pending() == []


def test_a_journal_behind_the_graph_has_nothing_pending_and_leases_a_number(opened, tmp_path):
    world = opened()
    a = world.ids(1)
    world.write(create(a))
    world.flusher.flush(10)
    world.write(touch(a), submit=False)
    snapshot(world, tmp_path / "kept", "journal.db")
    world = opened()
    for _ in range(3):
        world.write(touch(a))
    world.flusher.flush(10)
    world.close()
    restore(tmp_path / "m", tmp_path / "kept", "journal.db")
    again = opened()
    assert again.taken.reason is Reason.JOURNAL_BEHIND
    assert again.journal.pending() == []
    assert again.uses(a[0]) == 4
    assert again.journal.writer != world.journal.writer
    again.write(create(again.ids(1)))
    again.flusher.flush(10)
    assert len(again.agree()) == 2


def test_a_graph_that_lost_its_end_gets_what_is_pending_and_reports_the_rest(opened, tmp_path):
    world = opened()
    a = world.ids(1)
    world.write(create(a))
    world.flusher.flush(10)
    snapshot(world, tmp_path / "kept", "graph.db")
    world = opened()
    world.write(touch(a, 10))
    world.write(touch(a, 10))
    world.flusher.flush(10)
    world.write(touch(a, 1), submit=False)
    old = world.journal.writer
    world.close()
    restore(tmp_path / "m", tmp_path / "kept", "graph.db")
    again = opened()
    assert again.taken.reason is Reason.GRAPH_BEHIND
    assert missing(again.taken) == [2, 3]
    assert again.journal.writer != old
    assert again.uses(a[0]) == 1
    again.close()
    assert opened().taken.reason is Reason.REOPENED


def test_a_graph_that_lost_a_renewal_is_sent_what_is_pending_under_a_new_number(opened, tmp_path):
    world = opened()
    a = world.ids(1)
    world.write(create(a))
    world.flusher.flush(10)
    snapshot(world, tmp_path / "kept", "graph.db")
    world = opened()
    world.write(touch(a, 1), submit=False)
    world.close()
    restore(tmp_path / "m", tmp_path / "kept", "graph.db")
    again = opened()
    assert again.taken.reason is Reason.GRAPH_BEHIND
    assert missing(again.taken) == []
    assert again.uses(a[0]) == 1


def test_a_graph_that_never_knew_the_writer(opened, tmp_path):
    world = opened()
    world.write(create(world.ids(1)))
    world.flusher.flush(10)
    world.write(touch(world.ids(1)), submit=False)
    world.close()
    with sqlite3.connect(tmp_path / "m" / "graph.db") as connection:
        connection.execute("DELETE FROM writers")
    connection.close()
    again = opened()
    assert again.taken.reason is Reason.GRAPH_BEHIND
    assert missing(again.taken) == [1]
    assert again.uses(world.ids(1)[0]) == 1


def test_a_record_that_was_set_aside_does_not_block_those_after_it(opened):
    world = opened()
    a = world.ids(1)
    world.write(create(a), submit=False)
    world.write(touch(a, 10), submit=False)
    world.write(touch(a, 1), submit=False)
    with sqlite3.connect(world.directory.journal) as connection:
        connection.execute("UPDATE batches SET crc = crc + 1 WHERE sequence = 2")
    connection.close()
    world.close()
    again = opened(start=False)

    def take_up():
        return take_up_writing(again.journal, again.graph, again.directory.identity, again.flusher.recover)

    with pytest.raises(AESGStorageError, match="batch 2 "):
        take_up()
    again.journal.set_aside(2, "damaged")
    taken = take_up()
    assert (taken.reason, missing(taken)) == (Reason.GRAPH_BEHIND, [2])
    assert again.uses(a[0]) == 1


def test_a_failing_store_stops_the_opening_and_loses_nothing(opened):
    world = opened()
    a = world.ids(1)
    world.write(create(a), submit=False)
    world.close()
    again = opened(start=False)
    upsert = again.store.upsert
    again.store.upsert = lambda points: (_ for _ in ()).throw(OSError("no room"))
    with pytest.raises(AESGStorageError, match="no room"):
        take_up_writing(again.journal, again.graph, again.directory.identity, again.flusher.recover)
    assert again.journal.incarnation == 1
    again.store.upsert = upsert
    taken = take_up_writing(again.journal, again.graph, again.directory.identity, again.flusher.recover)
    assert taken.reason is Reason.REOPENED
    assert again.agree() == a.tolist()


@pytest.mark.parametrize("interrupted", ["lease", "begin", "reissue"])
def test_taking_up_can_be_interrupted_anywhere(opened, tmp_path, interrupted, monkeypatch):
    world = opened()
    a = world.ids(1)
    world.write(create(a))
    world.flusher.flush(10)
    snapshot(world, tmp_path / "kept", "graph.db")
    world = opened()
    world.write(touch(a, 10))
    world.flusher.flush(10)
    world.write(touch(a, 1), submit=False)
    world.close()
    if interrupted == "reissue":
        restore(tmp_path / "m", tmp_path / "kept", "graph.db")
    else:
        shutil.copytree(tmp_path / "m", tmp_path / "copy")
    path = tmp_path / ("m" if interrupted == "reissue" else "copy")

    broken = World(path, start=False)
    part = broken.graph if interrupted == "lease" else broken.journal

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(part, interrupted, die)
    with pytest.raises(KeyboardInterrupt):
        take_up_writing(broken.journal, broken.graph, broken.directory.identity, broken.flusher.recover)
    broken.close()
    again = opened(path)
    assert again.uses(a[0]) == (1 if interrupted == "reissue" else 11)
    assert again.journal.pending() == []


def test_no_touch_is_counted_twice_over_many_openings(opened):
    world = opened()
    a = world.ids(1)
    world.write(create(a))
    for n in range(3):
        batch = world.write(touch(a), submit=n % 2 == 0)
        assert isinstance(batch.operations[0], Touch)
        world.close()
        world = opened()
    assert world.uses(a[0]) == 3
