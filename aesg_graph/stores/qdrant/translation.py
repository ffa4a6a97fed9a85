"""Between our tables and Qdrant's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client import grpc as q

from aesg_graph.concepts import NO_REGION, Floats, Ids, Ints, VectorTable
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import Points

KEY, VALUE = "key", "value"
ORDERINGS = {
    "weak": q.WriteOrderingType.Weak,
    "medium": q.WriteOrderingType.Medium,
    "strong": q.WriteOrderingType.Strong,
}
INDEXES = {
    "kind": q.FieldType.FieldTypeKeyword,
    "region_id": q.FieldType.FieldTypeInteger,
    "writer": q.FieldType.FieldTypeInteger,
    "sequence": q.FieldType.FieldTypeInteger,
    "version": q.FieldType.FieldTypeInteger,
}
"""Payload indexes, made before anything is loaded."""


# -- collections -----------------------------------------------------------------------------------------------------


def new_collection(name: str, settings: StoreSettings, vector_dim: int, value_dim: int) -> Any:
    """What a memory's collection is."""
    index = q.HnswConfigDiff(m=settings.hnsw_m, ef_construct=settings.hnsw_ef_construct)
    named = {KEY: q.VectorParams(size=vector_dim, distance=q.Distance.Cosine, on_disk=settings.on_disk)}
    if value_dim:
        # Values are never searched: no graph, and the dot product, which keeps them as they are.
        none = q.HnswConfigDiff(m=0)
        named[VALUE] = q.VectorParams(
            size=value_dim, distance=q.Distance.Dot, hnsw_config=none, on_disk=settings.on_disk
        )
    created = q.CreateCollection(
        collection_name=name,
        vectors_config=q.VectorsConfig(params_map=q.VectorParamsMap(map=named)),
        hnsw_config=index,
        shard_number=settings.shard_number,
        replication_factor=settings.replication_factor,
        write_consistency_factor=settings.write_consistency_factor,
    )
    if settings.quantization != "none":
        created.vectors_config.params_map.map[KEY].quantization_config.CopyFrom(_quantization(settings.quantization))
    return created


def _quantization(kind: str) -> Any:
    if kind == "scalar":
        return q.QuantizationConfig(scalar=q.ScalarQuantization(type=q.QuantizationType.Int8, always_ram=True))
    return q.QuantizationConfig(binary=q.BinaryQuantization(always_ram=True))


def described(vectors: dict[str, tuple[int, int]]) -> str:
    """Named vectors as an error tells them: ``key of 64 (Cosine)``."""
    told = [f"{name} of {size} ({q.Distance.Name(distance)})" for name, (size, distance) in sorted(vectors.items())]
    return " and ".join(told) or "no named vectors"


def expected_vectors(vector_dim: int, value_dim: int) -> dict[str, tuple[int, int]]:
    """Size and distance of each vector that a memory's collection must have."""
    wanted: dict[str, tuple[int, int]] = {KEY: (vector_dim, q.Distance.Cosine)}
    return wanted | ({VALUE: (value_dim, q.Distance.Dot)} if value_dim else {})


def found_vectors(info: Any) -> dict[str, tuple[int, int]]:
    """Size and distance of each vector that a collection has."""
    named = info.config.params.vectors_config.params_map.map
    return {name: (int(params.size), int(params.distance)) for name, params in named.items()}


# -- conditions ------------------------------------------------------------------------------------------------------


def no_newer_than(version: int) -> Any:
    """The condition of a write: it applies to points that exist, others are always inserted."""
    return q.Filter(must=[q.Condition(field=q.FieldCondition(key="version", range=q.Range(lte=version)))])


def payload_filter(kind: str | None, region: int | None) -> Any | None:
    """Points of a kind, of a region, of both; None for all."""
    matches = []
    if kind is not None:
        matches.append(q.FieldCondition(key="kind", match=q.Match(keyword=kind)))
    if region is not None:
        matches.append(q.FieldCondition(key="region_id", match=q.Match(integer=int(region))))
    return q.Filter(must=[q.Condition(field=match) for match in matches]) if matches else None


# -- points ----------------------------------------------------------------------------------------------------------


def _integer(number: int) -> Any:
    return q.Value(integer_value=number)


def point_ids(ids: Ids) -> list[Any]:
    """Ids as messages."""
    return [q.PointId(num=id) for id in ids.tolist()]


def selected(ids: Ids) -> Any:
    """Points by id."""
    return q.PointsSelector(points=q.PointsIdsList(ids=point_ids(ids)))


def _vector(numbers: Floats) -> Any:
    return q.Vector(dense=q.DenseVector(data=numbers))


def messages(points: Points, rows: Ints, version: int) -> list[Any]:
    """Points to be written."""
    writer, of_version = _integer(points.writer), _integer(version)
    made = []
    for row in rows.tolist():
        named = {KEY: _vector(points.keys[row])}
        if points.has_value[row]:
            named[VALUE] = _vector(points.values[row])
        payload = {
            "kind": q.Value(string_value=points.kinds[row]),
            "writer": writer,
            "sequence": _integer(int(points.sequences[row])),
            "version": of_version,
        }
        vectors = q.Vectors(vectors=q.NamedVectors(vectors=named))
        made.append(q.PointStruct(id=q.PointId(num=int(points.ids[row])), vectors=vectors, payload=payload))
    return made


def rekeyed(record: Any, key: Floats, stamp: dict[str, int]) -> Any:
    """A stored point with another key and stamp."""
    stored = record.vectors.vectors.vectors
    named = {KEY: _vector(key)}
    if VALUE in stored:
        named[VALUE] = q.Vector(dense=q.DenseVector(data=numbers_of(stored[VALUE])))
    payload = dict(record.payload) | {name: _integer(number) for name, number in stamp.items()}
    vectors = q.Vectors(vectors=q.NamedVectors(vectors=named))
    return q.PointStruct(id=record.id, vectors=vectors, payload=payload)


def numbers_of(vector: Any) -> Any:
    """The numbers of a dense vector, in either of the fields that servers of different age use."""
    return vector.dense.data if vector.HasField("dense") else vector.data


def stamp_of(record: Any) -> tuple[int, int, int]:
    """Version, writer and sequence of a stored point."""
    payload = record.payload
    for name in ("version", "writer", "sequence"):
        if name not in payload:
            raise AESGStorageError(f"Point {record.id.num} has lost its {name!r}: the collection is damaged")
    return tuple(payload[name].integer_value for name in ("version", "writer", "sequence"))


def table_of(records: Sequence[Any], vector_dim: int, value_dim: int, vectors: bool = True) -> VectorTable:
    """Records as columns, in ascending id order; without ``vectors`` keys and values have no columns."""
    records = sorted(records, key=lambda record: record.id.num)
    count = len(records)
    keys = np.empty((count, vector_dim if vectors else 0), np.float32)
    values, has_value = np.zeros((count, value_dim if vectors else 0), np.float32), np.zeros(count, np.bool_)
    stamps = np.array([stamp_of(record) for record in records], np.int64).reshape(count, 3)
    for row, record in enumerate(records if vectors else ()):
        named = record.vectors.vectors.vectors
        if KEY not in named:
            raise AESGStorageError(f"Point {record.id.num} has lost its key: the collection is damaged")
        keys[row] = numbers_of(named[KEY])
        if VALUE in named:
            values[row], has_value[row] = numbers_of(named[VALUE]), True
    ids = np.array([record.id.num for record in records], np.int64)
    versions, writers, sequences = (stamps[:, column].copy() for column in range(3))
    return VectorTable(ids, keys, values, has_value, versions, writers, sequences)


def labels_of(records: Sequence[Any]) -> tuple[Ids, tuple[str, ...], Ints]:
    """Ids in ascending order, kinds ("" where the payload has none) and regions of records."""
    told = sorted(((record.id.num, record.payload) for record in records), key=lambda pair: pair[0])
    ids = np.array([id for id, _ in told], np.int64)
    kinds = tuple(payload["kind"].string_value if "kind" in payload else "" for _, payload in told)
    regions = [payload["region_id"].integer_value if "region_id" in payload else NO_REGION for _, payload in told]
    return ids, kinds, np.array(regions, np.int64)


def joined(tables: Sequence[VectorTable]) -> VectorTable:
    """Tables one below the other; at least one."""
    if len(tables) == 1:
        return tables[0]
    columns = VectorTable.__dataclass_fields__
    return VectorTable(*(np.concatenate([getattr(table, column) for table in tables]) for column in columns))
