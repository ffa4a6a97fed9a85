"""The write vocabulary: everything that can happen to a memory, as data.

An operation is columnar: one ``Create`` gives birth to N concepts. Operations are planned by ``learning`` and the
engine, recorded in the journal as a :class:`Batch`, and carried out by the cache and by every store with the same
meaning. Only ``Create`` and ``Split`` may bring a concept into being; counters and relevance travel as additions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Doubles, Flags, Floats, Ids, Ints, Texts
from aesg_graph.errors import AESGStorageError

ENCODING = 1
PREFIX = 12
"""Bytes before the header: a mark and the header's length."""
ALIGNMENT = 8
WEAKNESS_KEPT = 0.9
"""What one use leaves of an edge's distance to weight 1, in the cache and in every store."""


@dataclass(frozen=True, eq=False)
class Create:
    """N concepts are born with relevance 1 in ``epoch``; ``keys`` [N, D] have unit length.

    ``values`` is [N, V] and ``has_value`` [N]; V may be 0. An id that exists or existed makes a store refuse the batch.
    """

    ids: Ids
    keys: Floats
    values: Floats
    has_value: Flags
    kind: str
    epoch: int
    names: Texts | None = None
    texts: Texts | None = None
    sources: Texts | None = None
    encoder: str = ""
    version: int = 0


@dataclass(frozen=True, eq=False)
class Link:
    """M edges of one type. A missing edge is born with its weight and then used ``uses`` times; one that exists is used
    ``uses + 1`` times. k uses make a weight ``1 - (1 - weight) * 0.9^k`` and add k to its use count.

    Ends follow a merged concept's ``into``; an edge with a removed end, or that becomes a self-loop, is void.
    """

    type: str
    sources: Ids
    targets: Ids
    weights: Floats
    uses: Ints
    epoch: int


@dataclass(frozen=True, eq=False)
class Touch:
    """Concepts were used, or contradicted, so many times in ``epoch`` (one row a concept)."""

    ids: Ids
    uses: Ints
    contradictions: Ints
    epoch: int


@dataclass(frozen=True, eq=False)
class Describe:
    """Names and texts for people; ``None`` leaves a column as it is, a ``None`` inside one clears it."""

    ids: Ids
    names: Texts | None
    texts: Texts | None


@dataclass(frozen=True, eq=False)
class Remove:
    """Concepts are removed with their edges, whatever their state; each leaves a tombstone."""

    ids: Ids


@dataclass(frozen=True, eq=False)
class Prune:
    """Concepts are removed if they still deserve it when it is carried out.

    With ``epoch`` a concept goes only if its ``expires_epoch`` is at most that. With ``fades_at`` (memory over
    capacity) it goes only if its ``fades_at`` is at most the planned one, so that a concept used since then stays.
    """

    ids: Ids
    epoch: int | None = None
    fades_at: Doubles | None = None


@dataclass(frozen=True, eq=False)
class Merge:
    """``merged[i]`` disappears into ``survivors[i]``, which keeps its vectors.

    Counts, relevance and edges are read when it is carried out.
    """

    survivors: Ids
    merged: Ids


@dataclass(frozen=True, eq=False)
class Split:
    """``id`` is born out of ``source`` and takes over the edges to ``neighbours`` and half of the source's counts."""

    source: int
    id: int
    key: Floats
    value: Floats
    has_value: bool
    neighbours: Ids


@dataclass(frozen=True, eq=False)
class Regions:
    """Concepts belong to regions from now on (``NO_REGION``: to none)."""

    ids: Ids
    regions: Ints


@dataclass(frozen=True, eq=False)
class Rekey:
    """Concepts get new keys [N, D] of a higher version, from another encoder."""

    ids: Ids
    keys: Floats
    version: int
    encoder: str


@dataclass(frozen=True, eq=False)
class Advance:
    """The memory's epoch moves to ``epoch``, from the one before it (compare and set)."""

    epoch: int


Operation = Create | Link | Touch | Describe | Remove | Prune | Merge | Split | Regions | Rekey | Advance

OPERATIONS: dict[str, type[Any]] = {
    c.__name__: c for c in (Create, Link, Touch, Describe, Remove, Prune, Merge, Split, Regions, Rekey, Advance)
}


@dataclass(frozen=True, eq=False)
class Batch:
    """Operations that a writer carries out together, exactly once, as its ``sequence``-th.

    With a ``fence`` they are maintenance, done under the memory's lease: a store that several processes write to
    carries them out only while that lease is the latest.
    """

    writer: int
    incarnation: int
    sequence: int
    at: float
    operations: tuple[Operation, ...]
    fence: int | None = None

    MAGIC: ClassVar[bytes] = b"AESB"

    def encode(self) -> bytes:
        """The batch as bytes: a JSON header that describes the columns, then the columns' bytes.

        Every column begins at a multiple of 8, so that what is decoded in place is as fast as any array.
        """
        buffers: list[bytes] = []
        header = {
            "encoding": ENCODING,
            "writer": self.writer,
            "incarnation": self.incarnation,
            "sequence": self.sequence,
            "at": self.at,
            "fence": self.fence,
            "operations": [_describe(op, buffers) for op in self.operations],
        }
        text = json.dumps(header, separators=(",", ":"), default=_plain).encode()
        text += b" " * (-(PREFIX + len(text)) % ALIGNMENT)
        return b"".join([self.MAGIC, len(text).to_bytes(8, "little"), text, *buffers])

    @classmethod
    def decode(cls, data: bytes) -> Batch:
        """The batch that :meth:`encode` wrote. AESGStorageError for anything else."""
        try:
            if data[:4] != cls.MAGIC:
                raise ValueError("it does not begin as a batch does")
            length = int.from_bytes(data[4:PREFIX], "little")
            header = json.loads(data[PREFIX : PREFIX + length])
            if header["encoding"] != ENCODING:
                raise ValueError(f"encoding {header['encoding']}, expected {ENCODING}")
            body = _Reader(data, PREFIX + length)
            operations = tuple(_restore(o, body) for o in header["operations"])
            if body.position != len(data):
                raise ValueError(f"{len(data)} bytes, expected {body.position}")
            head = (header["writer"], header["incarnation"], header["sequence"], header["at"])
            return cls(*head, operations, header.get("fence"))
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
            raise AESGStorageError(f"A journal record cannot be read: {error}") from error


class _Reader:
    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    def array(self, dtype: str, shape: list[int]) -> npt.NDArray[Any]:
        if any(not isinstance(n, int) or n < 0 for n in shape):
            raise ValueError(f"a column of shape {shape}")
        array = np.frombuffer(self.data, np.dtype(dtype), math.prod(shape), self.position).reshape(shape)
        self.position += array.nbytes + -array.nbytes % ALIGNMENT
        return array


def _plain(value: Any) -> Any:
    """Numbers of numpy's as Python's own, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a batch cannot hold a {type(value).__name__}")


def _describe(operation: Operation, buffers: list[bytes]) -> dict[str, Any]:
    described: dict[str, Any] = {"op": type(operation).__name__}
    for f in fields(operation):
        value = getattr(operation, f.name)
        if isinstance(value, np.ndarray):
            buffers += value.tobytes(), bytes(-value.nbytes % ALIGNMENT)
            described[f.name] = {"dtype": value.dtype.str, "shape": value.shape}
        else:
            described[f.name] = value
    return described


def _restore(described: dict[str, Any], body: _Reader) -> Operation:
    kind = OPERATIONS[described["op"]]
    values: dict[str, Any] = {}
    for f in fields(kind):
        value = described[f.name]
        if isinstance(value, dict):
            value = body.array(value["dtype"], value["shape"])
        elif isinstance(value, list):
            value = tuple(value)
        values[f.name] = value
    operation: Operation = kind(**values)
    return operation


def named_ids(operation: Operation) -> Ids:
    """Every concept that an operation names."""
    match operation:
        case Link():
            return np.concatenate([operation.sources, operation.targets])
        case Merge():
            return np.concatenate([operation.survivors, operation.merged])
        case Split():
            return np.concatenate([np.array([operation.source, operation.id], np.int64), operation.neighbours])
        case Advance():
            return np.empty(0, np.int64)
        case _:
            return operation.ids


def born_ids(operation: Operation) -> Ids:
    """The concepts that an operation brings into being."""
    match operation:
        case Create():
            return operation.ids
        case Split():
            return np.array([operation.id], np.int64)
        case _:
            return np.empty(0, np.int64)


def doomed_ids(operation: Operation) -> Ids:
    """The concepts that an operation may remove."""
    match operation:
        case Remove() | Prune():
            return operation.ids
        case Merge():
            return operation.merged
        case _:
            return np.empty(0, np.int64)


def restrict(operation: Operation, ids: Ids) -> Operation | None:
    """The part of an operation that concerns ``ids``, to be applied again to rows read anew; None for nothing."""
    columns: tuple[str, ...]
    match operation:
        case Link():
            keep = np.isin(operation.sources, ids) | np.isin(operation.targets, ids)
            columns = ("sources", "targets", "weights", "uses")
        case Touch():
            keep, columns = np.isin(operation.ids, ids), ("ids", "uses", "contradictions")
        case Rekey():
            keep, columns = np.isin(operation.ids, ids), ("ids", "keys")
        case Regions():
            keep, columns = np.isin(operation.ids, ids), ("ids", "regions")
        case Remove():
            keep, columns = np.isin(operation.ids, ids), ("ids",)
        case Prune():
            keep = np.isin(operation.ids, ids)
            columns = ("ids",) if operation.fades_at is None else ("ids", "fades_at")
        case _:
            return None
    if not keep.any():
        return None
    restricted: Operation = replace(operation, **{name: getattr(operation, name)[keep] for name in columns})
    return restricted


def coalesce(operations: Sequence[Operation]) -> list[Operation]:
    """The same operations with all touches of an epoch as one, at the end: one row a concept and batch."""
    touches: dict[int, list[Touch]] = {}
    others: list[Operation] = []
    for operation in operations:
        if isinstance(operation, Touch):
            touches.setdefault(operation.epoch, []).append(operation)
        else:
            others.append(operation)
    return others + [_one_touch(epoch, parts) for epoch, parts in touches.items()]


def _one_touch(epoch: int, parts: Sequence[Touch]) -> Touch:
    if len(parts) == 1:
        return parts[0]
    ids, place = np.unique(np.concatenate([t.ids for t in parts]), return_inverse=True)
    uses, contradictions = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    np.add.at(uses, place, np.concatenate([t.uses for t in parts]))
    np.add.at(contradictions, place, np.concatenate([t.contradictions for t in parts]))
    return Touch(ids, uses, contradictions, epoch)
