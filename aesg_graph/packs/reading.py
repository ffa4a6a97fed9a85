"""Reading a pack: verified as a whole before anything of it is believed, then chunk by chunk, each verified again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from aesg_graph.concepts import NO_REGION, Ids
from aesg_graph.engine import inputs
from aesg_graph.errors import AESGError, AESGMemoryError, AESGStorageError
from aesg_graph.packs.layout import (
    AESG_VERSION,
    CONCEPTS,
    EDGES,
    END,
    MAGIC,
    PREFIX,
    TRAILER,
    VERSION,
    Chunk,
    Header,
    PackedConcepts,
    PackedEdges,
    decode_concepts,
    decode_edges,
    held,
)

READ = 1 << 20
"""Bytes that are hashed at once."""
LENGTH_ERROR = 1e-4
"""How far a key's length may be from 1: stores scale keys too, in float32."""


class PackFile:
    """A pack on disk, open to be read and never written; use it as a context manager.

    AESGStorageError, naming the file and what is wrong, unless every byte of it is as it was written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pack_path(path)
        with _reading(self.path):
            if self.path.exists() and not self.path.is_file():
                raise ValueError("it is no file")
            self._file: BinaryIO = self.path.open("rb")
            try:
                self.bytes = os.fstat(self._file.fileno()).st_size
                self.header, self._places = _verified(self._file, self.bytes)
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def concepts(self) -> Iterator[PackedConcepts]:
        """All concepts, in ascending id order."""
        last = -1
        for chunk, place in self._of(CONCEPTS):
            with _reading(self.path):
                part = decode_concepts(self._read(chunk, place), chunk.rows, self.header)
                _require_sound(part, self.header)
                if part.ids[0] <= last or (np.diff(part.ids) <= 0).any():
                    raise ValueError("its ids are not in ascending order")
                last = int(part.ids[-1])
            yield part

    def edges(self) -> Iterator[PackedEdges]:
        """All edges."""
        for chunk, place in self._of(EDGES):
            with _reading(self.path):
                part = decode_edges(self._read(chunk, place), chunk.rows)
                _require_sound_edges(part, len(self.header.relations))
            yield part

    def examine(self) -> None:
        """Look at every row. AESGStorageError for one that no export writes, or an edge that leads out of the pack."""
        ids = np.concatenate([part.ids for part in self.concepts()])
        for part in self.edges():
            self.require_ends(part, ids)

    def require_ends(self, part: PackedEdges, ids: Ids) -> None:
        """AESGStorageError unless both ends of every edge are among the pack's ``ids``, which ascend."""
        with _reading(self.path):
            if not (held(part.sources, ids) & held(part.targets, ids)).all():
                raise ValueError("an edge leads to a concept that is not in it")

    def _of(self, what: str) -> Iterator[tuple[Chunk, int]]:
        for chunk, place in zip(self.header.chunks, self._places, strict=True):
            if chunk.what == what:
                yield chunk, place

    def _read(self, chunk: Chunk, place: int) -> bytes:
        self._file.seek(place)
        data = self._file.read(chunk.bytes)
        if hashlib.sha256(data).hexdigest() != chunk.digest:
            raise ValueError("it was changed while it was read")
        return data


def _verified(file: BinaryIO, size: int) -> tuple[Header, list[int]]:
    """The header, and where each chunk begins. ValueError for a file that is not as it was written."""
    _require_version(file.read(PREFIX.size))
    body = size - PREFIX.size - TRAILER.size
    if body < 0:
        raise ValueError(f"it was cut short, at {size} bytes")
    file.seek(size - TRAILER.size)
    ending = file.read(TRAILER.size)
    length, mark, digest = TRAILER.unpack(ending)
    if mark != END or length > body:
        raise ValueError("its end is damaged or missing: it was cut short, or something was added")
    file.seek(PREFIX.size + body - length)
    text = file.read(length)
    if _digest(file, PREFIX.size + body - length, text + ending[: -len(digest)]) != digest:
        raise ValueError("its checksum differs: it is not as it was written")
    header = Header.decode(text)
    starts = np.cumsum([PREFIX.size, *(chunk.bytes for chunk in header.chunks)]).tolist()
    if starts[-1] != PREFIX.size + body - length:
        raise ValueError(f"its header tells of {starts[-1]} bytes of chunks, and there are others")
    return header, starts[:-1]


def _require_version(prefix: bytes) -> None:
    if len(prefix) < PREFIX.size or not prefix.startswith(MAGIC):
        raise ValueError(f"it does not begin with {MAGIC.decode()} and a version, as packs do")
    version = PREFIX.unpack(prefix)[1]
    if version == AESG_VERSION:
        raise ValueError("it is a pack of the aesg library (version 1): `aesg import` reads it into a memory")
    if version != VERSION:
        newer = ", which a newer aesg-graph may read" if version > VERSION else ""
        raise ValueError(f"it has version {version}, expected {VERSION}{newer}")


def _digest(file: BinaryIO, size: int, rest: bytes) -> bytes:
    """The SHA-256 of the file's first ``size`` bytes and of ``rest``, which was read from behind them."""
    digest = hashlib.sha256()
    file.seek(0)
    while size and (data := file.read(min(READ, size))):
        digest.update(data)
        size -= len(data)
    digest.update(rest)
    return digest.digest()


def _require_sound(part: PackedConcepts, header: Header) -> None:
    """ValueError for concepts that no export writes."""
    if not (np.isfinite(part.keys).all() and np.isfinite(part.values).all()):
        raise ValueError("it holds vectors that are not finite")
    lengths = np.sqrt(np.einsum("ij,ij->i", part.keys, part.keys, dtype=np.float64))
    if (np.abs(lengths - 1.0) > LENGTH_ERROR).any():
        raise ValueError("it holds keys that are not of length 1")
    if not ((part.relevance >= 0) & (part.relevance <= 1)).all():
        raise ValueError("it holds relevances outside [0, 1]")
    if min(part.uses.min(), part.contradictions.min(), part.ids[0]) < 0:
        raise ValueError("it holds negative ids or counts")
    if part.ages.min() < 0 or part.regions.min() < NO_REGION:
        raise ValueError(f"it holds negative ages, or regions below {NO_REGION}")
    if part.values[~part.has_value].any():
        raise ValueError("it holds values of concepts that have none")
    for codes, words in ((part.kinds, header.kinds), (part.encoders, header.encoders)):
        if codes.min() < 0 or codes.max() >= len(words):
            raise ValueError("it holds kinds or encoders that its header does not name")
    for name in ("names", "texts", "sources"):
        inputs.texts_for(getattr(part, name), len(part), name)
    for kind in header.kinds:
        inputs.kind_name(kind)


def _require_sound_edges(part: PackedEdges, relations: int) -> None:
    """ValueError for edges that no export writes."""
    if part.types.min() < 0 or part.types.max() >= relations:
        raise ValueError("it holds types of edges that its header does not name")
    inside = (part.weights >= 0) & (part.weights <= 1)
    if not inside.all() or not np.isfinite(part.confidences).all() or part.uses.min() < 0:
        raise ValueError("it holds edges with weights outside [0, 1], or negative counts")
    if (part.sources == part.targets).any():
        raise ValueError("it holds an edge from a concept to itself")


def pack_path(path: str | os.PathLike[str]) -> Path:
    """Where a pack is. AESGMemoryError for what names no file: no text, or the home of nobody."""
    try:
        found = Path(path).expanduser()
    except (TypeError, RuntimeError):
        raise AESGMemoryError(f"path is {path!r}, expected the name of a pack") from None
    if "\0" in str(found):
        raise AESGMemoryError(f"path is {path!r}, expected the name of a pack")
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong inside is told of the file."""
    try:
        yield
    except OSError as error:
        raise AESGStorageError(f"Failed to read pack file '{path}': {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise AESGStorageError(f"Failed to read pack file '{path}': {_said(error)}") from error
    except AESGError as error:
        raise AESGStorageError(f"Failed to read pack file '{path}': {error.message}") from error


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"its header lacks {error}"
    return str(error) if isinstance(error, ValueError) else f"its header is not as an export writes it ({error})"
