"""What is asked of one kind is learned as that kind: layers that share a memory do not mix."""

import torch
from memory_scenes import D, V, axis, rows

from aesg_graph import AESGMemory
from aesg_graph.learning.working import WorkingMemory


def kinds(memory):
    return sorted(memory.concept(int(i)).kind for i in memory.storage.nodes["id"])


def test_what_is_born_of_a_query_for_a_kind_is_of_that_kind_and_found_by_it(opened):
    memory = opened(value_dim=0)
    memory.retrieve(axis(0), kind="word")
    memory.retrieve(axis(1), kind="image")
    memory.retrieve(axis(2))
    assert kinds(memory) == ["concept", "image", "word"]
    assert memory.retrieve(axis(0), kind="word", learn=False).mask.any()
    assert not memory.retrieve(axis(0), kind="image", learn=False).mask.any()


def test_the_same_key_is_learned_once_for_each_kind(opened):
    memory = opened(value_dim=0)
    for _ in range(3):
        for kind in ("word", "image", "sound"):
            memory.retrieve(axis(0), kind=kind)
    assert kinds(memory) == ["image", "sound", "word"]


def test_in_a_step_what_another_kind_gave_birth_to_explains_nothing(opened):
    memory = opened()
    value = rows(1, 1, V)
    with memory.step():
        for kind in ("word", "image", "word", "image"):
            memory.retrieve(axis(0)[None], value, kind=kind)
        memory.create(axis(1)[None], value, kind="word")
        memory.retrieve(axis(1)[None], value, kind="word")
        memory.retrieve(axis(1)[None], value, kind="image")
    assert kinds(memory) == ["image", "image", "word", "word"]


def test_novel_queries_of_two_kinds_collect_apart_also_after_reopening(opened):
    memory = opened(value_dim=0, novelty_birth_threshold=3)
    memory.create(-torch.stack([axis(0)]))  # an empty memory would take its first query at once
    for kind in ("word", "image", "word", "image"):
        memory.retrieve(axis(0), kind=kind)
    assert kinds(memory) == ["concept"]
    memory.close()
    with AESGMemory(memory.directory) as again:
        again.retrieve(axis(0), kind="word")
        assert kinds(again) == ["concept", "word"]
        again.retrieve(axis(0), kind="image")
        assert kinds(again) == ["concept", "image", "word"]


def test_a_working_memory_saved_before_centroids_had_kinds_is_read():
    working = WorkingMemory(D, V, novelty_buffer=4)
    working.buffer.hit(axis(0).numpy(), None, 0.5)
    arrays = working.to_arrays()
    del arrays["buffer_kinds"]
    assert WorkingMemory.from_arrays(arrays, D, V, novelty_buffer=4).buffer.kinds[0] == "concept"
