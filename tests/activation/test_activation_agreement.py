"""The compiled kernel says what the reference says, whatever the graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from spreading_scenes import EVERYTHING, RELATIONS, Scene, agrees_with_reference, params, results, scenes

from aesg_graph.activation import SpreadParams, Workspaces, from_edges, spread, spread_reference

SHARED = Workspaces(workers=1)
"""Used by all examples, so that what one leaves behind would spoil the next."""


@settings(max_examples=400)
@given(scenes())
def test_kernel_and_reference_agree(scene: Scene) -> None:
    adjacency, result = scene.spread(SHARED)
    assert result.complete.all()
    assert result.missing_pulse == 0
    assert not len(result.missing_rows)
    assert not len(result.missing_edges)
    for row in range(len(scene.queries)):
        assert agrees_with_reference(scene, results(adjacency, result, row), row)
        assert result.visited[row] >= len(results(adjacency, result, row))


DYADIC = params().map(lambda p: replace(p, decay=0.5, fan=0.0, min_energy=2.0**-6, region_multiplier=2.0))


@settings(max_examples=200)
@given(scenes(DYADIC, weights=(0.25, 0.5, 1.0), energies=(0.25, 0.5, 1.0), gains=(0.0, 0.5, 1.0, 2.0)))
def test_ties_and_cuts_are_decided_alike_where_arithmetic_is_exact(scene: Scene) -> None:
    """Powers of two add up without rounding, so that not even a tie may be resolved in another way."""
    adjacency, result = scene.spread(SHARED)
    for row in range(len(scene.queries)):
        assert results(adjacency, result, row) == scene.by_reference(row)


@settings(max_examples=100)
@given(scenes(), st.data())
def test_only_allowed_concepts_are_results_though_energy_flows_through_all(scene: Scene, data: st.DataObject) -> None:
    adjacency = scene.adjacency()
    allowed = np.array([data.draw(st.booleans()) for _ in adjacency.ids], np.uint8)
    result = spread(adjacency, *scene.seeds(adjacency), scene.gains, scene.params, allowed, SHARED)
    everything = replace(scene, params=replace(scene.params, top_k=EVERYTHING)).spread(SHARED)
    for row, query in enumerate(scene.queries):
        may = set(adjacency.ids[allowed == 1].tolist())
        expected = [pair for pair in results(*everything, row) if pair[0] in may]
        assert results(adjacency, result, row) == expected[: scene.params.top_k]
        ids, _ = spread_reference(
            scene.ids,
            list(scene.regions.values()),
            *scene.columns(),
            [id_ for id_, _ in query],
            [energy for _, energy in query],
            scene.gains,
            replace(scene.params, top_k=EVERYTHING),
            allowed_ids=sorted(may),
        )
        assert set(ids.tolist()) <= may


@settings(max_examples=100)
@given(scenes(params().map(lambda p: replace(p, fan=1.0, top_k=EVERYTHING))))
def test_with_fan_one_energy_never_grows(scene: Scene) -> None:
    _, result = scene.spread(SHARED)
    for row, query in enumerate(scene.queries):
        bound = sum(energy for _, energy in query) * sum(scene.params.decay**k for k in range(scene.params.steps + 1))
        assert result.energies[row].sum() <= bound * (1 + 1e-12)


def test_they_agree_on_a_large_graph_with_hubs() -> None:
    rng = np.random.default_rng(7)
    concepts, edges = 3000, 12000
    ids = rng.choice(10**9, concepts, replace=False)
    # Squares of uniform numbers: a few concepts have hundreds of edges.
    sources, targets = (ids[(rng.random(edges) ** 2 * concepts).astype(int)] for _ in range(2))
    types = rng.integers(0, len(RELATIONS.names), edges)
    weights = rng.random(edges).astype(np.float32)
    regions = rng.integers(-1, 20, concepts)
    adjacency = from_edges(ids, regions, sources, targets, types, weights)
    slots = rng.integers(0, concepts, (6, 3)).astype(np.int32)
    energies = rng.uniform(0.2, 1, (6, 3))
    for rules in (SpreadParams(), SpreadParams(fan=0.0, max_fanout=12, top_k=50), SpreadParams(fan=0.7, steps=4)):
        result = spread(adjacency, slots, energies, RELATIONS.gains, rules, None, SHARED)
        for row in range(len(slots)):
            seeds = adjacency.ids[slots[row]], energies[row]
            expected_ids, expected = spread_reference(
                ids, regions, sources, targets, types, weights, *seeds, RELATIONS.gains, rules
            )
            np.testing.assert_array_equal(adjacency.ids[result.slots[row]], expected_ids)
            np.testing.assert_allclose(result.energies[row], expected, rtol=1e-10)
