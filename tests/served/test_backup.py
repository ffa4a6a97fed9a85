"""Backups of memories that others write to, and what restoring one means for those who had it open."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest

from aesg_graph.engine.moving import Place, backup, copy, restore
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Create
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.filling import Neo4jFilling
from aesg_graph.stores.neo4j.portable import Neo4jRows
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.sync import Comparison, Journal, windows
from aesg_graph.sync.backup import Held, taking
from tests.served.world import CONFIG, D, MemoryEngine, V, assert_cache_is_true, graph_rows, teach, vectors

NOTHING = np.empty(0, np.int64)


@pytest.fixture
def place(served):
    return Place(None, served)


@pytest.fixture
def elsewhere(served):
    """The place of another memory on the same servers."""
    settings = served.model_copy(update={"memory": f"{served.memory}-elsewhere"})
    yield Place(None, settings)
    Neo4jGraphStore.destroy(settings)
    QdrantVectorStore.destroy(settings)


def learned(engine, seed=0, count=30):
    """Concepts with everything that a concept can have, edges of three types, and some that went."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((count, V))
    ids = engine.create(
        vectors(count, seed), values, [f"name {i}" for i in range(count)], ["träume \U0001f4a1", *[None] * (count - 1)]
    )
    bare = engine.create(vectors(5, seed + 100), kind="bare", sources=[f"source {i}" for i in range(5)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.1 + 0.8 * rng.random(count - 1))
    engine.link(ids[:5], bare, "SIMILARITY", 0.3)
    engine.link(ids[:5], bare, "SIMILARITY", 0.3)
    engine.consolidate()
    teach(engine, vectors(count, seed)[:8], values[:8])
    engine.remove(ids[-2:])
    engine.flush()
    return ids


def everything(settings):
    """All rows and vectors of a memory on servers, exact."""
    head = Neo4jGraphStore.peek(settings)
    rows = Neo4jRows(settings, CONFIG.vocabulary)
    store = QdrantVectorStore.open(settings, D, V)
    try:
        page, gone, points = rows.page(-1, 100_000), rows.removed(-1, 100_000), store.page(-1, 100_000)
        labels = store.labels(points.ids)
    finally:
        rows.close()
        store.close()
    return SimpleNamespace(head=head, told=told(page, gone, points), labels=(labels[1], labels[2].tolist()))


def told(page, gone, points):
    """Rows and vectors, comparable."""
    c, e = page.concepts, page.edges
    order = np.lexsort((e.targets, e.types, e.sources))
    columns = {f"c.{k}": _plain(v) for k, v in vars(c.table).items()}
    columns |= {"c.writers": c.writers.tolist(), "c.sequences": c.sequences.tolist()}
    columns |= {f"e.{k}": v[order].tolist() for k, v in vars(e).items()}
    columns |= {f"t.{k}": _plain(v) for k, v in vars(gone).items()}
    return columns | {f"v.{k}": _plain(v) for k, v in vars(points).items()}


def _plain(column):
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def held_by(memory):
    """How much of each there is."""
    return Held(*(len(memory.told[column]) for column in ("c.ids", "e.sources", "v.ids", "t.ids")))


def assert_agrees(settings):
    """Graph and vectors of a memory on servers agree, and counts are true."""
    graph = Neo4jGraphStore.open(settings, CONFIG.vocabulary)
    store = QdrantVectorStore.open(settings, D, V)
    try:
        comparison = Comparison(graph, store, None, NOTHING)
        for window in windows(graph, store, 1000, whole=False):
            comparison.look(window)
        assert comparison.findings() == []
        assert graph.recount() == graph.count()
    finally:
        graph.close()
        store.close()


def test_a_restored_memory_is_the_one_that_was_backed_up(opened, place, elsewhere, tmp_path):
    learned(opened())
    done = backup(place, tmp_path / "backup")
    restored = restore(tmp_path / "backup", elsewhere)
    before, after = everything(place.settings), everything(elsewhere.settings)
    assert after.told == before.told
    assert after.labels == before.labels
    assert (after.head.epoch, after.head.config) == (before.head.epoch, before.head.config)
    assert after.head.incarnation > before.head.incarnation
    assert done.held == restored.held == held_by(before)
    assert_agrees(elsewhere.settings)


def test_a_memory_goes_to_a_directory_and_back_unchanged(opened, place, elsewhere, tmp_path):
    learned(opened())
    copy(place, Place.named(str(tmp_path / "embedded")))
    engine = MemoryEngine(tmp_path / "embedded", None, Place.named(str(tmp_path / "embedded")).settings)
    concepts, edges = graph_rows(engine.residency.graph)
    engine.close()
    copy(Place.named(str(tmp_path / "embedded")), elsewhere)
    before, after = everything(place.settings), everything(elsewhere.settings)
    assert after.told == before.told
    assert after.labels == before.labels
    assert (len(concepts), len(edges)) == (len(before.told["c.ids"]), len(before.told["e.sources"]))
    assert_agrees(elsewhere.settings)


@pytest.fixture
def recorded(monkeypatch):
    """Every batch that was acknowledged, by writer."""
    batches, append = {}, Journal.append

    def record(journal, *arguments, **more):
        batch = append(journal, *arguments, **more)
        batches.setdefault(batch.writer, []).append(batch)
        return batch

    monkeypatch.setattr(Journal, "append", record)
    return batches


def replayed(recorded, sequences, path):
    """A graph in which every writer's batches up to its sequence were carried out, one writer after the other."""
    head = MemoryHead("replay", 1, 0, 0, D, V, CONFIG.to_json())
    graph = SqliteGraphStore.create(path, head, CONFIG.thresholds, CONFIG.vocabulary)
    for writer, batches in recorded.items():
        graph.lease(writer)
        for batch in batches:
            if batch.sequence <= sequences[writer]:
                (outcome,) = graph.apply([replace(batch, incarnation=1)])
                assert outcome.status == "applied"
    return graph


def learn_until(going, engine, ids, acknowledged, which):
    """Births, links and removals, each flushed; what was flushed is noted."""
    rng = np.random.default_rng(which + 5)
    while not going.is_set():
        new = engine.create(vectors(3, int(rng.integers(1 << 30))), rng.standard_normal((3, V)))
        engine.link(new, rng.choice(ids[:10], 3), "ASSOCIATION")
        engine.link(ids[:3], ids[5:8], "EMOTIONAL")
        engine.remove(new[:1])
        engine.flush()
        acknowledged[which] = engine.position


def test_a_backup_beside_learning_writers_is_the_memory_at_the_sequences_that_it_names(
    opened, place, elsewhere, tmp_path, monkeypatch, recorded
):
    monkeypatch.setattr(taking, "ROWS", 20)  # small parts, so that much changes between them
    monkeypatch.setattr(taking, "FEW", 5)
    engines = [opened("a"), opened("b")]
    ids = learned(engines[0])
    engines[1].refresh()
    ended, acknowledged = threading.Event(), [0, 0]
    with ThreadPoolExecutor() as pool:
        learning = [pool.submit(learn_until, ended, e, ids, acknowledged, i) for i, e in enumerate(engines)]
        while min(acknowledged) < 5 and not any(one.done() for one in learning):
            ended.wait(0.01)
        known = list(acknowledged)
        done = backup(place, tmp_path / "backup")
        later = list(acknowledged)
        while min(now - then for now, then in zip(acknowledged, later, strict=True)) < 3:
            assert not any(one.done() for one in learning)
            ended.wait(0.01)
        ended.set()
        for one in learning:
            one.result()
    numbers = list(recorded)
    assert all(done.sequences[number] >= least for number, least in zip(numbers, known, strict=True))
    assert any(done.sequences[number] < engine.position for number, engine in zip(numbers, engines, strict=True))

    restore(tmp_path / "backup", elsewhere)
    assert_agrees(elsewhere.settings)
    graph = replayed(recorded, done.sequences, tmp_path / "replay.db")
    there = Neo4jGraphStore.open(elsewhere.settings, CONFIG.vocabulary)
    try:
        assert graph_rows(there) == graph_rows(graph)
        assert there.count() == graph.count()
        assert there.head().epoch == graph.head().epoch
    finally:
        graph.close()
        there.close()
    keys = everything(elsewhere.settings).told
    born = {
        i: k
        for b in chain.from_iterable(recorded.values())
        for o in b.operations
        if isinstance(o, Create)
        for i, k in zip(o.ids.tolist(), o.keys.tolist(), strict=True)
    }
    assert all(born[i] == key for i, key in zip(keys["v.ids"], keys["v.keys"], strict=True))


def end_with_lessons_waiting(engine, learn):
    """What ``learn`` gives, whose lesson waits in the journal when the engine is closed."""
    with engine.recorder.attendant().still():
        learned = learn()
        with pytest.raises(AESGStorageError, match="still busy"):
            engine.recorder.attendant().stop(0.0)
    with pytest.raises(AESGStorageError, match="wait in the journal"):
        engine.close()
    return learned


def test_after_a_restore_directories_send_what_waits_and_say_what_is_missing(opened, place, tmp_path, caplog):
    live, ended, ahead, waiting = (opened(name) for name in "abcd")
    for engine, seed in ((live, 1), (ended, 2), (ahead, 3), (waiting, 4)):
        learned(engine, seed, 10)
    ended.close()
    backup(place, tmp_path / "backup")
    lost = ahead.create(vectors(2, 5), names=["lost"] * 2)
    ahead.close()
    kept = end_with_lessons_waiting(waiting, lambda: waiting.create(vectors(3, 6), names=["kept"] * 3))

    restore(tmp_path / "backup", place, replace=True)
    kept_too = live.create(vectors(1, 7), names=["kept too"])  # it writes as one of before
    with pytest.raises(AESGStorageError, match="incarnation"):
        live.flush(timeout=1)
    live.recorder.attendant().stop()
    with pytest.raises(AESGStorageError, match="wait in the journal"):
        live.close()

    before = {
        name: engine._backend.journal.writer for name, engine in zip("abcd", (live, ended, ahead, waiting), strict=True)
    }
    after = {}
    for name in "abcd":
        engine = opened(name)
        engine.flush()
        after[name] = engine._backend.writer
        engine.close()
    assert after["b"] == before["b"]  # it had nothing that the backup lacks
    assert all(after[name] != before[name] for name in "acd")
    assert [record.levelname for record in caplog.records if "lacks" in record.message] == ["WARNING"]
    graph = Neo4jGraphStore.open(place.settings, CONFIG.vocabulary)
    try:
        found = graph.read(np.concatenate([lost, kept, kept_too])).concepts
        assert sorted(found.names) == ["kept", "kept", "kept", "kept too"]
        assert found.use_frequency.tolist() == [0] * 4
    finally:
        graph.close()
    assert_agrees(place.settings)


def test_a_reader_follows_when_a_backup_is_restored_in_the_place_of_its_memory(opened, place, tmp_path):
    trainer = opened("a")
    ids = learned(trainer)
    backup(place, tmp_path / "backup")
    later = trainer.create(vectors(1, 50), vectors(1, 50, V))
    trainer.close()
    reader = opened("r", replace(CONFIG, memory_mode="INFERENCE"))
    assert reader.recall(reader.query(vectors(1, 50))).seeds.ids[0, 0] == later[0]
    restore(tmp_path / "backup", place, replace=True)
    reader.refresh()
    assert later[0] not in reader.recall(reader.query(vectors(1, 50))).seeds.ids
    assert reader.recall(reader.query(vectors(1))).seeds.ids[0, 0] == ids[0]
    assert_cache_is_true(reader)
    assert reader.recorder.concepts == len(ids) + 3


def test_a_writer_is_told_when_its_memory_was_replaced(opened, place, tmp_path):
    trainer = opened("a")
    learned(trainer)
    backup(place, tmp_path / "backup")
    restore(tmp_path / "backup", place, replace=True)
    with pytest.raises(AESGStorageError, match="restored or replaced"):
        trainer.refresh()
    assert trainer.health().degraded
    trainer.recorder.attendant().stop()
    with pytest.raises(AESGStorageError, match="wait in the journal"):
        trainer.close()


def cut_short(monkeypatch):
    """A restore that ends after its first concepts, as if the process had been killed."""

    class KilledError(BaseException):
        pass

    def die(*_):
        raise KilledError

    monkeypatch.setattr(Neo4jFilling, "link", die)
    return KilledError


def test_a_restore_that_was_cut_short_leaves_nothing_that_opens_and_can_be_repeated(
    opened, place, elsewhere, tmp_path, monkeypatch
):
    learned(opened())
    backup(place, tmp_path / "backup")
    with monkeypatch.context() as patch:
        killed = cut_short(patch)
        with pytest.raises(killed):
            restore(tmp_path / "backup", elsewhere)
    with pytest.raises(AESGStorageError, match="did not end"):
        MemoryEngine(tmp_path / "too early", CONFIG, elsewhere.settings)
    with pytest.raises(AESGStorageError, match="did not end"):
        backup(elsewhere, tmp_path / "of nothing")
    assert not (tmp_path / "of nothing").exists()
    restore(tmp_path / "backup", elsewhere)
    assert everything(elsewhere.settings).told == everything(place.settings).told
    assert_agrees(elsewhere.settings)
    MemoryEngine(tmp_path / "now", CONFIG, elsewhere.settings).close()


def test_a_memory_that_is_there_is_only_replaced_when_asked_for(opened, place, elsewhere, tmp_path):
    learned(opened())
    backup(place, tmp_path / "backup")
    before = everything(place.settings).told
    with pytest.raises(AESGStorageError, match="--replace"):
        restore(tmp_path / "backup", place)
    with pytest.raises(AESGStorageError, match="--replace"):
        copy(place, place)
    assert everything(place.settings).told == before
    QdrantVectorStore.establish(elsewhere.settings, D + 1, V).close()  # somebody's, without a memory
    with pytest.raises(AESGStorageError, match="--replace"):
        restore(tmp_path / "backup", elsewhere)


@pytest.mark.parametrize("away", ["graph", "vectors"])
def test_a_server_that_is_away_is_told_of_and_nothing_is_deleted(opened, place, tmp_path, away):
    learned(opened())
    backup(place, tmp_path / "backup")
    before = everything(place.settings).told
    nobody = {"graph": "bolt://127.0.0.1:1"} if away == "graph" else {"grpc_port": 1}
    settings = place.settings.model_copy(update={**nobody, "retry_timeout": 0.5, "connect_timeout": 0.5})
    with pytest.raises(AESGStorageError, match="cannot be reached"):
        restore(tmp_path / "backup", Place(None, settings), replace=True)
    with pytest.raises(AESGStorageError, match="cannot be reached"):
        backup(Place(None, settings), tmp_path / "second")
    assert [file.name for file in tmp_path.iterdir() if "second" in file.name] == []
    assert everything(place.settings).told == before


def test_a_rekeyed_memory_keeps_its_versions(opened, place, elsewhere, tmp_path):
    engine = opened()
    engine.create(vectors(6), sources=[f"{i}" for i in range(6)])
    engine.rekey(lambda sources: vectors(len(sources), 9), encoder="second")
    engine.flush()
    backup(place, tmp_path / "backup")
    restore(tmp_path / "backup", elsewhere)
    assert everything(elsewhere.settings).told == everything(place.settings).told
    again = MemoryEngine(tmp_path / "again", CONFIG, elsewhere.settings)
    assert again.rekey(lambda sources: vectors(len(sources), 10), encoder="third") == 6
    again.close()
    assert_agrees(elsewhere.settings)


def test_copying_into_a_memory_in_use_is_heard_of_and_learned_on_with(opened, place, elsewhere, tmp_path):
    learned(opened("source"))
    target = MemoryEngine(tmp_path / "target", CONFIG, elsewhere.settings)
    (own,) = target.create(vectors(1, 77), names=["own"])
    target.flush()
    before = everything(place.settings).told
    first, again = copy(place, elsewhere, into=True), copy(place, elsewhere, into=True)
    assert (first.renumbered, again.renumbered) == (0, len(before["c.ids"]))
    assert_agrees(elsewhere.settings)
    target.refresh()
    assert_cache_is_true(target)
    assert target.recorder.concepts == 1 + 2 * len(before["c.ids"])
    ids = np.array(before["c.ids"], np.int64)
    target.link(np.full(3, own), ids[:3], "CAUSAL")
    target.flush()
    target.close()
    after = everything(elsewhere.settings).told
    assert len(after["e.sources"]) == 2 * len(before["e.sources"]) + 3
    kept = [place for place, id in enumerate(after["c.ids"]) if id in set(before["c.ids"])]
    for column in ("c.names", "c.texts", "c.sources", "c.relevance", "c.use_frequency", "c.created_at", "v.keys"):
        assert [after[column][i] for i in kept] == before[column]
    assert_agrees(elsewhere.settings)
