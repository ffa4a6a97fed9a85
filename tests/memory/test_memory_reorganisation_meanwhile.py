"""Reorganisation while other threads reorganise, teach, remove, rekey and close: nothing lost, nothing twice."""

import threading

import numpy as np
import pytest
import torch
from memory_scenes import D, V, edges, rows, unit, uses
from reorganisation_scenes import QUIET, join, pairs, touch

from aesg_graph.engine import reorganisation
from aesg_graph.engine.checking import check
from aesg_graph.errors import AESGMemoryError
from aesg_graph.operations import Link, Merge, Split


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
