"""A memory as a whole, for planning: from the cache where everything is there, else page by page from the stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from aesg_graph.activation.adjacency import BACKWARD
from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import NO_ID, EdgeTable, Ids, Subgraph, VectorTable, among
from aesg_graph.learning.reorganisation import Bonds, Landscape
from aesg_graph.stores.abc import GraphStore

PAGE = 8192

Fetch = Callable[[Ids], VectorTable]


def landscape_of_cache(cache: ConceptCache) -> Landscape:
    """Copies of a complete cache's columns; under the engine's lock, which is let go of before anything is planned."""
    columns, adjacency = cache.columns(), cache.adjacency()
    slots = np.flatnonzero(columns["id"] != NO_ID)
    slots = slots[np.argsort(columns["id"][slots])]
    ids = columns["id"][slots]
    owners = np.repeat(slots, adjacency.degree[slots])
    start = np.repeat(adjacency.start[slots], adjacency.degree[slots])
    first = np.cumsum(adjacency.degree[slots]) - adjacency.degree[slots]
    places = start + np.arange(len(owners)) - np.repeat(first, adjacency.degree[slots])
    places, owners = _forward(adjacency.arcs, places, owners)
    bonds = _bonds(
        ids,
        columns["id"][owners],
        adjacency.neighbour_ids[places],
        adjacency.arcs[places] >> 1,
        adjacency.weights[places],
    )
    return Landscape(
        ids=ids,
        keys=columns["key"][slots],
        values=columns["value"][slots],
        has_value=columns["has_value"][slots] != 0,
        kinds=columns["kind"][slots].astype(np.int64),
        kind_names=cache.strings(),
        uses=columns["use_frequency"][slots].astype(np.int64),
        regions=columns["region_id"][slots].astype(np.int64),
        versions=columns["version"][slots].astype(np.int64),
        bonds=bonds,
    )


def _forward(arcs: Any, places: Any, owners: Any) -> tuple[Any, Any]:
    """Every edge has two arcs, one of them forward."""
    forward = (arcs[places] & 1) != BACKWARD
    return places[forward], owners[forward]


def landscape_of_stores(graph: GraphStore, fetch: Fetch, vector_dim: int, value_dim: int) -> Landscape:
    """What the stores say, read page by page. A concept without a vector, which `aesg check` finds, is left out."""
    return _landscape([(page, fetch(page.concepts.ids)) for page in _pages(graph)], vector_dim, value_dim)


def _pages(graph: GraphStore) -> Iterable[Subgraph]:
    after = -1
    while len((page := graph.page(after, PAGE)).concepts):
        after = int(page.concepts.ids[-1])
        yield page


def _landscape(read: list[tuple[Subgraph, VectorTable]], vector_dim: int, value_dim: int) -> Landscape:
    tables = [page.concepts for page, _ in read]
    edges = [page.edges for page, _ in read]
    keys = _joined([found.keys for _, found in read], np.empty((0, vector_dim), np.float32))
    values = _joined([found.values for _, found in read], np.empty((0, value_dim), np.float32))
    has_value = _joined([found.has_value for _, found in read], np.empty(0, np.bool_))
    seen = _joined([found.ids for _, found in read], np.empty(0, np.int64))
    ids = _column(tables, "ids")
    names, kinds = np.unique(np.array([kind for table in tables for kind in table.kinds], object), return_inverse=True)
    here = among(ids, seen)
    place = np.searchsorted(seen, ids[here])
    return Landscape(
        ids=ids[here],
        keys=keys[place],
        values=values[place],
        has_value=has_value[place],
        kinds=kinds.astype(np.int64)[here],
        kind_names=tuple(names.tolist()),
        uses=_column(tables, "use_frequency")[here],
        regions=_column(tables, "region_id")[here],
        versions=_column(tables, "versions")[here],
        bonds=_bonds_of(ids[here], edges),
    )


def _bonds_of(ids: Ids, edges: list[EdgeTable]) -> Bonds:
    weights = _joined([table.weights for table in edges], np.empty(0, np.float32))
    return _bonds(ids, _column(edges, "sources"), _column(edges, "targets"), _column(edges, "types"), weights)


def _bonds(ids: Ids, sources: Ids, targets: Ids, types: Any, weights: Any) -> Bonds:
    """Edges between concepts that are there, as rows of ``ids``, in an order of their own."""
    here = among(sources, ids) & among(targets, ids)
    sources, targets = np.searchsorted(ids, sources[here]), np.searchsorted(ids, targets[here])
    types, weights = np.asarray(types[here], np.int64), np.asarray(weights[here], np.float32)
    order = np.lexsort((types, targets, sources))
    return Bonds(sources[order], targets[order], types[order], weights[order])


def _column(tables: list[Any], name: str) -> Any:
    return _joined([getattr(table, name) for table in tables], np.empty(0, np.int64)).astype(np.int64)


def _joined(parts: list[Any], nothing: Any) -> Any:
    return np.concatenate([nothing, *parts]) if parts else nothing
