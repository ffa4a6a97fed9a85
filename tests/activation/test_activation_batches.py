"""A row's answer is its own: whatever batch, thread or worn workspace it comes from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from spreading_scenes import RELATIONS

from aesg_graph.activation import Adjacency, Spread, SpreadParams, Workspaces, from_edges, spread
from aesg_graph.activation.pulses import spread_rows
from aesg_graph.concepts import Doubles
from aesg_graph.errors import AESGNavigationError

PARAMS = SpreadParams()
GAINS = RELATIONS.gains


def random_graph(concepts: int, seed: int = 0) -> Adjacency:
    rng = np.random.default_rng(seed)
    edges = 4 * concepts
    return from_edges(
        np.arange(concepts) * 3,
        rng.integers(-1, 5, concepts),
        rng.integers(0, concepts, edges) * 3,
        rng.integers(0, concepts, edges) * 3,
        rng.integers(0, 4, edges),
        rng.random(edges),
    )


def queries(rows: int, slots: int, seed: int = 0) -> tuple[np.ndarray, Doubles]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, slots, (rows, 3)).astype(np.int32), rng.uniform(0.1, 1.0, (rows, 3))


def assert_same(a: Spread, b: Spread) -> None:
    """To the last bit."""
    np.testing.assert_array_equal(a.slots, b.slots)
    np.testing.assert_array_equal(a.energies, b.energies)
    np.testing.assert_array_equal(a.visited, b.visited)
    np.testing.assert_array_equal(a.complete, b.complete)


def row(result: Spread, places: list[int]) -> Spread:
    return Spread(
        result.slots[places],
        result.energies[places],
        result.complete[places],
        result.missing_rows,
        result.missing_edges,
        result.missing_pulse,
        result.visited[places],
    )


def test_an_answer_does_not_depend_on_the_batch_it_is_in() -> None:
    graph = random_graph(500)
    slots, energies = queries(20, len(graph))
    whole = spread(graph, slots, energies, GAINS, PARAMS)
    order = np.random.default_rng(1).permutation(20).tolist()
    assert_same(spread(graph, slots[order], energies[order], GAINS, PARAMS), row(whole, order))
    for place in range(20):
        alone = spread(graph, slots[[place]], energies[[place]], GAINS, PARAMS)
        assert_same(alone, row(whole, [place]))


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_an_answer_does_not_depend_on_the_number_of_workers(workers: int) -> None:
    graph = random_graph(500)
    pool = Workspaces(workers=workers, parallel_above=0)
    for rows in (1, 2, 3, 50):
        seeds = queries(rows, len(graph), rows)
        assert_same(spread(graph, *seeds, GAINS, PARAMS, None, pool), spread(graph, *seeds, GAINS, PARAMS))
    pool.close()
    seeds = queries(5, len(graph))
    assert_same(spread(graph, *seeds, GAINS, PARAMS, None, pool), spread(graph, *seeds, GAINS, PARAMS))
    pool.close()


def test_what_workers_find_missing_is_put_together() -> None:
    graph = random_graph(200)
    unknown = Adjacency(
        graph.ids,
        graph.regions,
        graph.start,
        np.full(len(graph), -1, np.int32),
        graph.neighbour_ids,
        graph.neighbour_slots,
        graph.weights,
        graph.arcs,
    )
    slots, energies = queries(40, len(graph))
    pool = Workspaces(workers=3, parallel_above=0)
    result = spread(unknown, slots, energies, GAINS, PARAMS, None, pool)
    np.testing.assert_array_equal(result.missing_edges, np.unique(graph.ids[slots]))
    assert result.missing_pulse == 1
    assert not result.complete.any()
    pool.close()


def test_one_row_starts_no_thread() -> None:
    graph = random_graph(100)
    spaces = Workspaces(workers=4, parallel_above=0)
    spread(graph, *queries(1, len(graph)), GAINS, PARAMS, None, spaces)
    assert spaces._pool is None
    small = Workspaces(workers=4)
    spread(graph, *queries(4, len(graph)), GAINS, PARAMS, None, small)
    assert small._pool is None


def test_workspaces_serve_many_threads_and_graphs_at_once() -> None:
    spaces = Workspaces(workers=2, parallel_above=0)
    graphs = [random_graph(size, size) for size in (50, 400, 200)]
    tasks = [(graphs[k % 3], queries(1 + k % 5, 50, k)) for k in range(60)]

    def answer(task: tuple[Adjacency, tuple[np.ndarray, Doubles]]) -> Spread:
        return spread(task[0], *task[1], GAINS, PARAMS, None, spaces)

    with ThreadPoolExecutor(4) as threads:
        for (graph, seeds), result in zip(tasks, threads.map(answer, tasks), strict=True):
            assert_same(result, spread(graph, *seeds, GAINS, PARAMS))
    spaces.close()


def test_nothing_is_left_in_a_workspace_by_rows_that_stop_or_fail() -> None:
    graph = random_graph(300)
    halted = Adjacency(
        graph.ids,
        graph.regions,
        graph.start,
        np.where(np.arange(len(graph)) % 7 == 0, -1, graph.degree).astype(np.int32),
        graph.neighbour_ids,
        graph.neighbour_slots,
        graph.weights,
        graph.arcs,
    )
    spaces = Workspaces(workers=1)
    for k in range(10):
        seeds = queries(4, len(graph), k)
        assert not spread(halted, *seeds, GAINS, PARAMS, None, spaces).complete.all()
        with pytest.raises(AESGNavigationError, match="type code"):
            spread(graph, *seeds, GAINS[:1], PARAMS, None, spaces)
        after = spread(graph, *seeds, GAINS, PARAMS, None, spaces)
        assert_same(after, spread(graph, *seeds, GAINS, PARAMS))
        assert after.missing_pulse == 0


def test_workspaces_grow_with_the_graph_and_with_top_k() -> None:
    spaces = Workspaces(workers=1)
    for size, top_k in ((10, 3), (300, 3), (300, 250), (20, 50)):
        graph = random_graph(size)
        seeds = queries(2, size)
        params = SpreadParams(top_k=top_k)
        assert_same(spread(graph, *seeds, GAINS, params, None, spaces), spread(graph, *seeds, GAINS, params))


def test_an_empty_batch_and_a_batch_without_seeds_are_answered() -> None:
    graph = random_graph(10)
    none = spread(graph, np.zeros((0, 3), np.int32), np.zeros((0, 3)), GAINS, PARAMS)
    assert none.slots.shape == (0, PARAMS.top_k)
    assert none.complete.shape == (0,)
    unseeded = spread(graph, np.zeros((2, 0), np.int32), np.zeros((2, 0)), GAINS, PARAMS)
    assert unseeded.complete.all()
    assert (unseeded.slots == -1).all()
    assert unseeded.visited.tolist() == [0, 0]
    empty = from_edges([], [], [], [], [], [])
    assert spread(empty, np.full((1, 3), -1, np.int32), np.zeros((1, 3)), GAINS, PARAMS).complete.all()


def test_all_kinds_of_arrays_share_one_compilation(tmp_path: Path) -> None:
    graph = random_graph(50)
    expected = spread(graph, *queries(2, 50), GAINS, PARAMS)
    mapped = {}
    for name in ("ids", "regions", "start", "degree", "neighbour_ids", "neighbour_slots", "weights", "arcs"):
        array = getattr(graph, name)
        array.tofile(tmp_path / name)
        mapped[name] = np.memmap(tmp_path / name, array.dtype, mode="r" if name == "ids" else "c", shape=array.shape)
    slots, energies = queries(2, 50)
    energies.flags.writeable = False
    allowed = np.ones(50, np.uint8)
    params = SpreadParams(min_energy=np.float64(1e-3), max_fanout=np.int64(10**6), fan=0.5)
    on_disk = spread(Adjacency(**mapped), np.asfortranarray(slots), energies, GAINS.tolist(), params, allowed)
    assert_same(on_disk, expected)
    assert_same(spread(graph, slots.astype(np.int64), energies.astype(np.float64), GAINS, PARAMS), expected)
    assert len(spread_rows.signatures) == 1
