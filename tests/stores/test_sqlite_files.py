"""A graph file that is missing, foreign, damaged, full, closed or somebody else's says so, and keeps what it has."""

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import COUNTER_BITS, Relations, RelationType
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Advance, Describe, Remove
from aesg_graph.stores.sqlite import SqliteGraphStore, connecting, writers
from aesg_graph.stores.sqlite.schema import FORMAT
from aesg_graph.stores.testing.graph import HEAD, LIMITS, RELATIONS, Scribe, create, everything, link, touch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed graph file with a thousand concepts and edges."""
    path = tmp_path / "odd name #1 ?%41.db"
    store = SqliteGraphStore.create(path, HEAD, LIMITS, RELATIONS)
    scribe = Scribe(store)
    ids = scribe.create(1000)
    scribe.write(link(np.random.default_rng(0).choice(ids, (2000, 2)).tolist(), type="RHYMES_WITH"))
    store.close()
    return path


@pytest.fixture
def store(path: Path):
    store = SqliteGraphStore.open(path, RELATIONS)
    yield store
    store.close()


def refused(path: Path, *words: str, relations: Relations = RELATIONS) -> None:
    for read_only in (False, True):
        with pytest.raises(AESGStorageError) as caught:
            SqliteGraphStore.open(path, relations, read_only=read_only)
        for word in (str(path), *words):
            assert word in caught.value.message


def test_a_missing_file_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    refused(tmp_path / "graph.db", "no graph file")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_no_graph_file(tmp_path: Path) -> None:
    refused(tmp_path, "not a file")


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 1000, b"SQLite format 3\x00" + bytes(4080)])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.db"
    path.write_bytes(content)
    refused(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.close()
    refused(path, "no graph file of aesg-graph")


def test_another_format_is_refused_and_both_are_named(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {FORMAT + 6}")
    other.close()
    refused(path, f"format {FORMAT + 6}", f"format {FORMAT}")


def test_a_truncated_file_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 5000, 100):
        path.write_bytes(whole[:size])
        refused(path)
    path.write_bytes(whole)
    SqliteGraphStore.open(path, RELATIONS).close()


def test_a_file_without_its_head_is_refused(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("DELETE FROM head")
    other.commit()
    other.close()
    refused(path, "head")


def test_a_page_of_garbage_is_reported_by_whoever_meets_it(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    for page in range(8, len(damaged) // 4096):
        damaged[page * 4096 : page * 4096 + 64] = os.urandom(64)
    path.write_bytes(damaged)
    store = SqliteGraphStore.open(path, RELATIONS)
    try:
        with pytest.raises(AESGStorageError, match="malformed"):
            everything(store)
        with pytest.raises(AESGStorageError, match="malformed"):
            Scribe(store).create(500)
    finally:
        store.close()


def test_types_of_edges_must_be_declared_as_they_were_stored(path: Path) -> None:
    refused(path, "RHYMES_WITH", "AESGConfig.relations", relations=Relations())
    refused(path, "RHYMES_WITH", "symmetric", relations=Relations([RelationType("RHYMES_WITH", 1.0, 0.0)]))


def test_codes_may_change_as_types_are_declared(path: Path) -> None:
    before = SqliteGraphStore.open(path, RELATIONS)
    pairs = before.page(-1, 2000).edges
    before.close()
    more = Relations([*RELATIONS.types[10:], RelationType("BEFORE_ALL_OTHERS")])
    after = SqliteGraphStore.open(path, more)
    edges = after.page(-1, 2000).edges
    after.close()
    assert {more.names[code] for code in edges.types.tolist()} == {"RHYMES_WITH"}
    assert edges.types[0] != pairs.types[0]
    assert edges.sources.tolist() == pairs.sources.tolist()


def test_creating_over_anything_is_refused(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    for taken in (path, tmp_path):
        with pytest.raises(AESGStorageError, match="exists"):
            SqliteGraphStore.create(taken, HEAD, LIMITS, RELATIONS)
    with pytest.raises(AESGStorageError, match="nowhere"):
        SqliteGraphStore.create(tmp_path / "nowhere" / "graph.db", HEAD, LIMITS, RELATIONS)
    assert path.read_bytes() == before


def test_what_an_interrupted_creation_left_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "graph.db.unfinished").write_bytes(b"half a file")
    SqliteGraphStore.create(tmp_path / "graph.db", HEAD, LIMITS, RELATIONS).close()
    assert [file.name for file in tmp_path.iterdir()] == ["graph.db"]


def test_a_full_disk_is_an_error_and_changes_nothing(store: SqliteGraphStore) -> None:
    scribe = Scribe(store)
    a = scribe.create(1)
    before, counts = everything(store), store.count()
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    batches = [scribe.batch(touch(a)), scribe.batch(create(scribe.fresh(20_000)))]
    with pytest.raises(AESGStorageError, match="full"):
        store.apply(batches)
    assert (everything(store), store.count()) == (before, counts)
    store._writer.execute(f"PRAGMA max_page_count = {pages * 1000}")
    assert [o.status for o in store.apply(batches)] == ["applied", "applied"]
    assert store.count().concepts == counts.concepts + 20_000


def test_the_thresholds_are_the_files(path: Path) -> None:
    other = Thresholds(0.2, 0.8, 0.1, 2, 2)
    store = SqliteGraphStore.open(path, RELATIONS)
    assert store.limits() == LIMITS
    store.configure("{}", other)
    store.close()
    store = SqliteGraphStore.open(path, RELATIONS)
    assert store.limits() == other
    store.close()
    assert SqliteGraphStore.peek(path).config == "{}"


def test_a_closed_store_says_so(store: SqliteGraphStore) -> None:
    store.close()
    for use in (store.head, store.count, store.lease, store.sync, lambda: store.apply([])):
        with pytest.raises(AESGStorageError, match="closed"):
            use()


def test_a_read_only_store_refuses_to_write(path: Path) -> None:
    before = path.read_bytes()
    store = SqliteGraphStore.open(path, RELATIONS, read_only=True)
    writes = (store.lease, lambda: store.configure("{}", LIMITS), lambda: store.forget(1e12), lambda: store.apply([]))
    for write in writes:
        with pytest.raises(AESGStorageError, match="read-only"):
            write()
    assert store.count().concepts == 1000
    store.sync()
    store.close()
    assert path.read_bytes() == before


def test_reading_where_one_may_not_write_leaves_no_file_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The superuser may write anywhere, so the question is answered here instead of by the directory's mode.
    monkeypatch.setattr(connecting.os, "access", lambda *asked: False)
    store = SqliteGraphStore.open(path, RELATIONS, read_only=True)
    assert store.count().concepts == 1000
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    store.close()


def test_closing_leaves_one_file(path: Path) -> None:
    store = SqliteGraphStore.open(path, RELATIONS)
    Scribe(store).create(10)
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("durability", ["process", "power"])
def test_syncing_takes_the_log_to_disk_and_only_when_needed(
    path: Path, durability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteGraphStore.open(path, RELATIONS, durability=durability)
    scribe = Scribe(store)
    synced: list[int] = []
    fsync = os.fsync

    def recorded(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", recorded)
    log = os.stat(f"{path}-wal").st_ino
    store.sync()
    assert log in synced
    synced.clear()
    store.sync()
    assert synced == []
    scribe.create(1)
    store.sync()
    # With "power" the commit itself has synced, inside SQLite.
    assert (log in synced) == (durability == "process")
    (level,) = store._writer.execute("PRAGMA synchronous").fetchone()
    assert level == {"process": 1, "power": 2}[durability]
    store.close()


def test_a_number_that_occurs_in_ids_is_never_drawn(store: SqliteGraphStore, monkeypatch: pytest.MonkeyPatch) -> None:
    scribe = Scribe(store, 40)
    scribe.write(create([41 << COUNTER_BITS, (42 << COUNTER_BITS) + (1 << COUNTER_BITS) - 1]))
    draws = iter([40, 41, 42, 43])
    monkeypatch.setattr(writers.secrets, "randbelow", lambda bound: next(draws) - 1)
    assert store.lease().id == 43


def test_a_writer_knows_the_last_sequence_whose_tombstones_were_forgotten(store: SqliteGraphStore) -> None:
    scribe = Scribe(store)
    ids = scribe.create(3)
    for id in ids:
        scribe.write(Remove(np.array([id])))
    scribe.write(vectors_removed=ids[:2])
    assert store.forget(1e12) == 2
    rows = store._reader.execute("SELECT forgotten FROM writers WHERE id = ?", (scribe.state.id,)).fetchall()
    assert rows == [(3,)]


def test_text_that_is_half_a_character_is_found_nowhere(store: SqliteGraphStore) -> None:
    assert store.find("\udcff", 10).size == 0


def test_finding_sees_text_of_any_length_and_script(store: SqliteGraphStore) -> None:
    scribe = Scribe(store)
    ids = scribe.create(2)
    scribe.write(Describe(ids, ("BLÅBÆRGRØD", "x"), ("a" * 100_000 + "ß", "İstanbul")), Advance(1))
    assert store.find("blåbærgrød", 5).tolist() == ids[:1].tolist()
    assert store.find("SS", 5).tolist() == ids[:1].tolist()
