"""The vector store over one Edge shard.

Edge holds the interpreter during each of its calls, so calls never overlap and readers need no lock; chunks are small,
so that other threads wait a few milliseconds at most. An update is in Edge's write-ahead log when the call returns, so
it survives a kill; it survives a power cut after :meth:`EdgeVectorStore.sync`. Keys of unit length (to 1e-6) come back
bit for bit as they were given; Edge normalises others.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import qdrant_edge as edge

from aesg_graph.concepts import NO_ID, NO_REGION, Floats, Ids, Ints, VectorTable, distinct
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores import points as given
from aesg_graph.stores.abc import Points
from aesg_graph.stores.edge import files, translation
from aesg_graph.stores.edge.translation import KEY, VALUE, point_id, storage_errors

CHUNK = 1000
"""Points in one call of Edge. Larger chunks are no faster, and hold the interpreter for longer."""
CHUNK_BYTES = 4 << 20
QUERIES = 128
"""Queries in one call of Edge."""
CHECKPOINT = 20_000
"""So many points after the last flush the store flushes by itself: it bounds the log, and what a reopening replays."""
LAST_ID = (1 << 63) - 1

Durability = Literal["process", "power"]

_open_stores: weakref.WeakSet[EdgeVectorStore] = weakref.WeakSet()


class BusyShardError(AESGStorageError):
    """The shard is open already: nothing is wrong with it."""


class EdgeVectorStore:
    """Keys and values in a Qdrant Edge shard; a ``VectorStore`` that is also ``Optimizable``.

    Search is exact until :meth:`optimize` has built an index (HNSW, Malkov and Yashunin 2018), which larger shards then
    use. Space of deleted points is given back by :meth:`optimize` alone. A point's payload is
    ``{kind, region_id?, writer, sequence, version}``; a point without a value lacks the named vector ``value``.

    With ``durability="process"`` the store flushes by itself now and then, to keep the write-ahead log short; with
    ``"power"`` its owner calls :meth:`sync` before letting go of a journal, and flushing is left to that.

    A forked child cannot use the store: every method raises AESGStorageError there.
    """

    def __init__(
        self, shard: edge.EdgeShard, path: Path, vector_dim: int, value_dim: int, durability: Durability
    ) -> None:
        self.path, self.vector_dim, self.value_dim, self.durability = path, vector_dim, value_dim, durability
        self._shard: edge.EdgeShard | None = shard
        self._gone = "it is closed"
        self._writing = threading.RLock()
        self._sealed = files.is_sealed(path)
        self._flushed = self._sealed
        self._unflushed = 0
        self._chunk = min(CHUNK, max(1, CHUNK_BYTES // (4 * (vector_dim + value_dim))))
        _open_stores.add(self)

    @classmethod
    def create(
        cls, path: str | Path, vector_dim: int, value_dim: int, durability: Durability = "process"
    ) -> EdgeVectorStore:
        """Make an empty shard at ``path``, which must not exist, or be an empty directory, and open it."""
        path = Path(path)
        # Made beside its place and moved there whole, so that a kill leaves a shard or none.
        draft = path.with_name(f".{path.name}.new")
        with storage_errors("create the vector shard at", path):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                found = "a directory with something in it" if path.is_dir() else "a file"
                raise AESGStorageError(f"Cannot create a vector shard at {path}: found {found}, expected nothing")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            files.require_room(draft, 0)
            edge.EdgeShard.create(str(draft), translation.shard_config(vector_dim, value_dim)).close()
            files.write_identity(draft, vector_dim, value_dim, files.segments(draft))
            files.settle(draft)
            files.seal(draft, 0)
            if path.exists():
                path.rmdir()
            draft.rename(path)
        return cls.open(path, vector_dim, value_dim, durability)

    @classmethod
    def open(
        cls, path: str | Path, vector_dim: int, value_dim: int, durability: Durability = "process"
    ) -> EdgeVectorStore:
        """Open the shard at ``path``.

        AESGStorageError if it is absent, damaged, of other dimensions, or open already (here or in another process).
        """
        path = Path(path)
        with storage_errors("open the vector shard at", path):
            sealed = files.check(path, vector_dim, value_dim)
            if files.in_use(path):
                raise BusyShardError(f"Cannot open the vector shard at {path}: it is open here or in another process")
            if sealed is None:
                # Edge will replay its log, which writes at most as much again.
                files.require_room(path, files.size_on_disk(path / "wal"))
            shard = edge.EdgeShard.load(str(path))
            try:
                files.settle(path)
                store = cls(shard, path, vector_dim, value_dim, durability)
                points = shard.info().points_count
                if sealed is not None and points != sealed:
                    raise AESGStorageError(
                        f"The vector shard at {path} has {points} points, expected {sealed}: damaged"
                    )
                store.page(NO_ID, 1)  # Whether a point can be read at all.
            except BaseException:
                shard.close()
                raise
        return store

    # Writing

    def upsert(self, points: Points) -> None:
        """Write vectors, each with its payload; a point with a higher version than the one given is left as it is.

        Where one call names a point twice, the higher version wins, then the later row. Replaying is harmless. If it
        fails half-way, the points of earlier chunks are written: repeat it whole.
        """
        points = given.checked_points(points, self.vector_dim, self.value_dim)
        for version in np.unique(points.versions):
            rows = np.flatnonzero(points.versions == version)
            for start in range(0, len(rows), self._chunk):
                self._upsert(points, rows[start : start + self._chunk], int(version))

    def _upsert(self, points: Points, rows: Ints, version: int) -> None:
        batch = [
            edge.Point(
                id,
                {KEY: key, VALUE: value} if has_value else {KEY: key},
                {"kind": kind, "writer": points.writer, "sequence": sequence, "version": version},
            )
            for id, key, value, has_value, kind, sequence in zip(
                points.ids[rows].tolist(),
                points.keys[rows].tolist(),
                points.values[rows].tolist(),
                points.has_value[rows].tolist(),
                [points.kinds[row] for row in rows.tolist()],
                points.sequences[rows].tolist(),
                strict=True,
            )
        ]
        operation = edge.UpdateOperation.upsert_points(batch, condition=translation.no_newer_than(version))
        self._write(operation, len(batch))

    def rekey(self, ids: Ids, keys: Floats, version: int, writer: int, sequence: int) -> None:
        """Replace the keys of existing points of a lower or equal version; values stay; absent points stay absent.

        The points get the given version, writer and sequence. Replaying is harmless.
        """
        ids = given.checked_ids(ids)
        keys = given.checked_keys(keys, len(ids), self.vector_dim)
        stamp = {"version": int(version), "writer": int(writer), "sequence": int(sequence)}
        for start in range(0, len(ids), self._chunk):
            rows = slice(start, start + self._chunk)
            self._rekey(dict(zip(ids[rows].tolist(), keys[rows].tolist(), strict=True)), stamp)

    def _rekey(self, keys: dict[int, list[float]], stamp: dict[str, int]) -> None:
        # Points are read and written back whole, under the lock: one operation changes both key and payload, so that
        # no kill can part them.
        with self._writing:
            records = self._retrieve(list(keys), payload=True, vectors=[VALUE] if self.value_dim else False)
            batch = [
                edge.Point(
                    record.id,
                    {**translation.named_vectors(record), KEY: keys[point_id(record)]},
                    {**(record.payload or {}), **stamp},
                )
                for record in records
                if translation.stored_version(record) <= stamp["version"]
            ]
            operation = edge.UpdateOperation.upsert_points(
                batch, condition=translation.no_newer_than(stamp["version"]), update_mode=edge.UpdateMode.UpdateOnly
            )
            self._write(operation, len(batch))

    def label(self, ids: Ids, regions: Ints) -> None:
        """Set the region in the points' payload (``NO_REGION`` removes it); absent points stay absent."""
        ids = given.checked_ids(ids)
        regions = given.checked_regions(regions, len(ids))
        for start in range(0, len(ids), self._chunk):
            rows = slice(start, start + self._chunk)
            self._label(dict(zip(ids[rows].tolist(), regions[rows].tolist(), strict=True)))

    def _label(self, regions: dict[int, int]) -> None:
        with self._writing:
            members: dict[int, list[edge.PointId]] = {}
            for record in self._retrieve(list(regions), payload=False, vectors=False):
                members.setdefault(regions[point_id(record)], []).append(record.id)
            for region, present in members.items():
                if region == NO_REGION:
                    operation = edge.UpdateOperation.delete_payload(present, ["region_id"])
                else:
                    operation = edge.UpdateOperation.set_payload(present, {"region_id": region})
                self._write(operation, len(present))

    def delete(self, ids: Ids) -> None:
        """Delete points; absent ones are no error."""
        ids = given.checked_ids(ids)
        for start in range(0, len(ids), self._chunk):
            doomed = ids[start : start + self._chunk].tolist()
            self._write(edge.UpdateOperation.delete_points(doomed), len(doomed))

    def _write(self, operation: edge.UpdateOperation, points: int) -> None:
        with self._writing, storage_errors("write to the vector shard at", self.path):
            shard = self._alive()
            if not points:
                return
            files.require_room(self.path, points * (16 * (self.vector_dim + self.value_dim) + 1024))
            self._unseal()
            self._flushed = False
            shard.update(operation)
            self._unflushed += points
            if self.durability == "process" and self._unflushed >= CHECKPOINT:
                self._flush(shard)

    # Reading

    def fetch(self, ids: Ids) -> VectorTable:
        """The points among ``ids``, in ascending id order, as float32."""
        wanted = distinct(given.checked_ids(ids))
        tables = []
        for start in range(0, max(1, len(wanted)), self._chunk):
            records = self._retrieve(wanted[start : start + self._chunk].tolist(), payload=True, vectors=True)
            tables.append(translation.table_of(records, self.vector_dim, self.value_dim))
        return translation.joined(tables)

    def labels(self, ids: Ids) -> tuple[Ids, tuple[str, ...], Ints]:
        """The points among ``ids``, in ascending id order, with kind and region (``NO_REGION``: none)."""
        wanted = np.unique(given.checked_ids(ids)).tolist()
        chunks = [wanted[start : start + self._chunk] for start in range(0, len(wanted), self._chunk)]
        return translation.labels_of([r for c in chunks for r in self._retrieve(c, payload=True, vectors=False)])

    def page(self, after: int, limit: int, vectors: bool = True) -> VectorTable:
        """The next points with an id above ``after``, in ascending id order.

        Without ``vectors`` keys and values have no columns ([N, 0]), and ``has_value`` is not set for any.
        """
        left, start = given.checked_limit(limit), max(int(after), NO_ID) + 1
        tables = [translation.table_of([], self.vector_dim, self.value_dim, vectors)]
        while left and start <= LAST_ID:
            asked = min(left, self._chunk)
            request = edge.ScrollRequest(offset=start, limit=asked, with_payload=True, with_vector=vectors)
            with storage_errors("read the vector shard at", self.path):
                records, _ = self._alive().scroll(request)
            tables.append(translation.table_of(records, self.vector_dim, self.value_dim, vectors))
            if len(records) < asked:
                break
            left, start = left - asked, int(tables[-1].ids[-1]) + 1
        return translation.joined(tables)

    def search(
        self, queries: Floats, limit: int, kind: str | None = None, region: int | None = None
    ) -> tuple[Ids, Floats]:
        """The ``limit`` nearest points by cosine for each row: ids [B, limit] and scores, falling, ties by id.

        Where there are fewer, ids are ``NO_ID`` and scores 0. A filter without an index reads every payload.
        """
        queries, limit = given.checked_queries(queries, self.vector_dim), given.checked_limit(limit)
        ids = np.full((len(queries), limit), NO_ID, np.int64)
        scores = np.zeros((len(queries), limit), np.float32)
        condition = translation.payload_filter(kind, region)
        for start in range(0, len(queries) if limit else 0, QUERIES):
            requests = [
                edge.QueryRequest(
                    limit=limit,
                    query=edge.Query.Nearest(query, using=KEY),
                    filter=condition,
                )
                for query in queries[start : start + QUERIES].tolist()
            ]
            with storage_errors("search the vector shard at", self.path):
                answers = self._alive().query_batch(edge.QueryBatchRequest(requests))
            for row, answer in enumerate(answers, start):
                answer.sort(key=lambda point: (-point.score, point.id))
                ids[row, : len(answer)] = [point.id for point in answer]
                scores[row, : len(answer)] = [point.score for point in answer]
        return ids, scores

    def count(self) -> int:
        """How many points there are, exactly."""
        with storage_errors("read the vector shard at", self.path):
            return self._alive().count(edge.CountRequest(exact=True))

    def _retrieve(self, ids: Sequence[edge.PointId], payload: bool, vectors: bool | list[str]) -> list[edge.Record]:
        with storage_errors("read the vector shard at", self.path):
            return self._alive().retrieve(list(ids), with_payload=payload, with_vector=vectors)

    # The index

    def optimize(self) -> bool:
        """Build the index over all points and give back the space of deleted ones; whether anything was to be done.

        Takes seconds to minutes, during which no other thread of the process runs.
        """
        with self._writing, storage_errors("optimise the vector shard at", self.path):
            shard = self._alive()
            files.require_room(self.path, files.size_on_disk(self.path))
            self._unseal()
            files.write_identity(self.path, self.vector_dim, self.value_dim, [])
            self._flushed = False
            done = shard.optimize()
            self._flush(shard)  # Edge now removes the segments that it replaced.
            files.write_identity(self.path, self.vector_dim, self.value_dim, files.segments(self.path))
            return done

    def indexed(self) -> int:
        """How many points the index covers.

        Exact if all points or none have values; else it takes it that indexed points have values as often as others.
        """
        with storage_errors("read the vector shard at", self.path):
            shard = self._alive()
            points, vectors = shard.info().points_count, shard.info().indexed_vectors_count
            if not vectors or not self.value_dim:
                return min(vectors, points)
            # Edge counts vectors, not points, and counts values too although they have no graph.
            with_value = edge.Filter(must=[edge.HasVectorCondition(VALUE)])
            stored = points + shard.count(edge.CountRequest(exact=True, filter=with_value))
            return min(vectors * points // max(1, stored), points)

    # Ending

    def sync(self) -> None:
        """Return when everything written would survive a power cut."""
        with self._writing, storage_errors("flush the vector shard at", self.path):
            self._flush(self._alive())

    def close(self) -> None:
        """Flush and release everything. Closing twice is allowed."""
        with self._writing, storage_errors("close the vector shard at", self.path):
            shard, self._shard = self._shard, None
            if shard is None:
                return
            try:
                self._flush(shard)
                points = shard.info().points_count
            finally:
                shard.close()
            if not self._sealed:
                # Opening a shard makes Edge tidy up what writing left: now, so that the next opening changes nothing.
                edge.EdgeShard.load(str(self.path)).close()
            files.settle(self.path)
            if not self._sealed:
                files.write_identity(self.path, self.vector_dim, self.value_dim, files.segments(self.path))
                files.seal(self.path, points)

    def abandon(self) -> None:
        """Let go of the shard without touching its files: in a forked child, where even its destruction would write."""
        shard, self._shard = self._shard, None
        self._gone, self._writing = "this process was forked from the one that opened it", threading.RLock()
        if shard is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(shard))

    def _alive(self) -> edge.EdgeShard:
        if self._shard is None:
            raise AESGStorageError(f"Cannot use the vector shard at {self.path}: {self._gone}")
        return self._shard

    def _unseal(self) -> None:
        if self._sealed:
            files.unseal(self.path)
            self._sealed = False

    def _flush(self, shard: edge.EdgeShard) -> None:
        # Not without need: a flush writes some files anew although nothing has changed.
        if not self._flushed:
            shard.flush()
        self._flushed, self._unflushed = True, 0


def _abandon_in_child() -> None:
    for store in list(_open_stores):
        store.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_in_child)
