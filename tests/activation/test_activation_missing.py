"""A graph known in part: the spread says what it lacks, and once that is loaded gives the whole graph's answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spreading_scenes import RELATIONS, Scene, params, results, scenes

from aesg_graph.activation import Adjacency, Spread, SpreadParams, Workspaces, from_tables, paths, spread


class PartlyLoaded:
    """Some of a scene's concepts (``rows``), some of them with their edges (``known``), and a way to load more."""

    def __init__(self, scene: Scene, rows: set[int], known: set[int]) -> None:
        self.scene, self.rows, self.known = scene, rows | known, set(known)
        self.loads = 0

    def adjacency(self) -> Adjacency:
        ids = sorted(self.rows)
        edges = [edge for edge in self.scene.edges if edge[0] in self.known or edge[1] in self.known]
        columns = replace(self.scene, edges=edges).columns()
        return from_tables(ids, [self.scene.regions[id_] for id_ in ids], [id_ in self.known for id_ in ids], *columns)

    def load(self, rows: np.ndarray, edges: np.ndarray, pulse: int) -> None:
        """What was reported, and nothing that was here already; the new rows' edges too if there is a pulse to come."""
        new_rows, new_edges = set(rows.tolist()), set(edges.tolist())
        assert new_rows | new_edges
        assert not new_rows & self.rows
        assert not new_edges & self.known
        assert new_edges <= self.rows
        assert (np.diff(rows) > 0).all()
        assert (np.diff(edges) > 0).all()
        self.rows |= new_rows
        self.known |= new_edges | (new_rows if pulse < self.scene.params.steps else set())
        self.loads += 1

    def spread(self, workspaces: Workspaces | None = None) -> tuple[Adjacency, Spread]:
        """Spread, load, spread again, until nothing is missing."""
        while True:
            adjacency = self.adjacency()
            seeds = self.scene.seeds(adjacency)
            result = spread(adjacency, *seeds, self.scene.gains, self.scene.params, None, workspaces)
            if result.complete.all():
                assert result.missing_pulse == 0
                return adjacency, result
            assert 1 <= result.missing_pulse <= self.scene.params.steps
            self.load(result.missing_rows, result.missing_edges, result.missing_pulse)


def lit(scene: Scene) -> set[int]:
    return {id_ for query in scene.queries for id_, _ in query}


@settings(max_examples=200)
@given(scenes(), st.data())
def test_loading_what_is_missing_ends_with_the_answer_of_the_whole_graph(scene: Scene, data: st.DataObject) -> None:
    some = st.sets(st.sampled_from(scene.ids))
    part = PartlyLoaded(scene, lit(scene) | data.draw(some), data.draw(some))
    partly, whole = part.spread(), scene.spread()
    for row in range(len(scene.queries)):
        assert results(*partly, row) == results(*whole, row)
    np.testing.assert_array_equal(partly[1].visited, whole[1].visited)


@settings(max_examples=50)
@given(scenes(), st.data())
def test_a_buffer_too_small_for_all_that_is_missing_only_takes_more_rounds(scene: Scene, data: st.DataObject) -> None:
    part = PartlyLoaded(scene, lit(scene), set())
    tiny = Workspaces(workers=1, missing_capacity=1)
    assert results(*part.spread(tiny), 0) == results(*scene.spread(), 0)


@settings(max_examples=100)
@given(scenes())
def test_seeds_with_their_edges_need_one_load_a_pulse(scene: Scene) -> None:
    part = PartlyLoaded(scene, set(), lit(scene))
    part.spread()
    assert part.loads <= scene.params.steps


@settings(max_examples=100)
@given(scenes(params(3)), st.data())
def test_explaining_reports_what_is_missing_in_the_same_way(scene: Scene, data: st.DataObject) -> None:
    query = scene.queries[0]
    target = data.draw(st.sampled_from(scene.ids))
    part = PartlyLoaded(replace(scene, queries=[query]), {target} | {id_ for id_, _ in query}, set())
    while True:
        adjacency = part.adjacency()
        slots, energies = part.scene.seeds(adjacency)
        slot = int(np.flatnonzero(adjacency.ids == target)[0])
        explained = paths(adjacency, slots[0], energies[0], slot, scene.gains, scene.params)
        result = spread(adjacency, slots, energies, scene.gains, scene.params)
        np.testing.assert_array_equal(explained.missing_rows, result.missing_rows)
        np.testing.assert_array_equal(explained.missing_edges, result.missing_edges)
        assert explained.missing_pulse == result.missing_pulse
        assert explained.complete == bool(result.complete[0])
        if explained.complete:
            break
        assert explained.paths == ()
        part.load(explained.missing_rows, explained.missing_edges, explained.missing_pulse)
    whole = scene.adjacency()
    slots, energies = part.scene.seeds(whole)
    slot = int(np.flatnonzero(whole.ids == target)[0])
    assert explained.paths == paths(whole, slots[0], energies[0], slot, scene.gains, scene.params).paths


def chain() -> Scene:
    """1 -> 2 -> 3 -> 4, all CAUSAL."""
    causal = RELATIONS.code("CAUSAL")
    edges = [(1, 2, causal, 1.0), (2, 3, causal, 1.0), (3, 4, causal, 1.0)]
    return Scene(dict.fromkeys((1, 2, 3, 4), -1), edges, [((1, 1.0),)], SpreadParams(steps=3))


def test_it_is_told_in_which_pulse_something_was_missing() -> None:
    scene = chain()
    for known, rows, edges, pulse in (
        (set(), [], [1], 1),
        ({1}, [2], [], 1),
        ({1, 2}, [3], [], 2),
        ({1, 2, 3}, [4], [], 3),
    ):
        adjacency = PartlyLoaded(scene, {1}, known).adjacency()
        result = spread(adjacency, *scene.seeds(adjacency), scene.gains, scene.params)
        assert result.missing_rows.tolist() == rows
        assert result.missing_edges.tolist() == edges
        assert result.missing_pulse == pulse
        assert not result.complete[0]
        assert (result.slots == -1).all()
        assert (result.energies == 0).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_lowest_pulse_counts_when_rows_miss_something_in_different_ones(workers: int) -> None:
    scene, spaces = chain(), Workspaces(workers=workers, parallel_above=0)
    for queries in ([((1, 1.0),), ((2, 1.0),)], [((2, 1.0),), ((1, 1.0),)]):
        adjacency = PartlyLoaded(scene, {1, 2}, {1, 2}).adjacency()
        both = replace(scene, queries=queries)
        result = spread(adjacency, *both.seeds(adjacency), scene.gains, scene.params, None, spaces)
        assert result.missing_rows.tolist() == [3]
        assert result.missing_pulse == 1
    spaces.close()


def test_what_carries_no_energy_is_not_asked_for() -> None:
    scene = chain()
    # Concept 1 is a neighbour of 2, but backwards; 4 has nothing to pass on after the last pulse.
    backwards = replace(scene, queries=[((2, 1.0),)], params=SpreadParams(steps=2))
    adjacency = PartlyLoaded(scene, {2, 4}, {2, 3}).adjacency()
    result = spread(adjacency, *backwards.seeds(adjacency), scene.gains, backwards.params)
    assert result.complete.all()
    # Nor is a neighbour of a concept that is below min_energy.
    faint = replace(scene, queries=[((1, 0.5),)], params=SpreadParams(min_energy=0.6))
    adjacency = PartlyLoaded(scene, {1}, set()).adjacency()
    assert spread(adjacency, *faint.seeds(adjacency), scene.gains, faint.params).complete.all()


def test_rows_that_lack_nothing_are_answered_beside_one_that_does() -> None:
    scene = replace(chain(), queries=[((3, 1.0),), ((1, 1.0),), ((4, 1.0),)])
    adjacency = PartlyLoaded(scene, {1}, {3, 4}).adjacency()
    result = spread(adjacency, *scene.seeds(adjacency), scene.gains, scene.params)
    assert result.complete.tolist() == [True, False, True]
    assert result.missing_edges.tolist() == [1]
    assert [id_ for id_, _ in results(adjacency, result, 0)] == [3, 4]
