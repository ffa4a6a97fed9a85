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
        case dict():
            return q.Value(struct_value=q.Struct(fields={key: to_value(value) for key, value in given.items()}))
        case list():
            return q.Value(list_value=q.ListValue(values=[to_value(value) for value in given]))
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
    only(vector, "data", "dense")
    return list(vector.dense.data) if vector.HasField("dense") else list(vector.data)


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


def wanted_payload(selector: Any, default: bool = False) -> Any:
    """Which fields of the payload a reader wants; ``default`` is for one who does not say."""
    match selector.WhichOneof("selector_options"):
        case None:
            return default
        case "include":
            return edge.PayloadSelector.Include(list(selector.include.fields))
        case "exclude":
            return edge.PayloadSelector.Exclude(list(selector.exclude.fields))
        case _:
            return bool(selector.enable)


def search_params(params: Any) -> edge.SearchParams:
    """How a search is done. Edge says the same of quantization, although its vectors here are never quantized."""
    only(params, "hnsw_ef", "exact", "quantization", "indexed_only")
    only(params.quantization, "ignore", "rescore", "oversampling")
    given = {name.name: value for name, value in params.ListFields()}
    if "quantization" in given:
        parts = {name.name: value for name, value in params.quantization.ListFields()}
        given["quantization"] = edge.QuantizationSearchParams(**parts)
    return edge.SearchParams(**given)


# -- collections -----------------------------------------------------------------------------------------------------

DISTANCES = {q.Distance.Cosine: "Cosine", q.Distance.Dot: "Dot", q.Distance.Euclid: "Euclid"}
RECORDED = (
    "shard_number",
    "replication_factor",
    "write_consistency_factor",
    "on_disk_payload",
    "quantization_config",
    "wal_config",
    "optimizers_config",
)
"""What is reported as it was given, and changes nothing here: there is one copy in one shard, never optimised."""


def shard_config(created: Any) -> edge.EdgeConfig:
    """What a collection's shard is."""
    only(created, "collection_name", "timeout", "vectors_config", "hnsw_config", *RECORDED)
    vectors = created.vectors_config
    if vectors.WhichOneof("config") != "params_map":
        raise UnimplementedError("a collection without named vectors")
    named = {name: _vector_params(name, params) for name, params in vectors.params_map.map.items()}
    return edge.EdgeConfig(vectors=named, hnsw_config=index_config(created.hnsw_config), wal_enabled=True)


def _vector_params(name: str, params: Any) -> edge.EdgeVectorParams:
    only(params, "size", "distance", "hnsw_config", "quantization_config", "on_disk")
    if params.distance not in DISTANCES:
        raise UnimplementedError(f"the distance of the vector {name}")
    own = index_config(params.hnsw_config) if params.HasField("hnsw_config") else None
    distance = getattr(edge.Distance, DISTANCES[params.distance])
    return edge.EdgeVectorParams(size=params.size, distance=distance, hnsw_config=own, memory=edge.Memory.Cold)


def index_config(hnsw: Any) -> edge.HnswIndexConfig:
    """How an index is built."""
    m = hnsw.m if hnsw.HasField("m") else 16
    construct = hnsw.ef_construct if hnsw.HasField("ef_construct") else 100
    return edge.HnswIndexConfig(m=m, ef_construct=construct, full_scan_threshold=10_000)
