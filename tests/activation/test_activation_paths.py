"""Explaining an activation by the paths on which energy came."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spreading_scenes import EVERYTHING, RELATIONS, Scene, params, scenes

from aesg_graph.activation import Adjacency, Explained, Path, SpreadParams, paths
from aesg_graph.concepts import NO_REGION
from aesg_graph.errors import AESGNavigationError

CAUSAL = RELATIONS.code("CAUSAL")
SIMILARITY = RELATIONS.code("SIMILARITY")


def explain(scene: Scene, target: int, limit: int = EVERYTHING) -> Explained:
    adjacency = scene.adjacency()
    slots, energies = scene.seeds(adjacency)
    slot = int(np.flatnonzero(adjacency.ids == target)[0])
    return paths(adjacency, slots[0], energies[0], slot, scene.gains, scene.params, limit)


def factors(adjacency: Adjacency, slot: int, scene: Scene) -> list[tuple[int, int, float]]:
    """(slot, arc, factor) of every arc that a node considers."""
    arcs = []
    for entry in range(adjacency.start[slot], adjacency.start[slot] + adjacency.degree[slot]):
        arc, other = int(adjacency.arcs[entry]), int(adjacency.neighbour_slots[entry])
        same = adjacency.regions[slot] == adjacency.regions[other] != NO_REGION
        gain = scene.gains[arc // 2][arc % 2] * (scene.params.region_multiplier if same else 1.0)
        arcs.append((float(adjacency.weights[entry]) * gain, int(adjacency.ids[other]), arc, other))
    arcs.sort(key=lambda a: (-a[0], a[1], a[2]))
    arcs = [a for a in arcs[: scene.params.max_fanout] if a[0] > 0]
    divisor = max(1.0, sum(a[0] for a in arcs)) ** scene.params.fan
    return [(other, arc, scene.params.decay * strength / divisor) for strength, _, arc, other in arcs]


def every_path(scene: Scene) -> list[Path]:
    """All paths from all seeds, by following every arc of every node that passes."""
    adjacency = scene.adjacency()
    seeds: Counter[int] = Counter()
    for id_, energy in scene.queries[0]:
        seeds[id_] += energy
    slot_of = {int(id_): slot for slot, id_ in enumerate(adjacency.ids)}
    found: list[Path] = []
    ends = [Path((id_,), (), energy) for id_, energy in seeds.items()]
    for _ in range(scene.params.steps):
        arrived: Counter[int] = Counter()
        for path in ends:
            arrived[path.ids[-1]] += path.energy
        ends = [
            Path((*path.ids, int(adjacency.ids[other])), (*path.arcs, arc), path.energy * factor)
            for path in ends
            if arrived[path.ids[-1]] >= scene.params.min_energy
            for other, arc, factor in factors(adjacency, slot_of[path.ids[-1]], scene)
        ]
        ends = [path for path in ends if path.energy > 0]
        found += ends
    return found


SMALL = scenes(
    # Off the grid of values that energies take, so that rounding decides no cut.
    params(3).map(lambda p: replace(p, min_energy=p.min_energy * 1.0123)),
    max_concepts=5,
    max_edges=9,
)


@settings(max_examples=200)
@given(SMALL, st.data())
def test_the_energies_of_all_paths_add_up_to_the_activation_less_the_seed_energy(
    scene: Scene, data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(scene.ids))
    explained = explain(scene, target)
    own = sum(energy for id_, energy in scene.queries[0] if id_ == target)
    activation = dict(scene.by_reference(top_k=EVERYTHING)).get(target, 0.0)
    assert explained.complete
    assert explained.total == pytest.approx(activation - own, rel=1e-9, abs=1e-12)
    assert sum(path.energy for path in explained.paths) == pytest.approx(explained.total, rel=1e-9, abs=1e-300)


@settings(max_examples=200)
@given(SMALL, st.data(), st.integers(1, 6))
def test_the_paths_given_are_the_strongest_of_all(scene: Scene, data: st.DataObject, limit: int) -> None:
    target = data.draw(st.sampled_from(scene.ids))
    every = sorted((p for p in every_path(scene) if p.ids[-1] == target), key=lambda p: (-p.energy, p.ids, p.arcs))
    strongest = explain(scene, target, limit).paths
    assert [p.energy for p in strongest] == pytest.approx([p.energy for p in every[:limit]], rel=1e-9)
    energy_of = {(p.ids, p.arcs): p.energy for p in every}
    assert len({(p.ids, p.arcs) for p in strongest}) == len(strongest)
    for path in strongest:
        assert path.energy == pytest.approx(energy_of[path.ids, path.arcs], rel=1e-9)
    assert list(strongest) == sorted(strongest, key=lambda p: (-p.energy, p.ids, p.arcs))
    assert len(explain(scene, target).paths) == len(every)


def test_a_path_names_its_concepts_and_its_arcs() -> None:
    edges = [(1, 2, CAUSAL, 0.5), (3, 2, SIMILARITY, 0.25)]
    scene = Scene(dict.fromkeys((1, 2, 3), -1), edges, [((1, 1.0),)], SpreadParams(steps=2))
    (path,) = explain(scene, 3).paths
    assert path.ids == (1, 2, 3)
    assert path.arcs == (2 * CAUSAL, 2 * SIMILARITY + 1)
    assert path.energy == pytest.approx(1.0 * 0.8 * 0.5 * 0.8 * 0.25)


def test_a_path_may_come_back_to_where_it_was() -> None:
    scene = Scene({1: -1, 2: -1}, [(1, 2, SIMILARITY, 0.5)], [((1, 1.0),)], SpreadParams(steps=3))
    assert [path.ids for path in explain(scene, 2).paths] == [(1, 2), (1, 2, 1, 2)]
    assert [path.ids for path in explain(scene, 1).paths] == [(1, 2, 1)]


def test_what_no_energy_reaches_has_no_paths() -> None:
    scene = Scene({1: -1, 2: -1}, [(1, 2, CAUSAL, 0.5)], [((2, 1.0),)])
    explained = explain(scene, 1)
    assert explained.paths == ()
    assert explained.total == 0.0
    assert explained.complete
    assert explain(scene, 2).paths == ()


def test_seeds_of_two_rows_are_refused() -> None:
    scene = Scene({1: -1}, [], [((1, 1.0),), ((1, 1.0),)])
    adjacency = scene.adjacency()
    slots, energies = scene.seeds(adjacency)
    with pytest.raises(AESGNavigationError, match="one shape"):
        paths(adjacency, slots, energies, 0, scene.gains, scene.params)


def test_a_few_paths_out_of_very_many_are_found_quickly() -> None:
    """Six complete layers of 40: a hundred million paths, of which only the strongest are walked."""
    layers, width = 6, 40
    rng = np.random.default_rng(3)
    ids = np.arange(layers * width + 1)
    blocks = np.arange(1, layers * width + 1).reshape(layers, width)
    edges = [(0, int(b), CAUSAL, float(rng.random())) for b in blocks[0]]
    for here, there in pairwise(blocks):
        edges += [(int(a), int(b), CAUSAL, float(rng.random())) for a in here for b in there]
    target = int(blocks[-1, 0])
    scene = Scene(
        dict.fromkeys(ids.tolist(), -1),
        edges,
        [((0, 1.0),)],
        SpreadParams(steps=layers, min_energy=0.0, top_k=EVERYTHING),
    )
    explained = explain(scene, target, limit=20)
    assert len(explained.paths) == 20
    assert explained.total == pytest.approx(dict(scene.by_kernel())[target])
    # The strongest of all, by going through the layers once.
    adjacency = scene.adjacency()
    best = {0: 1.0}
    for _ in range(layers):
        ahead: dict[int, float] = {}
        for slot, energy in best.items():
            for other, _, factor in factors(adjacency, slot, scene):
                ahead[other] = max(ahead.get(other, 0.0), energy * factor)
        best = ahead
    assert explained.paths[0].energy == pytest.approx(best[target])
