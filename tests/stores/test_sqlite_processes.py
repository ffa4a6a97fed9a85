"""A graph file between threads and processes: readers beside the writer, and a writer that is killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.stores.testing.graph import HEAD, LIMITS, RELATIONS, Scribe, create, link, touch

BORN = 1500
"""Concepts born in each of the child's batches."""
ROUNDS = 6


def child_batch(sequence: int) -> Batch:
    """The child's batch of a sequence: births, a ring of edges between them, and a use of each."""
    ids = np.arange(BORN, dtype=np.int64) + sequence * BORN
    ring = np.stack([ids, np.roll(ids, 1)], axis=1).tolist()
    return Batch(1, 1, sequence, float(sequence), (create(ids), link(ring), touch(ids)))


def run_child(path: str) -> None:
    """Carry out batch after batch, saying so after each; wait for a line before the first."""
    store = SqliteGraphStore.open(path, RELATIONS)
    state = store.writer(1)
    print("ready", flush=True)
    sys.stdin.readline()
    sequence = state.sequence
    while True:
        sequence += 1
        (outcome,) = store.apply([child_batch(sequence)])
        print(outcome.status, sequence, flush=True)
        if len(sys.argv) > 2:
            sys.stdin.readline()


def start(path: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, str(path), *words]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


def kill(child: subprocess.Popen[str]) -> list[str]:
    """Kill a child; what it still said."""
    child.send_signal(signal.SIGKILL)
    said, _ = child.communicate()
    return said.splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "graph.db"
    store = SqliteGraphStore.create(path, HEAD, LIMITS, RELATIONS)
    store.lease(1)
    store.close()
    return path


def test_a_killed_writer_leaves_whole_batches_and_loses_none_that_it_acknowledged(path: Path) -> None:
    rng = random.Random(5)
    done = 0
    for _ in range(ROUNDS):
        child = start(path)
        print(file=child.stdin, flush=True)
        for _ in range(rng.randrange(3)):
            done = int(child.stdout.readline().split()[1])
        threading.Event().wait(rng.random() * 0.03)
        said = [line.split() for line in kill(child)]
        assert all(line[0] == "applied" for line in said)
        acknowledged = max([done, *(int(line[1]) for line in said if len(line) == 2)])

        store = SqliteGraphStore.open(path, RELATIONS)
        done = store.writer(1).sequence
        assert done in (acknowledged, acknowledged + 1)
        counts = store.count()
        assert (counts.concepts, counts.edges) == (done * BORN, done * BORN)
        assert all(o.status == "skipped" for o in store.apply([child_batch(n) for n in range(1, done + 1)]))
        ids = np.arange((done + 1) * BORN)
        assert store.read(ids, edges=False).concepts.use_frequency.tolist() == [1] * (done * BORN)
        store.close()
    assert done >= ROUNDS // 2
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


def test_others_read_beside_a_writing_process(path: Path) -> None:
    child = start(path, "step")
    reader = SqliteGraphStore.open(path, RELATIONS, read_only=True)
    try:
        for done in range(1, 4):
            assert reader.count().concepts == (done - 1) * BORN
            print(file=child.stdin, flush=True)
            assert child.stdout.readline() == f"applied {done}\n"
            assert reader.count().concepts == done * BORN
            assert len(reader.page(-1, 10_000).edges) == done * BORN
        assert SqliteGraphStore.peek(path) == HEAD
        with pytest.raises(AESGStorageError, match="read-only"):
            reader.apply([child_batch(4)])
    finally:
        kill(child)
        reader.close()


def test_every_read_is_of_one_moment_while_another_thread_writes(tmp_path: Path) -> None:
    store = SqliteGraphStore.create(tmp_path / "graph.db", HEAD, LIMITS, RELATIONS)
    scribe = Scribe(store)
    ids = scribe.fresh(250)
    failures: list[str] = []
    reads = 0
    over = threading.Event()

    def watch() -> None:
        nonlocal reads
        while not over.is_set():
            seen = store.read(ids)
            reads += 1
            born = len(seen.concepts)
            if len(seen.edges) != max(0, born - 1) or (seen.concepts.use_frequency != born - np.arange(born)).any():
                failures.append(f"{born} concepts, {len(seen.edges)} edges, {seen.concepts.use_frequency}")

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for n, id in enumerate(ids.tolist()):
            chain = [link([(int(ids[n - 1]), id)])] if n else []
            scribe.write(create([id]), *chain, touch(ids[: n + 1]))
    finally:
        over.set()
        for watcher in watchers:
            watcher.join()
        store.close()
    assert failures == []
    assert reads > 10


if __name__ == "__main__":
    run_child(sys.argv[1])
