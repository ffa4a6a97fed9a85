"""Memories over time: saved, closed, opened again, with another configuration or none."""

import json
import shutil

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, config, edges, hashes, rows, tiny_cache, uses
from sparse_files import copy_tree

from aesg_graph import AESGConfig, AESGMemory, AESGStorageError, StoreSettings
from aesg_graph.aging import Thresholds, expires_epoch


def picture(memory):
    """Everything that must survive a reopening."""
    concepts = [memory.concept(i) for i in memory.storage.nodes["id"].tolist()]
    ctx = memory.retrieve(rows(5, 9), learn=False)
    vectors = np.stack([np.concatenate([c.key, np.zeros(V) if c.value is None else c.value]) for c in concepts])
    return concepts, edges(memory), ctx.ids.tolist(), ctx.energies.tolist(), vectors.tolist(), memory.history()


def lived(memory):
    """A memory with some of everything."""
    ids = memory.create(rows(12), rows(12, 1, V), names=[f"n{i}" for i in range(12)], sources=["s"] * 12)
    memory.create(rows(3, 2), kind="word")
    memory.link(ids[:5], ids[1:6], "CAUSAL", 0.75)
    memory(rows(12), -rows(12, 1, V))
    with memory.sequence():
        memory(rows(3, 4))
        memory(rows(3, 5))
    memory.remove(ids[10:11])
    memory.cognitive_engine.consolidate()
    memory(rows(4))
    return memory


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("cache", ["good", "deleted"])
def test_everything_is_there_after_reopening(opened, place, durability, cache):
    memory = lived(opened(stores=StoreSettings(durability=durability)))
    before = picture(memory)
    memory.close()
    if cache == "deleted":
        shutil.rmtree(place / "memory" / "cache")
    memory = opened()
    assert memory.engine.residency.cache.reused == (cache == "good")
    assert picture(memory) == before
    ids = memory.create(rows(2, 8))
    assert not set(ids.tolist()) & {c.id for c in before[0]}


def test_reopening_many_times_changes_nothing(opened):
    memory = lived(opened())
    before = picture(memory)
    for _ in range(3):
        memory.close()
        memory = opened()
        memory.train()
    assert picture(memory) == before


def test_working_memory_goes_on_after_reopening(opened):
    memory = opened(novelty_birth_threshold=3, coactivation_threshold_create=3, consolidation_epoch_interval=3)
    given = memory.config
    memory.create(torch.stack([axis(0) + axis(1), axis(0) - axis(1)]))
    for _ in range(2):
        memory(axis(7))
        memory(axis(0))
        memory.update_topology()
    assert memory.storage.node_count == 2
    memory.close()
    memory = opened(given=given)
    memory(axis(7))
    assert memory.storage.node_count == 3, "novelty hits continue"
    memory(axis(0))
    assert len([e for e in edges(memory) if e[2] == "ASSOCIATION"]) == 1, "and pairs are counted on"
    memory.update_topology()
    assert memory.engine.recorder.epoch == 1, "and calls are counted on"


def test_save_keeps_what_a_crash_would_lose(opened, place):
    memory = opened(novelty_birth_threshold=2)
    memory.create(axis(3)[None])
    memory(axis(0))
    memory.save()
    memory(axis(1))
    memory.flush()
    copy_tree(place / "memory", place / "crashed")
    after = AESGMemory(place / "crashed")
    after(axis(1))
    assert after.storage.node_count == 1, "hit after the last save: its first was lost"
    after(axis(0))
    assert after.storage.node_count == 2
    after.close()


def test_a_copied_directory_is_a_memory_of_its_own(opened, place):
    memory = lived(opened())
    before = picture(memory)
    memory.close()
    copy_tree(place / "memory", place / "copy")
    copied, memory = opened("copy"), opened()
    assert picture(copied) == before
    ours, theirs = memory.create(rows(2, 8)), copied.create(rows(2, 8))
    assert not set(ours.tolist()) & set(theirs.tolist()), "ids of the copy are its own"


def test_a_memory_opened_without_configuration_is_what_it_was(opened, place):
    given = config(seeds=2, fan=0.25, relevance_decay=0.9, relations={"RHYMES_WITH": (1.0, 0.5)})
    opened(given=given).close()
    with AESGMemory(place / "memory") as memory:
        assert memory.config == given
    with AESGMemory(place / "new") as memory:
        assert memory.config == AESGConfig()


def test_another_configuration_is_recorded_and_dimensions_are_not_negotiable(opened, place):
    opened().close()
    opened(top_k=3).close()
    memory = opened(given=None, top_k=3)
    assert memory.retrieve(rows(1), learn=False).ids.shape == (1, 3)
    memory.close()
    with AESGMemory(place / "memory") as memory:
        assert memory.config == config(top_k=3)
    before = hashes(place / "memory")
    for other in ({"vector_dim": 9}, {"value_dim": 4}):
        with pytest.raises(AESGStorageError) as caught:
            AESGMemory(place / "memory", config(**other))
        for name, number in other.items():
            assert f"{name}={number}" in caught.value.message
            assert f"{name}={ {'vector_dim': D, 'value_dim': V}[name] }" in caught.value.message
    assert hashes(place / "memory") == before


def expiries(memory):
    """What each concept's expiry is in the graph, and what it should be."""
    connection = memory.engine.residency.graph._reader
    stored = dict(connection.execute("SELECT id, expires_epoch FROM concepts").fetchall())
    table = memory.engine.residency.graph.page(-1, 1000, edges=False).concepts
    lives = table.relevance, table.touched_epoch, table.born_epoch, table.use_frequency, table.contradictions
    right = expires_epoch(*lives, memory.config.thresholds)
    expected = {int(i): (None if e == -1 else int(e)) for i, e in zip(table.ids, right, strict=True)}
    return stored, expected


@pytest.mark.parametrize("cached", [True, False])
def test_changing_thresholds_at_reopening_rewrites_expiry(opened, place, cached):
    memory = opened(survival_min_age=50, survival_threshold_relevance=0.5, max_prune_fraction=1.0)
    memory.create(rows(10), rows(10, 1, V))
    memory(rows(3))
    for _ in range(20):
        memory.cognitive_engine.consolidate()
    assert memory.storage.node_count == 10
    memory.close()
    if not cached:
        shutil.rmtree(place / "memory" / "cache")
    changed = {"survival_min_age": 5, "survival_threshold_relevance": 0.5, "max_prune_fraction": 1.0}
    memory = opened(**changed, survival_threshold_frequency=1)
    assert memory.config.thresholds == Thresholds(0.1, 0.95, 0.5, 1, 5)
    stored, expected = expiries(memory)
    assert stored == expected
    kept = [i for i, (used, _) in uses(memory).items() if used]
    memory.cognitive_engine.consolidate()
    assert memory.storage.nodes["id"].tolist() == kept
    assert 0 < len(kept) < 10


def test_inference_with_other_thresholds_writes_none_of_them_until_it_learns_again(opened, place):
    opened().close()
    memory = opened(memory_mode="INFERENCE", survival_min_age=1)
    memory.close()
    with AESGMemory(place / "memory") as memory:
        assert memory.config == config()
    memory = opened(memory_mode="INFERENCE", survival_min_age=1)
    memory.set_mode("TRAIN")
    memory.create(rows(2))
    stored, expected = expiries(memory)
    memory.flush()
    stored, expected = expiries(memory)
    assert stored == expected
    memory.close()
    with AESGMemory(place / "memory") as memory:
        assert memory.config == config(survival_min_age=1)
        assert memory.mode.value == "TRAIN"


def test_a_memory_made_for_inference_stays_one(opened, place):
    opened(memory_mode="INFERENCE").close()
    with AESGMemory(place / "memory") as memory:
        assert memory.mode.value == "INFERENCE"
        memory(rows(2))
        assert memory.storage.node_count == 0
        memory.set_mode("TRAIN")
        memory(rows(2))
        assert memory.storage.node_count == 2


def test_relations_may_be_declared_later_and_not_taken_back_while_used(opened):
    memory = lived(opened())
    before = edges(memory)
    memory.close()
    memory = opened(relations={"AAA": (1.0, 0.0), "ZZZ": (0.0, 1.0)})
    assert edges(memory) == before
    a, b = memory.storage.nodes["id"][:2].tolist()
    memory.link([a], [b], "AAA")
    memory.close()
    with pytest.raises(AESGStorageError, match="AAA"):
        opened(given=config())
    assert len(opened(relations={"AAA": (1.0, 0.0), "MMM": (0.0, 1.0)}).neighbors(a)) > 0


def test_a_cache_closed_with_little_room_is_built_whole_with_more(opened):
    memory = opened(stores=tiny_cache())
    memory.create(rows(500), rows(500, 1, V))
    memory.flush()
    memory.create(rows(1, 2))
    assert not memory.stats()["complete"]
    memory.close()
    memory = opened()
    assert memory.stats()["complete"]
    assert memory.stats()["resident"] == 501
    memory.close()
    memory = opened(stores=tiny_cache())
    memory.retrieve(rows(5, 9), learn=False)
    assert memory.storage.node_count == 501


def test_a_damaged_working_memory_begins_anew(opened, place, caplog):
    memory = opened(novelty_birth_threshold=2)
    memory.create(rows(2))
    memory(axis(0))
    memory.close()
    file = place / "memory" / "working.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    memory = opened(novelty_birth_threshold=2)
    assert "working memory begins anew" in caplog.text
    assert memory.storage.node_count == 2
    assert len(memory.engine.working.buffer) == 0


def test_the_format_file_is_readable_json(opened, place):
    opened()
    form = json.loads((place / "memory" / "format.json").read_text())
    assert (form["vector_dim"], form["value_dim"]) == (D, V)
