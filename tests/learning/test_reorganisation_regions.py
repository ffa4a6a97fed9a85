"""Regions, and the concepts that stand for dense ones."""

import itertools

import numpy as np
import pytest
from reorganisation_worlds import (
    ASSOCIATION,
    CAUSAL,
    CONTRADICTS,
    HIERARCHICAL,
    allocator,
    around,
    axes,
    clique,
    land,
    rules,
)

from aesg_graph.learning.reorganisation import ABSTRACTION, plan
from aesg_graph.learning.reorganisation.regions import plan_regions, renumbered
from aesg_graph.operations import Create, Link, Regions


def groups(*sizes, spread=0.2, joined=True, **more):
    """Cliques around one axis each, a weak edge from each to the next."""
    keys = np.concatenate([around(axes(n)[0], size, spread, n) for n, size in enumerate(sizes)])
    starts = np.cumsum([0, *sizes])
    edges = [e for a, b in itertools.pairwise(starts) for e in clique(range(a, b), weight=0.9)]
    if joined:
        edges += [(a, b, CAUSAL, 0.1) for a, b in itertools.pairwise(starts[:-1])]
    return land(keys, edges, **more)


def sets(regions, world):
    """Regions as sets of rows, by number."""
    return {int(r): set(np.flatnonzero(regions == r).tolist()) for r in np.unique(regions) if r >= 0}


def everybody(world):
    return np.ones(len(world), bool)


def test_regions_are_the_communities_of_the_graph():
    world = groups(6, 5, 4)
    regions = plan_regions(world, rules(), everybody(world))
    assert list(sets(regions, world).values()) == [set(range(6)), set(range(6, 11)), set(range(11, 15))]


def test_one_concept_or_two_are_no_region():
    world = groups(4, 2, 1, joined=False)
    regions = plan_regions(world, rules(), everybody(world))
    assert regions.tolist() == [0, 0, 0, 0, -1, -1, -1]


def test_edges_that_carry_no_energy_make_no_region():
    world = land(around(axes(0)[0], 4, 0.2), clique(range(4), type=CONTRADICTS))
    assert plan_regions(world, rules(), everybody(world)).tolist() == [-1] * 4


def test_no_edges_no_regions_and_no_concepts_nothing():
    world = land(axes(0, 1, 2))
    assert plan_regions(world, rules(), everybody(world)).tolist() == [-1] * 3
    nothing = land(np.empty((0, 8)))
    assert plan_regions(nothing, rules(), everybody(nothing)).tolist() == []


def test_a_second_run_changes_nothing():
    random = np.random.default_rng(0)
    keys = random.standard_normal((400, 8))
    edges = [(a, b, ASSOCIATION, random.random()) for a, b in random.integers(0, 400, (1500, 2)).tolist() if a != b]
    before = plan_regions(land(keys, edges), rules(), np.ones(400, bool))
    assert len(np.unique(before)) > 3
    again = plan_regions(land(keys, edges, regions=before), rules(), np.ones(400, bool))
    assert (before == again).all()


def test_regions_keep_their_numbers_while_they_change():
    world = groups(6, 5, 4, regions=[7] * 6 + [3] * 5 + [-1] * 4)
    regions = plan_regions(world, rules(), everybody(world))
    assert sets(regions, world) == {7: set(range(6)), 3: set(range(6, 11)), 8: set(range(11, 15))}


def test_a_community_has_the_number_that_most_of_it_had():
    before = np.array([1, 1, 1, 2, 2, 5, -1])
    found = np.array([0, 0, 1, 1, 1, 9, 9])
    assert renumbered(found, before, 6).tolist() == [1, 1, 2, 2, 2, 5, 5]
    assert renumbered(np.array([4, 4, -1]), np.array([-1, -1, 2]), 3).tolist() == [3, 3, -1]


def planned(world, **changes):
    return plan(world, rules(**{"merge_similarity_threshold": 1.0, **changes}), allocator())


def test_a_dense_region_gets_a_parent_at_the_mean_of_its_keys():
    world = groups(5, 4)
    (first, second) = planned(world).abstractions
    mean = world.keys[:5].mean(axis=0)
    assert first.key == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert sorted(first.children.tolist()) == [0, 1, 2, 3, 4]
    assert first.cosines.tolist() == sorted(first.cosines.tolist(), reverse=True)
    assert first.cosines == pytest.approx(world.keys[first.children] @ first.key, abs=1e-6)
    assert sorted(second.children.tolist()) == [5, 6, 7, 8]
    assert (first.region, second.region) == (0, 1)


def test_parent_and_edges_come_together():
    birth = next(part for part in planned(groups(5)).parts(epoch=3, version=2) if part.what == "abstraction")
    create, link = birth.operations
    assert isinstance(create, Create)
    assert (create.kind, create.epoch, create.version, create.ids.tolist()) == (ABSTRACTION, 3, 2, [1000])
    assert isinstance(link, Link)
    assert (link.type, set(link.sources.tolist()), link.uses.tolist()) == ("HIERARCHICAL", {1000}, [0] * 5)


def test_only_a_dense_group_of_four_gets_one():
    assert planned(groups(3)).abstractions == []
    assert planned(groups(6, spread=2.0)).abstractions == []
    assert planned(groups(6), abstraction_enabled=False).abstractions == []
    assert planned(groups(6), max_edges_per_node=5).abstractions == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, 0, 0]] * 3 + [[0.8, 0.6, 0]], [0.95, 0.15, 0]),
        ([[1, 0, 0]] * 3 + [[-1, 0, 0]], None),
        ([[1, 0, 0]] * 3 + [None], None),
    ],
)
def test_a_parent_says_the_mean_of_what_its_children_say_if_they_agree(values, expected):
    (parent,) = planned(groups(4, values=values)).abstractions
    assert parent.has_value == (expected is not None)
    assert parent.value == pytest.approx(expected or [0, 0, 0])


def test_a_concept_with_as_many_edges_as_it_may_have_is_no_child():
    keys = groups(7).keys
    world = land(keys, [*clique(range(7), weight=0.9), *((0, n, CAUSAL, 0.1) for n in (1, 2, 3))])
    (parent,) = planned(world, max_edges_per_node=9).abstractions
    assert sorted(parent.children.tolist()) == [1, 2, 3, 4, 5, 6]


def carried_out(world, done):
    """The memory after a plan, and one more look."""
    kept = np.setdiff1d(np.arange(len(done.land)), done.merges.merged)
    edges = [(int(a), int(b), int(t), float(w)) for a, b, t, w in zip(*vars(done.land.bonds).values(), strict=True)]
    edges += [
        (len(done.land) - len(done.parents) + n, int(child), HIERARCHICAL, float(c))
        for n, group in enumerate(done.abstractions)
        for child, c in zip(group.children, group.cosines, strict=True)
    ]
    assert len(kept) == len(done.land)  # nothing merges in these worlds
    kinds = [done.land.kind_names[k] for k in done.land.kinds]
    return land(done.land.keys, edges, kinds=kinds, regions=done.regions)


def test_a_second_run_makes_no_second_parent_and_moves_nobody():
    world = groups(5, 4)
    first = planned(world)
    assert len(first.abstractions) == 2
    assert first.regions.tolist() == [0] * 5 + [1] * 4 + [0, 1]
    second = planned(carried_out(world, first))
    assert (second.abstractions, second.moved.tolist(), second.splits) == ([], [], [])


def test_regions_are_written_where_they_change_only(monkeypatch):
    from aesg_graph.learning.reorganisation import planning

    monkeypatch.setattr(planning, "REGION_CHUNK", 4)
    done = planned(groups(6, 5, spread=2.0, regions=[0] * 6 + [-1] * 5))
    parts = [part.operations[0] for part in done.parts(0, 0)]
    assert all(isinstance(part, Regions) for part in parts)
    assert [part.ids.tolist() for part in parts] == [[16, 17, 18, 19], [20]]
    assert {*np.concatenate([part.regions for part in parts]).tolist()} == {1}


def test_an_empty_memory_has_nothing_to_be_done():
    assert list(planned(land(np.empty((0, 8)))).parts(0, 0)) == []
