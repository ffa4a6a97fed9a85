"""Between our vocabulary and Edge's: configuration, conditions, records and errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import qdrant_edge as edge

from aesg_graph.concepts import NO_REGION, Ids, Ints, VectorTable
from aesg_graph.errors import AESGError, AESGStorageError

KEY = "key"
VALUE = "value"
FULL_SCAN_KB = 10_000
"""A segment with fewer KB of keys is searched exactly, index or not."""
INDEX_FROM_KB = 1
"""``optimize()`` indexes whatever is larger."""


def shard_config(vector_dim: int, value_dim: int) -> edge.EdgeConfig:
    """What a new shard is.

    There are no payload indexes: conditions by version look at single points, and indexes halve the rate of inserts.
    """
    # Mapped and read as needed. Edge's own choice reads whole files on opening, holes and all, which on a small
    # memory-backed file system takes its last byte and ends the process; searches are no slower without.
    mapped = edge.Memory.Cold
    vectors = {KEY: edge.EdgeVectorParams(size=vector_dim, distance=edge.Distance.Cosine, memory=mapped)}
    if value_dim:
        # Values are never searched: no graph, and the dot product, which keeps them as they are.
        no_graph = edge.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=FULL_SCAN_KB)
        vectors[VALUE] = edge.EdgeVectorParams(
            size=value_dim, distance=edge.Distance.Dot, hnsw_config=no_graph, memory=mapped
        )
    return edge.EdgeConfig(
        vectors=vectors,
        hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=FULL_SCAN_KB),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=INDEX_FROM_KB),
        wal_enabled=True,
    )


def no_newer_than(version: int) -> edge.Filter:
    """The condition of a write: it applies to points that exist, others are always inserted."""
    return edge.Filter(must=[edge.FieldCondition("version", range=edge.RangeFloat(lte=version))])


def payload_filter(kind: str | None, region: int | None) -> edge.Filter | None:
    """Points of a kind, of a region, of both; None for all."""
    conditions: list[edge.ConditionType] = []
    if kind is not None:
        conditions.append(edge.FieldCondition("kind", match=edge.MatchValue(kind)))
    if region is not None:
        conditions.append(edge.FieldCondition("region_id", match=edge.MatchValue(int(region))))
    return edge.Filter(must=conditions) if conditions else None


def point_id(record: edge.Record) -> int:
    """A record's id; ours are always numbers."""
    return cast(int, record.id)


def named_vectors(record: edge.Record) -> dict[str, Any]:
    """A record's vectors by name; those it lacks are absent."""
    return cast(dict[str, Any], record.vector or {})


def table_of(records: Sequence[edge.Record], vector_dim: int, value_dim: int, vectors: bool = True) -> VectorTable:
    """Records as columns, in ascending id order; without ``vectors`` keys and values have no columns."""
    records = sorted(records, key=point_id)
    count = len(records)
    keys = np.empty((count, vector_dim if vectors else 0), np.float32)
    values, has_value = np.zeros((count, value_dim if vectors else 0), np.float32), np.zeros(count, np.bool_)
    stamps = np.array([_stamp(record) for record in records], np.int64).reshape(count, 3)
    if vectors and count:
        stored = [named_vectors(record) for record in records]
        lacking = next((point_id(r) for r, found in zip(records, stored, strict=True) if KEY not in found), None)
        if lacking is not None:
            raise AESGStorageError(f"Point {lacking} has lost its key: the vector shard is damaged")
        keys[:] = [found[KEY] for found in stored]
        has_value[:] = [VALUE in found for found in stored]
        if has_value.any():
            values[has_value] = [found[VALUE] for found in stored if VALUE in found]
    ids = np.array([point_id(record) for record in records], np.int64)
    versions, writers, sequences = (stamps[:, column].copy() for column in range(3))
    return VectorTable(ids, keys, values, has_value, versions, writers, sequences)


def labels_of(records: Sequence[edge.Record]) -> tuple[Ids, tuple[str, ...], Ints]:
    """Ids in ascending order, kinds ("" where the payload has none) and regions of records."""
    told = sorted(((point_id(record), record.payload or {}) for record in records), key=lambda pair: pair[0])
    ids = np.array([id for id, _ in told], np.int64)
    regions = np.array([payload.get("region_id", NO_REGION) for _, payload in told], np.int64)
    return ids, tuple(payload.get("kind", "") for _, payload in told), regions


def joined(tables: Sequence[VectorTable]) -> VectorTable:
    """Tables one below the other; at least one."""
    if len(tables) == 1:
        return tables[0]
    columns = ("ids", "keys", "values", "has_value", "versions", "writers", "sequences")
    return VectorTable(*(np.concatenate([getattr(table, column) for table in tables]) for column in columns))


def stored_version(record: edge.Record) -> int:
    """The version of the point's key."""
    return _stamp(record)[0]


def _stamp(record: edge.Record) -> tuple[int, int, int]:
    payload = record.payload or {}
    try:
        return payload["version"], payload["writer"], payload["sequence"]
    except KeyError as error:
        raise AESGStorageError(f"Point {record.id} has lost its {error}: the vector shard is damaged") from None


@contextmanager
def storage_errors(doing: str, path: Path) -> Iterator[None]:
    """Turn what Edge or the operating system says into an AESGStorageError that names the shard.

    Edge raises plain exceptions, and where its Rust code panics an exception that derives from BaseException alone.
    """
    try:
        yield
    except (AESGError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise AESGStorageError(f"Cannot {doing} {path}: {error}") from error
