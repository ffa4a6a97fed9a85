"""Spreading and explaining where the data is: in a graph store that can, when most of it is not in the cache here.

A store answers from what it has been sent. So it may only be asked once everything that this process recorded is there.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from aesg_graph.activation import SpreadParams
from aesg_graph.concepts import NO_ID, Doubles, Ids
from aesg_graph.engine.residency import Residency
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import GraphStore
from aesg_graph.stores.spreading import Spreading

log = logging.getLogger("aesg_graph")

Seeds = list[tuple[int, float]]


def mostly_absent(residency: Residency, seed_ids: Ids) -> bool:
    """Whether fewer than half of the seeds are in the cache: then what they light is not there either."""
    seeds = seed_ids[seed_ids != NO_ID]
    return bool(2 * (residency.cache.lookup(seeds) >= 0).sum() < len(seeds)) if len(seeds) else False


def spread_afar(
    graph: GraphStore, seed_ids: Ids, cosines: Doubles, gains: Doubles, params: SpreadParams
) -> tuple[Ids, Doubles] | None:
    """Activated concepts [B, top_k] and their energies for seeds [B, S], in one round trip.

    None where the store cannot. AESGStorageError if it fails.
    """
    if not isinstance(graph, Spreading):
        return None
    lit = [pairs(ids, energies) for ids, energies in zip(seed_ids, cosines, strict=True)]
    found = graph.spread(lit, gains, params)
    if found is None:
        return None
    ids = np.full((len(lit), params.top_k), NO_ID, np.int64)
    energies = np.zeros(ids.shape)
    place = np.arange(len(found.rows)) - np.searchsorted(found.rows, found.rows)  # rows come one after the other
    ids[found.rows, place], energies[found.rows, place] = found.ids, found.activations
    return ids, energies


def explained_afar(
    graph: GraphStore, seeds: Seeds, target: int, gains: Doubles, params: SpreadParams, limit: int
) -> list[dict[str, Any]] | None:
    """The strongest paths to a concept as the store tells them (see :func:`explained`); None where it cannot, or does
    not answer.
    """
    if not isinstance(graph, Spreading):
        return None
    try:
        routes = graph.explain(seeds, target, gains, params, limit)
    except AESGStorageError as error:
        log.info("explaining without the server: %s", error.message)
        return None
    if routes is None:
        return None
    return [{"ids": list(r.ids), "types": list(r.types), "energy": r.energy, "share": r.part} for r in routes]


def pairs(ids: Ids, energies: Doubles) -> Seeds:
    """The seeds of one query, less the padding."""
    return [(int(id), float(energy)) for id, energy in zip(ids, energies, strict=True) if id != NO_ID]
