"""The vector store over one collection of a Qdrant server.

Every write waits until the server has applied it (``wait=true``), and is harmless to repeat. Keys of unit length (to
1e-6) come back bit for bit as they were given; Qdrant normalises others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from qdrant_client import grpc as q

from aesg_graph.concepts import NO_ID, NO_REGION, Floats, Ids, Ints, VectorTable, distinct
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores import points as given
from aesg_graph.stores.abc import Points
from aesg_graph.stores.qdrant import collection, translation
from aesg_graph.stores.qdrant.connecting import Connection
from aesg_graph.stores.qdrant.faults import collection_name, place
from aesg_graph.stores.qdrant.translation import VALUE, point_id

CHUNK = 1000
"""Points in one call."""
CHUNK_BYTES = 4 << 20
"""Bytes of vectors in one call; Qdrant takes 32 MB unless told otherwise."""
INDEXED_SECONDS = 5.0
"""How long an answer of :meth:`QdrantVectorStore.indexed` is taken to hold."""
LAST_ID = (1 << 63) - 1


class QdrantVectorStore:
    """Keys and values in a collection of a Qdrant server; a ``VectorStore`` that is also ``Indexed``, ``Labelled`` and
    ``Versioned``.

    The server indexes by itself (HNSW, Malkov and Yashunin 2018). A point's payload is
    ``{kind, region_id?, writer, sequence, version}``; a point without a value lacks the named vector ``value``.

    Any thread may use it, and any number of processes may use the same collection. Every method raises AESGStorageError
    within ``request_timeout`` (at once if nobody listens) when the server fails; the next call tries anew. A forked
    child cannot use the store: every method raises AESGStorageError there.

    With ``https`` the server's certificate must be vouched for by the authorities that gRPC knows, or by those in the
    file that the environment variable ``GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`` names.
    """

    def __init__(self, connection: Connection, vector_dim: int, value_dim: int) -> None:
        self.vector_dim, self.value_dim = vector_dim, value_dim
        self.settings = connection.settings
        self._connection = connection
        self._collection = collection_name(connection.settings)
        self._ordering = translation.ordering(connection.settings)
        self._chunk = min(CHUNK, max(1, CHUNK_BYTES // (4 * (vector_dim + value_dim))))
        self._indexed: tuple[float, int] | None = None

    @classmethod
    def establish(cls, settings: StoreSettings, vector_dim: int, value_dim: int) -> Self:
        """Open the memory's collection, which is made if there is none; several processes may do so at once."""
        return cls._begin(settings, vector_dim, value_dim, create=True, writable=True)

    @classmethod
    def open(cls, settings: StoreSettings, vector_dim: int, value_dim: int, writable: bool = True) -> Self:
        """Open the memory's collection.

        AESGStorageError if it is absent or made for other vectors, or if the server is too old or does not answer.
        Payload indexes that it lacks are made, unless it is opened for reading alone.
        """
        return cls._begin(settings, vector_dim, value_dim, create=False, writable=writable)

    @classmethod
    def _begin(cls, settings: StoreSettings, vector_dim: int, value_dim: int, create: bool, writable: bool) -> Self:
        connection = Connection(settings)
        try:
            connection.expect_version()
            if create:
                collection.create(connection, vector_dim, value_dim)
            indexes = collection.check(connection, vector_dim, value_dim)
            if writable:
                collection.add_indexes(connection, indexes)
        except BaseException:
            connection.close()
            raise
        return cls(connection, vector_dim, value_dim)

    @staticmethod
    def holds(settings: StoreSettings) -> bool:
        """Whether the server has a collection of the memory's name."""
        connection = Connection(settings)
        try:
            return collection.exists(connection)
        finally:
            connection.close()

    @staticmethod
    def destroy(settings: StoreSettings) -> None:
        """Delete the memory's collection and all it holds; an absent one is no error."""
        connection = Connection(settings)
        try:
            collection.delete(connection)
        finally:
            connection.close()

    # Writing

    def upsert(self, points: Points) -> None:
        """Write vectors, each with its payload; a point with a higher version than the one given is left as it is.

        Where one call names a point twice, the higher version wins, then the later row. Replaying is harmless. If it
        fails half-way, the points of earlier chunks are written: repeat it whole.
        """
        points = given.checked_points(points, self.vector_dim, self.value_dim)
        for version in np.unique(points.versions).tolist():
            for rows in self._chunks(np.flatnonzero(points.versions == version)):
                request = self._upserting(version)
                translation.add_points(request, points, rows, version)
                self._write("write to", "points.Upsert", request)

    def rekey(self, ids: Ids, keys: Floats, version: int, writer: int, sequence: int) -> None:
        """Replace the keys of existing points of a lower or equal version; values stay; absent points stay absent.

        The points get the given version, writer and sequence. Replaying is harmless. Two processes must not rekey or
        label the same points at once (maintenance holds the memory's lease).
        """
        ids = given.checked_ids(ids)
        keys = given.checked_keys(keys, len(ids), self.vector_dim)
        stamp = (int(version), int(writer), int(sequence))
        for rows in self._chunks(np.arange(len(ids))):
            self._rekey(dict(zip(ids[rows].tolist(), keys[rows].tolist(), strict=True)), stamp)

    def _rekey(self, keys: dict[int, list[float]], stamp: tuple[int, int, int]) -> None:
        # Points are read and written back whole: one point's key and payload change in one operation, so that no kill
        # can part them. What was deleted in between stays so, and what became newer too.
        request = self._upserting(stamp[0])
        request.update_mode = q.UpdateMode.UpdateOnly
        for record in self._retrieve(list(keys), payload=True, vectors=[VALUE] if self.value_dim else False):
            if translation.stamp_of(record)[0] <= stamp[0]:
                translation.add_rekeyed(request, record, keys[point_id(record)], stamp)
        if request.points:
            self._write("write to", "points.Upsert", request)

    def _upserting(self, version: int) -> Any:
        return q.UpsertPoints(
            collection_name=self._collection,
            wait=True,
            ordering=self._ordering,
            update_filter=translation.no_newer_than(version),
        )

    def label(self, ids: Ids, regions: Ints) -> None:
        """Set the region in the points' payload (``NO_REGION`` removes it); absent points stay absent."""
        ids = given.checked_ids(ids)
        regions = given.checked_regions(regions, len(ids))
        for rows in self._chunks(np.arange(len(ids))):
            members: dict[int, list[int]] = {}
            for id, region in dict(zip(ids[rows].tolist(), regions[rows].tolist(), strict=True)).items():
                members.setdefault(region, []).append(id)
            request = q.UpdateBatchPoints(collection_name=self._collection, wait=True, ordering=self._ordering)
            request.operations.extend(_labelling(region, named) for region, named in members.items())
            self._write("label points of", "points.UpdateBatch", request)

    def delete(self, ids: Ids) -> None:
        """Delete points; absent ones are no error."""
        for chunk in self._chunks(given.checked_ids(ids)):
            points = q.PointsSelector(points=q.PointsIdsList(ids=translation.point_ids(chunk.tolist())))
            request = q.DeletePoints(
                collection_name=self._collection, wait=True, points=points, ordering=self._ordering
            )
            self._write("delete from", "points.Delete", request)

    def _write(self, doing: str, method: str, request: Any) -> None:
        """Have something written. That the server will do it later is not enough: a reader would not see it yet."""
        result = self._call(doing, method, request).result
        for each in [result] if isinstance(result, q.UpdateResult) else result:
            if each.status != q.UpdateStatus.Completed:
                status = translation.name_of(q.UpdateStatus, each.status)
                raise AESGStorageError(f"Cannot {doing} {place(self.settings)}: it is not done yet ({status})")

    # Reading

    def fetch(self, ids: Ids) -> VectorTable:
        """The points among ``ids``, in ascending id order, as float32."""
        tables = [translation.table_of([], self.vector_dim, self.value_dim)]
        for chunk in self._chunks(distinct(given.checked_ids(ids))):
            records = self._retrieve(chunk.tolist(), payload=True, vectors=True)
            tables.append(translation.table_of(records, self.vector_dim, self.value_dim))
        return translation.joined(tables)

    def labels(self, ids: Ids) -> tuple[Ids, tuple[str, ...], Ints]:
        """The points among ``ids``, in ascending id order, with kind and region (``NO_REGION``: none)."""
        chunks = self._chunks(distinct(given.checked_ids(ids)))
        return translation.labels_of(
            record for chunk in chunks for record in self._retrieve(chunk.tolist(), payload=True, vectors=False)
        )

    def page(self, after: int, limit: int, vectors: bool = True) -> VectorTable:
        """The next points with an id above ``after``, in ascending id order.

        Without ``vectors`` keys and values have no columns ([N, 0]), and ``has_value`` is not set for any.
        """
        left, start = given.checked_limit(limit), max(int(after), NO_ID) + 1
        tables = [translation.table_of([], self.vector_dim, self.value_dim, vectors)]
        while left and start <= LAST_ID:
            asked = min(left, self._chunk)
            request = q.ScrollPoints(
                collection_name=self._collection,
                offset=q.PointId(num=start),
                limit=asked,
                with_payload=translation.payload(True),
                with_vectors=translation.vectors(vectors),
            )
            records = self._call("read", "points.Scroll", request).result
            tables.append(translation.table_of(records, self.vector_dim, self.value_dim, vectors))
            if len(records) < asked:
                break
            left, start = left - asked, int(tables[-1].ids[-1]) + 1
        return translation.joined(tables)

    def search(
        self, queries: Floats, limit: int, kind: str | None = None, region: int | None = None
    ) -> tuple[Ids, Floats]:
        """The ``limit`` nearest points by cosine for each row: ids [B, limit] and scores, falling, ties by id.

        Where there are fewer, ids are ``NO_ID`` and scores 0. All rows travel in one call, or as few as their size
        allows. Small collections are searched exactly, larger ones by the server's index, which may miss some.
        """
        queries, limit = given.checked_queries(queries, self.vector_dim), given.checked_limit(limit)
        ids = np.full((len(queries), limit), NO_ID, np.int64)
        scores = np.zeros((len(queries), limit), np.float32)
        condition = translation.payload_filter(kind, region)
        for rows in self._chunks(np.arange(len(queries) if limit else 0)):
            asked = [translation.query(row, limit, condition, self.settings) for row in queries[rows].tolist()]
            request = q.QueryBatchPoints(collection_name=self._collection, query_points=asked)
            answers = self._call("search", "points.QueryBatch", request).result
            for row, answer in zip(rows.tolist(), answers, strict=True):
                found = sorted((-point.score, point_id(point)) for point in answer.result)
                ids[row, : len(found)] = [id for _, id in found]
                scores[row, : len(found)] = [-score for score, _ in found]
        return ids, scores

    def count(self) -> int:
        """How many points there are, exactly."""
        return self._count()

    def _count(self, condition: Any = None, seconds: float | None = None) -> int:
        request = q.CountPoints(collection_name=self._collection, exact=True, filter=condition)
        return int(self._call("read", "points.Count", request, seconds).result.count)

    def _retrieve(self, ids: Sequence[int], payload: bool, vectors: bool | list[str]) -> Sequence[Any]:
        request = q.GetPoints(
            collection_name=self._collection,
            ids=translation.point_ids(ids),
            with_payload=translation.payload(payload),
            with_vectors=translation.vectors(vectors),
        )
        records: Sequence[Any] = self._call("read", "points.Get", request).result
        return records

    # The index

    def indexed(self) -> int:
        """How many points the server's index covers; 0 while the server cannot be asked. Some seconds old at most.

        Exact if all points or none have values; else it takes it that indexed points have values as often as others.
        """
        asked = self._indexed
        if asked is None or time.monotonic() - asked[0] > INDEXED_SECONDS:
            try:
                found = self._ask_indexed()
            except AESGStorageError:
                found = 0
            asked = self._indexed = time.monotonic(), found
        return asked[1]

    def _ask_indexed(self) -> int:
        seconds = min(self.settings.connect_timeout, self.settings.request_timeout)
        request = q.GetCollectionInfoRequest(collection_name=self._collection)
        info = self._call("read", "collections.Get", request, seconds).result
        if not info.indexed_vectors_count:
            return 0
        points, stored = self._count(seconds=seconds), 0
        if self.value_dim:
            # Qdrant counts vectors, not points, and counts values too although they have no graph.
            with_value = q.Filter(must=[q.Condition(has_vector=q.HasVectorCondition(has_vector=VALUE))])
            stored = self._count(with_value, seconds)
        return min(int(info.indexed_vectors_count) * points // max(1, points + stored), points)

    # Ending

    def sync(self) -> None:
        """Return when everything written is in the server's log.

        Writes wait for that already, so there is nothing left to do: an acknowledged write survives the death of the
        server. Whether it survives a power cut there is up to the server's disk and to the number of its copies
        (``replication_factor``, ``write_consistency_factor``); a client can neither ask for that nor see it.
        """

    def version(self) -> str:
        """The server's version, asked for now: the cheapest sign of life."""
        return self._connection.version()

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        self._connection.close()

    def _call(self, doing: str, method: str, request: Any, seconds: float | None = None) -> Any:
        return self._connection.call(doing, method, request, seconds)

    def _chunks(self, rows: Ints) -> Iterator[Ints]:
        for start in range(0, len(rows), self._chunk):
            yield rows[start : start + self._chunk]


def _labelling(region: int, ids: list[int]) -> Any:
    """The operation that puts points into a region."""
    points = translation.existing(ids)
    operation = q.PointsUpdateOperation
    if region == NO_REGION:
        return operation(delete_payload=operation.DeletePayload(keys=[translation.REGION], points_selector=points))
    payload = {translation.REGION: q.Value(integer_value=region)}
    return operation(set_payload=operation.SetPayload(payload=payload, points_selector=points))
