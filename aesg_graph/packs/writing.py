"""Writing a pack: chunk by chunk, each hashed as it goes; nothing bears the pack's name before all of it is on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import RelationType
from aesg_graph.packs.layout import (
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
    encode_concepts,
    encode_edges,
)


class Codes:
    """Words, each with the place at which it came first."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def of(self, words: Iterable[str]) -> npt.NDArray[np.int32]:
        """The places of words, new ones at the end."""
        return np.array([self.places.setdefault(word, len(self.places)) for word in words], np.int32)

    @property
    def words(self) -> tuple[str, ...]:
        """The words in their places."""
        return tuple(self.places)


class PackWriter:
    """A pack that is being written to an open file: all concepts, then all edges, then :meth:`finish`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.chunks: list[Chunk] = []
        self._write(PREFIX.pack(MAGIC, VERSION))

    def concepts(self, part: PackedConcepts) -> None:
        """Some concepts, whose ids are above those before."""
        self._chunk(CONCEPTS, len(part), encode_concepts(part))

    def edges(self, part: PackedEdges) -> None:
        """Some edges between concepts of this pack."""
        self._chunk(EDGES, len(part), encode_edges(part))

    def held(self, what: str) -> int:
        """How many rows of a kind were written."""
        return sum(chunk.rows for chunk in self.chunks if chunk.what == what)

    def finish(self, header: Header) -> None:
        """The header, and what proves that all is there."""
        text = header.encode()
        self._write(text)
        ending = TRAILER.pack(len(text), END, bytes(TRAILER.size))[: -self._digest.digest_size]
        self._write(ending)
        self._file.write(self._digest.digest())

    def _chunk(self, what: str, rows: int, data: bytes) -> None:
        if rows:
            self.chunks.append(Chunk(what, rows, len(data), hashlib.sha256(data).hexdigest()))
            self._write(data)

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


def pack_name(path: Path) -> str:
    """What a pack is called that is written to ``path``, unless somebody says otherwise."""
    return path.name.removesuffix(".aesgpack") or path.name


def used_relations(types: tuple[RelationType, ...], codes: Codes) -> tuple[RelationType, ...]:
    """The declarations of the types that occur, in the places that they were given."""
    known = {relation.name: relation for relation in types}
    return tuple(known[name] for name in codes.words)
