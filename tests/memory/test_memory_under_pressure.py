"""Stores that fail or lag: flushes that give up, journals that are full, failures that are told."""

import pytest
from memory_scenes import V, config, rows

from aesg_graph import AESGMemory, AESGStorageError, StoreSettings


def test_a_failure_of_the_flusher_is_told_at_the_next_call_and_nothing_is_lost(place, monkeypatch):
    memory = AESGMemory(place / "memory", config())
    memory.create(rows(3), rows(3, 1, V))
    memory.flush()
    store = memory.engine.residency.vectors()
    broken = True
    upsert = store.upsert

    def fail(points):
        if broken:
            raise OSError(5, "Input/output error")
        upsert(points)

    monkeypatch.setattr(store, "upsert", fail)
    memory.create(rows(2, 1))
    with pytest.raises(AESGStorageError, match=r"Taking lessons to the stores failed: .*Input/output error"):
        memory.flush(timeout=10)
    assert memory.storage.node_count == 5
    broken = False
    for _ in range(20):
        try:
            memory.flush(timeout=10)
            break
        except AESGStorageError:
            continue
    assert memory.engine.residency.graph.count().concepts == 5
    memory.close()


def test_flush_gives_up_after_its_timeout_and_says_what_waits(opened):
    memory = opened()
    memory.create(rows(3))
    memory.flush()
    with memory.engine.residency.graph._write_lock:
        memory.create(rows(2, 1))
        with pytest.raises(AESGStorageError, match=r"gave up after 0\.1 s: 1 batches .* wait in the journal"):
            memory.flush(timeout=0.1)
    memory.flush()
    assert memory.engine.residency.graph.count().concepts == 5


def test_writers_wait_while_the_journal_is_full_and_are_then_told(opened):
    memory = opened(stores=StoreSettings(journal_bytes=65536, write_timeout=0.2))
    memory.create(rows(3))
    memory.flush()
    with memory.engine.residency.graph._write_lock:
        memory.create(rows(2000, 1))
        before = memory.engine.position, memory.storage.node_count
        for call in (lambda: memory(rows(1)), lambda: memory.create(rows(1))):
            with pytest.raises(AESGStorageError, match=r"The journal is full: .*journal_bytes\) is 65536"):
                call()
        assert (memory.engine.position, memory.storage.node_count) == before
        assert memory.eval()(rows(1)).mask.any(), "reading goes on"
    memory.flush()
    assert memory.create(rows(1)).numel() == 1
