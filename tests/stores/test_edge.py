"""The Edge vector store: the suite, and what only files, threads, forks and kills can show."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import Points
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.stores.testing.vectors import KeyStoreSuite, VectorStoreSuite, directions

D, V = 16, 3


@pytest.fixture
def path(tmp_path):
    """A place in memory where there is one: Edge syncs the files of a new shard, and a busy disk takes its time."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shutil.disk_usage(shared).free < 1 << 29:
        yield tmp_path / "vectors"
        return
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        yield Path(directory) / "vectors"


class EdgeFixtures:
    @pytest.fixture
    def store(self, path):
        store = EdgeVectorStore.create(path, self.vector_dim, self.value_dim)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self):
        opened = []

        def again(store):
            store.close()
            opened.append(EdgeVectorStore.open(store.path, self.vector_dim, self.value_dim))
            return opened[-1]

        yield again
        for store in opened:
            store.close()


class TestEdge(EdgeFixtures, VectorStoreSuite):
    """A memory with values."""


class TestEdgeWithoutValues(EdgeFixtures, KeyStoreSuite):
    """A memory without."""


def points(ids, keys=None, version=0, has_value=True, seed=0):
    ids = np.asarray(ids, np.int64)
    count = len(ids)
    keys = directions(count, D, seed) if keys is None else keys
    stamps = np.full(count, version, np.int64)
    flags = np.broadcast_to(np.asarray(has_value), count)
    return Points(ids, keys, keys[:, :V].copy(), flags, ("concept",) * count, 1, stamps, stamps)


def open_store(path):
    return EdgeVectorStore.open(path, D, V)


@pytest.fixture
def store(path):
    store = EdgeVectorStore.create(path, D, V)
    yield store
    store.close()


def hashes(path):
    files = (file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


# Opening and creating


@pytest.mark.parametrize("dims", [(D + 1, V), (D, V + 1), (D, 0)])
def test_other_dimensions_are_refused_and_both_are_named(store, path, dims):
    store.close()
    expected = f"vector_dim {D} and value_dim {V}, expected vector_dim {dims[0]} and value_dim {dims[1]}"
    with pytest.raises(AESGStorageError, match=expected) as refused:
        EdgeVectorStore.open(path, *dims)
    assert str(path) in str(refused.value)
    open_store(path).close()


def test_what_is_no_shard_is_refused(path):
    with pytest.raises(AESGStorageError, match="does not exist"):
        open_store(path)
    path.mkdir()
    with pytest.raises(AESGStorageError, match=r"shard\.json is missing"):
        open_store(path)
    path.rmdir()
    path.write_text("something else")
    with pytest.raises(AESGStorageError, match="found a file, expected a directory"):
        open_store(path)


def test_a_shard_is_created_only_where_nothing_is(store, path):
    with pytest.raises(AESGStorageError, match="found a directory with something in it"):
        EdgeVectorStore.create(path, D, V)
    other = path.with_name("other")
    other.write_text("a file")
    with pytest.raises(AESGStorageError, match="found a file"):
        EdgeVectorStore.create(other, D, V)
    assert other.read_text() == "a file"


def test_what_an_interrupted_creation_left_is_cleared_away(path):
    draft = path.with_name(f".{path.name}.new")
    (draft / "segments" / "half").mkdir(parents=True)
    path.mkdir()
    with closing(EdgeVectorStore.create(path, D, V)) as store:
        store.upsert(points([1]))
    assert not draft.exists()
    with closing(open_store(path)) as store:
        assert store.count() == 1


def test_an_open_shard_cannot_be_opened_again(store, path):
    store.upsert(points([1]))
    with pytest.raises(AESGStorageError, match="Cannot open"):
        open_store(path)
    assert store.count() == 1


def test_a_closed_store_refuses_and_says_so(store):
    store.close()
    for use in (store.count, store.sync, store.optimize, lambda: store.upsert(points([1]))):
        with pytest.raises(AESGStorageError, match="it is closed"):
            use()


def test_opening_reading_and_closing_leaves_every_byte(store, path):
    store.upsert(points(range(500)))
    store.close()
    before = hashes(path)
    for _ in range(3):
        with closing(open_store(path)) as again:
            again.search(directions(2, D), 3)
            again.page(NO_ID, 100)
            again.sync()
        assert hashes(path) == before


# Kills

WRITE_UNTIL_KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from test_edge import *
store = open_store(Path(sys.argv[1]))
for round in range(10_000):
    store.upsert(points(range(100 * round, 100 * round + 100), seed=round))
    print("upserted", round, flush=True)
    store.rekey(np.arange(100 * round, 100 * round + 10), directions(10, D, -1 - round % 5 + 100), 1, 1, 1)
    print("rekeyed", round, flush=True)
    store.delete(np.arange(100 * round + 90, 100 * round + 100))
    print("deleted", round, flush=True)
    if round % 7 == 0:
        store.sync()
"""


@pytest.mark.parametrize("lines", [1, 2, 3, 50, 211])
def test_what_was_acknowledged_before_a_kill_is_there_after_it(store, path, lines):
    store.close()
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        heard = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        heard += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    done = {"upserted": -1, "rekeyed": -1, "deleted": -1}
    for what, round in (line.split() for line in heard if line.endswith("\n")):
        done[what] = int(round)
    with closing(open_store(path)) as again:
        found = again.page(NO_ID, 10_000_000)
        by_round = found.ids // 100
        for round in range(done["upserted"] + 1):
            rows = np.flatnonzero(by_round == round)
            offsets, expected = found.ids[rows] % 100, directions(100, D, round)
            assert set(range(90)) <= set(offsets.tolist())
            assert np.array_equal(found.keys[rows[10:90]], expected[10:90])
            assert np.array_equal(found.values[rows[:90]], expected[:90, :V])
            if round <= done["rekeyed"]:
                assert np.array_equal(found.keys[rows[:10]], directions(10, D, -1 - round % 5 + 100))
                assert found.versions[rows].tolist() == [1] * 10 + [0] * (len(rows) - 10)
            if round <= done["deleted"]:
                assert len(rows) == 90
        again.upsert(points([10**9]))
        assert again.count() == len(found) + 1


# Damage


def shard_files(path):
    """The files of each kind that a shard cannot do without."""
    segment = next((path / "segments").iterdir())
    names = ["segment.json", "version.info", "mutable_id_tracker.mappings", "mutable_id_tracker.versions"]
    names += ["payload_storage/page_0.dat", "payload_storage/tracker.dat", "vector_storage-key/vectors/chunk_0.mmap"]
    names += ["vector_storage-key/vectors/status.dat", "vector_storage-value/vectors/chunk_0.mmap"]
    return [path / "edge_config.json", path / "shard.json", path / "seal.json", *(segment / name for name in names)]


def test_a_missing_or_cut_off_file_is_noticed(store, path):
    store.upsert(points(range(2000)))
    store.close()
    whole = path.with_name("whole")
    path.rename(whole)
    unnoticed = []
    for file in [file.relative_to(whole) for file in shard_files(whole)]:
        for size in (None, 0, (whole / file).stat().st_size // 2):
            # Copied without their holes filled: a mapped file is large and nearly empty.
            subprocess.run(["cp", "-r", "--sparse=always", whole, path], check=True)
            os.truncate(path / file, size) if size is not None else (path / file).unlink()
            try:
                open_store(path).close()
                unnoticed.append((file.name, size))
            except AESGStorageError as error:
                unnoticed += [] if str(path) in error.message else [error.message]
            shutil.rmtree(path)
    # Without its seal a shard is taken to have been killed, which it survives.
    assert unnoticed == [("seal.json", None)]


@pytest.mark.parametrize("part", ["wal", "segments", "segments/*", "segments/*/vector_storage-value"])
def test_a_part_that_is_missing_after_a_kill_is_noticed(store, path, part):
    store.upsert(points(range(10)))
    store.close()
    (path / "seal.json").unlink()
    for directory in path.glob(part):
        shutil.rmtree(directory)
    with pytest.raises(AESGStorageError, match="is missing") as refused:
        open_store(path)
    assert str(path) in str(refused.value)


def test_a_panic_inside_edge_becomes_a_storage_error(store, path):
    store.upsert(points(range(10)))
    store.close()
    (path / "seal.json").unlink()
    for status in path.glob("segments/*/vector_storage-key/vectors/status.dat"):
        os.truncate(status, 0)
    with pytest.raises(AESGStorageError, match="Cannot open") as refused:
        open_store(path)
    assert not isinstance(refused.value.__cause__, Exception)


@pytest.mark.parametrize(
    ("file", "entry", "number", "said"),
    [
        ("seal.json", "points", 11, "has 10 points, expected 11"),
        ("shard.json", "format", 2, "has format 2, expected 1"),
        ("shard.json", "segments", None, "is damaged"),
    ],
)
def test_records_that_do_not_fit_are_refused(store, path, file, entry, number, said):
    store.upsert(points(range(10)))
    store.close()
    recorded = json.loads((path / file).read_text())
    whole = (path / file).read_text()
    (path / file).write_text(json.dumps({**recorded, entry: number}))
    with pytest.raises(AESGStorageError, match=said):
        open_store(path)
    (path / file).write_text(whole)
    with closing(open_store(path)) as again:  # Refusing let go of the shard.
        assert again.count() == 10


def test_overwritten_payloads_are_noticed_on_opening(store, path):
    store.upsert(points(range(10)))
    store.close()
    for page in path.glob("segments/*/payload_storage/page_0.dat"):
        with page.open("r+b") as handle:
            handle.write(os.urandom(4096))
    with pytest.raises(AESGStorageError, match="Cannot open"):
        open_store(path)


def test_a_full_disk_is_an_error_and_reading_goes_on(store, path, monkeypatch):
    store.upsert(points([1]))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    for write in (
        lambda: store.upsert(points([2])),
        lambda: store.rekey(np.array([1]), directions(1, D, 3), 1, 1, 1),
        lambda: store.label(np.array([1]), np.array([1])),
        lambda: store.delete(np.array([1])),
        store.optimize,
        lambda: EdgeVectorStore.create(path.with_name("other"), D, V),
    ):
        with pytest.raises(AESGStorageError, match="1048576 bytes are free"):
            write()
    assert store.page(NO_ID, 5).ids.tolist() == [1]
    store.close()
    with closing(open_store(path)) as again:
        assert again.fetch(np.array([1])).versions.tolist() == [0]
    (path / "seal.json").unlink()
    with pytest.raises(AESGStorageError, match="1048576 bytes are free"):
        open_store(path)  # After a kill Edge would write.


# Flushing


@pytest.mark.parametrize(("durability", "flushed"), [("process", True), ("power", False)])
def test_a_store_flushes_by_itself_unless_its_owner_syncs(path, durability, flushed):
    with closing(EdgeVectorStore.create(path, D, 0, durability)) as store:
        batch = points(range(21_000), has_value=False)
        batch.values.resize((21_000, 0), refcheck=False)
        store.upsert(batch)
        assert bool([*path.glob("segments/*/mutable_id_tracker.mappings")]) == flushed
        store.sync()
        assert [*path.glob("segments/*/mutable_id_tracker.mappings")]


# Threads and forks


def test_readers_and_writers_run_side_by_side(store):
    store.upsert(points(range(2000)))
    stop, failures = threading.Event(), []

    def read():
        try:
            while not stop.is_set():
                found = store.fetch(np.arange(0, 2000, 7))
                assert len(found) == 286
                # A point is seen before its rekeying or after it, never in between.
                assert np.array_equal(
                    found.keys[:, :V] == found.values, np.repeat(found.versions[:, None] == 0, V, axis=1)
                )
                ids, _ = store.search(found.keys[:4], 3)
                assert (ids != NO_ID).all()
                assert len(store.page(500, 100)) == 100
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for round in range(1, 7):
        store.rekey(np.arange(2000), directions(2000, D, round), round, 1, round)
        store.upsert(points(range(2000 + 100 * round, 2100 + 100 * round)))
        store.label(np.arange(2000), np.arange(2000) % 5)
        store.delete(np.arange(2000 + 100 * round, 2050 + 100 * round))
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert store.count() == 2000 + 6 * 50


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_refused_and_leaves_the_shard_alone(store, path):
    store.upsert(points(range(100)))
    child = os.fork()
    if child == 0:
        try:
            store.count()
        except AESGStorageError as error:
            store.close()
            del store
            os._exit(0 if "forked" in str(error) else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    store.upsert(points(range(100, 200)))
    store.close()
    with closing(open_store(path)) as again:
        assert np.array_equal(again.fetch(np.arange(200)).keys[:100], directions(100, D))
