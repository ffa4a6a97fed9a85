"""What a store is: two small, batched interfaces with numpy at the border.

A :class:`GraphStore` holds concepts, edges, tombstones, the memory's head and its writers; a :class:`VectorStore` holds
keys and values. Neither knows the other: the flusher (``aesg_graph.sync``) keeps them in step. An optional ability is a
protocol of its own (:class:`Optimizable`), which a store has or has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import Doubles, Flags, Floats, Ids, Ints, Subgraph, VectorTable
from aesg_graph.operations import Batch

NO_IDS: Ids = np.empty(0, np.int64)
HANDS = 0
"""The number of the writer as whom procedures and people write."""
RETIRED = 0
"""The incarnation of a writer that nobody will be again; those in use begin at 1."""


@dataclass(frozen=True)
class MemoryHead:
    """What a memory is, as its graph store records it. ``config`` is the AESGConfig as JSON."""

    name: str
    incarnation: int
    epoch: int
    key_version: int
    vector_dim: int
    value_dim: int
    config: str


@dataclass(frozen=True)
class WriterState:
    """One writer's number, the incarnation that may write, and the last sequence that was carried out or consumed."""

    id: int
    incarnation: int
    sequence: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one batch.

    status: "applied"; "skipped" (its sequence had been carried out before); "refused" (its content cannot be carried
    out: nothing of it was, its sequence is consumed, ``reason`` says why).
    declined: concepts named by the batch whose rows are not what carrying out every operation literally would give:
    void touches and links, a prune whose predicate no longer held, redirections along ``into``. The cache reads them
    again.
    voided: how many touches, links, merges and splits were void.
    """

    sequence: int
    status: Literal["applied", "skipped", "refused"]
    reason: str = ""
    declined: Ids = field(default_factory=lambda: NO_IDS)
    voided: int = 0


@dataclass(frozen=True)
class Counts:
    """How much a graph store holds."""

    concepts: int
    edges: int
    tombstones: int


@dataclass(frozen=True, eq=False)
class Tombstones:
    """Removed concepts: what each merged into (``NO_ID``: nothing), who removed it, and if its vector is gone."""

    ids: Ids
    into: Ids
    writers: Ints
    sequences: Ints
    vector_removed: Flags


class GraphStore(Protocol):
    """Concepts, typed edges, tombstones, the memory's head and its writers.

    Reads return what exists, in ascending id order, and skip what does not. Every method may raise AESGStorageError
    when the store fails; nothing was changed then. A store is used by one thread at a time per method, but reads may
    run while another thread writes.
    """

    def head(self) -> MemoryHead:
        """The memory's head as it is now."""
        ...

    def configure(self, config: str, limits: Thresholds) -> None:
        """Record another configuration; expiry of every concept is computed anew when the thresholds differ."""
        ...

    def lease(self, writer: int | None = None) -> WriterState:
        """Register a new writer (a free number is drawn when none is given; a taken one is refused)."""
        ...

    def renew(self, writer: int) -> WriterState:
        """Give a writer a new incarnation, so that whoever still holds the old one can no longer write."""
        ...

    def writer(self, writer: int) -> WriterState | None:
        """A writer's state, or None for an unknown number."""
        ...

    def apply(self, batches: Sequence[Batch], vectors_removed: Ids = NO_IDS) -> list[Outcome]:
        """Carry out consecutive batches of one writer in one transaction, exactly once each.

        The transaction write-locks the writer, then reads it. A batch whose sequence is the writer's next is applied;
        one that was applied or consumed before is skipped; a gap, an unknown writer or another incarnation raises
        AESGStorageError and changes nothing at all. A batch that cannot be carried out for its content (an id to be
        created is taken, an unknown relation type, an epoch that is not the next) is refused whole while its neighbours
        are applied. Touched, linked, described, merged rows are stamped with the batch's writer and sequence, an edge's
        change on both ends. ``vectors_removed`` names tombstones whose vectors are known to be gone.
        """
        ...

    def read(self, ids: Ids, edges: bool = True) -> Subgraph:
        """The concepts among ``ids``, and (if asked) every edge that touches one of them; one round trip."""
        ...

    def page(self, after: int, limit: int, edges: bool = True) -> Subgraph:
        """The next ``limit`` concepts with an id above ``after``; with ``edges`` those that START at one of them."""
        ...

    def absent(self, ids: Ids) -> Ids:
        """Those of ``ids`` that are not concepts (never born, or removed)."""
        ...

    def tombstones(self, ids: Ids) -> Tombstones:
        """The tombstones among ``ids``."""
        ...

    def unswept(self, limit: int) -> Ids:
        """Removed concepts whose vectors are not yet known to be gone."""
        ...

    def forget(self, before: float) -> int:
        """Drop tombstones older than ``before`` (seconds since 1970) that nothing needs any more; how many went.

        A tombstone stays while its vector may exist, while what its ``into`` names remains, as node or tombstone, and
        while its writer's sequence is still the one that removed it (n proves only n - 1 whole).
        """
        ...

    def due(self, epoch: int, limit: int) -> Ids:
        """Concepts that may be pruned in ``epoch``, weakest first (ties by id)."""
        ...

    def weakest(self, limit: int) -> tuple[Ids, Doubles]:
        """The weakest concepts and their ``fades_at``, weakest first (ties by id)."""
        ...

    def find(self, text: str, limit: int) -> Ids:
        """Concepts whose name or text contains ``text``, whatever the case; by id."""
        ...

    def count(self) -> Counts:
        """How much there is."""
        ...

    def sync(self) -> None:
        """Return when everything applied would survive a power cut."""
        ...

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        ...


@dataclass(frozen=True, eq=False)
class Points:
    """N vectors to be written: [N, D] keys, [N, V] values (``has_value`` [N]), a kind each, one stamp for all."""

    ids: Ids
    keys: Floats
    values: Floats
    has_value: Flags
    kinds: tuple[str, ...]
    writer: int
    sequences: Ints
    versions: Ints


class VectorStore(Protocol):
    """Keys and values of concepts. Errors are AESGStorageError; bad shapes and non-finite numbers AESGMemoryError."""

    def upsert(self, points: Points) -> None:
        """Write vectors; a point with a higher version than the one given is left as it is."""
        ...

    def rekey(self, ids: Ids, keys: Floats, version: int, writer: int, sequence: int) -> None:
        """Replace the keys of existing points of a lower or equal version; values stay; absent points stay absent."""
        ...

    def delete(self, ids: Ids) -> None:
        """Delete points; absent ones are no error."""
        ...

    def fetch(self, ids: Ids) -> VectorTable:
        """The points among ``ids``, in ascending id order, as float32."""
        ...

    def search(
        self, queries: Floats, limit: int, kind: str | None = None, region: int | None = None
    ) -> tuple[Ids, Floats]:
        """The ``limit`` nearest points by cosine for each row: ids [B, limit] (``NO_ID`` where fewer) and scores."""
        ...

    def label(self, ids: Ids, regions: Ints) -> None:
        """Set the region in the points' payload; absent points stay absent."""
        ...

    def page(self, after: int, limit: int, vectors: bool = True) -> VectorTable:
        """The next points with an id above ``after``; without ``vectors`` keys and values have no columns ([N, 0])."""
        ...

    def count(self) -> int:
        """How many points there are, exactly."""
        ...

    def sync(self) -> None:
        """Return when everything written would survive a power cut."""
        ...

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        ...


@dataclass(frozen=True)
class WriterPosition:
    """How far a writer is in a graph store that several share.

    sequence: the last that was carried out or consumed. content: the last that changed anything; what it changed is
    whole for certain once ``sequence`` is higher. forgotten: the highest whose tombstones were dropped.
    """

    id: int
    incarnation: int
    sequence: int
    content: int
    forgotten: int


@runtime_checkable
class Shared(Protocol):
    """A graph store that several processes write to: what the others did, and who may do maintenance."""

    def positions(self) -> list[WriterPosition]:
        """Every writer's position, by number."""
        ...

    def changed(self, writer: int, after: int) -> Ids:
        """What carries the stamp of a writer's batch after ``after``: concepts and tombstones, ascending."""
        ...

    def acquire(self, holder: str, seconds: float) -> int | None:
        """Take the memory's lease for so long by the server's clock, or keep it: its fence number, which grows with
        every change of hands. None while another holder's has not run out.
        """
        ...

    def release(self, fence: int) -> None:
        """Let go of the lease; nothing happens if it is another's by now."""
        ...

    def retire(self, writer: int) -> None:
        """Nobody will be this writer again: its incarnation is ``RETIRED``, and what it had not written never comes."""
        ...


@runtime_checkable
class Indexed(Protocol):
    """A vector store that searches by an index."""

    def indexed(self) -> int:
        """How many points the index covers."""
        ...


@runtime_checkable
class Optimizable(Indexed, Protocol):
    """A vector store whose index is built on request."""

    def optimize(self) -> bool:
        """Build the index; whether anything was to be done. May take minutes."""
        ...


@runtime_checkable
class Versioned(Protocol):
    """A store on a server, which can be asked for its version: the cheapest sign of life."""

    def version(self) -> str:
        """The server's version, asked for now."""
        ...


@runtime_checkable
class Selecting(Protocol):
    """A graph store that can be asked which concepts something is true of, in its own language."""

    def select(self, ids: Ids, predicate: str) -> Ids:
        """Those of ``ids`` of which a Cypher ``predicate`` over ``c`` is true, in any order; nothing can be written."""
        ...


@runtime_checkable
class Inspectable(Protocol):
    """A graph store that can be looked over for damage."""

    def faults(self) -> list[str]:
        """What is wrong with the store's own files; nothing where they are whole."""
        ...

    def dangling(self) -> tuple[int, Ids]:
        """How many edges name a concept that does not exist, and which ids these are, ascending."""
        ...

    def reindex(self) -> None:
        """Build all indexes anew: one of them may lack rows that the tables have."""
        ...

    def cut_dangling(self) -> int:
        """Delete edges that name a concept that does not exist; how many went."""
        ...


@runtime_checkable
class Labelled(Protocol):
    """A vector store whose points say themselves of what kind they are and in which region."""

    def labels(self, ids: Ids) -> tuple[Ids, tuple[str, ...], Ints]:
        """The points among ``ids``, in ascending id order, with kind and region (``NO_REGION``: none)."""
        ...


@dataclass(frozen=True, eq=False)
class Audit:
    """What of a stretch of a graph is as no operation leaves it.

    last: the highest id of the stretch, None if there is nothing any more. malformed: concepts that lack a column, or
    have one of another type. misdated: those whose expiry does not follow from their rows. edges [M, 2]: ends of edges
    with a weight outside [0, 1], that are double, that begin where they end, lead out of the memory, or run the wrong
    way round. undeclared: how many kinds of edges join concepts by a type that the memory does not declare.
    """

    last: int | None
    malformed: Ids
    misdated: Ids
    edges: Ints
    undeclared: int


@runtime_checkable
class Editable(GraphStore, Shared, Protocol):
    """A graph store that several share, and that people can write to past this package."""

    def audit(self, after: int, limit: int) -> Audit:
        """Look over the next ``limit`` concepts with an id above ``after``, and the edges that start there."""
        ...

    def reshape(self, ids: Ids) -> None:
        """Give concepts the columns that they lack, as a newborn has them; everybody hears of it."""
        ...

    def redate(self, ids: Ids) -> None:
        """Compute when concepts expire and fade anew from their rows; everybody hears of it."""
        ...

    def redraw(self, sources: Ids) -> None:
        """Put right the edges that :meth:`audit` finds to start at these concepts; everybody hears of it."""
        ...

    def recount(self) -> Counts:
        """How much there truly is, counted one by one."""
        ...

    def mend_counts(self) -> Counts:
        """Make ``count()`` say what there truly is; what it was off by."""
        ...
