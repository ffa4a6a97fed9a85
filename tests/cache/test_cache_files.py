"""A cache is taken up when it is good, begun anew when it is not, and never writes where it must not."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cache_checks import assert_same, audit
from plain_memory import LAYOUT, LIMITS, ROOMY, STAMP, Opener, PlainMemory
from random_lessons import Lessons, births, unit

from aesg_graph.cache import CacheLayout, CacheStamp, ConceptCache
from aesg_graph.concepts import Relations, RelationType
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import Remove, Touch

LATER = replace(STAMP, sequence=80)


def filled(cache: ConceptCache, seed: int = 0) -> PlainMemory:
    memory = PlainMemory()
    lessons = Lessons(seed, memory)
    for sequence in range(1, 81):
        operation = births(lessons.rng, lessons.fresh(10)) if sequence < 10 else lessons.next()
        cache.apply(operation, sequence, float(sequence))
        memory.apply(operation, float(sequence))
    return memory


@pytest.fixture
def closed(open_cache: Opener) -> PlainMemory:
    """A cache that was closed in order at LATER; what it holds."""
    cache = open_cache()
    memory = filled(cache)
    cache.complete = True
    cache.close(LATER)
    return memory


def hashes(directory: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.iterdir())}


def test_a_cache_that_was_closed_in_order_is_taken_up_as_it_was(open_cache: Opener, closed: PlainMemory) -> None:
    cache = open_cache(expected=LATER)
    assert (cache.reused, cache.complete) == (True, True)
    assert_same(cache, closed)
    audit(cache)
    lessons = Lessons(1, closed)
    lessons.next_id = 10_000
    for sequence in range(81, 160):
        operation = lessons.next()
        cache.apply(operation, sequence, float(sequence))
        closed.apply(operation, float(sequence))
    assert_same(cache, closed)
    audit(cache)


@pytest.mark.parametrize(
    "given",
    [
        {"expected": replace(LATER, sequence=81)},
        {"expected": replace(LATER, sequence=79)},
        {"expected": replace(LATER, writer=8)},
        {"expected": replace(LATER, incarnation=4)},
        {"layout": replace(LAYOUT, vector_dim=7)},
        {"layout": replace(LAYOUT, value_dim=0)},
        {"layout": CacheLayout.of(6, 3, Relations([RelationType("KNOWS")]))},
    ],
    ids=lambda given: next(iter(given)),
)
def test_another_stamp_or_layout_begins_an_empty_cache(
    open_cache: Opener, closed: PlainMemory, given: dict[str, CacheStamp | CacheLayout]
) -> None:
    cache = open_cache(**({"expected": LATER} | given))
    assert (cache.reused, cache.resident, cache.complete) == (False, 0, False)


FILES = (
    "header ids keys regions lives start degree room pending used index neighbour_ids neighbour_slots weights arcs wear"
)


@pytest.mark.parametrize("name", FILES.split())
@pytest.mark.parametrize("damage", ["missing", "short", "empty", "long"])
def test_files_of_the_wrong_length_begin_an_empty_cache(
    open_cache: Opener, closed: PlainMemory, tmp_path: Path, name: str, damage: str
) -> None:
    file = tmp_path / "cache" / f"{name}.bin"
    if damage == "missing":
        file.unlink()
    else:
        os.truncate(file, {"short": file.stat().st_size - 1, "empty": 0, "long": file.stat().st_size + 4096}[damage])
    if (name, damage) == ("header", "long"):
        return  # the text in the header says itself how long it is
    cache = open_cache(expected=LATER)
    assert not cache.reused
    assert_same_after_refilling(cache)


def assert_same_after_refilling(cache: ConceptCache) -> None:
    assert cache.resident == 0
    assert_same(cache, filled(cache))


def test_any_flipped_byte_of_the_header_begins_an_empty_cache(
    open_cache: Opener, closed: PlainMemory, tmp_path: Path
) -> None:
    directory, copy = tmp_path / "cache", tmp_path / "copy"
    size = (directory / "header.bin").stat().st_size
    text = len((directory / "header.bin").read_bytes().rstrip(b"\0"))
    shutil.copytree(directory, copy)
    for place in [*range(0, 240, 7), 4095, 4096, 4200, min(size, text) - 1]:
        shutil.rmtree(directory)
        shutil.copytree(copy, directory)
        with (directory / "header.bin").open("r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 0x10]))
        cache = open_cache(expected=LATER)
        assert not cache.reused, place
        cache.close(LATER, clean=False)


@pytest.mark.parametrize("name", ["ids", "start", "degree", "room", "index", "neighbour_slots"])
def test_numbers_that_lead_outside_begin_an_empty_cache(
    open_cache: Opener, closed: PlainMemory, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "cache" / f"{name}.bin"
    data = np.fromfile(file, np.uint8)
    data[: len(data) // 2] = 0x7F
    data.tofile(file)
    assert not open_cache(expected=LATER).reused


def test_a_checkpoint_is_good_until_the_next_modification(open_cache: Opener, tmp_path: Path) -> None:
    cache = open_cache()
    memory = filled(cache)
    cache.checkpoint(LATER)
    shutil.copytree(tmp_path / "cache", tmp_path / "saved")
    cache.apply(Touch(np.array(sorted(memory.concepts)[:1]), np.ones(1, int), np.zeros(1, int), 1), 81, 81.0)
    cache.close(LATER, clean=False)
    assert not open_cache(expected=LATER).reused
    saved = ConceptCache.open(tmp_path / "saved", LAYOUT, ROOMY, LATER, LIMITS)
    assert saved.reused
    assert_same(saved, memory)
    saved.close(LATER)


CHILD = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from plain_memory import LAYOUT, LIMITS, ROOMY, STAMP
from aesg_graph.cache import ConceptCache
from test_cache_files import filled, LATER
cache = ConceptCache.open(Path(sys.argv[1]), LAYOUT, ROOMY, STAMP, LIMITS)
filled(cache)
how = sys.argv[3]
if how == "closed":
    cache.close(LATER)
elif how == "exit":
    os._exit(0)
else:
    cache.checkpoint(LATER)
    if how == "modified":
        cache.complete = True
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("how", "good"), [("closed", True), ("exit", False), ("kill", True), ("modified", False)])
def test_after_a_kill_only_what_was_marked_as_good_is_taken_up(
    open_cache: Opener, tmp_path: Path, how: str, good: bool
) -> None:
    arguments = [sys.executable, "-c", CHILD, str(tmp_path / "cache"), str(Path(__file__).parent), how]
    status = subprocess.run(arguments, timeout=60, check=False).returncode
    assert status == (-signal.SIGKILL if how in ("kill", "modified") else 0)
    cache = open_cache(expected=LATER)
    assert cache.reused is good
    if good:
        audit(cache)


def test_reading_alone_leaves_a_good_cache_good(open_cache: Opener, closed: PlainMemory, tmp_path: Path) -> None:
    cache = open_cache(expected=LATER)
    before = hashes(tmp_path / "cache")
    cache.seeds(unit(np.random.default_rng(0), 3), 3, 0.1)
    cache.adjacency()
    cache.gather(np.array([0, -1], np.int32))
    cache.edges_of(1)
    cache.weakest(3)
    assert hashes(tmp_path / "cache") == before
    # Even what marks recent use must not cost the good cache if the process is killed now.
    cache.touch_used(np.array([0, 1], np.int32))
    cache.close(LATER, clean=False)
    assert open_cache(expected=LATER).reused


def test_a_private_cache_never_changes_a_byte_on_disk(open_cache: Opener, closed: PlainMemory, tmp_path: Path) -> None:
    before = hashes(tmp_path / "cache")
    cache = open_cache(expected=LATER, mode="private")
    assert (cache.reused, cache.private) == (True, True)
    lessons = Lessons(1, closed)
    lessons.next_id = 10_000
    for sequence in range(81, 200):
        operation = births(lessons.rng, lessons.fresh(20)) if sequence % 3 == 0 else lessons.next()
        cache.apply(operation, sequence, float(sequence))
        closed.apply(operation, float(sequence))
    cache.touch_used(np.array([0, 1], np.int32))
    cache.due(100)
    audit(cache)
    assert_same(cache, closed)
    cache.checkpoint(replace(LATER, sequence=200))
    cache.close(replace(LATER, sequence=200))
    assert hashes(tmp_path / "cache") == before


def test_a_private_cache_without_good_files_is_held_in_memory(open_cache: Opener, tmp_path: Path) -> None:
    cache = open_cache(mode="private")
    assert not cache.reused
    assert_same(cache, filled(cache))
    assert not (tmp_path / "cache").exists()


def test_a_reader_beside_a_running_owner_sees_whole_keys(open_cache: Opener, tmp_path: Path) -> None:
    owner = open_cache()
    memory = filled(owner)
    reader = open_cache(mode="read", expected=replace(STAMP, sequence=999))
    assert reader.reused
    ids, keys = reader.snapshot_keys()
    assert sorted(ids.tolist()) == sorted(memory.concepts)
    np.testing.assert_array_equal(keys, np.array([memory.concepts[i].key for i in ids.tolist()]))
    # It looks at the same pages as the owner, so it sees what happens next.
    gone = ids[::2]
    owner.apply(Remove(gone), 100, 100.0)
    assert not set(reader.snapshot_keys()[0].tolist()) & set(gone.tolist())
    assert set(reader.strings()) >= {"concept", "sense"}
    with pytest.raises(AESGMemoryError, match="opened for reading"):
        reader.apply(Remove(ids), 101, 101.0)


def test_a_reader_survives_the_owners_growth_and_a_new_beginning(open_cache: Opener) -> None:
    rng = np.random.default_rng(0)
    owner = open_cache()
    owner.apply(births(rng, np.arange(10)), 1, 1.0)
    reader = open_cache(mode="read")
    owner.apply(births(rng, np.arange(10, 5000)), 2, 2.0)
    # What was mapped when it was opened is all that it sees.
    assert set(range(10)) <= set(reader.snapshot_keys()[0].tolist())
    owner.close(STAMP, clean=False)
    open_cache().apply(births(rng, np.arange(7000, 7010)), 1, 1.0)
    assert set(range(10)) <= set(reader.snapshot_keys()[0].tolist())


def test_a_reader_without_an_owner_finds_nothing(open_cache: Opener, tmp_path: Path) -> None:
    reader = open_cache(mode="read")
    assert not reader.reused
    assert len(reader.snapshot_keys()[0]) == 0
    assert not (tmp_path / "cache").exists()


def test_a_full_disk_is_an_error_and_changes_nothing(open_cache: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = open_cache()
    memory = filled(cache)
    allocate = os.posix_fallocate

    def full(file: int, offset: int, size: int) -> None:
        # Some columns still fit, the next one does not.
        if size > 30_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(file, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", full)
    many = births(np.random.default_rng(0), np.arange(10_000, 20_000))
    for refused in (lambda: cache.reserve([many]), lambda: cache.apply(many, 90, 90.0)):
        with pytest.raises(AESGStorageError, match="No space left on device"):
            refused()
        audit(cache)
        assert_same(cache, memory)
    monkeypatch.undo()
    cache.apply(many, 90, 90.0)
    memory.apply(many, 90.0)
    assert_same(cache, memory)
    audit(cache)


def test_an_index_that_cannot_grow_is_an_error_and_changes_nothing(
    open_cache: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = open_cache()
    memory = filled(cache)
    allocate = os.posix_fallocate

    def full(file: int, offset: int, size: int) -> None:
        if os.readlink(f"/proc/self/fd/{file}").endswith(".new"):
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(file, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", full)
    many = births(np.random.default_rng(0), np.arange(10_000, 20_000))
    with pytest.raises(AESGStorageError, match="index"):
        cache.apply(many, 90, 90.0)
    monkeypatch.undo()
    assert not list((tmp_path / "cache").glob("*.new"))
    audit(cache)
    assert_same(cache, memory)
    cache.close(LATER)
    assert_same(open_cache(expected=LATER), memory)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system of its own needs root")
def test_a_really_full_disk_is_an_error_and_not_a_signal(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        cache = ConceptCache.open(small / "cache", LAYOUT, ROOMY, STAMP, LIMITS)
        memory = filled(cache)
        rng = np.random.default_rng(0)
        with pytest.raises(AESGStorageError, match="No space left on device"):  # noqa: PT012
            for n in range(100):
                more = births(rng, np.arange(10_000 + 500 * n, 10_500 + 500 * n))
                cache.apply(more, 90, 90.0)
                memory.apply(more, 90.0)
        assert len(memory.concepts) > 2000
        audit(cache)
        assert_same(cache, memory)
        cache.close(STAMP, clean=False)
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def test_what_was_reserved_needs_no_more_space(open_cache: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, cache = PlainMemory(), open_cache()
    lessons = Lessons(7, memory)
    allocate = os.posix_fallocate
    for sequence in range(1, 250):
        operations = [births(lessons.rng, lessons.fresh(25)), lessons.link(), lessons.next()]
        cache.reserve(operations)

        def full(file: int, offset: int, size: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "posix_fallocate", full)
        for operation in operations:
            cache.apply(operation, sequence, float(sequence))
            memory.apply(operation, float(sequence))
        monkeypatch.setattr(os, "posix_fallocate", allocate)
    audit(cache)
    assert_same(cache, memory)


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(AESGStorageError, match="cannot be opened"):
        ConceptCache.open(tmp_path / "cache", LAYOUT, ROOMY, STAMP, LIMITS)
