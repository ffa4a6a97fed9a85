"""Drift between Neo4j, Qdrant, journal and cache: each kind is found as what it is, mended, and gone."""

import contextlib
import json

import numpy as np
import pytest

from aesg_graph.concepts import COUNTER_BITS
from aesg_graph.engine.checking import check
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch, Touch
from aesg_graph.stores.abc import RETIRED, Points
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import Journal, Kind
from tests.served.drift import N, is_mended, said, wrong
from tests.served.world import D, V, assert_cache_is_true, teach, vectors

pytestmark = pytest.mark.usefixtures("_soon")


# -- nothing to find -------------------------------------------------------------------------------------------------


def test_a_healthy_memory_is_clean_with_its_directory_and_on_servers_alone(memory):
    for directory in (memory.path, None):
        for report in (memory.check(directory), memory.repair(directory)):
            assert (report.findings, report.clean, report.concepts, report.edges) == ((), True, N, N + 2)
        assert report.directory == (None if directory is None else str(directory))
    memory.answers()


def test_beside_an_owner_everything_but_its_cache_is_looked_at(memory, opened):
    opened("a").flush()
    report = memory.check(memory.path)
    assert [finding.kind for finding in report.findings] == [Kind.SKIPPED]
    assert "the cache is in use by process" in report.findings[0].detail
    assert report.owner is not None


def test_the_looks_go_page_by_page_and_tell_how_far_they_are(memory, monkeypatch):
    monkeypatch.setattr("aesg_graph.engine.checking.PAGE", 5)
    monkeypatch.setattr("aesg_graph.sync.check.PAGE", 5)
    told = []
    assert check(None, lambda *step: told.append(step), memory.settings).findings == ()
    assert [step[1:] for step in told if step[0] == "looking at rows"] == [(5, N), (10, N), (12, N)]
    assert [step[1:] for step in told if step[0] == "comparing"] == [(5, N), (10, N), (12, N)]


# -- vectors ---------------------------------------------------------------------------------------------------------


def test_lost_vectors_come_back_from_a_cache_that_is_good(memory):
    with memory.vectors() as store:
        store.delete(memory.ids[:5])
    before, done = is_mended(memory, Kind.LOST, directory=memory.path)
    assert said(before, Kind.LOST).ids.tolist() == memory.ids[:5].tolist()
    assert "5 vectors came back" in said(done, Kind.LOST).detail


def test_a_concept_whose_vector_nobody_has_goes_and_other_processes_hear_of_it(memory, opened):
    other = opened("b")
    with memory.vectors() as store:
        store.delete(memory.ids[:1])
    is_mended(memory, Kind.LOST, without=[0])
    other.refresh()
    assert_cache_is_true(other)
    with memory.graph() as graph:
        [retired] = [p for p in graph.positions() if p.incarnation == RETIRED]
        assert retired.sequence > retired.content > 0
        batch = Batch(retired.id, RETIRED + 1, retired.sequence + 1, 0.0, ())
        with pytest.raises(AESGStorageError, match="incarnation"):
            graph.apply([batch])


def test_when_most_vectors_are_lost_no_concept_is_removed(memory):
    with memory.vectors() as store:
        store.delete(memory.ids[:8])
    done = memory.repair()
    assert wrong(done) == [Kind.LOST]
    assert "restore a copy" in said(done, Kind.LOST).detail
    assert done.concepts == N


def test_a_vector_that_comes_back_is_heard_of_by_caches_that_were_built_without_it(memory, opened):
    with memory.vectors() as store:
        store.delete(memory.ids[:1])
    other = opened("b")
    assert other.recall(other.query(vectors(1))).seeds.ids[0, 0] != memory.ids[0]
    assert memory.repair(memory.path).clean
    other.refresh()
    assert other.recall(other.query(vectors(1))).seeds.ids[0, 0] == memory.ids[0]


def test_a_vector_that_its_writer_is_past_is_an_orphan_and_one_that_is_still_to_come_survives(memory):
    with memory.graph() as graph:
        writer, done = next((p.id, p.sequence) for p in graph.positions() if p.content)
    past, ahead = (writer << COUNTER_BITS) + 7000, (writer << COUNTER_BITS) + 7001
    memory.put(past, writer, done)
    memory.put(ahead, writer, done + 1)
    before = memory.check()
    assert wrong(before) == [Kind.ORPHANS]
    assert said(before, Kind.ORPHANS).ids.tolist() == [past]
    assert said(before, Kind.AHEAD).ids.tolist() == [ahead]
    done = memory.repair()
    assert wrong(done) == []
    with memory.vectors() as store:
        assert store.fetch(np.array([past, ahead])).ids.tolist() == [ahead]
    with memory.graph() as graph:
        graph.retire(writer)  # nobody will ever write it now
    is_mended(memory, Kind.ORPHANS)


def test_a_vector_of_a_writer_that_never_was_is_an_orphan(memory):
    memory.put(5, 77, 1)
    is_mended(memory, Kind.ORPHANS)


def test_a_vector_that_outlived_its_concept(memory):
    memory.put(memory.removed, memory.removed >> COUNTER_BITS, 1)
    is_mended(memory, Kind.REMAINS)


def test_a_concept_that_raw_cypher_deleted(memory):
    memory.cypher("MATCH (c:Concept {memory: $m, id: $id}) DETACH DELETE c", id=int(memory.ids[0]))
    is_mended(memory, Kind.COUNTS, Kind.ORPHANS, Kind.CACHE, directory=memory.path, without=[0])


def test_payload_that_says_something_else(memory):
    with memory.vectors() as store:
        store.label(memory.ids[:2], np.array([4, 4]))
        own = store.fetch(memory.ids[3:4])
        stamp = (int(own.writers[0]), own.sequences, own.versions)
        store.upsert(Points(own.ids, own.keys, own.values, own.has_value, ("dog",), *stamp))
    before, _ = is_mended(memory, Kind.PAYLOAD)
    assert said(before, Kind.PAYLOAD).ids.tolist() == memory.ids[[0, 1, 3]].tolist()


def test_a_vector_of_another_version(memory):
    with memory.vectors() as store:
        own = store.fetch(memory.ids[:1])
        store.rekey(own.ids, own.keys, 3, int(own.writers[0]), int(own.sequences[0]))
    is_mended(memory, Kind.VERSION)
    with memory.graph() as graph:
        assert graph.read(memory.ids[:1], edges=False).concepts.versions.tolist() == [3]


def test_a_collection_that_is_gone_is_written_anew_from_a_good_cache(memory):
    QdrantVectorStore.destroy(memory.settings)
    assert wrong(memory.check()) == [Kind.VECTORS]
    done = memory.repair()
    assert wrong(done) == [Kind.VECTORS]
    assert "no good cache" in said(done, Kind.VECTORS).detail
    is_mended(memory, Kind.VECTORS, directory=memory.path)


def test_a_collection_of_other_dimensions_is_named_and_left_alone(memory):
    QdrantVectorStore.destroy(memory.settings)
    QdrantVectorStore.establish(memory.settings, D + 1, V).close()
    report = memory.repair(memory.path)
    assert wrong(report) == [Kind.VECTORS]
    assert str(D + 1) in said(report, Kind.VECTORS).detail
    assert str(D) in said(report, Kind.VECTORS).detail


# -- the directory ---------------------------------------------------------------------------------------------------


def test_pending_batches_are_noted_and_sent(memory):
    with contextlib.closing(Journal.open(memory.path / "journal.db")) as journal:
        journal.append([Touch(memory.ids[:1], np.ones(1, np.int64), np.zeros(1, np.int64), 1)], 1.0)
    report = memory.check(memory.path)
    assert [f.kind for f in report.findings] == [Kind.PENDING]
    assert memory.repair(memory.path).clean
    assert memory.check(memory.path).findings == ()
    with memory.graph() as graph:
        assert graph.read(memory.ids[:1]).concepts.use_frequency.tolist() == [1]


def test_a_journal_that_is_behind_its_graph_gets_another_number(memory, tmp_path):
    older = (memory.path / "journal.db").read_bytes()
    engine = MemoryEngine(memory.path, None, memory.settings)
    engine.create(vectors(1, 60), vectors(1, 61, V))
    engine.close()
    (memory.path / "journal.db").write_bytes(older)
    with memory.graph() as graph:
        writer, done = next((p.id, p.sequence) for p in graph.positions() if p.content)
    memory.put((writer << COUNTER_BITS) + 7000, writer, done + 1)  # what the lost tail had begun never comes
    assert wrong(memory.check(memory.path)) == [Kind.BEHIND]
    assert memory.repair(memory.path).clean
    assert memory.check(memory.path).findings == ()


def test_a_directory_that_says_other_dimensions(memory):
    form = json.loads((memory.path / "format.json").read_text())
    (memory.path / "format.json").write_text(json.dumps(form | {"vector_dim": 99}))
    report = memory.check(memory.path)
    assert wrong(report) == [Kind.DIMENSIONS]
    assert "99" in said(report, Kind.DIMENSIONS).detail
    assert memory.repair(memory.path).clean
    assert json.loads((memory.path / "format.json").read_text()) == form
    memory.answers()


def test_a_damaged_journal_is_written_anew(memory):
    (memory.path / "journal.db").write_bytes(b"x" * 5000)
    assert wrong(memory.check(memory.path)) == [Kind.JOURNAL]
    assert memory.repair(memory.path).clean
    memory.answers()


def test_a_cache_that_says_something_else_is_dropped(memory):
    engine = MemoryEngine(memory.path, None, memory.settings)
    engine.residency.cache.apply(Touch(memory.ids[:1], np.ones(1, np.int64), np.zeros(1, np.int64), 1), 0, 1.0)
    engine.residency.cache.acknowledge(0)
    engine.close()
    is_mended(memory, Kind.CACHE, directory=memory.path)


def test_what_other_processes_did_since_a_cache_was_closed_is_no_disagreement(memory, opened):
    other = opened("b")
    other.remove(memory.ids[:1])
    teach(other, vectors(N), vectors(N, 1, V))
    other.flush()
    assert [f.kind for f in memory.check(memory.path).findings] == [Kind.UNSWEPT]
    other.close()
    assert memory.check(memory.path).findings == ()
