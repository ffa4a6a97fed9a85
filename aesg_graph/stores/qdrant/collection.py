"""A memory's collection: how it is made, and whether one that is there is of the right kind."""

from __future__ import annotations

import math
from typing import Any

from qdrant_client import grpc as q

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.qdrant.connecting import Connection
from aesg_graph.stores.qdrant.faults import collection_name, place
from aesg_graph.stores.qdrant.translation import KEY, VALUE, name_of, ordering

PAYLOAD_INDEXES = {
    "kind": q.FieldType.FieldTypeKeyword,
    "region_id": q.FieldType.FieldTypeInteger,
    "writer": q.FieldType.FieldTypeInteger,
    "sequence": q.FieldType.FieldTypeInteger,
    "version": q.FieldType.FieldTypeInteger,
}


def create(connection: Connection, vector_dim: int, value_dim: int) -> None:
    """Make the collection unless there is one: of two processes at once one makes it, and both go on."""
    if exists(connection):
        return
    try:
        connection.call("create", "collections.Create", described(connection.settings, vector_dim, value_dim))
    except AESGStorageError:
        if not exists(connection):
            raise


def described(settings: StoreSettings, vector_dim: int, value_dim: int) -> Any:
    """What a new collection is."""
    vectors = {
        KEY: q.VectorParams(
            size=vector_dim,
            distance=q.Distance.Cosine,
            hnsw_config=q.HnswConfigDiff(m=settings.hnsw_m, ef_construct=settings.hnsw_ef_construct),
            quantization_config=_quantization(settings),
            on_disk=settings.on_disk,
        )
    }
    if value_dim:
        # Values are never searched: no graph, and the dot product, which keeps them as they are.
        vectors[VALUE] = q.VectorParams(
            size=value_dim,
            distance=q.Distance.Dot,
            hnsw_config=q.HnswConfigDiff(m=0),
            on_disk=settings.on_disk,
        )
    return q.CreateCollection(
        collection_name=collection_name(settings),
        vectors_config=q.VectorsConfig(params_map=q.VectorParamsMap(map=vectors)),
        shard_number=settings.shard_number,
        replication_factor=settings.replication_factor,
        write_consistency_factor=settings.write_consistency_factor,
        timeout=math.ceil(settings.request_timeout),
    )


def _quantization(settings: StoreSettings) -> Any:
    match settings.quantization:
        case "scalar":
            return q.QuantizationConfig(scalar=q.ScalarQuantization(type=q.QuantizationType.Int8, always_ram=True))
        case "binary":
            return q.QuantizationConfig(binary=q.BinaryQuantization(always_ram=True))
        case _:
            return None


def check(connection: Connection, vector_dim: int, value_dim: int) -> set[str]:
    """AESGStorageError unless there is a collection for such vectors; the payload indexes that it has."""
    settings = connection.settings
    if not exists(connection):
        raise AESGStorageError(
            f"Cannot open {place(settings)}: the server has no such collection; check the settings memory and vectors"
        )
    request = q.GetCollectionInfoRequest(collection_name=collection_name(settings))
    info = connection.call("open", "collections.Get", request).result
    found = _vectors_of(info.config.params.vectors_config)
    expected = {KEY: f"{vector_dim} numbers, Cosine"}
    if value_dim:
        expected[VALUE] = f"{value_dim} numbers, Dot"
    if found != expected:
        raise AESGStorageError(
            f"Cannot open {place(settings)}: it has {_told(found)}, "
            f"expected {_told(expected)} (vector_dim {vector_dim}, value_dim {value_dim}); "
            "check the setting memory, and the configuration's vector_dim and value_dim"
        )
    return set(info.payload_schema)


def _vectors_of(config: Any) -> dict[str, str]:
    """The named vectors of a collection and what they are; "" is the name of the only one without a name."""
    if config.WhichOneof("config") == "params":
        return {"": _kind_of(config.params)}
    return {name: _kind_of(params) for name, params in config.params_map.map.items()}


def _kind_of(params: Any) -> str:
    parts = [f"{params.size} numbers", name_of(q.Distance, params.distance)]
    if params.datatype not in (q.Datatype.Default, q.Datatype.Float32):
        parts.append(name_of(q.Datatype, params.datatype))
    if params.HasField("multivector_config"):
        parts.append("many a point")
    return ", ".join(parts)


def _told(vectors: dict[str, str]) -> str:
    return " and ".join(f"{name or 'a nameless vector'!r} ({kind})" for name, kind in sorted(vectors.items())) or "none"


def add_indexes(connection: Connection, there: set[str]) -> None:
    """Make the payload indexes that the collection lacks; one that is made twice is no error."""
    settings = connection.settings
    for field, type in PAYLOAD_INDEXES.items():
        if field not in there:
            request = q.CreateFieldIndexCollection(
                collection_name=collection_name(settings),
                wait=True,
                field_name=field,
                field_type=type,
                ordering=ordering(settings),
            )
            connection.call("index", "points.CreateFieldIndex", request)


def exists(connection: Connection) -> bool:
    """Whether the server has the collection."""
    request = q.CollectionExistsRequest(collection_name=collection_name(connection.settings))
    return bool(connection.call("look for", "collections.CollectionExists", request).result.exists)


def delete(connection: Connection) -> None:
    """Delete the collection and all it holds; an absent one is no error."""
    settings = connection.settings
    request = q.DeleteCollection(collection_name=collection_name(settings), timeout=math.ceil(settings.request_timeout))
    connection.call("delete", "collections.Delete", request)
