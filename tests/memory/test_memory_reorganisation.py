"""What reorganisation does to a memory that is open, closed, asked, taught and changed meanwhile."""

import itertools
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from memory_scenes import D, V, edges, hashes, rows, tiny_cache, unit, uses

from aesg_graph import AESGMemory
from aesg_graph.engine import reorganisation
from aesg_graph.engine.checking import check
from aesg_graph.errors import AESGMemoryError
from aesg_graph.operations import Link, Merge, Split, Touch

QUIET = {"seeds": 1, "abstraction_enabled": False}


def pairs(count, seed=0, apart=0.02, width=D):
    """``count`` directions, and as many again that are near to them."""
    first = rows(count, seed, width)
    return torch.cat([first, first + apart * first.norm(dim=1, keepdim=True) * rows(count, seed + 1, width)])


def touch(memory, ids, n=1):
    """So many uses of each, as a lesson would record them."""
    each = np.full(len(ids), n, np.int64)
    memory.engine.write(Touch(np.asarray(ids), each, 0 * each, memory.engine.recorder.epoch))


def join(memory, ids, weight=0.9):
    """An edge between every two."""
    ends = list(itertools.combinations([int(id) for id in ids], 2))
    memory.link(*zip(*ends, strict=True), "ASSOCIATION", [weight] * len(ends))


def into(memory, id):
    """What a concept is now."""
    memory.flush()
    graph = memory.engine.residency.graph
    while (tomb := graph.tombstones(np.array([id]))).ids.size:
        id = int(tomb.into[0])
    return id


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


# -- others at work meanwhile ------------------------------------------------------------------------------------------


def test_two_threads_that_reorganise_at_once_do_it_once(opened):
    memory = opened(**QUIET)
    ids = memory.create(pairs(60)).tolist()
    touch(memory, ids, 2)
    done = []
    threads = [threading.Thread(target=lambda: done.append(memory.reorganise())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    *others, first = sorted(d.merged for d in done)
    assert (others, first >= 60) == ([0, 0], True)
    assert sum(u for u, _ in uses(memory).values()) == 240
    assert memory.engine.recorder.voided == 0


class Meanwhile:
    """Something happens to a memory once it has been looked at, before anything is carried out."""

    def __init__(self, monkeypatch, what):
        real = reorganisation.plan

        def planned(*given):
            result = real(*given)
            monkeypatch.setattr(reorganisation, "plan", real)
            what()
            return result

        monkeypatch.setattr(reorganisation, "plan", planned)


def test_what_is_removed_touched_and_linked_meanwhile_is_counted_once(opened, monkeypatch):
    memory = opened(max_edges_per_node=15, **QUIET)
    keys = pairs(30)
    ids = memory.create(keys).tolist()
    hub = int(memory.create(rows(1, 99))[0])
    memory.link([hub] * 30, ids[:30], "CAUSAL", [0.5] * 30)
    touch(memory, ids)

    def meddle():
        memory.remove([ids[0], ids[31], ids[2], ids[32]])  # a survivor, a merged one, both of a pair
        touch(memory, [ids[3], ids[33]], 5)
        memory.link([ids[34]], [ids[35]], "CAUSAL", [0.5])
        memory.create(rows(3, 77))

    Meanwhile(monkeypatch, meddle)
    done = memory.reorganise()
    assert done.merged == 27
    left = uses(memory)
    assert sum(u for u, _ in left.values()) == 60 - 4 + 10
    assert left[ids[3]][0] == 12
    assert ids[30] in left
    assert (ids[4], ids[5], "CAUSAL") in edges(memory)
    assert memory.engine.recorder.concepts == len(left) == memory.engine.residency.graph.count().concepts
    memory.close()
    assert check(memory.directory).clean


def test_a_hub_and_a_group_that_go_meanwhile_are_neither_split_nor_summed_up(opened, monkeypatch):
    memory = opened(max_edges_per_node=15, seeds=1)
    group = memory.create(torch.eye(D)[0] + 0.25 * rows(5)).tolist()
    join(memory, group)
    ids = memory.create(rows(31, 5)).tolist()
    memory.link([ids[0]] * 30, ids[1:], "CAUSAL", [0.01] * 30)
    would = memory.reorganise(dry_run=True)
    assert (bool(would.split), would.abstractions) == (True, 1)
    Meanwhile(monkeypatch, lambda: memory.remove([ids[0], group[0], group[1]]))
    done = memory.reorganise()
    assert (done.split, done.abstractions) == (0, 0)
    memory.flush()
    assert memory.engine.recorder.voided == 0
    assert memory.engine.recorder.concepts == len(uses(memory)) == 33


def test_keys_that_change_meanwhile_leave_the_plan_undone(opened, monkeypatch):
    memory = opened(**QUIET)
    memory.create(pairs(5), sources=[str(n) for n in range(10)])
    Meanwhile(monkeypatch, lambda: memory.rekey(lambda sources: rows(10, 42)))
    assert memory.reorganise().merged == 0
    assert memory.engine.recorder.concepts == 10


def test_a_memory_closed_meanwhile_refuses_the_rest(opened, monkeypatch):
    memory = opened(**QUIET)
    memory.create(pairs(5))
    Meanwhile(monkeypatch, memory.close)
    with pytest.raises(AESGMemoryError, match="closed"):
        memory.reorganise()
    assert check(memory.directory).clean


def test_halves_know_of_lessons_that_the_cache_hears_of_late(opened):
    """A lesson about a merged concept is void in the cache until the graph has taken it to the survivor."""
    memory = opened(**QUIET)
    engine = memory.engine
    survivor, merged, *others = memory.create(rows(12)).tolist()
    memory.link([survivor] * 10, others, "CAUSAL", [0.5] * 10)
    memory.flush()
    (half,) = engine.recorder.allocate(1).tolist()
    key, value, kept = unit(rows(1, 5))[0].astype(np.float32), np.zeros(V, np.float32), np.array(others[:5])
    with engine.recorder.flusher().still():
        engine.recorder.record([Merge(np.array([survivor]), np.array([merged]))])
        touch(memory, [merged], 8)
        engine.write(
            Link("CAUSAL", np.array([merged]), kept[:1], np.full(1, 0.5, np.float32), np.zeros(1, np.int64), 0)
        )
        engine.recorder.record([Split(survivor, half, key, value, False, kept)])
    assert uses(memory)[half] == uses(memory)[survivor] == (4, 0)
    cached = engine.residency.cache.read(np.array([survivor, half]))
    assert cached.concepts.use_frequency.tolist() == [4, 4]
    assert edges(memory)[half, others[0], "CAUSAL"][1] == 1
    assert sorted(cached.edges.use_counts.tolist()) == sorted(n for _, n in edges(memory).values())
    memory.close()
    assert check(memory.directory).clean


def test_writers_go_on_while_it_is_planned_and_nothing_is_lost(opened):
    memory = opened(max_edges_per_node=40, novelty_birth_threshold=1, value_dim=0, **QUIET)
    keys = pairs(150)
    ids = memory.create(keys).tolist()
    stop, rounds = threading.Event(), [0]

    halves, unused = np.full(10, 0.5, np.float32), np.zeros(10, np.int64)

    def work():
        random = np.random.default_rng(0)
        while not stop.is_set() or rounds[0] < 5:
            some = random.choice(ids, 20, replace=False)
            touch(memory, some)
            memory.engine.write(Link("ASSOCIATION", some[:10], some[10:], halves, unused, 0))  # as a lesson does
            rounds[0] += 1

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(3):
        memory.reorganise()
    stop.set()
    worker.join()
    assert sum(u for u, _ in uses(memory).values()) == 20 * rounds[0]
    graph = memory.engine.residency.graph
    assert memory.engine.recorder.concepts == graph.count().concepts
    assert memory.engine.residency.cache.edge_count == graph.count().edges
    memory.close()
    assert check(memory.directory).clean
