"""Which concepts split, along what, and that they do not come together again."""

import numpy as np
import pytest
from reorganisation_worlds import ASSOCIATION, CAUSAL, SIMILARITY, D, allocator, around, axes, land, rules, unit

from aesg_graph.learning.reorganisation.merging import plan_merges
from aesg_graph.learning.reorganisation.splitting import plan_splits


def hub(count, spread=0.3, seed=0, dims=D):
    """A concept with edges to ``count`` others, half of them around one axis and half around another."""
    eye = np.eye(dims)
    halves = [around(eye[n], count // 2, spread, seed + n) for n in (1, min(2, dims - 1))]
    return land(np.concatenate([eye[:1], *halves]), [(0, n, CAUSAL) for n in range(1, count + 1)])


def split(world, room=10**6, **changes):
    return plan_splits(world, rules(**changes), allocator(), room)


def test_a_concept_splits_along_its_neighbours_keys():
    world = hub(10)
    after, (one,) = split(world, max_edges_per_node=9)
    assert one.source == 10
    assert one.id == 1000
    assert set(one.neighbours.tolist()) in ({*range(11, 16)}, {*range(16, 21)})
    assert sorted(after.degrees().tolist())[-2:] == [6, 6]
    handed_over = unit(world.keys[one.neighbours - 10].sum(axis=0))
    assert one.key @ handed_over > 0.5 < one.key @ world.keys[0]
    assert np.linalg.norm(one.key) == pytest.approx(1)


def test_no_more_halves_are_born_than_there_is_room_for():
    assert len(split(hub(10), room=1, max_edges_per_node=9)[1]) == 1
    assert split(hub(10), room=0, max_edges_per_node=9)[1] == []
    assert split(hub(40), room=2, max_edges_per_node=9)[1] == [], "it would need more than two"


def test_a_concept_at_the_limit_does_not_split():
    assert split(hub(10), max_edges_per_node=10)[1] == []


def test_the_new_half_says_what_the_concept_says():
    keys = np.concatenate([axes(0), around(axes(1)[0], 8, 0.5)])
    world = land(keys, [(0, n, CAUSAL) for n in range(1, 9)], values=[[1, 2, 3]] + [None] * 8)
    after, (one,) = split(world, max_edges_per_node=7)
    assert one.has_value
    assert one.value.tolist() == [1, 2, 3]
    assert after.has_value[-1]


@pytest.mark.parametrize("limit", [3, 4, 7, 20])
@pytest.mark.parametrize("count", [50, 500])
def test_it_splits_as_often_as_it_takes(limit, count):
    after, splits = split(hub(count), max_edges_per_node=limit)
    assert after.degrees().max() <= limit
    assert len(after) == count + 1 + len(splits)
    # no edge is lost, and each split adds the one between the halves
    assert len(after.bonds) == count + len(splits)
    moved = np.concatenate([s.neighbours for s in splits])
    assert len(set(moved.tolist()) & set(range(11, 11 + count))) >= count - limit


def test_two_hubs_that_are_joined_split_in_one_go():
    keys = np.concatenate([axes(0, 1), around(axes(2)[0], 20, 0.5), around(axes(3)[0], 20, 0.5)])
    edges = [(0, 1, ASSOCIATION)] + [(n % 2, n, CAUSAL) for n in range(2, 42)]
    after, splits = split(land(keys, edges), max_edges_per_node=12)
    assert {s.source for s in splits} == {10, 11}
    assert after.degrees().max() <= 12
    assert len(after.bonds) == len(edges) + len(splits)


def test_all_edges_to_a_neighbour_go_with_it():
    world = hub(10)
    double = world.bonds.followed_by(land(world.keys, [(n, 0, ASSOCIATION) for n in range(1, 11)]).bonds)
    world = type(world)(**{**vars(world), "bonds": double})
    after, splits = split(world, max_edges_per_node=12)
    b = after.bonds
    for row in range(1, 11):
        touching = set(np.concatenate([b.sources[b.targets == row], b.targets[b.sources == row]]).tolist())
        assert len(touching) == 1
    assert len(splits) == 1


@pytest.mark.parametrize("dims", [2, 3, 8, 64])
@pytest.mark.parametrize("threshold", [0.5, 0.95])
def test_halves_do_not_merge_again(dims, threshold):
    """Neighbours that are all like the hub leave no direction but those that a half invents."""
    keys = np.concatenate([np.eye(dims)[:1], around(np.eye(dims)[0], 8, 1e-4)])
    kinds = ["hub"] + ["concept"] * 8
    world = land(keys, [(0, n, CAUSAL) for n in range(1, 9)], kinds=kinds)
    after, splits = split(world, max_edges_per_node=6, merge_similarity_threshold=threshold)
    assert splits
    wanted = rules(max_edges_per_node=100, merge_similarity_threshold=threshold)
    merges = plan_merges(after, wanted, after.are_of_kind("hub"))
    assert merges.merged.tolist() == []


def test_one_dimension_has_no_other_direction():
    world = land(np.ones((10, 1)), [(0, n, CAUSAL) for n in range(1, 10)])
    assert split(world, max_edges_per_node=5)[1] == []


def test_the_same_memory_splits_in_the_same_way():
    first, second = (split(hub(300), max_edges_per_node=40)[1] for _ in range(2))
    assert [(s.id, s.neighbours.tolist(), s.key.tolist()) for s in first] == [
        (s.id, s.neighbours.tolist(), s.key.tolist()) for s in second
    ]


def test_halves_are_joined():
    after, (one,) = split(hub(10), max_edges_per_node=9)
    last = after.bonds
    assert (last.sources[-1], last.targets[-1], last.types[-1], last.weights[-1]) == (
        0,
        len(after) - 1,
        SIMILARITY,
        1.0,
    )
    assert after.ids[-1] == one.id
