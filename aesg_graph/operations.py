"""The write vocabulary: everything that can happen to a memory, as data.

An operation is columnar: one ``Create`` gives birth to N concepts. Operations are planned by ``learning`` and the
engine, recorded in the journal as a :class:`Batch`, and carried out by the cache and by every store with the same
meaning. Only ``Create`` and ``Split`` may bring a concept into being; counters and relevance travel as additions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Doubles, Flags, Floats, Ids, Ints, Texts
from aesg_graph.errors import AESGStorageError

ENCODING = 1


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

    With ``epoch`` a concept goes only if its ``expires_epoch`` is at most that. With ``fades_at`` (memory over capacity) it
    goes only if its ``fades_at`` is at most the planned one, so that a concept used since then stays.
    """

    ids: Ids
    epoch: int | None = None
    fades_at: Doubles | None = None


@dataclass(frozen=True, eq=False)
class Merge:
    """``merged[i]`` disappears into ``survivors[i]``, which keeps its vectors; counts, relevance and edges are read when
    it is carried out."""

    survivors: Ids
    merged: Ids


@dataclass(frozen=True, eq=False)
class Split:
    """``id`` is born out of ``source`` and takes over the edges to ``neighbours``; half of the source's counts go with it."""

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
    """Operations that a writer carries out together, exactly once, as its ``sequence``-th."""

    writer: int
    incarnation: int
    sequence: int
    at: float
    operations: tuple[Operation, ...]

    MAGIC: ClassVar[bytes] = b"AESB"

    def encode(self) -> bytes:
        """The batch as bytes: a JSON header that describes the columns, then the columns' bytes."""
        buffers: list[bytes] = []
        header = {
            "encoding": ENCODING,
            "writer": self.writer,
            "incarnation": self.incarnation,
            "sequence": self.sequence,
            "at": self.at,
            "operations": [_describe(op, buffers) for op in self.operations],
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        return b"".join([self.MAGIC, len(text).to_bytes(8, "little"), text, *buffers])

    @classmethod
    def decode(cls, data: bytes) -> Batch:
        """The batch that :meth:`encode` wrote. AESGStorageError for anything else."""
        try:
            if data[:4] != cls.MAGIC:
                raise ValueError("it does not begin as a batch does")
            length = int.from_bytes(data[4:12], "little")
            header = json.loads(data[12 : 12 + length])
            if header["encoding"] != ENCODING:
                raise ValueError(f"encoding {header['encoding']}, expected {ENCODING}")
            body = _Reader(data, 12 + length)
            operations = tuple(_restore(o, body) for o in header["operations"])
            return cls(header["writer"], header["incarnation"], header["sequence"], header["at"], operations)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise AESGStorageError(f"A journal record cannot be read: {error}") from error


class _Reader:
    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    def array(self, dtype: str, shape: list[int]) -> npt.NDArray[Any]:
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(self.data, np.dtype(dtype), count, self.position).reshape(shape)
        self.position += array.nbytes
        return array


def _describe(operation: Operation, buffers: list[bytes]) -> dict[str, Any]:
    described: dict[str, Any] = {"op": type(operation).__name__}
    for f in fields(operation):
        value = getattr(operation, f.name)
        if isinstance(value, np.ndarray):
            buffers.append(value.tobytes())
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
