"""Why a concept is recalled: the paths by which energy reaches it, over a graph that need not be in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from aesg_graph.activation import Explained, paths
from aesg_graph.engine.cold import ColdGraph
from aesg_graph.engine.recall import Recaller


def explained(recaller: Recaller, seed_ids: Any, energies: Any, target: int, limit: int) -> list[dict[str, Any]]:
    """The strongest paths from seeds [S] with energies [S] to a concept, none if it is not reached.

    Each is ``{"ids", "types", "energy", "share"}``: the concepts from a seed to the target, the types of the edges
    between them (``<`` before one that is walked against its direction), the energy that arrived by this path and its
    share of what reached the target besides its own seed energy. Runs under whatever lock guards the recaller.
    """
    graph = ColdGraph(recaller.residency, recaller.gains, recaller.params)
    graph.load(np.append(seed_ids, target), edges=True)
    while True:
        slots = graph.slots(np.append(seed_ids, target))
        seeds, end = slots[:-1], int(slots[-1])
        found = paths(graph.adjacency(), seeds, np.asarray(energies), end, recaller.gains, recaller.params, limit)
        if not (found.missing_rows.size or found.missing_edges.size):
            return _told(found, recaller.config.vocabulary.names)
        graph.load_named(found.missing_rows, found.missing_edges, 0)


def _told(found: Explained, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "ids": list(path.ids),
            "types": [("<" if arc % 2 else "") + names[arc // 2] for arc in path.arcs],
            "energy": path.energy,
            "share": path.energy / found.total if found.total else 0.0,
        }
        for path in found.paths
    ]
