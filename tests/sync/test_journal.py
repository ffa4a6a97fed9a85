"""The journal: what was acknowledged is there, as it was written, until it is in both stores."""

import os
import sqlite3
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from sync_world import create, link, touch

from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import Remove
from aesg_graph.stores.abc import WriterState
from aesg_graph.sync import Event, Journal, events, journal_file

IDS = np.array([7, 8, 9], np.int64)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    journal = Journal.create(path, "1:2")
    journal.begin(WriterState(5, 1, 0), "1:2")
    yield journal
    journal.close()


def reopened(journal, **options):
    journal.close()
    return Journal.open(journal.path, **options)


def test_a_new_journal_has_no_writer_and_will_not_append(path):
    journal = Journal.create(path, "1:2")
    assert journal.writer is None
    with pytest.raises(AESGStorageError, match="no writer yet"):
        journal.append([touch(IDS)], 1.0)
    journal.close()
    journal.close()


def test_creating_over_a_journal_is_refused(journal):
    with pytest.raises(AESGStorageError, match="exists already"):
        Journal.create(journal.path, "1:2")


def test_appended_batches_come_back_as_they_were_written(journal):
    first = journal.append([create(IDS), link(IDS[:1], IDS[1:2])], 12.5, counter=10)
    journal.append([touch(IDS)], 13.0)
    assert (first.writer, first.incarnation, first.sequence, first.at) == (5, 1, 1, 12.5)
    again = reopened(journal)
    assert again.pending() == [1, 2]
    assert (again.writer, again.incarnation, again.last_sequence, again.counter) == (5, 1, 2, 10)
    assert again.identity == "1:2"
    assert again.bytes_pending == journal.bytes_pending > 0
    read = again.read(1)
    assert (read.writer, read.incarnation, read.sequence, read.at) == (5, 1, 1, 12.5)
    np.testing.assert_array_equal(read.operations[0].keys, first.operations[0].keys)
    np.testing.assert_array_equal(read.operations[1].weights, first.operations[1].weights)
    again.close()


def test_dropping_forgets_up_to_a_sequence(journal):
    for _ in range(4):
        journal.append([touch(IDS)], 1.0)
    before = journal.bytes_pending
    journal.drop(3)
    assert journal.pending() == [4]
    assert journal.bytes_pending == before / 4
    with pytest.raises(AESGStorageError, match="no batch 2"):
        journal.read(2)
    assert journal.append([touch(IDS)], 1.0).sequence == 5
    assert reopened(journal).pending() == [4, 5]


def test_backlog_is_bounded_by_count_bytes_and_sequence(journal):
    for _ in range(6):
        journal.append([touch(IDS)], 1.0)
    size = journal.size(6)
    assert journal.size(99) == 0
    assert journal.backlog(None, 4, 10**9) == [1, 2, 3, 4]
    assert journal.backlog(2, 4, 10**9) == [1, 2]
    assert journal.backlog(None, 9, 3 * size) == [1, 2, 3]
    assert journal.backlog(None, 9, 0) == [1]
    assert journal.backlog(0, 9, 10**9) == []


def test_refused_batches_are_set_aside_with_their_reasons(journal):
    for _ in range(3):
        journal.append([touch(IDS)], 1.0)
    journal.drop(3, {2: "the content"})
    again = reopened(journal)
    (refused,) = again.refused()
    assert (refused.writer, refused.sequence, refused.reason) == (5, 2, "the content")
    np.testing.assert_array_equal(refused.batch.operations[0].ids, IDS)
    assert again.pending() == []
    again.close()


def test_a_writer_that_goes_on_keeps_its_counter_and_another_starts_anew(journal):
    journal.append([touch(IDS)], 1.0, counter=33)
    with pytest.raises(AESGStorageError, match="still has 1 batches of writer 5"):
        journal.begin(WriterState(6, 1, 0), "1:2")
    assert journal.writer == 5
    journal.begin(WriterState(5, 2, 1), "1:2")
    assert (journal.counter, journal.incarnation, journal.pending()) == (33, 2, [1])
    journal.drop(1)
    journal.begin(WriterState(6, 1, 0), "3:4")
    again = reopened(journal)
    assert (again.writer, again.counter, again.last_sequence, again.identity) == (6, 0, 0, "3:4")
    again.close()


def test_pending_batches_are_reissued_under_another_number(journal):
    for n in range(5):
        journal.append([touch(IDS, n)], float(n))
    journal.drop(2)
    journal.reissue(WriterState(6, 1, 0), "1:2")
    assert journal.pending() == [1, 2, 3]
    assert journal.last_sequence == 3
    assert journal.bytes_pending == sum(map(journal.size, (1, 2, 3)))
    batches = [journal.read(n) for n in journal.pending()]
    assert [(b.writer, b.sequence, b.at) for b in batches] == [(6, 1, 2.0), (6, 2, 3.0), (6, 3, 4.0)]
    assert journal.append([touch(IDS)], 9.0).sequence == 4


# -- damage -------------------------------------------------------------------------------------------------------


def flip_in_file(path, needle):
    data = bytearray(path.read_bytes())
    position = data.index(needle)
    data[position] ^= 1
    path.write_bytes(data)


def test_a_flipped_byte_in_a_record_is_found_and_names_its_sequence(journal):
    journal.append([touch(IDS)], 1.0)
    journal.append([Remove(np.array([0x1122334455667788]))], 1.0)
    journal.close()
    flip_in_file(journal.path, bytes.fromhex("8877665544332211"))
    again = Journal.open(journal.path)
    again.read(1)
    with pytest.raises(AESGStorageError, match=r"journal\.db.*batch 2 .*checksum"):
        again.read(2)
    again.set_aside(2, "damaged")
    assert again.pending() == [1]
    assert again.bytes_pending == again.size(1)
    (refused,) = again.refused()
    assert (refused.sequence, refused.reason, refused.batch) == (2, "damaged", None)
    again.close()


def test_a_record_under_another_sequence_is_found(journal):
    journal.append([touch(IDS)], 1.0)
    journal.close()
    with sqlite3.connect(journal.path) as connection:
        connection.execute("UPDATE batches SET sequence = 3")
    connection.close()
    again = Journal.open(journal.path)
    with pytest.raises(AESGStorageError, match="batch 3 "):
        again.read(3)
    again.close()


@pytest.mark.parametrize("left", [0, 50, 4096, 0.5, 0.9])
def test_a_truncated_journal_is_an_error_that_names_the_file(journal, left):
    for _ in range(50):
        journal.append([touch(np.arange(100))], 1.0)
    journal.close()
    size = journal.path.stat().st_size
    os.truncate(journal.path, int(left * size) if isinstance(left, float) else left)
    with pytest.raises(AESGStorageError, match=r"journal\.db"):
        Journal.open(journal.path)


def test_what_is_not_a_database_is_an_error_that_names_the_file(path):
    path.write_bytes(b"certainly not a database" * 400)
    with pytest.raises(AESGStorageError, match=r"journal\.db.*not a database"):
        Journal.open(path)


def test_a_missing_journal_says_how_to_mend(path):
    with pytest.raises(AESGStorageError, match=r"journal\.db is missing.*check --repair"):
        Journal.open(path)


def test_a_journal_of_another_format_names_both(journal):
    journal.close()
    with sqlite3.connect(journal.path) as connection:
        connection.execute("UPDATE meta SET format = 9")
    connection.close()
    with pytest.raises(AESGStorageError, match=r"format 9.*format 1"):
        Journal.open(journal.path)


def test_a_full_disk_changes_nothing(journal):
    journal.append([touch(IDS)], 1.0, [Event("CREATE", IDS)], counter=3)
    (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    before = (journal.pending(), journal.bytes_pending, journal.last_sequence, journal.counter)
    with pytest.raises(AESGStorageError, match=r"journal\.db cannot be extended by batch 2 .*full"):
        journal.append([touch(np.arange(10_000))], 1.0, [Event("CREATE", IDS)], counter=9)
    assert (journal.pending(), journal.bytes_pending, journal.last_sequence, journal.counter) == before
    journal._connection.execute("PRAGMA max_page_count = 1000000")
    assert journal.append([touch(IDS)], 1.0).sequence == 2
    assert len(list(journal.events())) == 3


def test_an_interrupt_in_the_middle_of_an_append_leaves_no_trace(journal, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(events, "insert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append([touch(IDS)], 1.0, [Event("CREATE", IDS)])
    assert (journal.pending(), journal.last_sequence) == ([], 0)
    assert journal.append([touch(IDS)], 1.0).sequence == 1


# -- reading beside an owner, growth ------------------------------------------------------------------------------


def test_a_reader_beside_the_owner_sees_what_was_there_and_writes_nothing(journal):
    journal.append([touch(IDS)], 1.0, [Event("CREATE", IDS)])
    reader = Journal.open(journal.path, read_only=True)
    assert reader.pending() == [1]
    assert len(list(reader.events())) == 3
    with pytest.raises(AESGStorageError, match="readonly"):
        reader.append([touch(IDS)], 1.0)
    journal.append([touch(IDS)], 2.0)
    reader.close()
    assert journal.pending() == [1, 2]


def test_a_closed_journal_can_be_read(journal):
    journal.append([touch(IDS)], 1.0)
    reader = reopened(journal, read_only=True)
    assert reader.pending() == [1]
    reader.close()


def test_the_file_does_not_grow_for_ever(journal, monkeypatch):
    monkeypatch.setattr(journal_file, "WAL_LIMIT", 256 << 10)
    monkeypatch.setattr(events, "HISTORY_BYTES", 100_000)
    sizes = []
    for _ in range(12):
        for _ in range(60):
            journal.append([touch(np.arange(500))], 1.0, [Event("CREATE", np.arange(20))])
        journal.drop(journal.last_sequence)
        sizes.append(journal.path.stat().st_size + os.stat(f"{journal.path}-wal").st_size)
    assert sizes[-1] <= 1.1 * max(sizes[:4])
    assert events.total_bytes(journal._connection) == journal._event_bytes <= 2 * 100_000


def test_a_burst_is_given_back_when_the_journal_is_closed(journal, monkeypatch):
    monkeypatch.setattr(journal_file, "SLACK_LIMIT", 1 << 20)
    for _ in range(20):
        journal.append([touch(np.arange(20_000))], 1.0)
    journal.drop(20)
    journal.close()
    assert journal.path.stat().st_size < 1 << 20


def test_threads_append_and_drop_side_by_side(journal):
    def append():
        for _ in range(150):
            journal.append([touch(IDS)], 1.0)

    threads = [threading.Thread(target=append) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        journal.drop(max(0, journal.last_sequence - 3))
    journal.drop(297)
    assert journal.pending() == [298, 299, 300]


@pytest.mark.parametrize(("durability", "level"), [("process", 1), ("power", 2)])
def test_power_durability_syncs_appends_and_not_drops(path, durability, level):
    journal = Journal.create(path, "1:2", durability)
    levels = []

    class Watched:
        def __init__(self, connection):
            self.connection = connection

        def execute(self, sql, *values):
            if sql == "COMMIT":
                levels.extend(self.connection.execute("PRAGMA synchronous").fetchone())
            return self.connection.execute(sql, *values)

        def __getattr__(self, name):
            return getattr(self.connection, name)

    journal._connection = Watched(journal._connection)
    journal.begin(WriterState(5, 1, 0), "1:2")
    journal.append([touch(IDS)], 1.0)
    journal.drop(1)
    journal.append([touch(IDS)], 1.0)
    journal.drop(2, {2: "refused"})
    assert levels == [level, level, 1, level, level]
    journal.close()


# -- history ------------------------------------------------------------------------------------------------------


def entry(at, kind, id1, id2, value):
    return {"timestamp": at, "type": kind, "id1": id1, "id2": id2, "val": value}


def test_events_expand_to_one_entry_for_each_concept_or_pair(journal):
    journal.append([touch(IDS)], 1.0, [Event("CREATE", IDS[:2]), Event("LINK", IDS[:2], IDS[1:], 0.5)])
    journal.append([touch(IDS)], 2.0, [Event("CONSOLIDATE", IDS[:0], None, 4.0)])
    everything = [
        entry(1.0, "CREATE", 7, 0, 1.0),
        entry(1.0, "CREATE", 8, 0, 1.0),
        entry(1.0, "LINK", 7, 8, 0.5),
        entry(1.0, "LINK", 8, 9, 0.5),
        entry(2.0, "CONSOLIDATE", 0, 0, 4.0),
    ]
    assert list(journal.events()) == everything
    assert list(journal.events(limit=2)) == everything[-2:]
    assert list(journal.events(limit=0)) == []
    assert list(journal.events(limit=99)) == everything
    assert list(journal.events(types=["LINK"])) == everything[2:4]
    assert list(journal.events(types=["LINK", "CREATE"], limit=3)) == everything[1:4]
    assert list(journal.events(types=[])) == []
    assert list(journal.events(since=1.5)) == everything[4:]


def test_long_histories_are_read_in_pages(journal):
    journal.append([touch(IDS)], 1.0, [Event("CREATE", np.array([n])) for n in range(1, 700)])
    assert [e["id1"] for e in journal.events()] == list(range(1, 700))
    assert [e["id1"] for e in journal.events(limit=600)] == list(range(100, 700))
    first = journal.events()
    next(first)
    journal.append([touch(IDS)], 2.0, [Event("REMOVE", IDS)])
    assert sum(1 for _ in first) == 701


def test_bad_questions_and_events_are_refused(journal):
    with pytest.raises(AESGMemoryError, match=r"\['BIRTH'\].*CREATE"):
        journal.events(types=["BIRTH"])
    with pytest.raises(AESGMemoryError, match="at least 0, got -1"):
        journal.events(limit=-1)
    with pytest.raises(AESGMemoryError, match="BIRTH"):
        Event("BIRTH", IDS)
    with pytest.raises(AESGMemoryError, match="3 ids needs as many others, got 2"):
        Event("LINK", IDS, IDS[:2])


def test_the_oldest_events_go_first(journal, monkeypatch):
    monkeypatch.setattr(events, "HISTORY_BYTES", 4000)
    for n in range(1, 101):
        journal.append([touch(IDS)], float(n), [Event("CREATE", np.array([n]))])
    journal.drop(100)
    kept = [e["id1"] for e in journal.events()]
    assert kept == list(range(kept[0], 101))
    assert 0.7 * 4000 / 48 < len(kept) < 4000 / 48


def test_events_of_a_rolled_back_append_are_not_counted(journal, monkeypatch):
    size = journal._event_bytes
    monkeypatch.setattr("aesg_graph.sync.journal.Batch.encode", lambda _: SimpleNamespace())
    with pytest.raises(TypeError):
        journal.append([touch(IDS)], 1.0, [Event("CREATE", IDS)])
    assert journal._event_bytes == size
