"""A graph's rows as they lie in its store, to be taken out of one and put into another without loss.

What stores read for the engine is rounded and lacks stamps; these tables have every column as it is stored. Only what
follows from the others (when a concept expires and fades) is left out, and computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import ConceptTable, Doubles, Ids, Ints, Relations
from aesg_graph.stores.abc import MemoryHead, WriterPosition

Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class ConceptRows:
    """N concepts, with the writer and the sequence that changed each last."""

    table: ConceptTable
    writers: Ints
    sequences: Ints

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True, eq=False)
class EdgeRows:
    """M edges; ``types`` are codes of the memory's :class:`Relations`."""

    sources: Ids
    targets: Ids
    types: npt.NDArray[np.int16]
    weights: Doubles
    confidences: Doubles
    use_counts: Ints
    created_at: Doubles
    touched_epoch: Ints

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, eq=False)
class TombstoneRows:
    """N removed concepts: what each merged into (``NO_ID``: nothing), who removed it and when."""

    ids: Ids
    into: Ids
    writers: Ints
    sequences: Ints
    removed_at: Doubles

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class GraphRows:
    """Some concepts, and edges that touch them."""

    concepts: ConceptRows
    edges: EdgeRows


@dataclass(frozen=True)
class Standing:
    """A memory's head, its thresholds, and how far each of its writers is."""

    head: MemoryHead
    limits: Thresholds
    writers: tuple[WriterPosition, ...]


class RowReader(Protocol):
    """Reads rows. Every method raises AESGStorageError when the store fails."""

    def standing(self) -> Standing:
        """Head, thresholds and writers."""
        ...

    def page(self, after: int, limit: int) -> GraphRows:
        """The next concepts with an id above ``after``, ascending, and the edges that start at one of them."""
        ...

    def touching(self, ids: Ids) -> GraphRows:
        """The concepts among ``ids``, ascending, and every edge that touches one of ``ids``."""
        ...

    def removed(self, after: int, limit: int) -> TombstoneRows:
        """The next tombstones with an id above ``after``, ascending."""
        ...

    def removed_among(self, ids: Ids) -> TombstoneRows:
        """The tombstones among ``ids``, ascending."""
        ...

    def changed(self, writer: int, after: int) -> Ids:
        """What carries the stamp of a writer's batch after ``after``."""
        ...


class Portable(RowReader, Protocol):
    """A graph whose rows can be taken out."""

    def still(self, look: Callable[[RowReader], Answer]) -> Answer:
        """What ``look`` gives while nobody writes: every writer waits until it returns. It may be called again."""
        ...

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        ...


class RowWriter(Protocol):
    """Puts rows into a graph that nobody reads before :meth:`finish`. Putting the same again changes nothing."""

    def create_concepts(self, rows: ConceptRows) -> None:
        """Concepts come into being."""
        ...

    def link(self, rows: EdgeRows) -> None:
        """Edges between concepts that are there."""
        ...

    def bury(self, rows: TombstoneRows) -> None:
        """Tombstones, whose vectors are gone."""
        ...

    def finish(self, standing: Standing) -> None:
        """The memory is whole: head and writers are written, and everything survives a power cut."""
        ...

    def close(self) -> None:
        """Release everything. Without :meth:`finish` what was put is no memory. Closing twice is allowed."""
        ...


class RowAdder(Protocol):
    """Adds rows to a graph that is in use, under a writer of their own, whose stamp they get."""

    def sequence(self, count: int) -> int:
        """The sequence that has added this many more concepts."""
        ...

    def create_concepts(self, rows: ConceptRows) -> None:
        """Concepts come into being; nobody else may make these ids."""
        ...

    def link(self, rows: EdgeRows) -> None:
        """Edges between concepts that were added."""
        ...

    def finish(self) -> None:
        """Everything is added, and whoever has the memory open hears of it."""
        ...


def edge_rows(rows: Sequence[Sequence[Any]], codes: Sequence[int]) -> EdgeRows:
    """Rows (source, target, type, weight, confidence, uses, created, touched) with these codes as their types."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    return EdgeRows(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(codes, np.int16),
        np.array(columns[3], np.float64),
        np.array(columns[4], np.float64),
        np.array(columns[5], np.int64),
        np.array(columns[6], np.float64),
        np.array(columns[7], np.int64),
    )


def tombstone_rows(rows: Sequence[Sequence[Any]]) -> TombstoneRows:
    """Rows (id, into, writer, sequence, removed_at) as columns."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    whole = [np.array(column, np.int64) for column in columns[:4]]
    return TombstoneRows(whole[0], whole[1], whole[2], whole[3], np.array(columns[4], np.float64))


def columns_of(rows: EdgeRows | TombstoneRows) -> list[npt.NDArray[Any]]:
    """The columns of rows, in their order."""
    return [getattr(rows, field.name) for field in fields(rows)]


def by_type(rows: EdgeRows, relations: Relations) -> dict[str, Ints]:
    """The places of edges of each type, by the type's name."""
    return {relations.names[int(code)]: np.flatnonzero(rows.types == code) for code in np.unique(rows.types)}
