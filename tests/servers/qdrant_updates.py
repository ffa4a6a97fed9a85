"""Qdrant's writes as operations of Qdrant Edge: the same for a call of its own and for a part of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge
from qdrant_client import grpc as q

from tests.servers.qdrant_conditions import filter_of
from tests.servers.qdrant_translation import UnimplementedError, id_of, only, payload_of, point_of, vectors_of

CALL = ("collection_name", "wait", "ordering", "timeout")
"""Fields of a call that are no matter of the shard: it has one copy, and applies before it answers."""
MODES = {
    q.UpdateMode.Upsert: edge.UpdateMode.Upsert,
    q.UpdateMode.InsertOnly: edge.UpdateMode.InsertOnly,
    q.UpdateMode.UpdateOnly: edge.UpdateMode.UpdateOnly,
}

Operation = tuple[edge.UpdateOperation, int]
"""An operation, and about how many points it writes."""


def upsert(request: Any) -> Operation:
    """Points as a whole; with ``update_filter``, only over points that it lets pass, and new ones."""
    only(request, *CALL, "points", "update_filter", "update_mode")
    points = [point_of(point) for point in request.points]
    condition, mode = filter_of(request.update_filter), MODES[request.update_mode]
    return edge.UpdateOperation.upsert_points(points, condition=condition, update_mode=mode), len(points)


def update_vectors(request: Any) -> Operation:
    """Some vectors of points, which must exist."""
    only(request, *CALL, "points", "update_filter")
    points = [edge.PointVectors(id_of(point.id), vectors_of(point.vectors)) for point in request.points]
    return edge.UpdateOperation.update_vectors(points, condition=filter_of(request.update_filter)), len(points)


def delete_vectors(request: Any) -> Operation:
    """Remove named vectors."""
    only(request, *CALL, "points_selector", "vectors")
    return _selected(request.points_selector, "delete_vectors", list(request.vectors.names))


def delete_points(request: Any) -> Operation:
    """Remove points; absent ones are no error."""
    only(request, *CALL, "points")
    return _selected(request.points, "delete_points")


def set_payload(request: Any) -> Operation:
    """Set some fields of payloads."""
    only(request, *CALL, "payload", "points_selector", "key")
    return _selected(request.points_selector, "set_payload", payload_of(request.payload), **_below(request))


def overwrite_payload(request: Any) -> Operation:
    """Replace payloads."""
    only(request, *CALL, "payload", "points_selector", "key")
    return _selected(request.points_selector, "overwrite_payload", payload_of(request.payload), **_below(request))


def delete_payload(request: Any) -> Operation:
    """Remove some fields of payloads."""
    only(request, *CALL, "keys", "points_selector")
    return _selected(request.points_selector, "delete_payload", list(request.keys))


def clear_payload(request: Any) -> Operation:
    """Remove payloads."""
    only(request, *CALL, "points")
    return _selected(request.points, "clear_payload")


OPERATIONS: dict[str | None, Callable[[Any], Operation]] = {
    "upsert": upsert,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
    "delete_points": delete_points,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
}
"""The parts of a batch, by their names in it."""


def batch(request: Any) -> list[Operation]:
    """All parts of a batch, in their order: none is applied if this server does not know one of them."""
    only(request, *CALL, "operations")
    kinds = [part.WhichOneof("operation") for part in request.operations]
    for kind in kinds:
        if kind not in OPERATIONS:
            raise UnimplementedError(f"a batch with {kind}")
    return [OPERATIONS[kind](getattr(part, kind)) for kind, part in zip(kinds, request.operations, strict=True)]


def _below(request: Any) -> dict[str, str]:
    return {"key": request.key} if request.HasField("key") else {}


def _selected(selector: Any, name: str, *given: Any, **more: Any) -> Operation:
    """An operation on points that are listed, or chosen by a filter; Edge takes these in different places."""
    match selector.WhichOneof("points_selector_one_of"):
        case "filter":
            # An empty filter chooses all points, as in a search.
            condition = filter_of(selector.filter) or edge.Filter()
            return getattr(edge.UpdateOperation, f"{name}_by_filter")(condition, *given, **more), 1
        case "points":
            ids = [id_of(point) for point in selector.points.ids]
            return getattr(edge.UpdateOperation, name)(ids, *given, **more), len(ids)
        case _:
            raise ValueError("no points are selected")
