"""The vector store over one collection of a Qdrant server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
from qdrant_client import grpc as q

from aesg_graph.concepts import NO_ID, NO_REGION, Floats, Ids, Ints, VectorTable, distinct
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores import points as given
from aesg_graph.stores.abc import Points
from aesg_graph.stores.qdrant import translation
from aesg_graph.stores.qdrant.connecting import Connection, ServerError
from aesg_graph.stores.qdrant.translation import INDEXES, KEY, ORDERINGS, VALUE

CHUNK = 1000
"""Points in one call."""
CHUNK_BYTES = 4 << 20
QUERIES = 128
"""Queries in one call."""
LAST_ID = (1 << 63) - 1
REMEMBERED = 5.0
"""Seconds for which it is remembered how many points the index covers."""


class QdrantVectorStore:
    """Keys and values in the collection ``aesg_<memory>`` of a Qdrant server.

    Every write waits until the server has it in its write-ahead log. A point's payload is ``{kind, region_id?, writer,
    sequence, version}``; a point without a value lacks the named vector ``value``. The server indexes by itself (HNSW,
    Malkov and Yashunin 2018).

    Any thread may call. Each call ends within ``request_timeout``, with AESGStorageError if the server does not answer.
    """

    def __init__(self, connection: Connection, settings: StoreSettings, vector_dim: int, value_dim: int) -> None:
        """Use :meth:`establish` or :meth:`open`."""
        self.vector_dim, self.value_dim = vector_dim, value_dim
        self.collection = collection_name(settings)
        self._connection = connection
        self._ordering = q.WriteOrdering(type=ORDERINGS[settings.write_ordering])
        self._common: dict[str, Any] = {"collection_name": self.collection, "wait": True, "ordering": self._ordering}
        self._chunk = min(CHUNK, max(1, CHUNK_BYTES // (4 * (vector_dim + value_dim))))
        self._indexed: tuple[float, int] = (-REMEMBERED, 0)

    @classmethod
    def establish(cls, settings: StoreSettings, vector_dim: int, value_dim: int) -> QdrantVectorStore:
        """The memory's collection, made if there is none; two processes may do so at once.

        AESGStorageError if there is one with other vectors.
        """
        connection = Connection(settings)
        name = collection_name(settings)
        try:
            asked = q.CollectionExistsRequest(collection_name=name)
            answer = connection.call(f"look for the collection {name}", connection.collections.CollectionExists, asked)
            if not answer.result.exists:
                _create(connection, translation.new_collection(name, settings, vector_dim, value_dim))
        except BaseException:
            connection.close()
            raise
        return cls._opened(connection, settings, vector_dim, value_dim)

    @classmethod
    def open(cls, settings: StoreSettings, vector_dim: int, value_dim: int) -> QdrantVectorStore:
        """The memory's collection. AESGStorageError if there is none, or one with other vectors."""
        return cls._opened(Connection(settings), settings, vector_dim, value_dim)

    @classmethod
    def _opened(
        cls, connection: Connection, settings: StoreSettings, vector_dim: int, value_dim: int
    ) -> QdrantVectorStore:
        store = cls(connection, settings, vector_dim, value_dim)
        try:
            info = store._info()
            found = translation.found_vectors(info)
            wanted = translation.expected_vectors(vector_dim, value_dim)
            if found != wanted:
                raise AESGStorageError(
                    f"The collection {store.collection} on {connection.address} has "
                    f"{translation.described(found)}, the memory {translation.described(wanted)}: expected the same; "
                    "choose another memory name (setting memory) or another configuration"
                )
            store._index(set(info.payload_schema))
        except BaseException:
            connection.close()
            raise
        return store

    @classmethod
    def destroy(cls, settings: StoreSettings) -> None:
        """Delete the memory's collection, if there is one."""
        connection, name = Connection(settings), collection_name(settings)
        try:
            asked = q.DeleteCollection(collection_name=name)
            connection.call(f"delete the collection {name}", connection.collections.Delete, asked)
        finally:
            connection.close()

    def _info(self) -> Any:
        asked = q.GetCollectionInfoRequest(collection_name=self.collection)
        doing = f"open the collection {self.collection}"
        return self._connection.call(doing, self._connection.collections.Get, asked).result

    def _index(self, there: set[str]) -> None:
        for name, kind in INDEXES.items():
            if name not in there:
                asked = q.CreateFieldIndexCollection(**self._common, field_name=name, field_type=kind)
                self._connection.call(
                    f"index {name} in {self.collection}", self._connection.points.CreateFieldIndex, asked
                )

    # -- writing ------------------------------------------------------------------------------------------------------

    def upsert(self, points: Points) -> None:
        """Write vectors, each with its payload; a point with a higher version than the one given is left as it is.

        Where one call names a point twice, the higher version wins, then the later row. Replaying is harmless. If it
        fails half-way, the points of earlier chunks are written: repeat it whole.
        """
        points = given.checked_points(points, self.vector_dim, self.value_dim)
        for version in np.unique(points.versions).tolist():
            rows = np.flatnonzero(points.versions == version)
            condition = translation.no_newer_than(version)
            for start in range(0, len(rows), self._chunk):
                batch = translation.messages(points, rows[start : start + self._chunk], version)
                self._upsert(batch, update_filter=condition)

    def _upsert(self, batch: list[Any], **more: Any) -> None:
        if batch:
            asked = q.UpsertPoints(**self._common, points=batch, **more)
            self._connection.call(f"write to {self.collection}", self._connection.points.Upsert, asked)

    def rekey(self, ids: Ids, keys: Floats, version: int, writer: int, sequence: int) -> None:
        """Replace the keys of existing points of a lower or equal version; values stay; absent points stay absent.

        The points get the given version, writer and sequence. Replaying is harmless. Points are read and written back
        whole, so that key and payload change in one operation; this runs under the lease, so nobody else writes them.
        """
        ids = given.checked_ids(ids)
        keys = given.checked_keys(keys, len(ids), self.vector_dim)
        stamp = {"version": int(version), "writer": int(writer), "sequence": int(sequence)}
        for start in range(0, len(ids), self._chunk):
            rows = slice(start, start + self._chunk)
            new = dict(zip(ids[rows].tolist(), keys[rows], strict=True))
            records = self._retrieve(np.array(list(new), np.int64), payload=True, vectors=[VALUE])
            batch = [
                translation.rekeyed(record, new[record.id.num], stamp)
                for record in records
                if translation.stamp_of(record)[0] <= stamp["version"]
            ]
            condition = translation.no_newer_than(stamp["version"])
            self._upsert(batch, update_filter=condition, update_mode=q.UpdateMode.UpdateOnly)

    def label(self, ids: Ids, regions: Ints) -> None:
        """Set the region in the points' payload (``NO_REGION`` removes it); absent points stay absent."""
        ids = given.checked_ids(ids)
        regions = given.checked_regions(regions, len(ids))
        for start in range(0, len(ids), self._chunk):
            rows = slice(start, start + self._chunk)
            self._label(dict(zip(ids[rows].tolist(), regions[rows].tolist(), strict=True)))

    def _label(self, regions: dict[int, int]) -> None:
        members: dict[int, list[int]] = {}
        for record in self._retrieve(np.array(list(regions), np.int64), payload=False, vectors=None):
            members.setdefault(regions[record.id.num], []).append(record.id.num)
        points = self._connection.points
        for region, present in members.items():
            chosen = translation.selected(np.array(present, np.int64))
            if region == NO_REGION:
                gone = q.DeletePayloadPoints(**self._common, points_selector=chosen, keys=["region_id"])
                self._connection.call(f"write to {self.collection}", points.DeletePayload, gone)
            else:
                payload = {"region_id": q.Value(integer_value=region)}
                told = q.SetPayloadPoints(**self._common, points_selector=chosen, payload=payload)
                self._connection.call(f"write to {self.collection}", points.SetPayload, told)

    def delete(self, ids: Ids) -> None:
        """Delete points; absent ones are no error."""
        ids = given.checked_ids(ids)
        for start in range(0, len(ids), self._chunk):
            asked = q.DeletePoints(**self._common, points=translation.selected(ids[start : start + self._chunk]))
            self._connection.call(f"delete from {self.collection}", self._connection.points.Delete, asked)

    # -- reading ------------------------------------------------------------------------------------------------------

    def fetch(self, ids: Ids) -> VectorTable:
        """The points among ``ids``, in ascending id order, as float32."""
        wanted = distinct(given.checked_ids(ids))
        tables = [translation.table_of([], self.vector_dim, self.value_dim)]
        for start in range(0, len(wanted), self._chunk):
            records = self._retrieve(wanted[start : start + self._chunk], payload=True, vectors=[KEY, VALUE])
            tables.append(translation.table_of(records, self.vector_dim, self.value_dim))
        return translation.joined(tables)

    def labels(self, ids: Ids) -> tuple[Ids, tuple[str, ...], Ints]:
        """The points among ``ids``, in ascending id order, with kind and region (``NO_REGION``: none)."""
        wanted = distinct(given.checked_ids(ids))
        chunks = [wanted[start : start + self._chunk] for start in range(0, len(wanted), self._chunk)]
        return translation.labels_of([r for c in chunks for r in self._retrieve(c, payload=True, vectors=None)])

    def page(self, after: int, limit: int, vectors: bool = True) -> VectorTable:
        """The next points with an id above ``after``, in ascending id order.

        Without ``vectors`` keys and values have no columns ([N, 0]), and ``has_value`` is not set for any.
        """
        left, start = given.checked_limit(limit), max(int(after), NO_ID) + 1
        tables = [translation.table_of([], self.vector_dim, self.value_dim, vectors)]
        while left and start <= LAST_ID:
            asked = q.ScrollPoints(
                collection_name=self.collection,
                offset=q.PointId(num=start),
                limit=min(left, self._chunk),
                with_payload=q.WithPayloadSelector(enable=True),
                with_vectors=self._selector([KEY, VALUE] if vectors else None),
            )
            records = self._connection.call(f"read {self.collection}", self._connection.points.Scroll, asked).result
            tables.append(translation.table_of(records, self.vector_dim, self.value_dim, vectors))
            if len(records) < asked.limit:
                break
            left, start = left - asked.limit, int(tables[-1].ids[-1]) + 1
        return translation.joined(tables)

    def search(
        self, queries: Floats, limit: int, kind: str | None = None, region: int | None = None
    ) -> tuple[Ids, Floats]:
        """The ``limit`` nearest points by cosine for each row: ids [B, limit] and scores, falling, ties by id.

        Where there are fewer, ids are ``NO_ID`` and scores 0. A batch of rows is one call.
        """
        queries, limit = given.checked_queries(queries, self.vector_dim), given.checked_limit(limit)
        ids = np.full((len(queries), limit), NO_ID, np.int64)
        scores = np.zeros((len(queries), limit), np.float32)
        condition = translation.payload_filter(kind, region)
        for start in range(0, len(queries) if limit else 0, QUERIES):
            batch = [self._query(query, limit, condition) for query in queries[start : start + QUERIES]]
            asked = q.QueryBatchPoints(collection_name=self.collection, query_points=batch)
            answer = self._connection.call(f"search {self.collection}", self._connection.points.QueryBatch, asked)
            for row, found in enumerate(answer.result, start):
                points = sorted((-point.score, point.id.num) for point in found.result)
                ids[row, : len(points)] = [id for _, id in points]
                scores[row, : len(points)] = [-score for score, _ in points]
        return ids, scores

    def _query(self, query: Floats, limit: int, condition: Any | None) -> Any:
        nearest = q.Query(nearest=q.VectorInput(dense=q.DenseVector(data=query)))
        return q.QueryPoints(collection_name=self.collection, query=nearest, using=KEY, limit=limit, filter=condition)

    def count(self) -> int:
        """How many points there are, exactly."""
        asked = q.CountPoints(collection_name=self.collection, exact=True)
        answer = self._connection.call(f"count {self.collection}", self._connection.points.Count, asked)
        return int(answer.result.count)

    def _retrieve(self, ids: Ids, payload: bool, vectors: list[str] | None) -> Sequence[Any]:
        if not ids.size:
            return []
        asked = q.GetPoints(
            collection_name=self.collection,
            ids=translation.point_ids(ids),
            with_payload=q.WithPayloadSelector(enable=payload),
            with_vectors=self._selector(vectors),
        )
        answer = self._connection.call(f"read {self.collection}", self._connection.points.Get, asked)
        records: Sequence[Any] = answer.result
        return records

    def _selector(self, vectors: list[str] | None) -> Any:
        wanted = [name for name in vectors or () if name == KEY or self.value_dim]
        if not wanted:
            return q.WithVectorsSelector(enable=False)
        return q.WithVectorsSelector(include=q.VectorsSelector(names=wanted))

    def indexed(self) -> int:
        """About how many points the index covers; as it was some seconds ago, and 0 while the server is away."""
        asked, known = self._indexed
        if time.monotonic() - asked >= REMEMBERED:
            try:
                known = int(self._info().indexed_vectors_count)
            except AESGStorageError:
                known = 0
            self._indexed = time.monotonic(), known
        return known

    # -- ending -------------------------------------------------------------------------------------------------------

    def version(self) -> str:
        """The server's version, asked for now."""
        return self._connection.version()

    def sync(self) -> None:
        """Nothing is to be done: every write has waited for the server, which answers for its own disk."""

    def close(self) -> None:
        """Let go of the connection. Closing twice is allowed."""
        self._connection.close()


def collection_name(settings: StoreSettings) -> str:
    """The collection that holds a memory's vectors."""
    return f"aesg_{settings.memory}"


def _create(connection: Connection, created: Any) -> None:
    try:
        connection.call(f"create the collection {created.collection_name}", connection.collections.Create, created)
    except ServerError as error:
        # Another process was faster; what it made is compared with what is wanted.
        if error.code is not grpc.StatusCode.ALREADY_EXISTS and "already exists" not in error.message:
            raise
