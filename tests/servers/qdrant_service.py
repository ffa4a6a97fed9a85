"""Qdrant's gRPC services over Qdrant Edge. A method that is not here answers UNIMPLEMENTED (grpc's own default)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
import qdrant_edge as edge
from qdrant_client import grpc as q
from qdrant_client.grpc import collections_service_pb2_grpc, points_service_pb2_grpc, qdrant_pb2, qdrant_pb2_grpc

from tests.servers import qdrant_updates as updates
from tests.servers.qdrant_collections import Collection, Collections, GoneError
from tests.servers.qdrant_conditions import filter_of
from tests.servers.qdrant_translation import (
    UnimplementedError,
    id_of,
    only,
    search_params,
    to_id,
    to_point,
    wanted_payload,
    wanted_vectors,
)

OPTIMIZERS = q.OptimizersConfigDiff(
    deleted_threshold=0.2, vacuum_min_vector_number=1000, default_segment_number=0, flush_interval_sec=5
)
INDEX = q.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10_000)
LOG = q.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0)
VERSION = "1.17.0-edge-test"
READ = ("collection_name", "read_consistency", "timeout")
"""Fields of a call that are no matter of the shard: there is one copy of it."""
QUERY = ("query", "using", "filter", "params", "score_threshold", "limit", "offset", "with_vectors", "with_payload")


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
        if not _carefully(request.collection_name, context, lambda: self.collections.create(request)):
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
        def read(found: Collection) -> Any:
            info = found.shard.info()
            schema = {name: q.PayloadSchemaInfo(data_type=kind) for name, kind in found.indexes().items()}
            return q.CollectionInfo(
                status=q.CollectionStatus.Green,
                optimizer_status=q.OptimizerStatus(ok=True),
                segments_count=info.segments_count,
                config=_config(found.created),
                payload_schema=schema,
                points_count=info.points_count,
                indexed_vectors_count=info.indexed_vectors_count,
            )

        return q.GetCollectionInfoResponse(result=_with_collection(self.collections, request, context, read))


def _config(created: Any) -> Any:
    """A collection's parameters as they were given, with a server's own choices where none were."""
    copied = ("shard_number", "replication_factor", "write_consistency_factor", "vectors_config", "on_disk_payload")
    params = {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": True}
    params |= {name: getattr(created, name) for name in copied if created.HasField(name)}
    config = q.CollectionConfig(
        params=q.CollectionParams(**params), hnsw_config=INDEX, optimizer_config=OPTIMIZERS, wal_config=LOG
    )
    config.hnsw_config.MergeFrom(created.hnsw_config)
    config.optimizer_config.MergeFrom(created.optimizers_config)
    config.wal_config.MergeFrom(created.wal_config)
    if created.HasField("quantization_config"):
        config.quantization_config.CopyFrom(created.quantization_config)
    return config


class PointService(points_service_pb2_grpc.PointsServicer):
    def __init__(self, collections: Collections) -> None:
        self.collections = collections

    # -- writing ------------------------------------------------------------------------------------------------------

    def Upsert(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.upsert)

    def UpdateVectors(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.update_vectors)

    def DeleteVectors(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.delete_vectors)

    def Delete(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.delete_points)

    def SetPayload(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.set_payload)

    def OverwritePayload(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.overwrite_payload)

    def DeletePayload(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.delete_payload)

    def ClearPayload(self, request: Any, context: Any) -> Any:
        return self._updated(request, context, updates.clear_payload)

    def UpdateBatch(self, request: Any, context: Any) -> Any:
        def write(found: Collection) -> None:
            for operation, points in updates.batch(request):
                found.update(operation, points)

        answer = self._written(request, context, write)
        return q.UpdateBatchResponse(result=[answer.result] * len(request.operations), time=answer.time)

    def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        def write(found: Collection) -> None:
            only(request, *updates.CALL, "field_name", "field_type")
            # Types of fields count from 0, those of the schema from 1.
            found.add_index(request.field_name, request.field_type + 1)

        return self._written(request, context, write)

    def DeleteFieldIndex(self, request: Any, context: Any) -> Any:
        return self._written(request, context, lambda found: found.remove_index(request.field_name))

    def _updated(self, request: Any, context: Any, translate: Callable[[Any], updates.Operation]) -> Any:
        return self._written(request, context, lambda found: found.update(*translate(request)))

    def _written(self, request: Any, context: Any, write: Callable[[Collection], None]) -> Any:
        begun = time.monotonic()
        _with_collection(self.collections, request, context, write)
        # A client that does not wait is told no more than that, although it is applied here.
        status = q.UpdateStatus.Completed if request.wait else q.UpdateStatus.Acknowledged
        result = q.UpdateResult(operation_id=0, status=status)
        return q.PointsOperationResponse(result=result, time=time.monotonic() - begun)

    # -- reading ------------------------------------------------------------------------------------------------------

    def Get(self, request: Any, context: Any) -> Any:
        def read(found: Collection) -> list[Any]:
            only(request, *READ, "ids", "with_payload", "with_vectors")
            ids, payload = [id_of(point) for point in request.ids], wanted_payload(request.with_payload)
            return found.shard.retrieve(ids, with_payload=payload, with_vector=wanted_vectors(request.with_vectors))

        return q.GetResponse(result=[to_point(record) for record in self._read(request, context, read)])

    def Scroll(self, request: Any, context: Any) -> Any:
        def read(found: Collection) -> Any:
            only(request, *READ, "filter", "offset", "limit", "with_payload", "with_vectors")
            return found.shard.scroll(
                edge.ScrollRequest(
                    offset=id_of(request.offset) if request.HasField("offset") else None,
                    limit=request.limit if request.HasField("limit") else 10,
                    filter=filter_of(request.filter),
                    with_payload=wanted_payload(request.with_payload, default=True),
                    with_vector=wanted_vectors(request.with_vectors),
                )
            )

        records, following = self._read(request, context, read)
        offset = {} if following is None else {"next_page_offset": to_id(following)}
        return q.ScrollResponse(result=[to_point(record) for record in records], **offset)

    def Count(self, request: Any, context: Any) -> Any:
        def read(found: Collection) -> int:
            only(request, *READ, "filter", "exact")
            return found.shard.count(edge.CountRequest(exact=True, filter=filter_of(request.filter)))

        return q.CountResponse(result=q.CountResult(count=self._read(request, context, read)))

    def Query(self, request: Any, context: Any) -> Any:
        (answer,) = self._read(request, context, lambda found: _search(found, [request]))
        return q.QueryResponse(result=answer)

    def QueryBatch(self, request: Any, context: Any) -> Any:
        def read(found: Collection) -> list[list[Any]]:
            only(request, *READ, "query_points")
            return _search(found, request.query_points)

        answers = self._read(request, context, read)
        return q.QueryBatchResponse(result=[q.BatchResult(result=answer) for answer in answers])

    def _read(self, request: Any, context: Any, read: Callable[[Collection], Any]) -> Any:
        return _with_collection(self.collections, request, context, read)


def _search(found: Collection, asked: Any) -> list[list[Any]]:
    answers = found.shard.query_batch(edge.QueryBatchRequest([_query(one) for one in asked]))
    return [[to_point(point, point.score) for point in answer] for answer in answers]


def _query(one: Any) -> edge.QueryRequest:
    only(one, *READ, *QUERY)
    if one.query.WhichOneof("variant") != "nearest":
        raise UnimplementedError("a query for anything but the nearest points")
    return edge.QueryRequest(
        limit=one.limit if one.HasField("limit") else 10,
        offset=one.offset,
        query=edge.Query.Nearest(_nearest(one.query.nearest), using=one.using),
        filter=filter_of(one.filter),
        score_threshold=one.score_threshold if one.HasField("score_threshold") else None,
        params=search_params(one.params) if one.HasField("params") else None,
        with_payload=wanted_payload(one.with_payload),
        with_vector=wanted_vectors(one.with_vectors),
    )


def _nearest(asked: Any) -> list[float]:
    if asked.WhichOneof("variant") != "dense":
        raise UnimplementedError("the points nearest to anything but a dense vector")
    return list(asked.dense.data)


# -- errors ----------------------------------------------------------------------------------------------------------


def _with_collection(collections: Collections, request: Any, context: Any, action: Callable[[Collection], Any]) -> Any:
    """Do something with the collection that a request names."""
    name = request.collection_name

    def done() -> Any:
        found = collections.get(name)
        if found is None:
            raise GoneError
        try:
            return action(found)
        except Exception as error:
            if found.closed and not isinstance(error, UnimplementedError):
                raise GoneError from error
            raise

    return _carefully(name, context, done)


def _carefully(name: str, context: Any, action: Callable[[], Any]) -> Any:
    """Do it; what goes wrong is answered with the codes and in the words of a real server."""
    try:
        return action()
    except GoneError:
        _refuse(context, grpc.StatusCode.NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")
    except UnimplementedError as error:
        _refuse(context, grpc.StatusCode.UNIMPLEMENTED, f"not in this server: {error}")
    except ValueError as error:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {error}")
    except Exception as error:
        # Edge raises plain exceptions. Any other is a mistake of this server, and gRPC writes it to the log.
        if type(error) is not Exception:
            raise
        _refuse(context, *_in_words(str(error)))


def _in_words(error: str) -> tuple[grpc.StatusCode, str]:
    if error.startswith("No point with id"):
        return grpc.StatusCode.NOT_FOUND, f"Not found: {error} found"
    if error.startswith("Service runtime error"):
        return grpc.StatusCode.INTERNAL, error
    return grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {error}"
