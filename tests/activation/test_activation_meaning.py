"""What spreading activation means, on graphs small enough to be worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from spreading_scenes import RELATIONS, Scene

from aesg_graph.activation import SpreadParams

A, B, C, D, E = 1, 2, 3, 4, 5
SIMILARITY, CAUSAL, CONTRADICTS = (RELATIONS.code(name) for name in ("SIMILARITY", "CAUSAL", "CONTRADICTS"))
Answer = Callable[[Scene], dict[int, float]]


@pytest.fixture(params=["kernel", "reference"])
def answer(request: pytest.FixtureRequest) -> Answer:
    """Both implementations are held to the same examples."""

    def by(scene: Scene) -> dict[int, float]:
        return dict(scene.by_kernel() if request.param == "kernel" else scene.by_reference())

    return by


def scene(edges: list[tuple[int, int, int, float]], *seeds: tuple[int, float], **params: object) -> Scene:
    regions = params.pop("regions", {})
    return Scene({id_: regions.get(id_, -1) for id_ in (A, B, C, D, E)}, edges, [seeds], SpreadParams(**params))


@pytest.mark.parametrize("fan", [0.0, 0.5, 1.0])
def test_a_single_weak_edge_is_never_strengthened(answer: Answer, fan: float) -> None:
    got = answer(scene([(A, B, CAUSAL, 0.25)], (A, 1.0), fan=fan, steps=1))
    assert got == {A: 1.0, B: pytest.approx(0.2)}


@pytest.mark.parametrize(("fan", "share"), [(0.0, 0.8), (0.5, 0.4), (1.0, 0.2), (0.25, 0.8 / math.sqrt(2))])
def test_many_edges_divide_the_energy_by_the_fan(answer: Answer, fan: float, share: float) -> None:
    edges = [(A, B, CAUSAL, 1.0), (A, C, CAUSAL, 1.0), (A, D, CAUSAL, 1.0), (A, E, CAUSAL, 1.0)]
    got = answer(scene(edges, (A, 1.0), fan=fan, steps=1))
    assert got == {A: 1.0, **dict.fromkeys((B, C, D, E), pytest.approx(share))}


def test_a_node_passes_on_only_what_reached_it_in_the_previous_pulse(answer: Answer) -> None:
    got = answer(scene([(A, B, SIMILARITY, 0.5)], (A, 1.0), fan=0.0, min_energy=0.0))
    # A 1.0; B 0.4; back to A 0.16; and to B once more 0.064.
    assert got == {A: pytest.approx(1.16), B: pytest.approx(0.464)}


def test_energy_flows_both_ways_only_along_symmetric_types(answer: Answer) -> None:
    assert B in answer(scene([(A, B, CAUSAL, 0.5)], (A, 1.0)))
    assert answer(scene([(A, B, CAUSAL, 0.5)], (B, 1.0))) == {B: 1.0}
    assert A in answer(scene([(A, B, SIMILARITY, 0.5)], (B, 1.0)))


@pytest.mark.parametrize("seed", [A, B])
def test_contradicts_passes_nothing_and_takes_no_share(answer: Answer, seed: int) -> None:
    assert answer(scene([(A, B, CONTRADICTS, 1.0)], (seed, 1.0))) == {seed: 1.0}
    edges = [(A, B, CONTRADICTS, 1.0), (A, C, CAUSAL, 1.0)]
    assert answer(scene(edges, (A, 1.0), fan=1.0, steps=1)) == {A: 1.0, C: pytest.approx(0.8)}


def test_a_common_region_helps_and_no_region_is_none_in_common(answer: Answer) -> None:
    edges = [(A, B, CAUSAL, 0.2), (A, C, CAUSAL, 0.2), (D, E, CAUSAL, 0.2)]
    got = answer(scene(edges, (A, 1.0), (D, 1.0), steps=1, fan=0.0, regions={A: 7, B: 7, C: 8}))
    assert got == {A: 1.0, D: 1.0, B: pytest.approx(0.24), C: pytest.approx(0.16), E: pytest.approx(0.16)}


def test_the_region_multiplier_counts_in_the_fan(answer: Answer) -> None:
    got = answer(scene([(A, B, CAUSAL, 1.0)], (A, 1.0), steps=1, fan=1.0, regions={A: 7, B: 7}))
    assert got[B] == pytest.approx(0.8)


def test_what_is_below_min_energy_passes_nothing_but_still_counts(answer: Answer) -> None:
    edges = [(A, B, CAUSAL, 0.5), (B, C, CAUSAL, 1.0)]
    assert answer(scene(edges, (A, 1.0), min_energy=0.41)) == {A: 1.0, B: pytest.approx(0.4)}
    assert C in answer(scene(edges, (A, 1.0), min_energy=0.39))


def test_small_arrivals_of_different_pulses_do_not_add_up_to_pass(answer: Answer) -> None:
    # C is reached by 0.4 in pulse 1 and 0.32 in pulse 2: neither alone may pass.
    edges = [(A, C, CAUSAL, 0.5), (A, B, CAUSAL, 0.5), (B, C, CAUSAL, 1.0), (C, D, CAUSAL, 1.0)]
    got = answer(scene(edges, (A, 1.0), fan=0.0, min_energy=0.4 + 1e-9))
    assert D not in got
    got = answer(scene(edges, (A, 1.0), fan=0.0, min_energy=0.31))
    assert got[D] == pytest.approx(0.4 * 0.8 + 0.32 * 0.8)


def test_with_max_fanout_only_the_strongest_edges_count(answer: Answer) -> None:
    edges = [(A, B, CAUSAL, 0.9), (A, C, CAUSAL, 0.7), (A, D, CAUSAL, 0.8), (A, E, CONTRADICTS, 1.0)]
    got = answer(scene(edges, (A, 1.0), max_fanout=2, fan=1.0, steps=1))
    assert got == {A: 1.0, B: pytest.approx(0.8 * 0.9 / 1.7), D: pytest.approx(0.8 * 0.8 / 1.7)}


def test_max_fanout_ties_go_to_the_lower_target_then_type_then_direction(answer: Answer) -> None:
    assert set(answer(scene([(A, C, CAUSAL, 0.5), (A, B, CAUSAL, 0.5)], (A, 1.0), max_fanout=1, steps=1))) == {A, B}
    # Two edges to one target: only one of them counts, so B receives 0.4 and not 0.8.
    edges = [(A, B, CAUSAL, 0.5), (A, B, SIMILARITY, 0.5), (A, C, CAUSAL, 0.5)]
    assert answer(scene(edges, (A, 1.0), max_fanout=1, steps=1))[B] == pytest.approx(0.4)


def test_results_fall_and_ties_go_to_the_lower_id(answer: Answer) -> None:
    edges = [(A, E, CAUSAL, 0.5), (A, C, CAUSAL, 0.5), (A, D, CAUSAL, 0.5), (A, B, CAUSAL, 0.75)]
    assert list(answer(scene(edges, (A, 1.0), steps=1, top_k=4))) == [A, B, C, D]


def test_a_seed_given_twice_adds_up(answer: Answer) -> None:
    twice = scene([(A, B, CAUSAL, 0.5)], (A, 0.25), (A, 0.5))
    assert answer(twice) == answer(scene([(A, B, CAUSAL, 0.5)], (A, 0.75)))


def test_a_self_loop_is_two_arcs_of_its_concept(answer: Answer) -> None:
    assert answer(scene([(A, A, CAUSAL, 0.5)], (A, 1.0), steps=1)) == {A: pytest.approx(1.4)}
    assert answer(scene([(A, A, SIMILARITY, 0.5)], (A, 1.0), steps=1)) == {A: pytest.approx(1.8)}


def test_nothing_in_means_nothing_out(answer: Answer) -> None:
    assert answer(scene([(A, B, CAUSAL, 0.5)])) == {}
    assert answer(scene([(A, B, CAUSAL, 0.5)], (A, 0.0))) == {}
    assert answer(scene([(A, B, CAUSAL, 0.5)], (A, 0.5), steps=0)) == {A: 0.5}
