"""Qdrant's gRPC services over Qdrant Edge. A method that is not here answers UNIMPLEMENTED (grpc's own default)."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import grpc
import qdrant_edge as edge
from qdrant_client import grpc as q
from qdrant_client.grpc import collections_service_pb2_grpc, points_service_pb2_grpc, qdrant_pb2, qdrant_pb2_grpc

from tests.servers.qdrant_collections import Collection, Collections
from tests.servers.qdrant_translation import (
    UnimplementedError,
    dense,
    filter_of,
    id_of,
    only,
    payload_of,
    point_of,
    to_id,
    to_point,
    wanted_vectors,
    wants_payload,
)

OPTIMIZERS = q.OptimizersConfigDiff(
    deleted_threshold=0.2, vacuum_min_vector_number=1000, default_segment_number=0, flush_interval_sec=5
)
VERSION = "1.17.0-edge-test"


def _refuse(context: Any, code: grpc.StatusCode, why: str) -> NoReturn:
    context.abort(code, why)
    raise AssertionError  # abort raises


class Health(qdrant_pb2_grpc.QdrantServicer):
    def __init__(self, version: str) -> None:
        self.version = version

    def HealthCheck(self, request: Any, context: Any) -> Any:
        return qdrant_pb2.HealthCheckReply(title="qdrant - vector search engine", version=self.version)


class CollectionService(collections_service_pb2_grpc.CollectionsServicer):
    def __init__(self, collections: Collections) -> None:
        self.collections = collections

    def Create(self, request: Any, context: Any) -> Any:
        try:
            made = self.collections.create(request)
        except UnimplementedError as error:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, f"not in this server: {error}")
        if not made:
            why = f"Wrong input: Collection `{request.collection_name}` already exists!"
            _refuse(context, grpc.StatusCode.ALREADY_EXISTS, why)
        return q.CollectionOperationResponse(result=True)

    def Delete(self, request: Any, context: Any) -> Any:
        return q.CollectionOperationResponse(result=self.collections.delete(request.collection_name))

    def CollectionExists(self, request: Any, context: Any) -> Any:
        exists = self.collections.get(request.collection_name) is not None
        return q.CollectionExistsResponse(result=q.CollectionExists(exists=exists))

    def List(self, request: Any, context: Any) -> Any:
        found = [q.CollectionDescription(name=name) for name in self.collections.names()]
        return q.ListCollectionsResponse(collections=found)

    def Get(self, request: Any, context: Any) -> Any:
        found = _collection(self.collections, request.collection_name, context)
        created, info = found.created, found.shard.info()
        copied = ("shard_number", "replication_factor", "write_consistency_factor", "vectors_config", "on_disk_payload")
        params = {name: getattr(created, name) for name in copied if created.HasField(name)}
        params.setdefault("shard_number", 1)
        params.setdefault("on_disk_payload", True)
        index = q.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10_000)
        index.MergeFrom(created.hnsw_config)
        config = {
            "params": q.CollectionParams(**params),
            "hnsw_config": index,
            "optimizer_config": OPTIMIZERS,
            "wal_config": q.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0),
        }
        if created.HasField("quantization_config"):
            config["quantization_config"] = created.quantization_config
        schema = {name: q.PayloadSchemaInfo(data_type=kind) for name, kind in found.indexes().items()}
        return q.GetCollectionInfoResponse(
            result=q.CollectionInfo(
                status=1,
                optimizer_status=q.OptimizerStatus(ok=True),
                segments_count=info.segments_count,
                config=q.CollectionConfig(**config),
                payload_schema=schema,
                points_count=info.points_count,
                indexed_vectors_count=info.indexed_vectors_count,
            )
        )


def _collection(collections: Collections, name: str, context: Any) -> Collection:
    found = collections.get(name)
    if found is None:
        _refuse(context, grpc.StatusCode.NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")
    return found


class PointService(points_service_pb2_grpc.PointsServicer):
    def __init__(self, collections: Collections) -> None:
        self.collections = collections

    # -- writing ------------------------------------------------------------------------------------------------------

    def Upsert(self, request: Any, context: Any) -> Any:
        def write(found: Collection) -> None:
            only(request, "collection_name", "wait", "points", "ordering", "update_filter", "update_mode", "timeout")
            mode = (edge.UpdateMode.Upsert, edge.UpdateMode.InsertOnly, edge.UpdateMode.UpdateOnly)[request.update_mode]
            points = [point_of(point) for point in request.points]
            operation = edge.UpdateOperation.upsert_points(
                points, condition=filter_of(request.update_filter), update_mode=mode
            )
            found.update(operation, len(points))

        return self._written(request, context, write)

    def Delete(self, request: Any, context: Any) -> Any:
        def write(found: Collection) -> None:
            if request.points.HasField("filter"):
                condition = filter_of(request.points.filter)
                found.update(edge.UpdateOperation.delete_points_by_filter(condition), 1)
            else:
                ids = [id_of(point) for point in request.points.points.ids]
                found.update(edge.UpdateOperation.delete_points(ids), len(ids))

        return self._written(request, context, write)

    def SetPayload(self, request: Any, context: Any) -> Any:
        return self._written(request, context, lambda found: _set_payload(found, request))

    def DeletePayload(self, request: Any, context: Any) -> Any:
        return self._written(request, context, lambda found: _delete_payload(found, request))

    def UpdateBatch(self, request: Any, context: Any) -> Any:
        def write(found: Collection) -> None:
            known = {"set_payload": _set_payload, "delete_payload": _delete_payload}
            kinds = [operation.WhichOneof("operation") for operation in request.operations]
            for kind in kinds:
                if kind not in known:
                    raise UnimplementedError(f"a batch with {kind}")
            for kind, operation in zip(kinds, request.operations, strict=True):
                known[kind](found, getattr(operation, kind))

        answer = self._written(request, context, write)
        return q.UpdateBatchResponse(result=[answer.result] * len(request.operations), time=answer.time)

    def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        return self._written(
            request, context, lambda found: found.add_index(request.field_name, request.field_type + 1)
        )

    def _written(self, request: Any, context: Any, write: Any) -> Any:
        found = _collection(self.collections, request.collection_name, context)
        begun = time.monotonic()
        _carefully(context, lambda: write(found))
        result = q.UpdateResult(operation_id=0, status=q.UpdateStatus.Completed)
        return q.PointsOperationResponse(result=result, time=time.monotonic() - begun)

    # -- reading ------------------------------------------------------------------------------------------------------

    def Get(self, request: Any, context: Any) -> Any:
        def read(found: Collection) -> list[Any]:
            ids, payload = [id_of(point) for point in request.ids], wants_payload(request.with_payload)
            vectors = wanted_vectors(request.with_vectors)
            return found.shard.retrieve(ids, with_payload=payload, with_vector=vectors)

        return q.GetResponse(result=[to_point(record) for record in self._read(request, context, read)])

    def Scroll(self, request: Any, context: Any) -> Any:
        def read(found: Collection) -> Any:
            if request.HasField("order_by"):
                raise UnimplementedError("order_by")
            return found.shard.scroll(
                edge.ScrollRequest(
                    offset=id_of(request.offset) if request.HasField("offset") else None,
                    limit=request.limit if request.HasField("limit") else 10,
                    filter=filter_of(request.filter),
                    with_payload=wants_payload(request.with_payload),
                    with_vector=wanted_vectors(request.with_vectors),
                )
            )

        records, following = self._read(request, context, read)
        offset = {} if following is None else {"next_page_offset": to_id(following)}
        return q.ScrollResponse(result=[to_point(record) for record in records], **offset)

    def Count(self, request: Any, context: Any) -> Any:
        def read(found: Collection) -> int:
            return found.shard.count(edge.CountRequest(exact=True, filter=filter_of(request.filter)))

        return q.CountResponse(result=q.CountResult(count=self._read(request, context, read)))

    def Query(self, request: Any, context: Any) -> Any:
        (answer,) = self._read(request, context, lambda found: _search(found, [request]))
        return q.QueryResponse(result=answer)

    def QueryBatch(self, request: Any, context: Any) -> Any:
        answers = self._read(request, context, lambda found: _search(found, request.query_points))
        return q.QueryBatchResponse(result=[q.BatchResult(result=answer) for answer in answers])

    def _read(self, request: Any, context: Any, read: Any) -> Any:
        found = _collection(self.collections, request.collection_name, context)
        return _carefully(context, lambda: read(found))


def _set_payload(found: Collection, request: Any) -> None:
    payload, selector = payload_of(request.payload), request.points_selector
    if selector.HasField("filter"):
        found.update(edge.UpdateOperation.set_payload_by_filter(filter_of(selector.filter), payload), 1)
    else:
        ids = [id_of(point) for point in selector.points.ids]
        found.update(edge.UpdateOperation.set_payload(ids, payload), len(ids))


def _delete_payload(found: Collection, request: Any) -> None:
    keys, selector = list(request.keys), request.points_selector
    if selector.HasField("filter"):
        found.update(edge.UpdateOperation.delete_payload_by_filter(filter_of(selector.filter), keys), 1)
    else:
        ids = [id_of(point) for point in selector.points.ids]
        found.update(edge.UpdateOperation.delete_payload(ids, keys), len(ids))


def _search(found: Collection, asked: Any) -> list[list[Any]]:
    answers = found.shard.query_batch(edge.QueryBatchRequest([_query(one) for one in asked]))
    return [[to_point(point, point.score) for point in answer] for answer in answers]


def _query(one: Any) -> edge.QueryRequest:
    known = (
        "query",
        "using",
        "filter",
        "limit",
        "with_payload",
        "with_vectors",
        "score_threshold",
        "params",
        "timeout",
    )
    only(one, "collection_name", *known)
    only(one.query, "nearest")
    return edge.QueryRequest(
        limit=one.limit if one.HasField("limit") else 10,
        query=edge.Query.Nearest(dense(one.query.nearest), using=one.using),
        filter=filter_of(one.filter),
        score_threshold=one.score_threshold if one.HasField("score_threshold") else None,
        with_payload=wants_payload(one.with_payload),
        with_vector=wanted_vectors(one.with_vectors),
    )


def _carefully(context: Any, action: Any) -> Any:
    """Do it; what Edge refuses is the client's fault, as a real server has it."""
    try:
        return action()
    except UnimplementedError as error:
        _refuse(context, grpc.StatusCode.UNIMPLEMENTED, f"not in this server: {error}")
    except Exception as error:  # Edge raises plain exceptions
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {error}")
