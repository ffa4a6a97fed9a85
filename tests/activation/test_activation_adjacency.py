"""The arrays that a spread walks: their layout, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from spreading_scenes import RELATIONS, Scene, scenes

from aesg_graph.activation import Adjacency, SpreadParams, from_edges, from_tables, paths, spread
from aesg_graph.errors import AESGNavigationError


def block(adjacency: Adjacency, id_: int) -> list[tuple[int, int, float]]:
    """The (neighbour, arc, weight) triples of a concept's block, sorted."""
    slot = int(np.flatnonzero(adjacency.ids == id_)[0])
    entries = range(adjacency.start[slot], adjacency.start[slot] + adjacency.degree[slot])
    return sorted(
        (int(adjacency.neighbour_ids[e]), int(adjacency.arcs[e]), float(adjacency.weights[e])) for e in entries
    )


@given(scenes())
def test_every_edge_is_two_arcs_one_in_each_end_s_block(scene: Scene) -> None:
    adjacency = scene.adjacency()
    assert adjacency.ids.tolist() == sorted(scene.ids)
    assert adjacency.regions.tolist() == [scene.regions[id_] for id_ in sorted(scene.ids)]
    assert len(adjacency.arcs) == 2 * len(scene.edges)
    np.testing.assert_array_equal(adjacency.ids[adjacency.neighbour_slots], adjacency.neighbour_ids)
    for id_ in scene.ids:
        forward = [(target, 2 * code, w) for source, target, code, w in scene.edges if source == id_]
        backward = [(source, 2 * code + 1, w) for source, target, code, w in scene.edges if target == id_]
        expected = sorted((other, arc, float(np.float32(w))) for other, arc, w in forward + backward)
        assert block(adjacency, id_) == expected


def test_a_graph_known_in_part_has_blocks_for_what_is_known() -> None:
    adjacency = from_tables(
        [30, 10, 20], [5, -1, 6], [False, True, True], [10, 20, 30], [20, 99, 10], [0, 1, 2], [1, 1, 1]
    )
    assert adjacency.ids.tolist() == [10, 20, 30]
    assert adjacency.regions.tolist() == [-1, 6, 5]
    assert adjacency.degree.tolist() == [2, 2, -1]
    assert block(adjacency, 10) == [(20, 0, 1.0), (30, 5, 1.0)]
    assert block(adjacency, 20) == [(10, 1, 1.0), (99, 2, 1.0)]
    by_neighbour = dict(zip(adjacency.neighbour_ids.tolist(), adjacency.neighbour_slots.tolist(), strict=True))
    assert by_neighbour == {10: 0, 20: 1, 30: 2, 99: -1}


def test_arrays_are_shared_and_cannot_be_written_through_an_adjacency() -> None:
    original = from_edges([1, 2], [-1, -1], [1], [2], [0], [0.5])
    weights = original.weights.copy()
    shared = replace(original, weights=weights)
    weights[:] = 0.75
    assert shared.weights.tolist() == [0.75, 0.75]
    with pytest.raises(ValueError, match="read-only"):
        shared.weights[0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], [-1, -1], [], [], [], []), "distinct"),
        (([-1, 1], [-1, -1], [], [], [], []), "at least 0"),
        (([1, 2], [-1], [], [], [], []), "one length"),
        (([1, 2], [-1, -1], [1], [2], [0, 0], [0.5]), "one length"),
        (([1, 2], [-1, -1], [1], [3], [0], [0.5]), r"got \[3\] too"),
        (([], [], [1], [3], [0], [0.5]), r"got \[1, 3\] too"),
        (([1, 2], [-1, -1], [1], [2], [-1], [0.5]), "Type codes"),
        (([1, 2], [-1, -1], [1], [2], [1 << 15], [0.5]), "Type codes"),
        (([1, 2], [-1, -1], [1], [2], [0], [-0.5]), "at least 0"),
        (([1, 2], [-1, -1], [1], [2], [0], [float("nan")]), "finite"),
    ],
)
def test_tables_that_make_no_graph_are_refused(arguments: tuple[list[float], ...], message: str) -> None:
    with pytest.raises(AESGNavigationError, match=message):
        from_edges(*arguments)


@pytest.mark.parametrize(
    "changed",
    [
        {"degree": np.zeros(2, np.int64)},
        {"regions": np.zeros(3, np.int64)},
        {"weights": np.zeros(4, np.float32)[::2]},
        {"arcs": np.zeros(1, np.uint16)},
    ],
)
def test_arrays_of_another_layout_are_refused(changed: dict[str, np.ndarray]) -> None:
    adjacency = from_edges([1, 2], [-1, -1], [1], [2], [0], [0.5])
    with pytest.raises(AESGNavigationError, match=f"Adjacency.{next(iter(changed))} must be"):
        replace(adjacency, **changed)


GRAPH = from_edges([1, 2], [-1, -1], [1], [2], [3], [0.5])


@pytest.mark.parametrize(
    ("slots", "energies", "message"),
    [
        ([0, 1], [1.0, 1.0], "one shape"),
        ([[0, 1]], [[1.0]], "one shape"),
        ([[0.0]], [[1.0]], "integers"),
        ([[2]], [[1.0]], "row 0 has slot 2 "),
        ([[-2]], [[1.0]], "slot -2"),
        ([[0], [2**32]], [[1.0], [1.0]], "Seed 0 of row 1"),
        ([[0, 1]], [[1.0, float("nan")]], "Seed 1 of row 0 .* energy nan"),
        ([[0]], [[float("inf")]], "energy inf"),
        ([[0]], [[-0.5]], "energy -0.5"),
    ],
)
def test_bad_seeds_are_refused(slots: object, energies: object, message: str) -> None:
    with pytest.raises(AESGNavigationError, match=message):
        spread(GRAPH, slots, energies, RELATIONS.gains, SpreadParams())


def test_a_free_slot_is_no_seed_and_no_target() -> None:
    freed = replace(GRAPH, ids=np.array([1, -1]))
    with pytest.raises(AESGNavigationError, match="slot 1 "):
        spread(freed, [[1]], [[1.0]], RELATIONS.gains, SpreadParams())
    for target in (1, 2, -1):
        with pytest.raises(AESGNavigationError, match=f"Target slot {target} holds no concept"):
            paths(freed, [0], [1.0], target, RELATIONS.gains, SpreadParams())


def test_padding_may_hold_any_energy() -> None:
    result = spread(GRAPH, [[0, -1]], [[1.0, float("nan")]], RELATIONS.gains, SpreadParams())
    assert result.slots[0, :2].tolist() == [0, 1]


@pytest.mark.parametrize("gains", [[1.0, 1.0], [[1.0, -1.0]], [[1.0, float("nan")]], [[1.0, 1.0, 1.0]]])
def test_bad_gains_are_refused(gains: object) -> None:
    with pytest.raises(AESGNavigationError, match="Gains must be"):
        spread(GRAPH, [[0]], [[1.0]], gains, SpreadParams())


def test_an_edge_whose_type_has_no_gain_is_an_error() -> None:
    for call in (
        lambda: spread(GRAPH, [[0]], [[1.0]], RELATIONS.gains[:3], SpreadParams()),
        lambda: paths(GRAPH, [0], [1.0], 1, RELATIONS.gains[:3], SpreadParams()),
    ):
        with pytest.raises(AESGNavigationError, match="type code 3, but gains were given for 3 types"):
            call()


def test_a_mask_of_another_length_or_type_is_refused() -> None:
    for mask in (np.ones(3, np.uint8), np.ones(2, np.bool_)):
        with pytest.raises(AESGNavigationError, match=r"allowed must be uint8\[2\]"):
            spread(GRAPH, [[0]], [[1.0]], RELATIONS.gains, SpreadParams(), mask)
