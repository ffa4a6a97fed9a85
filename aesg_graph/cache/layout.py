"""How the cache lies in its files: columns, header words, and what makes two caches compatible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import SYMMETRIC_RELATIONS, Relations

MAGIC = b"AESGHOT\n"
FORMAT = 1
FORWARD, BACKWARD = 0, 1
"""The low bit of an arc: its block's owner is the edge's source, or its target."""
NO_SLOT = -1
UNLOADED = -1
"""The degree of a free slot."""

Slots = npt.NDArray[np.int32]
Marks = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CacheLayout:
    """What a memory's rows look like: widths of keys and values, and the types of edges in the order of their codes."""

    vector_dim: int
    value_dim: int
    relations: tuple[str, ...]
    symmetric: frozenset[str] = SYMMETRIC_RELATIONS

    @classmethod
    def of(cls, vector_dim: int, value_dim: int, relations: Relations) -> CacheLayout:
        """The layout of a memory that knows ``relations``."""
        symmetric = frozenset(t.name for t in relations.types if t.symmetric)
        return cls(vector_dim, value_dim, relations.names, symmetric)

    def code(self, relation: str) -> int:
        """The code of a type of edge; ValueError for one that the memory does not know."""
        return self.relations.index(relation)

    def described(self) -> dict[str, Any]:
        """The layout as JSON can hold it."""
        return {
            "vector_dim": self.vector_dim,
            "value_dim": self.value_dim,
            "relations": list(self.relations),
            "symmetric": sorted(self.symmetric),
        }


@dataclass(frozen=True)
class CacheStamp:
    """How far a cache has followed its memory: the memory's incarnation, the writer, the journal's last sequence."""

    incarnation: int
    writer: int
    sequence: int


LIFE = np.dtype(
    [
        ("relevance", "<f8"),
        ("created_at", "<f8"),
        ("touched_epoch", "<i8"),
        ("born_epoch", "<i8"),
        ("use_frequency", "<i8"),
        ("contradictions", "<i8"),
        ("version", "<i8"),
        ("kind", "<i4"),
        ("encoder", "<i4"),
        ("has_value", "<u8"),
    ]
)
"""What befalls a concept: one record, because a lesson reads and writes most of it together."""

WEAR = np.dtype([("created_at", "<f8"), ("touched_epoch", "<i8"), ("use_count", "<u4"), ("confidence", "<f4")])
"""What an edge has been through; kept apart from what a spread reads."""

Column = tuple[np.dtype[Any], int | None]
"""A column's type, and its width where a row holds more than one number."""


def _numbers(code: str, width: int | None = None) -> Column:
    return np.dtype(code), width


def row_columns(layout: CacheLayout) -> dict[str, Column]:
    """The columns with one row a slot."""
    return {
        "ids": _numbers("<i8"),
        "keys": _numbers("<f4", layout.vector_dim),
        "values": _numbers("<f4", layout.value_dim),
        "regions": _numbers("<i8"),
        "lives": (LIFE, None),
        "start": _numbers("<i8"),  # of a free slot: the next free slot + 1
        "degree": _numbers("<i4"),
        "room": _numbers("<i1"),  # the block's size class, 0 for none
        "pending": _numbers("<i8"),  # the last journal sequence that changed the row or its edges
        "modified_at": _numbers("<f8"),  # and when that was recorded
        "used": _numbers("<i8"),
    }


ARC_COLUMNS: dict[str, Column] = {
    "neighbour_ids": _numbers("<i8"),  # in a free block's first arc: the start of the next free one + 1
    "neighbour_slots": _numbers("<i4"),
    "weights": _numbers("<f4"),
    "arcs": _numbers("<u2"),
    "wear": (WEAR, None),
}


def bytes_of(columns: dict[str, Column]) -> int:
    """How many bytes one row of all these columns takes."""
    return sum(dtype.itemsize * (1 if width is None else width) for dtype, width in columns.values())


# The words of the header that kernels read and write. A word is 0 in an empty cache.
SLOTS = 0  # slots in use or once used: the high-water mark
RESIDENT = 1
FREE_SLOT = 2  # the first free slot + 1
EDGES = 3  # distinct edges
COMPLETE = 4
TICK = 5
ACKNOWLEDGED = 6
NEXT_DUE = 7  # nothing can be pruned before this epoch
TAIL = 8  # arcs in use or once used
HELD = 9  # arcs in blocks that slots own
ROW_CAPACITY = 10
ARC_CAPACITY = 11
INDEX_CAPACITY = 12
HEADS = 16  # HEADS + c: the start of the first free block of 2^c arcs, + 1
SIZE_CLASSES = 40
WORDS = HEADS + SIZE_CLASSES

SMALLEST_CLASS = 2
SMALLEST_BLOCK = 1 << SMALLEST_CLASS
"""Arcs in the smallest block."""
