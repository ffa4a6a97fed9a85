"""How `aesg` lays out its files: packed little-endian records, and a big-endian header before a pack's."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aesg_graph.errors import AESGStorageError

NODES, EDGES, META, LOG = "nodes.aesg", "edges.aesg", "meta.npy", "evolution.aesglog"

Rows = npt.NDArray[np.void]
"""Records of one of the types below."""

LIFE = 45
"""Bytes of a node record after its vector."""


def node_type(dim: int) -> np.dtype[np.void]:
    """A node record with vectors of ``dim`` numbers: 53 + 4 * dim bytes."""
    return np.dtype(
        [
            ("id", "<u8"),
            ("vector", "<f4", (dim,)),
            ("created", "<u8"),
            ("modified", "<u8"),
            ("uses", "<u4"),
            ("relevance", "<f4"),
            ("age", "<u4"),
            ("stability", "<f4"),
            ("region", "<u4"),
            ("active", "u1"),
            ("head", "<i8"),
        ]
    )


EDGE_TYPE = np.dtype(
    [("source", "<u8"), ("target", "<u8"), ("weight", "<f4"), ("confidence", "<f4"), ("uses", "<u4"), ("next", "<i8")]
)
"""A directed edge, in a singly linked list of its source's; addressed by ids."""

EVENT_TYPE = np.dtype(
    [("at", "<u8"), ("type", "u1"), ("pad", "V3"), ("first", "<u8"), ("second", "<u8"), ("value", "<f4")]
)
CREATED = 0
"""The event of a node's birth; ``first`` is its id."""

MAGIC = b"AESGPACK"
VERSION, OUR_VERSION = 1, 2
"""Of packs: `aesg`'s, and those of this package, which begin likewise."""
HEADER = struct.Struct(">8sIIII32s")
"""Magic, version, vector_dim, nodes, edges, SHA-256 of all that follows."""

ANY_BYTES = np.errstate(invalid="ignore")
"""Around sums and comparisons of what is read: any bytes can be numbers that numpy warns of (signalling NaN)."""

AT_ONCE = 8 << 20
"""Bytes of records that are read at once."""


@dataclass(frozen=True)
class Records:
    """``count`` records of one type in a file, from ``offset`` on. Reading raises AESGStorageError."""

    path: Path
    type: np.dtype[np.void]
    offset: int
    count: int

    @classmethod
    def of_file(cls, path: Path, type: np.dtype[np.void]) -> tuple[Records, int]:
        """Those of a whole file, and how many bytes are left over at its end."""
        whole, left = divmod(size_of(path), type.itemsize)
        return cls(path, type, 0, whole), left

    def read(self, start: int, stop: int) -> Rows:
        """[stop - start] records."""
        with reading(self.path), open(self.path, "rb") as file:
            at = self.offset + start * self.type.itemsize
            found: Rows = np.fromfile(file, self.type, stop - start, offset=at)
        if len(found) < stop - start:
            raise AESGStorageError(f"{self.path} became shorter while it was read, expected a file at rest")
        return found

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Rows]]:
        """All records from ``start`` to ``stop`` in order, some at a time, each time with the place of the first."""
        step, end = max(1, AT_ONCE // self.type.itemsize), self.count if stop is None else stop
        for begin in range(start, end, step):
            yield begin, self.read(begin, min(begin + step, end))


def used(rows: Rows) -> npt.NDArray[np.intp]:
    """The places of records that are not all zero: files are as long as their capacity."""
    data = rows.view(np.uint8)
    if not data.any():
        return np.empty(0, np.intp)
    return np.flatnonzero(data.reshape(len(rows), rows.dtype.itemsize).any(axis=1))


def size_of(path: Path) -> int:
    """Bytes of a file."""
    with reading(path):
        return os.stat(path).st_size


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an AESGStorageError that names it."""
    try:
        yield
    except OSError as error:
        raise AESGStorageError(f"Cannot read {path}: {error.strerror or error}") from error
