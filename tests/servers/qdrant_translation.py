"""Between Qdrant's gRPC messages and Qdrant Edge's objects. What Edge lacks is UNIMPLEMENTED, never a guess."""

from __future__ import annotations

from typing import Any

import numpy as np
import qdrant_edge as edge
from qdrant_client import grpc as q


class UnimplementedError(Exception):
    """This server does not do that."""


def only(message: Any, *known: str) -> None:
    """Refuse a message that sets a field which this server does not know."""
    unknown = [field.name for field, _ in message.ListFields() if field.name not in known]
    if unknown:
        raise UnimplementedError(f"{type(message).__name__}.{unknown[0]}")


# -- values ----------------------------------------------------------------------------------------------------------


def value_of(value: Any) -> Any:
    """A payload value as Python's own."""
    kind = value.WhichOneof("kind")
    match kind:
        case None | "null_value":
            return None
        case "struct_value":
            return payload_of(value.struct_value.fields)
        case "list_value":
            return [value_of(v) for v in value.list_value.values]
        case _:
            return getattr(value, kind)


def payload_of(fields: Any) -> dict[str, Any]:
    """A payload as a dictionary."""
    return {key: value_of(value) for key, value in fields.items()}


def to_value(given: Any) -> Any:
    """Python's own as a payload value."""
    match given:
        case None:
            return q.Value(null_value=0)
        case bool():
            return q.Value(bool_value=given)
        case int():
            return q.Value(integer_value=given)
        case float():
            return q.Value(double_value=given)
        case str():
            return q.Value(string_value=given)
        case _:
            raise UnimplementedError(f"a payload value of type {type(given).__name__}")


def id_of(point: Any) -> Any:
    """A point's id."""
    return point.num if point.WhichOneof("point_id_options") == "num" else point.uuid


def to_id(id: Any) -> Any:
    """A point's id as a message."""
    return q.PointId(num=id) if isinstance(id, int) else q.PointId(uuid=str(id))


# -- points ----------------------------------------------------------------------------------------------------------


def dense(vector: Any) -> list[float]:
    """The numbers of a dense vector, in either of the two fields that clients use."""
    if vector.HasField("dense"):
        return list(vector.dense.data)
    only(vector, "data")
    return list(vector.data)


def vectors_of(vectors: Any) -> dict[str, list[float]]:
    """Named vectors."""
    only(vectors, "vectors")
    return {name: dense(vector) for name, vector in vectors.vectors.vectors.items()}


def point_of(point: Any) -> edge.Point:
    """A point to be written."""
    return edge.Point(id_of(point.id), vectors_of(point.vectors), payload_of(point.payload))


def to_vectors(stored: Any) -> Any:
    """Stored vectors as a message."""
    named = {
        name: q.VectorOutput(dense=q.DenseVector(data=np.asarray(vector, np.float32)))
        for name, vector in (stored or {}).items()
    }
    return q.VectorsOutput(vectors=q.NamedVectorsOutput(vectors=named))


def to_point(record: Any, score: float | None = None) -> Any:
    """A stored point as a message; with a score, one that was found."""
    payload = {key: to_value(value) for key, value in (record.payload or {}).items()}
    common = {"id": to_id(record.id), "payload": payload}
    if record.vector is not None:
        common["vectors"] = to_vectors(record.vector)
    return q.RetrievedPoint(**common) if score is None else q.ScoredPoint(**common, score=score)


def wanted_vectors(selector: Any) -> bool | list[str]:
    """Which vectors a reader wants."""
    if selector.WhichOneof("selector_options") == "include":
        return list(selector.include.names)
    return bool(selector.enable)


def wants_payload(selector: Any) -> bool:
    """Whether a reader wants the payload."""
    only(selector, "enable")
    return bool(selector.enable)


# -- filters ---------------------------------------------------------------------------------------------------------


def filter_of(given: Any) -> edge.Filter | None:
    """A filter; None where there is none."""
    only(given, "must", "should", "must_not")
    if not given.ListFields():
        return None
    parts = {name: [condition_of(c) for c in getattr(given, name)] or None for name in ("must", "should", "must_not")}
    return edge.Filter(**parts)


def condition_of(condition: Any) -> Any:
    """One condition of a filter."""
    kind = condition.WhichOneof("condition_one_of")
    match kind:
        case "field":
            return field_condition(condition.field)
        case "has_id":
            return edge.HasIdCondition({id_of(point) for point in condition.has_id.has_id})
        case "is_empty":
            return edge.IsEmptyCondition(condition.is_empty.key)
        case "has_vector":
            return edge.HasVectorCondition(condition.has_vector.has_vector)
        case "filter":
            return filter_of(condition.filter)
        case _:
            raise UnimplementedError(f"a condition of kind {kind}")


def field_condition(field: Any) -> edge.FieldCondition:
    """A condition on a payload field: equality, one of several, or a range."""
    only(field, "key", "match", "range")
    if field.HasField("range"):
        bounds = {name.name: value for name, value in field.range.ListFields()}
        return edge.FieldCondition(field.key, range=edge.RangeFloat(**bounds))
    kind = field.match.WhichOneof("match_value")
    match kind:
        case "keyword" | "integer" | "boolean":
            return edge.FieldCondition(field.key, match=edge.MatchValue(getattr(field.match, kind)))
        case "keywords" | "integers":
            values = list(getattr(field.match, kind).strings if kind == "keywords" else field.match.integers.integers)
            return edge.FieldCondition(field.key, match=edge.MatchAny(values))
        case _:
            raise UnimplementedError(f"a match of kind {kind}")


# -- collections -----------------------------------------------------------------------------------------------------

DISTANCES = {q.Distance.Cosine: "Cosine", q.Distance.Dot: "Dot", q.Distance.Euclid: "Euclid"}


def shard_config(vectors: Any, hnsw: Any) -> edge.EdgeConfig:
    """What a collection's shard is."""
    if vectors.WhichOneof("config") != "params_map":
        raise UnimplementedError("a collection without named vectors")
    named = {}
    for name, params in vectors.params_map.map.items():
        if params.HasField("multivector_config") or params.distance not in DISTANCES:
            raise UnimplementedError(f"the vector {name} is of an unknown kind")
        own = index_config(params.hnsw_config) if params.HasField("hnsw_config") else None
        distance = getattr(edge.Distance, DISTANCES[params.distance])
        named[name] = edge.EdgeVectorParams(
            size=params.size, distance=distance, hnsw_config=own, memory=edge.Memory.Cold
        )
    return edge.EdgeConfig(vectors=named, hnsw_config=index_config(hnsw), wal_enabled=True)


def index_config(hnsw: Any) -> edge.HnswIndexConfig:
    """How an index is built."""
    m = hnsw.m if hnsw.HasField("m") else 16
    construct = hnsw.ef_construct if hnsw.HasField("ef_construct") else 100
    return edge.HnswIndexConfig(m=m, ef_construct=construct, full_scan_threshold=10_000)
