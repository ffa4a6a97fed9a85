"""Spreading activation, as plainly as it can be said: kernel, procedure and Cypher twin must agree with it.

Sources: Collins and Loftus, "A spreading-activation theory of semantic processing" (1975); Anderson, "A spreading
activation theory of memory" (1983) for the fan effect.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aesg_graph.activation.adjacency import BACKWARD, FORWARD
from aesg_graph.activation.params import SpreadParams
from aesg_graph.concepts import NO_REGION, Doubles, Ids


class _Arc(NamedTuple):
    """One edge as one of its ends sees it. ``strength`` is weight * gain * region multiplier."""

    strength: float
    neighbour: int
    type: int
    direction: int


def spread_reference(
    concept_ids: npt.ArrayLike,
    regions: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    type_codes: npt.ArrayLike,
    weights: npt.ArrayLike,
    seed_ids: npt.ArrayLike,
    seed_energies: npt.ArrayLike,
    gains: npt.ArrayLike,
    params: SpreadParams,
    allowed_ids: npt.ArrayLike | None = None,
) -> tuple[Ids, Doubles]:
    """The activations of one query over N concepts (columns [N]) and M edges (columns [M]), from any number of seeds.

    ``gains`` is [types, 2], forward and backward. Returns at most ``top_k`` ids and their activations, in falling
    order, ties by id; with ``allowed_ids`` only those are results, though energy flows through all.
    """
    arcs = _arcs(concept_ids, regions, sources, targets, type_codes, weights, gains, params)

    reached: dict[int, float] = defaultdict(float)
    for seed, energy in zip(_list(seed_ids), _list(seed_energies), strict=True):
        reached[seed] += energy
    activation = defaultdict(float, reached)

    for _ in range(params.steps):
        passed: dict[int, float] = defaultdict(float)
        for i, x in reached.items():
            if x < params.min_energy:
                continue
            total = sum(arc.strength for arc in arcs[i])
            for arc in arcs[i]:
                passed[arc.neighbour] += x * params.decay * arc.strength / max(1.0, total) ** params.fan
        for j, x in passed.items():
            activation[j] += x
        reached = passed

    allowed = set(activation) if allowed_ids is None else set(_list(allowed_ids))
    results = [(-energy, id_) for id_, energy in activation.items() if energy > 0 and id_ in allowed]
    results = sorted(results)[: params.top_k]
    return np.array([id_ for _, id_ in results], np.int64), np.array([-energy for energy, _ in results], np.float64)


def _arcs(
    concept_ids: npt.ArrayLike,
    regions: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    type_codes: npt.ArrayLike,
    weights: npt.ArrayLike,
    gains: npt.ArrayLike,
    params: SpreadParams,
) -> dict[int, list[_Arc]]:
    """The arcs that each concept considers."""
    region = dict(zip(_list(concept_ids), _list(regions), strict=True))
    gain = np.asarray(gains, np.float64)
    arcs: dict[int, list[_Arc]] = {id_: [] for id_ in region}
    # Weights are float32 wherever they are stored; all arithmetic is in float64.
    stored = np.asarray(weights, np.float32).astype(np.float64).tolist()
    for source, target, code, weight in zip(_list(sources), _list(targets), _list(type_codes), stored, strict=True):
        same = region[source] == region[target] != NO_REGION
        multiplier = params.region_multiplier if same else 1.0
        arcs[source].append(_Arc(weight * float(gain[code, FORWARD]) * multiplier, target, code, FORWARD))
        arcs[target].append(_Arc(weight * float(gain[code, BACKWARD]) * multiplier, source, code, BACKWARD))
    if params.max_fanout is not None:
        for id_, of_concept in arcs.items():
            of_concept.sort(key=lambda arc: (-arc.strength, arc.neighbour, arc.type, arc.direction))
            arcs[id_] = of_concept[: params.max_fanout]
    return {id_: [arc for arc in of_concept if arc.strength > 0] for id_, of_concept in arcs.items()}


def _list(column: npt.ArrayLike) -> list[Any]:
    return list(np.asarray(column).tolist())
