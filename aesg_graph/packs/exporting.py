"""Writing some of a memory to a pack: page by page, so that a memory larger than this machine's has room in it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aesg_graph import aging
from aesg_graph.concepts import NO_REGION, ConceptTable, EdgeTable, Flags, Ids, VectorTable, among
from aesg_graph.config import AESGConfig
from aesg_graph.engine import inputs
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.engine.residency import take, take_edges
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.interchange.arriving import Progress
from aesg_graph.interchange.export import replacing
from aesg_graph.packs.layout import CONCEPTS, EDGES, MAX_NAME, Header, PackedConcepts, PackedEdges, held, is_name
from aesg_graph.packs.reading import pack_path
from aesg_graph.packs.writing import Codes, PackWriter, pack_name, used_relations
from aesg_graph.stores.abc import GraphStore, Selecting

if TYPE_CHECKING:
    from aesg_graph.engine import MemoryEngine

PAGE = 8192
"""Concepts read and written at once."""
EDGES_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Filters:
    """Which concepts go into a pack; None: all. ``where`` is a Cypher predicate over ``c``, for Neo4j alone."""

    min_relevance: float | None = None
    region_id: int | None = None
    kind: str | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        least = self.min_relevance
        number = isinstance(least, int | float | np.floating) and not isinstance(least, bool)
        if least is not None and not (number and 0 <= least <= 1):
            raise AESGMemoryError(f"min_relevance is {least!r}, expected a number in [0, 1], or None")
        region = self.region_id
        whole = isinstance(region, int | np.integer) and not isinstance(region, bool)
        if region is not None and not (whole and 0 <= region < 1 << 63):
            raise AESGMemoryError(f"region_id is {region!r}, expected an integer of at least 0, or None")
        if self.kind is not None:
            inputs.kind_name(self.kind)
        if self.where is not None and (not isinstance(self.where, str) or not self.where.strip()):
            raise AESGMemoryError(
                f"where is {self.where!r}, expected a Cypher predicate over c, as c.use_frequency > 3"
            )

    @property
    def given(self) -> dict[str, Any]:
        """Those that say something."""
        said = ((name, value) for name, value in vars(self).items() if value is not None)
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in said}


@dataclass(frozen=True)
class Packed:
    """What was written: a file, what the pack is called, how many concepts and edges, and how many bytes.

    ``without_vectors``: concepts that were left out since they lack vectors (`aesg check` lists them).
    """

    path: str
    name: str
    concepts: int
    edges: int
    without_vectors: int
    bytes: int


@dataclass(frozen=True, eq=False)
class Source:
    """What is packed: a memory's graph, where vectors are had, what it is called, and its epoch."""

    graph: GraphStore
    vectors: Callable[[Ids], VectorTable]
    config: AESGConfig
    name: str
    incarnation: int
    epoch: int

    @classmethod
    def of_engine(cls, engine: MemoryEngine) -> Source:
        """A memory that this process has open; its lessons so far are flushed first, so that they are in."""
        engine._check()
        if engine.recorder.writing:
            engine.flush()
        residency, recorder = engine.residency, engine.recorder
        fetch = residency.vectors().fetch
        return cls(residency.graph, fetch, engine.config, engine.name, recorder.incarnation, recorder.epoch)

    @classmethod
    def of_reader(cls, reader: MemoryReader) -> Source:
        """A memory as it is in its stores, perhaps beside its owner."""

        def vectors(ids: Ids) -> VectorTable:
            found = reader.outlook().fetch(ids)
            if len(found) < len(ids) and not reader.outlook().complete:
                raise AESGStorageError(
                    f"{len(ids) - len(found)} of {len(ids)} concepts lack vectors in {reader.outlook().name}, and the "
                    "vector store is in use: export when the owner has closed the memory, or in its process"
                )
            return found

        head = reader.head
        return cls(reader.graph, vectors, reader.config, head.name, head.incarnation, head.epoch)


def export_pack(
    source: Source,
    path: str | os.PathLike[str],
    filters: Filters,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Write the concepts that pass the filters, and the edges between them, to a new pack, in a folder made if absent.

    A page and 8 bytes for each concept (16 for a moment) are held at once. Pages are read one after the other, so
    beside writers the pack is not of one moment; no edge in it lacks an end. AESGMemoryError where nothing passes,
    ``where`` is asked of a store that speaks no Cypher, or ``path`` or ``name`` cannot be one; AESGStorageError if
    there is something at ``path`` (unless ``overwrite``), or a store or the disk fails. No file is left then, nor half
    of one.
    """
    target = pack_path(path)
    called = pack_name(target) if name is None else name
    if not is_name(called):
        raise AESGMemoryError(f"name is {called!r}, expected a printable text of 1 to {MAX_NAME} characters")
    if target.exists() and not overwrite:
        raise AESGStorageError(
            f"Cannot write a pack to {target}: something is there; --overwrite (overwrite=True) replaces it"
        )
    if filters.where is not None and not isinstance(source.graph, Selecting):
        raise AESGMemoryError(
            "where= is a Cypher predicate, and this memory's graph is a file: expected a memory on servers, or the "
            "other filters"
        )
    with _folder(target.parent), replacing(target) as file:
        export = _Export(source, filters, PackWriter(file), progress)
        export.write(called)
    concepts, edges = (export.writer.held(what) for what in (CONCEPTS, EDGES))
    return Packed(str(target), called, concepts, edges, export.without_vectors, target.stat().st_size)


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """A folder that is made if it is not there; if nothing is written into it, it goes again."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AESGStorageError(f"Cannot make the folder {folder}: {error.strerror or error}") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in missing:
                path.rmdir()
        raise


class _Export:
    """One pack that is being written."""

    def __init__(self, source: Source, filters: Filters, writer: PackWriter, progress: Progress | None) -> None:
        self.source, self.filters, self.writer = source, filters, writer
        self.without_vectors = 0
        self._progress = progress
        self._kinds, self._encoders, self._types = Codes(), Codes(), Codes()

    def write(self, name: str) -> None:
        """Concepts, edges, header."""
        total = self.source.graph.count()
        ids = self._write_concepts(total.concepts)
        self._write_edges(ids, total.edges)
        self.writer.finish(self._header(name))

    def _write_concepts(self, total: int) -> Ids:
        """Those that pass; their ids, ascending."""
        chosen = [np.empty(0, np.int64)]
        seen = 0
        for page in self._pages():
            seen += len(page)
            if len(passing := take(page, self._passing(page))):
                part = self._packed(passing)
                chosen.append(part.ids)
                self.writer.concepts(part)
            self._tell("concepts", seen, total)
        if not self.writer.held(CONCEPTS):
            wanted = ", ".join(f"{k}={v!r}" for k, v in self.filters.given.items())
            said = f"no concept of {seen} passes {wanted}" if wanted else "the memory is empty"
            lacking = f", and {self.without_vectors} lack vectors" if self.without_vectors else ""
            raise AESGMemoryError(f"There is nothing to pack: {said}{lacking}, expected at least one concept")
        return np.concatenate(chosen)

    def _pages(self) -> Iterator[ConceptTable]:
        after = -1
        while len(page := self.source.graph.page(after, PAGE, edges=False).concepts):
            after = int(page.ids[-1])
            yield page

    def _passing(self, page: ConceptTable) -> Flags:
        filters, passing = self.filters, np.ones(len(page), np.bool_)
        if filters.min_relevance is not None:
            passing &= self._relevance(page) >= filters.min_relevance
        if filters.region_id is not None:
            passing &= page.region_id == filters.region_id
        if filters.kind is not None:
            passing &= np.array([kind == filters.kind for kind in page.kinds], np.bool_)
        if filters.where is not None and passing.any():
            assert isinstance(self.source.graph, Selecting)
            passing &= among(page.ids, self.source.graph.select(page.ids[passing], filters.where))
        return passing

    def _relevance(self, page: ConceptTable) -> Any:
        limits = self.source.config.thresholds
        return np.minimum(1.0, aging.current(page.relevance, page.touched_epoch, self.source.epoch, limits))

    def _packed(self, page: ConceptTable) -> PackedConcepts:
        """Rows with their vectors; those without are left out."""
        vectors = self.source.vectors(page.ids)
        rows = take(page, among(page.ids, vectors.ids))
        self.without_vectors += len(page) - len(rows)
        place = np.searchsorted(vectors.ids, rows.ids)
        has_value = vectors.has_value[place]
        return PackedConcepts(
            ids=rows.ids,
            keys=vectors.keys[place],
            values=np.where(has_value[:, None], vectors.values[place], np.float32(0)),
            has_value=has_value,
            kinds=self._kinds.of(rows.kinds),
            encoders=self._encoders.of(rows.encoders),
            relevance=self._relevance(rows),
            uses=rows.use_frequency,
            contradictions=rows.contradictions,
            ages=np.maximum(0, self.source.epoch - rows.born_epoch),
            regions=np.maximum(rows.region_id, NO_REGION),
            names=rows.names,
            texts=rows.texts,
            sources=rows.sources,
        )

    def _write_edges(self, ids: Ids, total: int) -> None:
        """The edges with both ends among ``ids``."""
        names = self.source.config.vocabulary.names
        after, seen = int(ids[0]) - 1, 0
        while len((page := self.source.graph.page(after, PAGE)).concepts):
            after = int(page.concepts.ids[-1])
            seen += len(page.edges)
            sources, targets = page.edges.sources, page.edges.targets
            inside = take_edges(page.edges, held(sources, ids) & held(targets, ids) & (sources != targets))
            for start in range(0, len(inside), EDGES_AT_ONCE):
                self.writer.edges(self._packed_edges(inside, slice(start, start + EDGES_AT_ONCE), names))
            self._tell("edges", seen, total)

    def _packed_edges(self, table: EdgeTable, part: slice, names: tuple[str, ...]) -> PackedEdges:
        return PackedEdges(
            sources=table.sources[part],
            targets=table.targets[part],
            types=self._types.of(names[code] for code in table.types[part].tolist()).astype(np.int16),
            weights=table.weights[part],
            confidences=table.confidences[part],
            uses=table.use_counts[part],
        )

    def _header(self, name: str) -> Header:
        source, config = self.source, self.source.config
        return Header(
            name=name,
            vector_dim=config.vector_dim,
            value_dim=config.value_dim,
            concepts=self.writer.held(CONCEPTS),
            edges=self.writer.held(EDGES),
            kinds=self._kinds.words,
            encoders=self._encoders.words,
            relations=used_relations(config.vocabulary.types, self._types),
            chunks=tuple(self.writer.chunks),
            provenance={
                "memory": source.name.encode(errors="replace").decode(),  # a directory's may be any bytes
                "incarnation": source.incarnation,
                "epoch": source.epoch,
                "package": version("aesg-graph"),
                "exported_at": math.floor(time.time()),
                "filters": self.filters.given,
            },
        )

    def _tell(self, what: str, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(what, min(done, total), total)
