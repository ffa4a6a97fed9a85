"""Writing a whole memory to one file, page by page.

The file appears under its name when it is whole and on disk: whatever goes wrong before leaves what was there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from aesg_graph.concepts import ConceptTable, EdgeTable, Subgraph, VectorTable
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.engine.residency import take_edges
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.interchange.graphml import GraphMLWriter
from aesg_graph.interchange.jsonlines import JsonLinesWriter
from aesg_graph.sync.directory import sync_directory

PAGE = 10_000

Progress = Callable[[int, int], None]
"""Called with how many rows are written, and how many there will be about."""


class Writer(Protocol):
    """Writes one format to an open file."""

    def begin(self) -> None:
        """What comes before the first concept."""
        ...

    def concepts(self, table: ConceptTable, vectors: VectorTable | None) -> None:
        """Concepts; ``vectors`` are of some of them, in ascending id order."""
        ...

    def edges(self, table: EdgeTable) -> None:
        """Edges, whose ends have been written."""
        ...

    def end(self) -> None:
        """What comes after the last edge."""
        ...


FORMATS: dict[str, Callable[[BinaryIO, MemoryReader], Writer]] = {"graphml": GraphMLWriter, "jsonl": JsonLinesWriter}


@dataclass(frozen=True)
class Exported:
    """What was written: a file, how many concepts and edges, and how many bytes.

    ``left_out``: edges that led to a concept which was not there, or no longer, when its page was read.
    """

    path: str
    format: str
    concepts: int
    edges: int
    left_out: int
    bytes: int


def export(
    reader: MemoryReader,
    path: str | os.PathLike[str],
    format: str,
    vectors: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write a memory's concepts and edges (with ``vectors``: keys and values too) to ``path``, replacing it at once.

    Pages are read one after the other, so beside a running owner the file is not of one moment; no edge in it lacks an
    end. AESGMemoryError for an unknown format; AESGStorageError if the file cannot be written, or vectors not be read.
    """
    if format not in FORMATS:
        raise AESGMemoryError(f"Unknown format {format!r}, expected one of {', '.join(FORMATS)}")
    target = Path(path).expanduser()
    with replacing(target) as file:
        done = _write(reader, FORMATS[format](file, reader), vectors, progress)
    return Exported(str(target), format, *done, target.stat().st_size)


def _write(reader: MemoryReader, writer: Writer, vectors: bool, progress: Progress | None) -> tuple[int, int, int]:
    total = reader.graph.count()
    rows = total.concepts + total.edges
    written = [np.empty(0, np.int64)]
    count = edges = left_out = 0
    writer.begin()
    for page in _pages(reader, edges=False):
        writer.concepts(page.concepts, _vectors_of(reader, page.concepts) if vectors else None)
        written.append(page.concepts.ids)
        count += len(page.concepts)
        _tell(progress, count, rows)
    known = np.concatenate(written)
    for page in _pages(reader, edges=True):
        there = take_edges(page.edges, np.isin(page.edges.sources, known) & np.isin(page.edges.targets, known))
        writer.edges(there)
        edges, left_out = edges + len(there), left_out + len(page.edges) - len(there)
        _tell(progress, count + edges, rows)
    writer.end()
    return count, edges, left_out


def _pages(reader: MemoryReader, edges: bool) -> Iterator[Subgraph]:
    after = -1
    while len((page := reader.graph.page(after, PAGE, edges)).concepts):
        after = int(page.concepts.ids[-1])
        yield page


def _vectors_of(reader: MemoryReader, concepts: ConceptTable) -> VectorTable:
    found = reader.outlook().fetch(concepts.ids)
    if len(found) < len(concepts) and not reader.outlook().complete:
        raise AESGStorageError(
            f"{len(concepts) - len(found)} of {len(concepts)} concepts lack vectors in {reader.outlook().name}, and "
            "the vector store is in use: export when the owner has closed the memory, or without vectors"
        )
    return found


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(min(done, total), total)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the name ``path`` when all has been written to it."""
    if path.is_dir():
        raise AESGStorageError(f"Cannot write to {path}: found a directory, expected the name of a file")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise AESGStorageError(f"Cannot write to {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink()
