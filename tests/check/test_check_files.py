"""The journal, the cache, and files that are missing or damaged as a whole: found, mended, gone."""

import json
import shutil
import time
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
import qdrant_edge as edge
from check_world import D, Kind, N, V, is_mended, said, wrong

from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.checking import check
from aesg_graph.engine.mending import repair
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Create, Describe, Link
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import Points
from aesg_graph.stores.edge import EdgeVectorStore


def describe(memory, name, row=0):
    return Describe(memory.ids[row : row + 1], (name,), None)


def append(memory, *operations):
    """Batches in the journal that no store has, as a kill leaves them; the sequence of the last."""
    with memory.journal() as journal:
        for operation in operations:
            batch = journal.append([operation], time.time())
        return batch.sequence


def name_of(memory, row=0):
    with MemoryReader(memory.path) as reader:
        return reader.rows(memory.ids[row : row + 1]).names[0]


# -- the journal ------------------------------------------------------------------------------------------------------


def test_pending_batches_are_noted_and_sent(memory):
    append(memory, describe(memory, "pending"))
    before = memory.check()
    assert before.clean
    assert said(before, Kind.PENDING).note
    assert name_of(memory) == "n0"
    done = memory.repair()
    assert said(done, Kind.PENDING).mended
    assert name_of(memory) == "pending"
    assert memory.check().findings == ()
    memory.answers()


def test_what_a_pending_batch_names_is_on_its_way(memory):
    new = int(memory.ids[-1]) + 100
    key, value, there = np.eye(1, D, dtype=np.float32), np.zeros((1, V), np.float32), np.array([False])
    append(memory, Create(np.array([new]), key, value, there, "concept", 1))
    with memory.vectors() as store:
        one = np.array([1])
        store.upsert(Points(np.array([new]), key, value, there, ("concept",), 5, one, 0 * one))
    assert wrong(memory.check()) == []
    assert memory.repair().clean
    assert memory.check().findings == ()


def test_a_batch_that_a_store_refuses_is_noted_and_the_cache_built_anew(memory):
    one = memory.ids[:1]
    append(memory, Link("NO_SUCH_TYPE", one, one + 1, np.ones(1, np.float32), np.zeros(1, np.int64), 0))
    assert memory.repair().clean
    report = memory.check()
    refused = said(report, Kind.REFUSED)
    assert refused.note
    assert "NO_SUCH_TYPE" in refused.detail
    assert not (memory.path / "cache").exists()
    memory.answers()


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_batch_with_a_flipped_byte_is_set_aside_and_the_others_sent(memory, damaged):
    last = append(memory, *(describe(memory, f"pending {row}", row) for row in range(3)))
    journal = memory.path / "journal.db"
    data = bytearray(journal.read_bytes())
    data[data.index(f'"pending {damaged}"'.encode()) + 3] ^= 4
    journal.write_bytes(data)
    found, _ = is_mended(memory, Kind.BATCH)
    assert found.ids.tolist() == [last - 2 + damaged]
    assert "checksum" in found.detail
    assert [name_of(memory, row) for row in range(3)] == [
        f"n{row}" if row == damaged else f"pending {row}" for row in range(3)
    ]
    assert said(memory.check(), Kind.REFUSED).count == 1


def test_a_batch_that_is_not_the_journals_own_is_set_aside(memory):
    append(memory, describe(memory, "somebody's"))
    with memory.journal() as journal:
        batch = journal.read(journal.last_sequence)
    payload = replace(batch, writer=batch.writer + 1).encode()
    crc = crc32(payload, crc32(batch.sequence.to_bytes(8, "little")))
    memory.sql("journal.db", ("UPDATE batches SET payload = ?, crc = ?", (payload, crc)))
    is_mended(memory, Kind.BATCH)
    assert name_of(memory) == "n0"


def test_a_batch_beyond_the_journals_last_sequence_is_set_aside(memory):
    append(memory, describe(memory, "beyond"))
    memory.sql("journal.db", "UPDATE meta SET last_sequence = last_sequence - 1")
    is_mended(memory, Kind.BATCH)


def test_a_journal_behind_the_graph_goes_on_under_a_new_number(memory):
    memory.sql("journal.db", "UPDATE meta SET last_sequence = last_sequence - 2")
    memory.drop_cache()
    found, _ = is_mended(memory, Kind.BEHIND)
    assert found.count == 2


def test_batches_that_are_in_neither_are_told(memory):
    last = append(memory, describe(memory, "lost"), describe(memory, "kept", 1))
    memory.sql("journal.db", ("DELETE FROM batches WHERE sequence = ?", (last - 1,)))
    found, _ = is_mended(memory, Kind.BEHIND)
    assert found.ids.tolist() == [last - 1]
    assert (name_of(memory), name_of(memory, 1)) == ("n0", "kept")


def test_a_missing_journal_is_written_anew(memory):
    (memory.path / "journal.db").unlink()
    with pytest.raises(AESGStorageError, match="check --repair"):
        MemoryEngine(memory.path, None, StoreSettings())
    found, _ = is_mended(memory, Kind.JOURNAL)
    assert "missing" in found.detail


@pytest.mark.parametrize("vectors", ["some", "none"])
def test_without_a_journal_too_a_cache_closed_in_order_gives_lost_vectors_back(memory, vectors):
    (memory.path / "journal.db").unlink()
    if vectors == "none":
        shutil.rmtree(memory.path / "vectors")
    else:
        with memory.vectors() as store:
            store.delete(memory.ids[2:5])
    assert memory.repair().clean
    assert memory.check().findings == ()
    memory.answers()


def test_a_cache_with_keys_of_an_older_version_gives_no_vectors_back(memory):
    memory.sql("graph.db", ("UPDATE concepts SET version = 1 WHERE id = ?", (int(memory.ids[2]),)))
    (memory.path / "journal.db").unlink()
    with memory.vectors() as store:
        store.delete(memory.ids[2:4])
    assert "1 vectors came back from the cache, 1 concepts were removed" in said(memory.repair(), Kind.LOST).detail
    memory.answers(without=(2,))


def test_a_truncated_journal_is_kept_aside_and_written_anew(memory):
    journal = memory.path / "journal.db"
    journal.write_bytes(journal.read_bytes()[:5000])
    is_mended(memory, Kind.JOURNAL)
    assert (memory.path / "journal.db.damaged").stat().st_size == 5000


def trash(memory, table):
    """Overwrite the page where a table of the journal begins."""
    root = memory.sql("journal.db", ("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)))[0][0]
    page = memory.sql("journal.db", "PRAGMA page_size")[0][0]
    path = memory.path / "journal.db"
    data = bytearray(path.read_bytes())
    data[(root - 1) * page : root * page] = b"\x07" * page
    path.write_bytes(data)


@pytest.mark.parametrize("table", ["events", "refused"])
def test_what_waits_in_a_damaged_journal_is_sent_if_it_can_be_read(memory, table):
    append(memory, describe(memory, "saved"), describe(memory, "saved too", 1))
    trash(memory, table)
    _, mended = is_mended(memory, Kind.JOURNAL)
    assert "2 batches that waited in it were sent" in mended.detail
    assert (memory.path / "journal.db.damaged").exists()
    assert (name_of(memory), name_of(memory, 1)) == ("saved", "saved too")


def test_what_waits_in_a_damaged_journal_is_sent_up_to_the_first_that_cannot_be_read(memory):
    last = append(memory, *(describe(memory, f"saved {row}", row) for row in range(3)))
    memory.sql("journal.db", ("UPDATE batches SET crc = crc + 1 WHERE sequence = ?", (last - 1,)))
    trash(memory, "events")
    assert memory.repair().clean
    assert [name_of(memory, row) for row in range(3)] == ["saved 0", "n1", "n2"]


def test_what_waits_in_a_damaged_journal_of_an_earlier_incarnation_is_not_sent(memory):
    append(memory, describe(memory, "stale"))
    memory.sql("graph.db", "UPDATE writers SET incarnation = incarnation + 1")
    trash(memory, "events")
    assert "what may have waited in it is lost" in said(memory.repair(), Kind.JOURNAL).detail
    assert name_of(memory) == "n0"
    memory.answers()


# -- the cache --------------------------------------------------------------------------------------------------------


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize(("file", "at"), [("keys.bin", 3), ("values.bin", 2), ("lives.bin", 6), ("weights.bin", 2)])
def test_a_cache_that_calls_itself_good_and_is_not_is_deleted(memory, file, at):
    flip(memory.path / "cache" / file, at)
    found, _ = is_mended(memory, Kind.CACHE)
    assert found.count == 1


def test_rows_that_a_cache_has_and_the_graph_lacks_are_found(memory):
    doomed = int(memory.ids[-1])
    memory.sql(
        "graph.db", ("DELETE FROM concepts WHERE id = ?", (doomed,)), ("DELETE FROM edges WHERE target = ?", (doomed,))
    )
    with memory.vectors() as store:
        store.delete(memory.ids[-1:])
    is_mended(memory, Kind.CACHE, without=(N - 1,))


def test_a_cache_that_calls_itself_nothing_is_left_to_the_next_opening(memory):
    flip(memory.path / "cache" / "header.bin", 100)
    flip(memory.path / "cache" / "keys.bin", 3)
    assert memory.check().findings == ()
    memory.answers()


# -- whole files ------------------------------------------------------------------------------------------------------


def test_a_missing_shard_is_written_anew_from_a_good_cache(memory):
    with memory.vectors() as store:
        before = store.fetch(memory.ids)
    shutil.rmtree(memory.path / "vectors")
    is_mended(memory, Kind.VECTORS)
    with memory.vectors() as store:
        after = store.fetch(memory.ids)
        np.testing.assert_array_equal(after.keys, before.keys)
        np.testing.assert_array_equal(after.values, before.values)


def test_a_damaged_shard_is_kept_aside_and_written_anew_from_a_good_cache(memory):
    shutil.rmtree(next((memory.path / "vectors" / "segments").iterdir()))
    is_mended(memory, Kind.VECTORS)
    assert (memory.path / "vectors.damaged").is_dir()


def test_a_shard_whose_points_cannot_be_read_is_written_anew(memory):
    with memory.vectors() as store:
        store._write(edge.UpdateOperation.clear_payload(memory.ids[:1].tolist()), 1)
    found, _ = is_mended(memory, Kind.VECTORS)
    assert "has lost its" in found.detail


@pytest.mark.parametrize("present", [True, False])
def test_without_a_cache_a_shard_that_is_gone_stays_gone_and_nothing_is_removed(memory, present):
    memory.drop_cache()
    shutil.rmtree(next((memory.path / "vectors" / "segments").iterdir()) if present else memory.path / "vectors")
    report = memory.repair()
    assert wrong(report) == [Kind.VECTORS]
    assert "no good cache" in said(report, Kind.VECTORS).detail
    assert (memory.path / "vectors").exists() == present
    with MemoryReader(memory.path) if present else _graph_alone(memory) as reader:
        assert reader.graph.count().concepts == N


def _graph_alone(memory):
    (memory.path / "vectors").mkdir()
    return MemoryReader(memory.path)


def test_a_shard_that_somebody_looks_at_is_not_taken_for_damaged(memory):
    memory.drop_cache()
    store = EdgeVectorStore.open(memory.path / "vectors", D, V)
    try:
        report = memory.check()
        assert report.clean
        assert said(report, Kind.SKIPPED).note
        with pytest.raises(AESGStorageError, match="open here or in another process"):
            memory.repair()
    finally:
        store.close()
    assert memory.repair().findings == ()


def test_other_dimensions_in_the_format_file_are_put_right(memory):
    path = memory.path / "format.json"
    form = json.loads(path.read_text())
    path.write_text(json.dumps(form | {"vector_dim": D + 1}))
    found, _ = is_mended(memory, Kind.DIMENSIONS)
    assert f"vector_dim={D + 1}" in found.detail
    assert json.loads(path.read_text()) == form


def test_without_a_graph_there_is_nothing_to_compare_with(memory):
    (memory.path / "graph.db").unlink()
    for look in (memory.check, memory.repair):
        with pytest.raises(AESGStorageError, match=r"graph\.db is missing.*from a copy"):
            look()


@pytest.mark.parametrize("repairs", [False, True])
def test_where_there_is_no_memory_none_is_made(tmp_path, repairs):
    with pytest.raises(AESGStorageError, match="no memory"):
        (repair if repairs else check)(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
