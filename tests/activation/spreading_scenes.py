"""Small graphs with queries, for the tests of spreading activation: made by hand or drawn by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st

from aesg_graph.activation import Adjacency, Spread, SpreadParams, Workspaces, from_edges, spread, spread_reference
from aesg_graph.concepts import NO_REGION, Relations

RELATIONS = Relations()
EVERYTHING = 10**4
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Scene:
    """A graph, some queries (a tuple of (id, energy) each) and the rules."""

    regions: dict[int, int]
    edges: list[tuple[int, int, int, float]]
    queries: list[tuple[tuple[int, float], ...]]
    params: SpreadParams = field(default_factory=SpreadParams)
    gains: tuple[tuple[float, float], ...] = tuple(map(tuple, RELATIONS.gains.tolist()))

    @property
    def ids(self) -> list[int]:
        return list(self.regions)

    def columns(self) -> tuple[np.ndarray, ...]:
        """Sources, targets, type codes and weights."""
        table = np.array(self.edges, object).reshape(-1, 4).T
        return (
            table[0].astype(np.int64),
            table[1].astype(np.int64),
            table[2].astype(np.int64),
            table[3].astype(np.float32),
        )

    def adjacency(self) -> Adjacency:
        return from_edges(self.ids, list(self.regions.values()), *self.columns())

    def seeds(self, adjacency: Adjacency) -> tuple[np.ndarray, np.ndarray]:
        """Slots and energies [B, S], padded."""
        width = max([len(q) for q in self.queries], default=0) + 1
        slots = np.full((len(self.queries), width), -1, np.int32)
        energies = np.zeros((len(self.queries), width))
        for row, query in enumerate(self.queries):
            for column, (id_, energy) in enumerate(query):
                slots[row, column] = np.flatnonzero(adjacency.ids == id_)[0]
                energies[row, column] = energy
        return slots, energies

    def spread(self, workspaces: Workspaces | None = None) -> tuple[Adjacency, Spread]:
        adjacency = self.adjacency()
        return adjacency, spread(adjacency, *self.seeds(adjacency), self.gains, self.params, None, workspaces)

    def by_kernel(self, row: int = 0) -> list[tuple[int, float]]:
        adjacency, result = self.spread()
        assert result.complete.all()
        return results(adjacency, result, row)

    def by_reference(self, row: int = 0, **changed: object) -> list[tuple[int, float]]:
        """What the reference says of a row, with some of the parameters changed."""
        query = self.queries[row]
        ids, energies = spread_reference(
            self.ids,
            list(self.regions.values()),
            *self.columns(),
            [id_ for id_, _ in query],
            [energy for _, energy in query],
            self.gains,
            replace(self.params, **changed),
        )
        return list(zip(ids.tolist(), energies.tolist(), strict=True))


def results(adjacency: Adjacency, result: Spread, row: int) -> list[tuple[int, float]]:
    """The (id, activation) pairs of a row, less the padding, which is checked."""
    slots, energies = result.slots[row], result.energies[row]
    count = int((slots >= 0).sum())
    assert (slots[:count] >= 0).all()
    assert (slots[count:] == -1).all()
    assert (energies[count:] == 0).all()
    return list(zip(adjacency.ids[slots[:count]].tolist(), energies[:count].tolist(), strict=True))


def agree(given: list[tuple[int, float]], everything: list[tuple[int, float]], top_k: int) -> bool:
    """Whether ``given`` are the ``top_k`` of ``everything``, but for what lies within the tolerance of the cut."""
    activation = dict(everything)
    ranked = [energy for _, energy in everything]
    if len(given) != min(top_k, len(everything)) or len({id_ for id_, _ in given}) != len(given):
        return False
    in_order = sorted(given, key=lambda pair: (-pair[1], pair[0])) == given
    return in_order and all(
        np.isclose(energy, activation.get(id_, -1.0), rtol=TOLERANCE, atol=0)
        and np.isclose(energy, ranked[place], rtol=TOLERANCE, atol=0)
        for place, (id_, energy) in enumerate(given)
    )


def agrees_with_reference(scene: Scene, given: list[tuple[int, float]], row: int) -> bool:
    """As DESIGN says: equal to a relative 1e-5, but for nodes that are as close to the ``min_energy`` cut."""
    cuts = [scene.params.min_energy * shift for shift in (1.0, 1.0 - TOLERANCE, 1.0 + TOLERANCE)]
    return any(
        agree(given, scene.by_reference(row, top_k=EVERYTHING, min_energy=cut), scene.params.top_k) for cut in cuts
    )


def params(max_steps: int = 4) -> st.SearchStrategy[SpreadParams]:
    return st.builds(
        SpreadParams,
        steps=st.integers(0, max_steps),
        decay=st.sampled_from([0.5, 0.8, 1.0]),
        fan=st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1),
        min_energy=st.sampled_from([0.0, 1e-3, 0.05, 0.137]),
        max_fanout=st.sampled_from([None, None, 1, 2, 3]),
        region_multiplier=st.sampled_from([1.0, 1.5, 2.0, 0.5, 0.0]),
        top_k=st.integers(1, 16),
    )


@st.composite
def scenes(
    draw: st.DrawFn,
    rules: st.SearchStrategy[SpreadParams] | None = None,
    weights: tuple[float, ...] = (0.0, 0.1, 0.3, 0.3, 0.5, 0.7, 1.0),
    energies: tuple[float, ...] = (0.0, 0.1, 0.4, 0.5, 0.9, 1.0),
    gains: tuple[float, ...] = (0.0, 0.5, 1.0, 1.0, 2.5),
    max_concepts: int = 10,
    max_edges: int = 30,
) -> Scene:
    """Few values, so that ties are common; some ids beyond 32 bits, in no order; edges of several types, loops too."""
    ids = draw(
        st.lists(st.integers(0, 40) | st.integers(2**62, 2**62 + 5), min_size=1, max_size=max_concepts, unique=True)
    )
    types = draw(st.integers(1, 4))
    any_id = st.sampled_from(ids)
    edge = st.tuples(any_id, any_id, st.integers(0, types - 1))
    edges = draw(st.dictionaries(edge, st.sampled_from(weights), max_size=max_edges))
    query = st.lists(st.tuples(any_id, st.sampled_from(energies)), max_size=4).map(tuple)
    gain = st.sampled_from(gains)
    return Scene(
        regions={id_: draw(st.sampled_from([NO_REGION, NO_REGION, 0, 1])) for id_ in ids},
        edges=[(*ends, weight) for ends, weight in edges.items()],
        queries=draw(st.lists(query, min_size=1, max_size=4)),
        params=draw(params() if rules is None else rules),
        gains=tuple(draw(st.lists(st.tuples(gain, gain), min_size=types, max_size=types))),
    )
