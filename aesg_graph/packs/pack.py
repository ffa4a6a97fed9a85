"""A pack in memory: what :meth:`AESGMemory.load_pack` gives back, and what is attached to a memory or imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from aesg_graph import aging
from aesg_graph.activation import Adjacency, from_edges
from aesg_graph.concepts import NO_REGION, Concept, Doubles, Edge, Flags, RelationType
from aesg_graph.errors import AESGStorageError
from aesg_graph.packs.layout import Header, PackedConcepts, PackedEdges
from aesg_graph.packs.reading import PackFile

Table = TypeVar("Table", PackedConcepts, PackedEdges)


@dataclass(frozen=True, eq=False)
class MemoryPack:
    """Concepts and the edges between them, all in memory: the file is not looked at again, and nothing is changed.

    Attributes
    ----------
    path: where it was read from.
    """

    path: str
    header: Header = field(repr=False)
    rows: PackedConcepts = field(repr=False)
    links: PackedEdges = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    # -- what it says of itself -------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What it is called."""
        return self.header.name

    @property
    def vector_dim(self) -> int:
        """The width of its keys."""
        return self.header.vector_dim

    @property
    def value_dim(self) -> int:
        """The width of its values, 0 where it has none."""
        return self.header.value_dim

    @property
    def concepts(self) -> int:
        """How many concepts it holds."""
        return self.header.concepts

    @property
    def edges(self) -> int:
        """How many edges it holds."""
        return self.header.edges

    @property
    def relations(self) -> tuple[RelationType, ...]:
        """The types of its edges, as the memory declared them that it comes from."""
        return self.header.relations

    @property
    def provenance(self) -> dict[str, Any]:
        """Where it comes from: memory, incarnation, epoch, package, exported_at (seconds since 1970), filters."""
        return dict(self.header.provenance)

    @cached_property
    def nodes(self) -> npt.NDArray[Any]:
        """Its concepts as one read-only structured array, by id; relevance and age are those of the export."""
        rows = self.rows
        columns: dict[str, Any] = {
            "id": rows.ids,
            "vector": rows.keys,
            "use_frequency": rows.uses,
            "relevance": rows.relevance,
            "age": rows.ages,
            "stability": self.stability,
            "region_id": rows.regions,
        }
        kind = np.dtype([(name, column.dtype, column.shape[1:]) for name, column in columns.items()])
        records = np.empty(len(rows), kind)
        for name, column in columns.items():
            records[name] = column
        records.setflags(write=False)
        return records

    # -- one concept ------------------------------------------------------------------------------------------------

    def __contains__(self, id: object) -> bool:
        return isinstance(id, int | np.integer) and self.place_of(int(id)) is not None

    def place_of(self, id: int) -> int | None:
        """The row of a concept, None if it is not here."""
        place = int(np.searchsorted(self.rows.ids, id))
        return place if place < len(self) and self.rows.ids[place] == id else None

    def concept(self, id: int) -> Concept | None:
        """One concept as a person reads it, None if it is not here. Its epochs are those of the export."""
        place = self.place_of(id)
        if place is None:
            return None
        rows, epoch = self.rows, int(self.provenance.get("epoch", 0))
        region = int(rows.regions[place])
        return Concept(
            id=id,
            kind=self.header.kinds[rows.kinds[place]],
            name=rows.names[place],
            text=rows.texts[place],
            source=rows.sources[place],
            encoder=self.header.encoders[rows.encoders[place]],
            born_epoch=epoch - int(rows.ages[place]),
            touched_epoch=epoch,
            relevance=float(rows.relevance[place]),
            use_frequency=int(rows.uses[place]),
            contradictions=int(rows.contradictions[place]),
            stability=float(self.stability[place]),
            age=int(rows.ages[place]),
            region_id=None if region == NO_REGION else region,
            key=rows.keys[place].copy(),
            value=rows.values[place].copy() if self.value_dim and rows.has_value[place] else None,
        )

    def neighbors(self, id: int) -> list[Edge]:
        """The edges of a concept, strongest first, ties by ends and type; none if it is not here."""
        links = self.links
        found = [
            Edge(
                int(links.sources[i]),
                int(links.targets[i]),
                self.relations[links.types[i]].name,
                float(links.weights[i]),
                float(links.confidences[i]),
                int(links.uses[i]),
            )
            for i in np.flatnonzero((links.sources == id) | (links.targets == id))
        ]
        return sorted(found, key=lambda e: (-e.weight, e.source, e.target, e.type))

    # -- what recall asks of it -------------------------------------------------------------------------------------

    @cached_property
    def stability(self) -> Doubles:
        """[N] how far each concept is to be trusted."""
        return np.asarray(aging.stability(self.rows.uses, self.rows.contradictions), np.float64)

    @cached_property
    def adjacency(self) -> Adjacency:
        """Its edges, laid out for a spread; slot i is the i-th concept."""
        links = self.links
        return from_edges(self.rows.ids, self.rows.regions, links.sources, links.targets, links.types, links.weights)

    def of_kind(self, kind: str) -> Flags:
        """[N] which concepts are of a kind."""
        code = self.header.kinds.index(kind) if kind in self.header.kinds else -1
        return np.asarray(self.rows.kinds == code)


def load_pack(path: str | os.PathLike[str]) -> MemoryPack:
    """Read a pack, every byte and every row of it verified. AESGStorageError that names the file if it is not sound."""
    with PackFile(path) as file:
        rows = _joined(list(file.concepts()))
        parts = []
        for part in file.edges():
            file.require_ends(part, rows.ids)
            parts.append(part)
        return MemoryPack(str(Path(path)), file.header, rows, _joined([NO_EDGES, *parts]))


def require_fitting(header: Header, path: str | os.PathLike[str], vector_dim: int, value_dim: int) -> None:
    """AESGStorageError unless a pack's vectors are as wide as a memory's; one without values goes into any."""
    if header.vector_dim != vector_dim or header.value_dim not in (0, value_dim):
        raise AESGStorageError(
            f"The pack '{path}' has vector_dim={header.vector_dim} and value_dim={header.value_dim}, expected those of "
            f"the memory: vector_dim={vector_dim} and value_dim={value_dim}"
        )


def _joined(parts: list[Table]) -> Table:
    """Tables one after the other, in this machine's byte order."""
    columns: dict[str, Any] = {}
    for column in fields(parts[0]):
        values = [getattr(part, column.name) for part in parts]
        if isinstance(values[0], tuple):
            columns[column.name] = tuple(line for lines in values for line in lines)
        else:
            whole = np.concatenate(values)
            columns[column.name] = whole.astype(whole.dtype.newbyteorder("="), copy=False)
    return type(parts[0])(**columns)


_INTS = np.empty(0, np.int64)
_FLOATS = np.empty(0, np.float32)
NO_EDGES = PackedEdges(_INTS, _INTS, np.empty(0, np.int16), _FLOATS, _FLOATS, _INTS)


def slices(pack: MemoryPack, size: int) -> Iterator[PackedConcepts]:
    """The pack's concepts, so many at once."""
    for start in range(0, len(pack), size):
        part = slice(start, start + size)
        yield PackedConcepts(**{f.name: getattr(pack.rows, f.name)[part] for f in fields(PackedConcepts)})
