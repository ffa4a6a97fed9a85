"""What reorganisation does to a memory, when it does it, and that it is the same whatever is resident."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from memory_scenes import D, V, edges, hashes, rows, tiny_cache, unit, uses
from reorganisation_scenes import QUIET, into, join, pairs, touch

from aesg_graph import AESGMemory
from aesg_graph.engine import reorganisation
from aesg_graph.engine.checking import check
from aesg_graph.errors import AESGMemoryError


def found(memory, keys):
    """The nearest concept to each key."""
    memory.eval()
    return memory(torch.as_tensor(keys, dtype=torch.float32)).ids[:, 0].tolist()


def test_near_concepts_become_one_and_are_found_by_both_their_keys(opened):
    memory = opened(**QUIET)
    keys = pairs(20)
    ids = memory.create(keys).tolist()
    touch(memory, ids[20:25], 3)
    done = memory.reorganise()
    assert (done.merged, done.split, done.abstractions, done.dry_run) == (20, 0, 0, False)
    assert len(uses(memory)) == done.concepts == 20
    assert found(memory, keys) == [into(memory, id) for id in ids]
    assert [into(memory, id) for id in ids[:6]] == [*ids[20:25], ids[5]]
    assert sum(u for u, _ in uses(memory).values()) == 15


def test_a_hub_splits_and_its_halves_have_all_its_edges_and_uses(opened):
    memory = opened(max_edges_per_node=10, **QUIET)
    ids = memory.create(rows(31)).tolist()
    memory.link([ids[0]] * 30, ids[1:], "CAUSAL", [0.5] * 30)
    touch(memory, ids[:1], 9)
    before = edges(memory)
    done = memory.reorganise()
    assert done.split >= 3
    after = edges(memory)
    # each neighbour has the edge that it had, from one half or another
    assert {(t, w) for (_, t, k), w in after.items() if k == "CAUSAL"} == {(t, w) for (_, t, _), w in before.items()}
    ends = np.array([end for edge in after for end in edge[:2]])
    assert np.unique(ends, return_counts=True)[1].max() <= 10
    assert sum(u for u, _ in uses(memory).values()) == 9
    assert found(memory, rows(31)) == ids


def test_a_second_run_does_nothing(opened):
    memory = opened(max_edges_per_node=12, **{**QUIET, "abstraction_enabled": True})
    keys = torch.cat([torch.eye(D)[n] + 0.25 * rows(8, n) for n in range(4)])
    ids = memory.create(keys, values=torch.eye(V)[[0] * 32])
    memory.link(ids[:-1], ids[1:], "ASSOCIATION", [0.5] * 31)
    memory.link([int(ids[0])] * 20, ids[5:25], "CAUSAL", [0.1] * 20)
    first = memory.reorganise()
    assert first.split
    assert first.regions > 1
    while (again := memory.reorganise()).split or again.merged:  # what a split made room for may merge
        pass
    position = memory.engine.position
    done = memory.reorganise()
    assert (done.merged, done.split, done.moved, done.abstractions) == (0, 0, 0, 0)
    assert memory.engine.position == position


def test_dense_regions_get_a_parent_with_a_name_and_it_stays_the_only_one(opened):
    memory = opened(seeds=1)
    keys = torch.eye(D)[0] + 0.2 * rows(5)
    ids = memory.create(keys, values=torch.eye(V)[[1] * 5], names=[None, None, "owl", None, "lynx"]).tolist()
    join(memory, ids)
    assert memory.reorganise().abstractions == 1
    assert memory.reorganise().abstractions == 0
    memory.flush()
    (parent,) = set(uses(memory)) - set(ids)
    concept = memory.concept(parent)
    assert concept.kind == "abstraction"
    assert concept.name in ("~owl", "~lynx")
    assert concept.region_id == memory.concept(ids[0]).region_id is not None
    assert concept.key == pytest.approx(unit(unit(keys).mean(axis=0)), abs=1e-5)
    assert concept.value.tolist() == [0, 1, 0]
    assert {(s, k) for s, t, k in edges(memory) if t == ids[3] and k == "HIERARCHICAL"} == {(parent, "HIERARCHICAL")}


def test_everything_is_in_the_history(opened):
    memory = opened(max_edges_per_node=6)
    keys = torch.cat([torch.eye(D)[0] + 0.2 * rows(8), torch.eye(D)[0:1], torch.eye(D)[0:1]])
    ids = memory.create(keys).tolist()
    memory.link([ids[0]] * 7, ids[1:8], "ASSOCIATION", [0.9] * 7)
    join(memory, ids[1:5])
    before = len(memory.history())
    memory.reorganise()
    told = [event["type"] for event in memory.history()[before:]]
    assert {*told} == {"MERGE", "SPLIT", "CREATE", "LINK", "RESTRUCTURE"}


# -- when --------------------------------------------------------------------------------------------------------------


def test_every_so_many_consolidations_reorganise_by_themselves(opened):
    memory = opened(consolidation_epoch_interval=1, region_detection_interval=3, **QUIET)
    memory.create(pairs(5))
    lengths = []
    for _ in range(3):
        memory.update_topology()
        lengths.append(memory.engine.recorder.concepts)
    assert lengths == [10, 10, 5]
    memory.create(pairs(5, seed=7))
    for _ in range(3):
        memory.engine.consolidate()
    assert memory.engine.recorder.concepts == 10


@pytest.mark.parametrize("mode", ["FINETUNE", "ONLINE", "INFERENCE"])
def test_other_modes_never_reorganise_but_may_look(opened, mode):
    memory = opened(consolidation_epoch_interval=1, region_detection_interval=1, **QUIET)
    memory.create(pairs(5))
    memory.set_mode(mode)
    memory.update_topology()
    assert memory.reorganise() is None
    assert memory.reorganise(dry_run=True).merged == 5
    assert memory.engine.recorder.concepts == 10


def test_inside_a_step_it_waits_for_the_exit(opened):
    memory = opened(consolidation_epoch_interval=1, region_detection_interval=1, **QUIET)
    memory.create(pairs(5))
    with memory.step():
        assert memory.reorganise() is None
        memory.update_topology()
        assert memory.engine.recorder.concepts == 10
    assert memory.engine.recorder.concepts == 5


def test_a_step_that_fails_reorganises_nothing(opened):
    memory = opened(**QUIET)
    memory.create(pairs(5))
    with contextlib.suppress(ZeroDivisionError), memory.step():
        memory.reorganise()
        raise ZeroDivisionError
    memory.update_topology()
    assert memory.engine.recorder.concepts == 10


def test_what_was_learned_without_a_value_and_then_with_one_reads_the_same(opened):
    memory = opened(novelty_birth_threshold=1, **QUIET)
    query, meaning = rows(1), torch.eye(V)[:1]
    for _ in range(3):
        memory(query)
    memory(query, value=meaning)
    before = memory.retrieve(query, learn=False).read()
    assert torch.nn.functional.cosine_similarity(before, meaning).item() > 0.99
    memory.reorganise()
    torch.testing.assert_close(memory.retrieve(query, learn=False).read(), before)


def test_nothing_learned_is_pruned_to_make_room_for_parents_and_halves(opened):
    groups = torch.cat([torch.eye(D)[n] + 0.2 * rows(6, n) for n in range(4)])
    memory = opened(max_concepts=26, max_edges_per_node=12, seeds=1)
    ids = memory.create(groups)
    for start in range(0, 24, 6):
        join(memory, ids[start : start + 6])
    done = memory.reorganise()
    assert done.split + done.abstractions == memory.engine.recorder.concepts - 24 == 2
    memory.update_topology()
    assert all(memory.concept(int(id)) for id in ids)


def test_names_and_texts_of_what_merges_are_not_lost(opened):
    memory = opened(**QUIET)
    first, again = pairs(4)[:4], pairs(4)[4:]
    ids = memory.create(first, names=[None, "~guessed", "wren", None], texts=[None, "a", "b", None]).tolist()
    memory.create(again, names=["owl", "crow", "bird", "~bird"], texts=["hoots", "c", None, "d"])
    assert memory.reorganise().merged == 4
    memory.flush()
    told = [(memory.concept(id).name, memory.concept(id).text) for id in ids]
    assert told == [("owl", "hoots"), ("crow", "a"), ("wren", "b"), ("~bird", "d")]


def test_a_dry_run_changes_no_byte_and_says_what_would_be_done(opened):
    memory = opened(seeds=1)
    memory.create(torch.cat([torch.eye(D)[0] + 0.3 * rows(5), pairs(4)]))
    memory.flush()
    before = hashes(memory.directory)
    would = memory.reorganise(dry_run=True)
    assert hashes(memory.directory) == before
    assert would.dry_run
    done = memory.reorganise()
    names = ("merged", "split", "regions", "moved", "abstractions", "concepts")
    assert [getattr(would, n) for n in names] == [getattr(done, n) for n in names]


def test_a_closed_memory_says_so(opened):
    memory = opened()
    memory.close()
    with pytest.raises(AESGMemoryError, match="closed"):
        memory.reorganise()


# -- the same, whatever is resident ------------------------------------------------------------------------------------


def test_with_room_for_few_concepts_it_does_the_same(opened):
    results = []
    for name, stores in (("all", None), ("few", tiny_cache())):
        memory = opened(name, max_edges_per_node=30, **QUIET)
        ids = memory.create(pairs(150))
        memory.link(ids[[0] * 60], ids[1:61], "CAUSAL", [0.5] * 60)
        memory.link(ids[:-1], ids[1:], "ASSOCIATION", [0.5] * 299)
        memory.close()
        shutil.rmtree(Path(memory.directory) / "cache")
        memory = opened(name, stores=stores, max_edges_per_node=30, **QUIET)
        assert memory.engine.residency.cache.complete == (name == "all")
        done = memory.reorganise()
        base = int(ids[0])
        told = {(a - base, b - base, k): w for (a, b, k), w in edges(memory).items()}
        results.append((done.merged, done.split, done.regions, done.moved, told, memory.engine.recorder.concepts))
        memory.close()
        assert check(memory.directory).clean
    assert results[0] == results[1]


def test_it_is_compared_as_a_whole_once_and_then_what_is_new(opened, monkeypatch):
    memory = opened(**QUIET)
    looked = []
    real = reorganisation.plan
    monkeypatch.setattr(reorganisation, "plan", lambda *given: looked.append(given[-1].sum()) or real(*given))
    memory.create(pairs(10))
    memory.reorganise()
    memory.create(pairs(10)[:3])
    assert memory.reorganise().merged == 3
    memory.reorganise()
    assert looked == [20, 3, 0]


def test_concepts_with_other_keys_are_compared_again(opened):
    memory = opened(merge_similarity_threshold=0.99, **QUIET)
    memory.create(rows(6), sources=[f"{n % 3}" for n in range(6)])
    assert memory.reorganise().merged == 0
    memory.rekey(lambda sources: torch.eye(D)[[int(s) for s in sources]])
    assert memory.reorganise().merged == 3


def test_reopened_it_recalls_the_same_and_checks_clean(opened):
    memory = opened(max_edges_per_node=20)
    keys = torch.cat([pairs(40), torch.eye(D)[1] + 0.2 * rows(6, 3)])
    ids = memory.create(keys)
    memory.link(ids[[0] * 40], ids[40:80], "CAUSAL", [0.5] * 40)
    memory.reorganise()
    memory.eval()
    before = memory(keys)
    memory.close()
    assert check(memory.directory).clean
    again = AESGMemory(memory.directory).eval()
    after = again(keys)
    assert torch.equal(before.ids, after.ids)
    assert torch.allclose(before.energies, after.energies, atol=1e-6)
    again.close()


def spread(memory, ids):
    """The energy of each concept if the first one's key is asked."""
    context = memory.eval()(torch.eye(D)[0])
    return dict(zip((context.ids - ids[0]).tolist(), context.energies.tolist(), strict=True))


def test_regions_change_how_energy_spreads(opened):
    energies = {}
    for multiplier in (1.0, 1.5):
        memory = opened(str(multiplier), region_facilitation_multiplier=multiplier, fan=0.0, **QUIET)
        ids = memory.create(torch.eye(D)[:7])
        join(memory, ids[:4], 0.3)
        join(memory, ids[4:], 0.3)
        memory.link(ids[:1], ids[4:5], "ASSOCIATION", [0.3])
        before = spread(memory, ids)
        memory.reorganise()
        energies[multiplier] = before, spread(memory, ids)
    assert energies[1.0][0] == pytest.approx(energies[1.0][1])
    plain, facilitated = energies[1.5]
    assert plain == pytest.approx(energies[1.0][0])
    assert facilitated[1] > 1.3 * plain[1]  # of its region
    assert facilitated[1] / facilitated[4] > 1.2 * plain[1] / plain[4]  # beside its neighbour in another


@pytest.mark.parametrize("seed", range(3))
def test_the_memory_is_what_the_plan_said_it_would_be(opened, seed):
    memory = opened(max_edges_per_node=10, **QUIET)
    random = np.random.default_rng(seed)
    ids = memory.create(pairs(60, seed)).numpy()
    for kind in ("ASSOCIATION", "CAUSAL", "SIMILARITY"):
        ends = np.concatenate([random.choice(ids, (150, 2)), np.stack([np.full(25, ids[0]), ids[1:26]], axis=1)])
        ends = ends[ends[:, 0] != ends[:, 1]]
        memory.link(ends[:, 0], ends[:, 1], kind, random.uniform(0.1, 0.9, len(ends)))
    done = memory.reorganise()
    assert min(done.merged, done.split) > 0
    land, b = done.plan.land, done.plan.land.bonds
    names, symmetric = memory.config.vocabulary.names, memory.config.vocabulary.symmetric
    pairs_of = np.stack([land.ids[b.sources], land.ids[b.targets]], axis=1)
    planned = {
        (*(sorted(ends) if symmetric[type] else ends), names[type])
        for ends, type in zip(pairs_of.tolist(), b.types.tolist(), strict=True)
    }
    assert len(planned) == len(b)
    assert planned == edges(memory).keys()
    graph = memory.engine.residency.graph.page(-1, 10_000, edges=False).concepts
    living = np.setdiff1d(np.arange(len(land)), done.plan.merges.merged)
    assert graph.ids.tolist() == sorted(land.ids[living].tolist())
    told = dict(zip(land.ids[living].tolist(), done.plan.regions[living].tolist(), strict=True))
    assert told == dict(zip(graph.ids.tolist(), graph.region_id.tolist(), strict=True))
