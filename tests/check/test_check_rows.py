"""Rows of graph and vectors that do not agree: found, mended, gone."""

import numpy as np
import pytest
from check_world import D, Kind, N, V, is_mended, keys, said, values, wrong

from aesg_graph.engine import MemoryEngine, checking
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import Points

NO_VALUE = np.zeros((1, V), np.float32)


def point(id, writer, sequence, kind="concept"):
    key = np.eye(1, D, dtype=np.float32)
    stamp = np.array([sequence])
    return Points(np.array([id]), key, NO_VALUE, np.array([False]), (kind,), writer, stamp, np.array([0]))


def test_a_memory_closed_in_order_agrees(memory):
    report = memory.check()
    assert report.clean
    assert report.findings == ()
    assert (report.concepts, report.edges, report.owner) == (N, N - 1 + 3, None)
    assert memory.repair().findings == ()
    memory.answers()


def test_a_vector_without_a_concept_is_deleted(memory):
    orphan = int(memory.ids[-1]) + 1000
    with memory.journal() as journal, memory.vectors() as store:
        store.upsert(point(orphan, journal.writer, journal.last_sequence))
    found, _ = is_mended(memory, Kind.ORPHANS)
    assert found.ids.tolist() == [orphan]
    with memory.vectors() as store:
        assert len(store.fetch(np.array([orphan]))) == 0


def test_a_vector_that_its_writer_has_not_reached_is_no_orphan(memory):
    with memory.journal() as journal, memory.vectors() as store:
        store.upsert(point(int(memory.ids[-1]) + 1000, journal.writer, journal.last_sequence + 1))
    assert memory.check().findings == ()


def test_a_vector_of_a_writer_that_is_no_more_is_an_orphan(memory):
    with memory.vectors() as store:
        store.upsert(point(77, 5, 10**6))
    is_mended(memory, Kind.ORPHANS)


def test_a_vector_that_outlived_its_concept_is_deleted(memory):
    with memory.journal() as journal, memory.vectors() as store:
        store.upsert(point(memory.removed, journal.writer, 1))
    found, _ = is_mended(memory, Kind.REMAINS)
    assert found.ids.tolist() == [memory.removed]


def test_tombstones_learn_that_their_vectors_are_gone(memory):
    memory.sql("graph.db", "UPDATE tombstones SET vector_removed = 0")
    assert memory.check().clean
    memory.repair()
    assert memory.sql("graph.db", "SELECT vector_removed FROM tombstones") == [(1,)]


def test_a_lost_vector_comes_back_from_a_good_cache(memory):
    with memory.vectors() as store:
        before = store.fetch(memory.ids)
        store.delete(memory.ids[[2, 5]])
    found, mended = is_mended(memory, Kind.LOST)
    assert found.ids.tolist() == memory.ids[[2, 5]].tolist()
    assert "2 vectors came back" in mended.detail
    with memory.vectors() as store:
        after = store.fetch(memory.ids)
        np.testing.assert_array_equal(after.keys, before.keys)
        np.testing.assert_array_equal(after.values, before.values)
        assert store.search(keys()[2:3], 1, kind="concept")[0].tolist() == [[memory.ids[2]]]


def test_a_concept_whose_vector_is_lost_for_good_is_removed(memory):
    memory.drop_cache()
    with memory.vectors() as store:
        store.delete(memory.ids[[2, 5]])
    _, mended = is_mended(memory, Kind.LOST, without=(2, 5))
    assert "2 concepts were removed" in mended.detail
    with MemoryReader(memory.path) as reader:
        assert {event["id1"] for event in reader.history(types=["REMOVE"])} >= set(memory.ids[[2, 5]].tolist())
        assert reader.graph.absent(memory.ids).tolist() == memory.ids[[2, 5]].tolist()


def test_a_memory_that_has_lost_most_of_its_vectors_is_not_emptied(memory):
    memory.drop_cache()
    with memory.vectors() as store:
        store.delete(memory.ids[:7])
    report = memory.repair()
    assert not report.clean
    assert "more than half" in said(report, Kind.LOST).detail
    with MemoryReader(memory.path) as reader:
        assert reader.graph.count().concepts == N


def test_an_edge_that_leads_nowhere_is_deleted(memory):
    insert = "INSERT INTO edges SELECT source, type, ?, weight, confidence, use_count, created_at, touched_epoch "
    memory.sql("graph.db", (insert + "FROM edges LIMIT 1", (12345,)))
    found, _ = is_mended(memory, Kind.DANGLING)
    assert (found.count, found.ids.tolist()) == (1, [12345])
    with MemoryReader(memory.path) as reader:
        assert reader.graph.count().edges == N - 1 + 3


def test_another_kind_in_the_payload_is_put_right(memory):
    with memory.vectors() as store:
        table = store.fetch(memory.ids[3:4])
        store.upsert(
            Points(
                *(table.ids, table.keys, table.values, table.has_value, ("cat",), int(table.writers[0])),
                *(table.sequences, table.versions),
            )
        )
    is_mended(memory, Kind.PAYLOAD)
    with memory.vectors() as store:
        assert store.labels(memory.ids[3:4])[1] == ("concept",)
        np.testing.assert_array_equal(store.fetch(memory.ids[3:4]).values, values()[3:4])


def test_another_region_in_the_payload_is_put_right(memory):
    memory.sql("graph.db", ("UPDATE concepts SET region_id = 7 WHERE id = ?", (int(memory.ids[1]),)))
    memory.drop_cache()
    with memory.vectors() as store:
        store.label(memory.ids[2:3], np.array([9]))
    found, _ = is_mended(memory, Kind.PAYLOAD)
    assert found.ids.tolist() == memory.ids[1:3].tolist()
    with memory.vectors() as store:
        assert store.labels(memory.ids[1:3])[2].tolist() == [7, -1]


def test_keys_of_different_versions_are_put_right(memory):
    memory.drop_cache()
    with memory.vectors() as store:
        store.rekey(memory.ids[4:5], keys()[4:5], 3, 1, 1)
    memory.sql("graph.db", ("UPDATE concepts SET version = 2 WHERE id = ?", (int(memory.ids[6]),)))
    found, _ = is_mended(memory, Kind.VERSION)
    assert found.ids.tolist() == memory.ids[[4, 6]].tolist()
    with memory.vectors() as store, MemoryReader(memory.path) as reader:
        assert store.fetch(memory.ids[[4, 6]]).versions.tolist() == [3, 2]
        assert reader.rows(memory.ids[[4, 6]]).versions.tolist() == [3, 2]
        assert reader.graph.head().key_version == 3


def test_an_index_that_lacks_rows_is_built_anew(memory):
    memory.sql(
        "graph.db",
        "DROP INDEX concepts_weakest",
        f"CREATE INDEX concepts_weakest ON concepts (fades_at) WHERE id > {int(memory.ids[3])}",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX concepts_weakest ON concepts (fades_at)' "
        "WHERE name = 'concepts_weakest'",
    )
    found, _ = is_mended(memory, Kind.COUNTS)
    assert found.count == 4
    assert memory.sql("graph.db", "PRAGMA integrity_check") == [("ok",)]


def test_many_disagreements_at_once_are_all_mended(memory):
    with memory.vectors() as store:
        store.upsert(point(77, 5, 1))
        store.delete(memory.ids[2:3])
        store.label(memory.ids[8:9], np.array([4]))
    memory.sql("graph.db", "INSERT INTO edges VALUES (1, 1, 2, 0.5, 1.0, 0, 0.0, 0)")
    assert set(wrong(memory.check())) == {Kind.ORPHANS, Kind.LOST, Kind.PAYLOAD, Kind.DANGLING}
    assert memory.repair().clean
    assert memory.check().findings == ()
    memory.answers()


def test_pages_of_any_size_find_the_same(memory, monkeypatch):
    with memory.vectors() as store:
        store.upsert(point(77, 5, 1))
        store.upsert(point(int(memory.ids[-1]) + 50, 5, 1))
        store.delete(memory.ids[[0, 5, 11]])
    whole = {f.kind: f.ids.tolist() for f in memory.check().findings}
    for size in (1, 2, 5):
        monkeypatch.setattr(checking, "PAGE", size)
        assert {f.kind: f.ids.tolist() for f in memory.check().findings} == whole
    assert whole == {Kind.ORPHANS: [77, int(memory.ids[-1]) + 50], Kind.LOST: memory.ids[[0, 5, 11]].tolist()}


def test_a_damaged_graph_is_told_and_nothing_is_touched(memory):
    graph = memory.path / "graph.db"
    data = bytearray(graph.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    root = memory.sql("graph.db", "SELECT rootpage FROM sqlite_master WHERE name = 'edges'")[0][0]
    data[(root - 1) * page + 3 : (root - 1) * page + 5] = b"\xff\xff"  # how many cells the page has
    graph.write_bytes(data)
    for report in (memory.check(), memory.repair()):
        assert wrong(report) == [Kind.GRAPH]
        assert "restore" in said(report, Kind.GRAPH).detail
    assert graph.read_bytes() == data


def test_a_memory_in_use_is_not_repaired(memory):
    engine = MemoryEngine(memory.path, None, StoreSettings())
    try:
        with pytest.raises(AESGStorageError, match="open in this process"):
            memory.repair()
    finally:
        engine.close()
