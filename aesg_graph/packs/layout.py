"""What a ``.aesgpack`` looks like, and how its chunks become arrays.

    8 bytes    AESGPACK
    4 bytes    the version, big-endian: 2 (1 is a pack of the ``aesg`` library)
               chunks of concepts, then chunks of edges: columns one after the other, little-endian
               the header: JSON that says what the chunks are, each with its size and SHA-256
    8 bytes    how long the header is, little-endian
    8 bytes    PACK-END
    32 bytes   the SHA-256 of everything before

The header comes last, so that a pack is written in one go, whatever its size. There are numbers and texts in it, and
nothing that could be run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Doubles, Flags, Floats, Ids, Ints, RelationType, Texts
from aesg_graph.packs.provenance import check_provenance
from aesg_graph.relations import declared

MAGIC = b"AESGPACK"
VERSION = 2
AESG_VERSION = 1
"""What the packs of the ``aesg`` library say; their layout is another."""
END = b"PACK-END"
PREFIX = struct.Struct(">8sI")
TRAILER = struct.Struct("<Q8s32s")
MAX_NAME = 255
NO_TEXT = -1
"""The length of a text that is not there."""
CONCEPTS, EDGES = "concepts", "edges"

Column = npt.NDArray[Any]

CONCEPT_COLUMNS = {
    "ids": "<i8",
    "keys": "<f4",
    "values": "<f4",
    "has_value": "|u1",
    "kinds": "<i4",
    "encoders": "<i4",
    "relevance": "<f8",
    "uses": "<i8",
    "contradictions": "<i8",
    "ages": "<i8",
    "regions": "<i8",
}
TEXT_COLUMNS = ("names", "texts", "sources")
"""Each is its lengths in bytes (int32), then the bytes of all, UTF-8."""
LENGTHS = "<i4"
EDGE_COLUMNS = {
    "sources": "<i8",
    "targets": "<i8",
    "types": "<i2",
    "weights": "<f4",
    "confidences": "<f4",
    "uses": "<i8",
}


@dataclass(frozen=True, eq=False)
class PackedConcepts:
    """N concepts of a pack, in ascending id order. ``kinds`` and ``encoders`` [N] are places in the header's lists.

    keys [N, D]; values [N, V], zero where ``has_value`` is not set; relevance as of the export, in [0, 1]; ages in
    epochs; regions, ``NO_REGION`` for none.
    """

    ids: Ids
    keys: Floats
    values: Floats
    has_value: Flags
    kinds: npt.NDArray[np.int32]
    encoders: npt.NDArray[np.int32]
    relevance: Doubles
    uses: Ints
    contradictions: Ints
    ages: Ints
    regions: Ints
    names: Texts
    texts: Texts
    sources: Texts

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class PackedEdges:
    """M edges of a pack; ``types`` [M] are places in the header's relations."""

    sources: Ids
    targets: Ids
    types: npt.NDArray[np.int16]
    weights: Floats
    confidences: Floats
    uses: Ints

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class Chunk:
    """A stretch of a pack: ``concepts`` or ``edges``, how many rows and bytes, and the bytes' SHA-256."""

    what: str
    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True)
class Header:
    """What a pack says of itself. ``provenance`` is where it comes from: memory, time, package, filters."""

    name: str
    vector_dim: int
    value_dim: int
    concepts: int
    edges: int
    kinds: tuple[str, ...]
    encoders: tuple[str, ...]
    relations: tuple[RelationType, ...]
    chunks: tuple[Chunk, ...]
    provenance: dict[str, Any]

    def encode(self) -> bytes:
        """The header as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def decode(cls, text: bytes) -> Header:
        """The header that :meth:`encode` wrote. ValueError, KeyError or TypeError for anything else."""
        said = json.loads(text)
        chunks = tuple(Chunk(**chunk) for chunk in said["chunks"])
        relations = tuple(RelationType(**relation) for relation in said["relations"])
        lists = {name: tuple(said[name]) for name in ("kinds", "encoders")}
        header = cls(**(said | lists | {"chunks": chunks, "relations": relations}))
        header.check()
        return header

    def check(self) -> None:
        """ValueError for what no export writes."""
        numbers = [self.vector_dim - 1, self.value_dim, self.concepts - 1, self.edges]
        numbers += [n for chunk in self.chunks for n in (chunk.rows - 1, chunk.bytes)]
        if not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError("its header has a size that cannot be")
        self._check_words()
        check_provenance(self.provenance)
        for what, count in ((CONCEPTS, self.concepts), (EDGES, self.edges)):
            if sum(chunk.rows for chunk in self.chunks if chunk.what == what) != count:
                raise ValueError(f"its header counts {count} {what}, and its chunks hold others")
        if any(chunk.rows * self.row_bytes(chunk.what) > chunk.bytes for chunk in self.chunks):
            raise ValueError("its header has a chunk that holds more rows than bytes")

    def _check_words(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"its header has a name that is no printable text of 1 to {MAX_NAME} characters")
        for relation in self.relations:
            declared([relation])
        for what, words in (
            ("kind", self.kinds),
            ("encoder", self.encoders),
            ("type of edges", [relation.name for relation in self.relations]),
        ):
            if not all(isinstance(word, str) for word in words):
                raise ValueError(f"its header has a {what} that is no text")
            if len(set(words)) < len(words):
                raise ValueError(f"its header has a {what} twice")
        try:
            self.encode()
        except ValueError:
            raise ValueError(
                "its header holds text that is not valid Unicode, or a number that is not finite"
            ) from None

    def row_bytes(self, what: str) -> int:
        """How many bytes a row takes at least. ValueError for what is no kind of chunk."""
        if what == CONCEPTS:
            texts = np.dtype(LENGTHS).itemsize * len(TEXT_COLUMNS)
            return texts + sum(np.dtype(d).itemsize * self.width(name) for name, d in CONCEPT_COLUMNS.items())
        if what == EDGES:
            return sum(np.dtype(dtype).itemsize for dtype in EDGE_COLUMNS.values())
        raise ValueError(f"its header names a chunk of {str(what)[:40]!r}")

    def width(self, column: str) -> int:
        """How many numbers a concept has in a column."""
        return {"keys": self.vector_dim, "values": self.value_dim}.get(column, 1)


def is_name(name: object) -> bool:
    """Whether a pack can be called so: a printable text that is not blank (lone surrogates are not printable)."""
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable() and not name.isspace()


def held(ends: Ids, ids: Ids) -> Flags:
    """[M] which of ``ends`` are among ``ids``, which are ascending and at least one."""
    place = np.minimum(np.searchsorted(ids, ends), len(ids) - 1)
    return np.asarray(ids[place] == ends)


# -- chunks as bytes --------------------------------------------------------------------------------------------------


def encode_concepts(part: PackedConcepts) -> bytes:
    """A chunk of concepts."""
    columns = [np.ascontiguousarray(getattr(part, name), dtype).tobytes() for name, dtype in CONCEPT_COLUMNS.items()]
    for name in TEXT_COLUMNS:
        lines = [None if line is None else line.encode() for line in getattr(part, name)]
        lengths = [NO_TEXT if line is None else len(line) for line in lines]
        columns += [np.array(lengths, LENGTHS).tobytes(), *(line for line in lines if line is not None)]
    return b"".join(columns)


def encode_edges(part: PackedEdges) -> bytes:
    """A chunk of edges."""
    return b"".join(np.ascontiguousarray(getattr(part, name), dtype).tobytes() for name, dtype in EDGE_COLUMNS.items())


def decode_concepts(data: bytes, rows: int, header: Header) -> PackedConcepts:
    """The chunk that :func:`encode_concepts` wrote. ValueError for anything else."""
    found: dict[str, Any] = {}
    at = 0
    for name, dtype in CONCEPT_COLUMNS.items():
        width = header.width(name)
        column, at = _column(data, at, dtype, rows * width)
        found[name] = column.reshape(rows, width) if name in ("keys", "values") else column
    for name in TEXT_COLUMNS:
        lengths, at = _column(data, at, LENGTHS, rows)
        found[name], at = _texts(data, at, lengths.tolist())
    if at != len(data):
        raise ValueError("a chunk of concepts is longer than its rows")
    if (found["has_value"] > 1).any():
        raise ValueError("a concept neither has a value nor has none")
    return PackedConcepts(**(found | {"has_value": found["has_value"].view(np.bool_)}))


def decode_edges(data: bytes, rows: int) -> PackedEdges:
    """The chunk that :func:`encode_edges` wrote. ValueError for anything else."""
    found: dict[str, Any] = {}
    at = 0
    for name, dtype in EDGE_COLUMNS.items():
        found[name], at = _column(data, at, dtype, rows)
    if at != len(data):
        raise ValueError("a chunk of edges is longer than its rows")
    return PackedEdges(**found)


def _column(data: bytes, at: int, dtype: str, count: int) -> tuple[Column, int]:
    column = np.frombuffer(data, dtype, count, at) if count else np.empty(0, dtype)
    return column, at + column.nbytes


def _texts(data: bytes, at: int, lengths: Sequence[int]) -> tuple[Texts, int]:
    """Texts of so many bytes each, and where they end."""
    found: list[str | None] = []
    for length in lengths:
        if length == NO_TEXT:
            found.append(None)
            continue
        if length < 0 or at + length > len(data):
            raise ValueError("a text is longer than its chunk")
        found.append(data[at : at + length].decode())
        at += length
    return tuple(found), at
