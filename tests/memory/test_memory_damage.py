"""Directories that cannot be used, disks that are full, files that are damaged."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager

import pytest
import torch
from memory_scenes import D, V, config, hashes, rows, uses
from sparse_files import copy_tree

from aesg_graph import AESGMemory, AESGStorageError
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.sync.lock import holder


def taught(path, **changes):
    """A closed memory of 30 concepts."""
    with AESGMemory(path, config(**changes)) as memory:
        ids = memory.create(rows(30), rows(30, 1, V))
        memory.link(ids[:-1], ids[1:], "CAUSAL", 0.5)
        memory(rows(5))
        return picture(memory)


def picture(memory):
    ctx = memory.retrieve(rows(4, 9), learn=False)
    return uses(memory), memory.storage.edge_count, ctx.ids.tolist(), ctx.energies.tolist()


# -- directories ------------------------------------------------------------------------------------------------------


def test_a_directory_that_is_a_file_is_refused(place):
    (place / "file").write_text("precious")
    with pytest.raises(AESGStorageError, match="file is a file; a memory needs a directory"):
        AESGMemory(place / "file", config())
    with pytest.raises(AESGStorageError, match=r"file.below"):
        AESGMemory(place / "file" / "below", config())
    assert (place / "file").read_text() == "precious"


def test_a_directory_with_something_else_in_it_is_refused(place):
    (place / "home").mkdir()
    (place / "home" / "thesis.tex").write_text("precious")
    with pytest.raises(AESGStorageError, match=r"not empty \(it holds thesis.tex\): give an empty or a new directory"):
        AESGMemory(place / "home", config())
    assert [f.name for f in (place / "home").iterdir()] == ["thesis.tex"]


@contextmanager
def mounted(path, *options):
    """A file system of its own at ``path``; skips where mounting is not allowed."""
    path.mkdir(exist_ok=True)
    try:
        done = subprocess.run(["mount", *options, str(path)], capture_output=True)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode:
        pytest.skip("mounting is not allowed here; the injected errors below stand for it")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_read_only_directory_is_refused(place):
    (place / "whole").mkdir()
    taught(place / "whole" / "memory")
    with mounted(place / "view", "-o", "bind,ro", str(place / "whole")):
        for name in ("memory", "new"):
            with pytest.raises(AESGStorageError, match=r"cannot be (written to|read)"):
                AESGMemory(place / "view" / name, config())
    with AESGMemory(place / "whole" / "memory") as memory:
        assert memory.storage.node_count == 30


def test_a_directory_without_permission_is_refused(place, monkeypatch):
    """Who runs the tests may be allowed everything; then the system's answer is put in its mouth."""
    (place / "memory").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(AESGStorageError, match="cannot be written to: permission denied"):
        AESGMemory(place / "memory", config())
    assert list((place / "memory").iterdir()) == []


def test_a_full_disk_is_an_error_and_what_was_acknowledged_stays(place):
    with mounted(place / "disk", "-t", "tmpfs", "-o", "size=80m", "none") as disk:
        memory = AESGMemory(disk / "memory", config())
        kept = memory.create(rows(10), rows(10, 1, V)).tolist()
        memory.flush()
        fill(disk, leave=64 << 10)
        with pytest.raises(AESGStorageError, match=r"No space left|full|No room|cannot be"):
            create_until_refused(memory, kept)
        assert memory.retrieve(rows(3), learn=False).mask.any(), "reading goes on"
        (disk / "ballast").unlink()
        for _ in range(50):  # the flusher's failure was told, and it goes on
            try:
                memory.flush()
                break
            except AESGStorageError:
                continue
        assert memory.create(rows(1, 5000)).numel() == 1
        memory.close()
        with AESGMemory(disk / "memory") as memory:
            assert memory.storage.node_count == len(kept) + 1
            assert set(kept) <= set(memory.storage.nodes["id"].tolist())


def test_a_memory_cannot_be_made_on_a_full_disk_and_can_once_there_is_room(place):
    with mounted(place / "disk", "-t", "tmpfs", "-o", "size=80m", "none") as disk:
        fill(disk, leave=64 << 10)
        with pytest.raises(AESGStorageError):
            AESGMemory(disk / "memory", config())
        assert holder(disk / "memory" / "lock") is None
        (disk / "ballast").unlink()
        with AESGMemory(disk / "memory", config()) as memory:
            assert memory.create(rows(1)).numel() == 1


def create_until_refused(memory, kept):
    for seed in range(1000):
        kept += memory.create(rows(100, seed), rows(100, seed, V)).tolist()


def fill(disk, leave):
    """Leave so many bytes free."""
    free = shutil.disk_usage(disk).free
    with open(disk / "ballast", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - leave))


def test_a_journal_that_cannot_be_written_refuses_the_lesson_and_keeps_everything(place, monkeypatch):
    memory = AESGMemory(place / "memory", config())
    memory.create(rows(3), rows(3, 1, V))
    memory.flush()
    engine = memory.engine
    before = standing(memory)
    # As a full disk does it: not another page for the journal.
    connection = engine._backend.journal._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(AESGStorageError, match=r"journal.* cannot be extended by batch \d+.*full"):
        memory.create(rows(2000, 1), rows(2000, 2, V))
    assert standing(memory) == before
    connection.execute("PRAGMA max_page_count = 1073741823")
    assert memory.create(rows(1, 3)).numel() == 1
    memory.close()
    with AESGMemory(place / "memory") as memory:
        assert memory.storage.node_count == 4


def standing(memory):
    """All but the cache, where space for what never came may have been taken."""
    files = {name: sums for name, sums in hashes(memory.directory).items() if not name.startswith("cache/")}
    return memory.engine.position, memory.engine.changes, memory.storage.node_count, files


def test_a_cache_that_finds_no_room_refuses_the_lesson_before_it_is_journalled(place, monkeypatch):
    memory = AESGMemory(place / "memory", config())
    memory.create(rows(3), rows(3, 1, V))
    position = memory.engine.position
    monkeypatch.setattr(os, "posix_fallocate", no_space)
    with pytest.raises(AESGStorageError, match="No space left"):
        memory.create(rows(5000, 1), rows(5000, 2, V))
    assert memory.engine.position == position
    assert memory.storage.node_count == 3
    assert memory.retrieve(rows(3), learn=False).mask.any()
    monkeypatch.undo()
    assert memory.create(rows(5000, 1)).numel() == 5000
    memory.close()


def no_space(*arguments):
    raise OSError(28, "No space left on device")


# -- damage -----------------------------------------------------------------------------------------------------------


def flip(file, at=0.5):
    content = bytearray(file.read_bytes())
    content[min(len(content) - 1, int(len(content) * at))] ^= 0xFF
    file.write_bytes(content)


def cut(file, to=0.5):
    os.truncate(file, int(file.stat().st_size * to))


def empty(file):
    os.truncate(file, 0)


def remove(file):
    shutil.rmtree(file) if file.is_dir() else file.unlink()


def look_at_everything(path):
    with AESGMemory(path) as memory:
        assert len(memory.storage.nodes) == memory.storage.node_count
        memory.retrieve(rows(2), learn=False)


def refuses(path, name):
    """Opening, or at the latest looking at everything, refuses, and names what is wrong; the lock is free again."""
    with pytest.raises(AESGStorageError) as caught:
        look_at_everything(path)
    assert name in caught.value.message, caught.value.message
    assert holder(path / "lock") is None


@pytest.mark.parametrize("name", ["journal.db", "graph.db", "vectors"])
def test_a_missing_part_is_named_and_nothing_is_made_in_its_place(place, name):
    taught(place / "memory")
    remove(place / "memory" / name)
    before = hashes(place / "memory")
    with pytest.raises(AESGStorageError, match=rf"{name} is missing from the memory directory: .*(repair|restore)"):
        AESGMemory(place / "memory")
    assert hashes(place / "memory") == before
    assert holder(place / "memory" / "lock") is None


@pytest.mark.parametrize("damage", [cut, empty])
@pytest.mark.parametrize("name", ["journal.db", "graph.db"])
def test_a_truncated_database_is_named(place, name, damage):
    taught(place / "memory")
    damage(place / "memory" / name)
    refuses(place / "memory", name)


@pytest.mark.parametrize("name", ["journal.db", "graph.db"])
def test_what_is_no_database_is_named(place, name):
    taught(place / "memory")
    (place / "memory" / name).write_bytes(b"nonsense" * 4096)
    refuses(place / "memory", name)


def unflushed(place):
    """A copy of a directory in which a batch waits in the journal, as a kill leaves it."""
    memory = AESGMemory(place / "memory", config())
    memory.create(rows(3), rows(3, 1, V))
    memory.flush()
    lock = memory.engine.residency.graph._write_lock
    with lock:
        memory.create(rows(4, 1), rows(4, 2, V))
        copy_tree(place / "memory", place / "killed")
    memory.close()
    return place / "killed"


def test_a_journal_left_by_a_kill_is_recovered(place):
    with AESGMemory(unflushed(place)) as memory:
        assert memory.storage.node_count == 7


def test_a_flipped_byte_in_a_waiting_batch_is_found_and_told(place):
    killed = unflushed(place)
    connection = sqlite3.connect(killed / "journal.db")
    ((sequence, payload),) = connection.execute("SELECT sequence, payload FROM batches").fetchall()
    damaged = bytearray(payload)
    damaged[len(damaged) // 2] ^= 1
    connection.execute("UPDATE batches SET payload = ?", (bytes(damaged),))
    connection.commit()
    connection.close()
    with pytest.raises(AESGStorageError, match=rf"journal.db is damaged: batch {sequence} .*checksum.*check --repair"):
        AESGMemory(killed)
    assert holder(killed / "lock") is None


@pytest.mark.parametrize("damage", [remove, cut, empty, flip])
def test_a_damaged_cache_is_built_again_and_nothing_is_lost(place, damage):
    before = taught(place / "memory")
    files = sorted(f.name for f in (place / "memory" / "cache").iterdir() if f.is_file())
    assert len(files) > 5
    for name in files:
        work = place / "work"
        copy_tree(place / "memory", work)
        damage(work / "cache" / name)
        with AESGMemory(work) as memory:
            if not (damage is flip and memory.engine.residency.cache.reused):
                assert picture(memory) == before, name
        shutil.rmtree(work)


def test_a_deleted_cache_is_built_again(place):
    before = taught(place / "memory")
    shutil.rmtree(place / "memory" / "cache")
    with AESGMemory(place / "memory") as memory:
        assert picture(memory) == before


@pytest.mark.parametrize("damage", [remove, cut, empty])
def test_a_damaged_shard_is_named(place, damage):
    before = taught(place / "memory")
    refused = 0
    shutil.rmtree(place / "memory" / "cache")  # so that vectors are needed
    vectors = place / "memory" / "vectors"
    files = sorted(f for f in vectors.rglob("*") if f.is_file() and f.stat().st_size and "segments" in f.parts)
    assert files
    for file in files:
        work = place / "work"
        copy_tree(place / "memory", work)
        damage(work / file.relative_to(place / "memory"))
        # Whatever Edge does not need, or mends from its log, may be gone: then nothing else is.
        told = opening_error(work, before)
        assert told is None or "vector" in told, file
        refused += told is not None
        shutil.rmtree(work)
    assert refused


def opening_error(path, before):
    """What the opening is refused with, if it is; otherwise everything must be there."""
    try:
        memory = AESGMemory(path)
    except AESGStorageError as error:
        return error.message
    with memory:
        assert picture(memory) == before
    return None


def test_a_damaged_format_file_is_named(place):
    taught(place / "memory")
    (place / "memory" / "format.json").write_text("{")
    with pytest.raises(AESGStorageError, match=r"format\.json is damaged"):
        AESGMemory(place / "memory")


def test_another_format_version_is_named(place):
    taught(place / "memory")
    (place / "memory" / "format.json").write_text('{"format": 99}')
    with pytest.raises(AESGStorageError, match="has format version 99; this release reads version 1"):
        AESGMemory(place / "memory")


def test_a_cache_that_broke_in_the_middle_of_a_lesson_is_not_trusted_again(place, monkeypatch):
    memory = AESGMemory(place / "memory", config())
    memory.create(rows(3), rows(3, 1, V))
    monkeypatch.setattr(memory.engine.residency.cache, "apply", broken_apply)
    with pytest.raises(AESGStorageError, match=r"could not take a journalled lesson.*close and open"):
        memory.create(rows(2, 1))
    with pytest.raises(AESGStorageError, match="close and open"):
        memory(rows(1))
    memory.close()
    with AESGMemory(place / "memory") as memory:
        assert not memory.engine.residency.cache.reused
        assert memory.storage.node_count == 5, "it was acknowledged: journalled is kept"


def broken_apply(*arguments):
    raise RuntimeError("a bug")


def cut_short(*arguments, **how):
    raise KeyboardInterrupt


def test_a_creation_that_was_cut_short_leaves_nothing_in_the_way(place, monkeypatch):
    monkeypatch.setattr(EdgeVectorStore, "create", cut_short)
    with pytest.raises(KeyboardInterrupt):
        AESGMemory(place / "memory", config())
    monkeypatch.undo()
    with AESGMemory(place / "memory", config()) as memory:
        memory(torch.ones(1, D))
        assert memory.storage.node_count == 1
