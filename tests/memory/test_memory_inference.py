"""INFERENCE changes nothing: after flush() not a byte on disk."""

import pytest
import torch
from memory_scenes import D, V, axis, hashes, rows, tiny_cache

from aesg_graph import AESGMemory


def taught(memory, count=6400):
    ids = memory.create(rows(count), rows(count, 1, V), sources=["s"] * count)
    memory.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    memory(rows(8))
    memory.update_topology()
    memory.flush()
    return ids


def try_everything(memory, ids):
    """All that could possibly write."""
    for training in (True, False):
        memory.train(training)
        for seed in range(20):
            ctx = memory(rows(16, seed), rows(16, seed + 100, V))
            assert ctx.mask.any()
            memory.retrieve(rows(16, seed), learn=True, sources=["t"] * 16)
            memory(rows(16, seed).reshape(4, 4, D))
    with memory.step(), memory.sequence():
        memory(rows(4))
        assert memory.create(rows(2)).shape == (0,)
    assert memory.create(rows(5)).tolist() == []
    assert memory.cognitive_engine.create_sensory_concept(axis(0)) is None
    memory.link(ids[:1], ids[2:3], "CAUSAL")
    memory.annotate(ids[:1], ["name"], ["text"])
    memory.remove(ids[:5])
    assert memory.rekey(lambda sources: rows(len(sources), 5)) == 0
    for _ in range(25):
        memory.update_topology()
    memory.cognitive_engine.consolidate()
    memory.reset_state()
    memory.save()
    for look in (memory.stats, memory.history, lambda: memory.storage.nodes, lambda: memory.concept(int(ids[0]))):
        look()
    memory.neighbors(int(ids[1]))
    memory.explain(rows(1)[0], int(ids[1]))
    assert memory.storage.node_count == len(ids)
    memory.flush()


@pytest.mark.parametrize("stores", [None, tiny_cache()], ids=["roomy", "room for few"])
def test_a_memory_switched_to_inference_changes_not_a_byte_after_flush(opened, stores):
    memory = opened(stores=stores)
    ids = taught(memory)
    memory.set_mode("INFERENCE")
    memory.flush()
    before = hashes(memory.directory)
    assert any(name.startswith("cache/") for name in before)
    try_everything(memory, ids)
    assert hashes(memory.directory) == before
    memory.set_mode("TRAIN")
    memory.train()
    memory(rows(1, 77), rows(1, 78, V))
    memory.flush()
    assert hashes(memory.directory) != before, "and now it learns again"


@pytest.mark.parametrize("stores", [None, tiny_cache()], ids=["roomy", "room for few"])
@pytest.mark.parametrize("by", ["configuration", "lazily opened copy"])
def test_a_memory_opened_for_inference_leaves_every_file_as_it_was(opened, place, stores, by):
    memory = opened(stores=stores)
    ids = taught(memory)
    memory.close()
    before = hashes(place / "memory")
    memory = AESGMemory(place / "memory", stores=stores)
    memory.close()
    assert hashes(place / "memory") == before, "opening and closing alone changes nothing in any mode"

    if by == "configuration":
        memory = opened(stores=stores, memory_mode="INFERENCE")
    else:
        memory = opened(stores=stores)
        memory.set_mode("INFERENCE")
    within = hashes(memory.directory)
    try_everything(memory, ids)
    assert hashes(memory.directory) == within
    assert memory.storage.node_count == len(ids)
    memory.close()
    after = hashes(place / "memory")
    assert after == before


def test_inference_answers_as_training_does(opened):
    memory = opened()
    taught(memory)
    memory.eval()
    queries, values = rows(20, 3), rows(20, 4, V)
    train = memory(queries, values)
    memory.set_mode("INFERENCE")
    inference = memory(queries, values)
    memory.close()
    reopened = opened(memory_mode="INFERENCE")(queries, values)
    for ctx in (inference, reopened):
        assert torch.equal(ctx.ids, train.ids)
        assert torch.equal(ctx.energies, train.energies)
        assert torch.equal(ctx.explanation, train.explanation)


def test_a_memory_opened_for_inference_learns_after_a_switch(opened):
    memory = opened()
    ids = taught(memory)
    memory.close()
    memory = opened(memory_mode="INFERENCE")
    memory(rows(4))
    memory.set_mode("TRAIN")
    (new,) = memory.create(3 * axis(0)[None], axis(0, V)[None]).tolist()
    assert memory.retrieve(axis(0), learn=False).ids[0] == new
    memory.close()
    memory = opened()
    assert memory.storage.node_count == len(ids) + 1
    assert memory.retrieve(axis(0), learn=False).ids[0] == new


def test_bad_input_is_refused_in_inference_too(opened):
    from aesg_graph import AESGMemoryError

    memory = opened()
    memory.set_mode("INFERENCE")
    for call in (
        lambda: memory.create(torch.zeros(1, D)),
        lambda: memory.link([1], [2]),
        lambda: memory.remove([1]),
        lambda: memory(torch.full((1, D), torch.nan)),
    ):
        with pytest.raises(AESGMemoryError):
            call()
