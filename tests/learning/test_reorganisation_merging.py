"""What merges, and what does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reorganisation_worlds import ASSOCIATION, CAUSAL, CONTRADICTS, D, V, around, axes, land, rules, unit

from aesg_graph.learning.explaining import cosine
from aesg_graph.learning.reorganisation import merging, nearness
from aesg_graph.learning.reorganisation.merging import plan_merges
from aesg_graph.learning.reorganisation.nearness import Nearness


def merged(world, *, fresh=None, **changes):
    """Planned merges, as {merged id: survivor id}."""
    fresh = np.ones(len(world), bool) if fresh is None else fresh
    plan = plan_merges(world, rules(**changes), fresh)
    ids = world.ids
    return dict(zip(ids[plan.merged].tolist(), ids[plan.survivors].tolist(), strict=True))


def at_angles(*degrees):
    """Keys in one plane."""
    turned = np.radians(degrees)
    return np.cos(turned)[:, None] * axes(0) + np.sin(turned)[:, None] * axes(1)


def test_the_more_used_survives_and_of_equals_the_lower_id():
    assert merged(land(at_angles(0, 5, 90, 95), uses=[1, 2, 0, 0])) == {10: 11, 13: 12}


def test_concepts_merge_above_the_threshold_only():
    assert merged(land(at_angles(0, 30)), merge_similarity_threshold=0.86) == {11: 10}
    assert merged(land(at_angles(0, 30)), merge_similarity_threshold=0.87) == {}
    assert merged(land(at_angles(0, 0)), merge_similarity_threshold=1.0) == {}


def test_values_that_disagree_keep_concepts_apart_and_so_does_a_missing_one():
    up, down = [1, 0, 0], [-1, 0, 0]
    assert merged(land(at_angles(0, 1), values=[up, down])) == {}
    assert merged(land(at_angles(0, 1), values=[up, up])) == {11: 10}
    assert merged(land(at_angles(0, 1), values=[None, None])) == {11: 10}
    assert merged(land(at_angles(0, 1), values=[up, None])) == {}, "what was learned would be lost, or made up"
    assert merged(land(at_angles(0, 1, 2), values=[up, None, down], uses=[0, 9, 0])) == {}


def test_what_somebody_says_is_a_contradiction_stays_two():
    assert merged(land(at_angles(0, 1), [(1, 0, CONTRADICTS)])) == {}
    assert merged(land(at_angles(0, 1, 2), [(0, 1, CONTRADICTS)])) == {12: 11}


def test_concepts_of_different_kinds_stay_apart():
    assert merged(land(at_angles(0, 1, 2), kinds=["a", "b", "a"])) == {12: 10}


def test_nothing_merges_through_a_third_that_it_is_not_near_to():
    # 15 degrees are near, 30 are not: the middle one goes to its better neighbour, the chain ends there.
    world = land(at_angles(0, 15, 30, 45, 60))
    assert merged(world) == {11: 10, 13: 12}
    assert merged(land(at_angles(0, 15, 30), uses=[0, 9, 0])) == {10: 11, 12: 11}


@pytest.mark.parametrize("block", [2, 3, 1024])
def test_a_concept_goes_to_the_nearest_that_stays(monkeypatch, block):
    monkeypatch.setattr(merging, "BLOCK", block)
    assert merged(land(at_angles(0, 28, 16), uses=[2, 1, 0])) == {12: 11}


def test_a_merge_that_would_be_split_again_is_not_planned():
    keys = np.concatenate([at_angles(0, 1), around(axes(3)[0], 6, 0.5)])
    edges = [(0, n, CAUSAL) for n in (2, 3, 4)] + [(1, n, CAUSAL) for n in (5, 6, 7)]
    assert merged(land(keys, edges), max_edges_per_node=6) == {11: 10}
    assert merged(land(keys, edges), max_edges_per_node=5) == {}
    shared = [(0, n, CAUSAL) for n in (2, 3, 4)] + [(1, n, CAUSAL) for n in (2, 3, 4)] + [(0, 1, ASSOCIATION)]
    assert merged(land(keys, shared), max_edges_per_node=3) == {11: 10}  # they become one another's


def test_only_pairs_with_a_fresh_concept_are_looked_at():
    world = land(at_angles(0, 5, 90, 95, 180))
    fresh = np.array([False, False, False, True, True])
    assert merged(world, fresh=fresh) == {13: 12}
    assert merged(world, fresh=np.zeros(5, bool)) == {}


def test_what_was_held_back_is_named_so_that_it_is_looked_at_again():
    keys = np.concatenate([at_angles(0, 1), around(axes(3)[0], 6, 0.5)])
    edges = [(0, n, CAUSAL) for n in (2, 3, 4)] + [(1, n, CAUSAL) for n in (5, 6, 7)]
    world = land(keys, edges)
    plan = plan_merges(world, rules(max_edges_per_node=5), np.ones(len(world), bool))
    assert plan.held_back.tolist() == [1]


def plainly(world, threshold, agreement=0.5):
    """The same by two loops, without limits of edges."""
    keys = unit(world.keys).astype(np.float64)
    heirs = {}
    stay = []
    for row in sorted(range(len(world)), key=lambda r: (-world.uses[r], world.ids[r])):
        best = None
        for other in stay:
            near = keys[row] @ keys[other] / np.linalg.norm(keys[row]) / np.linalg.norm(keys[other])
            both = world.has_value[row] and world.has_value[other]
            agree = world.has_value[row] == world.has_value[other]
            agree &= not both or cosine(world.values[row], world.values[other]) >= agreement
            if near > threshold and agree and world.kinds[row] == world.kinds[other]:
                best = max(best or (-2.0, 0), (near, -stay.index(other)))
        if best is None:
            stay.append(row)
        else:
            heirs[int(world.ids[row])] = int(world.ids[stay[-best[1]]])
    return heirs


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 90), st.sampled_from([0.8, 0.95]))
def test_the_blocked_search_merges_what_two_plain_loops_merge(seed, count, threshold):
    random = np.random.default_rng(seed)
    centres = random.standard_normal((12, D))
    keys = centres[random.integers(0, 12, count)] + 0.25 * random.standard_normal((count, D))
    values = [
        None if r < 0.3 else v for r, v in zip(random.random(count), random.standard_normal((count, V)), strict=True)
    ]
    kinds = [["a", "b"][n] for n in random.integers(0, 2, count)]
    world = land(keys, values=values, kinds=kinds, uses=random.integers(0, 3, count))
    blocks = (merging.BLOCK, nearness.ACROSS, nearness.ALONG, nearness.AT_ONCE)
    merging.BLOCK, nearness.ACROSS, nearness.ALONG, nearness.AT_ONCE = 16, 7, 5, 9
    try:
        assert merged(world, merge_similarity_threshold=threshold) == plainly(world, threshold)
    finally:
        merging.BLOCK, nearness.ACROSS, nearness.ALONG, nearness.AT_ONCE = blocks


@pytest.mark.parametrize("dims", [1, 2, 64, 300])
def test_the_filter_loses_no_pair(dims):
    random = np.random.default_rng(dims)
    keys = unit(random.standard_normal((700, dims)))
    keys[350:] = unit(
        keys[:350] + random.uniform(0, 1.2 / np.sqrt(dims), (350, 1)) * random.standard_normal((350, dims))
    )
    exact = keys.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    expected = {(int(i), int(j)) for i, j in zip(*np.nonzero(exact @ exact.T > 0.9), strict=True)}
    found = set()
    rows = np.arange(len(keys))
    for i, j, cosines in Nearness.of(keys, 0.9).pairs(rows, rows):
        assert (cosines > 0.9).all()
        found |= set(zip(i.tolist(), j.tolist(), strict=True))
    assert found == expected
    assert len(found) > 700
