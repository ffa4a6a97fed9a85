"""The cache of hot concepts: one class in front of slabs, index, edges, scan, lessons and eviction.

The engine is its only user and calls it under one lock. Views and slots that it gives out hold until the next call that
modifies it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from aesg_graph.activation.adjacency import Adjacency
from aesg_graph.aging import Thresholds
from aesg_graph.cache.edges import Edges
from aesg_graph.cache.eviction import Eviction
from aesg_graph.cache.fading import Fading
from aesg_graph.cache.header import Mode
from aesg_graph.cache.layout import (
    ACKNOWLEDGED,
    COMPLETE,
    EDGES,
    RESIDENT,
    TICK,
    CacheLayout,
    CacheStamp,
    Marks,
    Slots,
)
from aesg_graph.cache.lessons import Applied, Lessons
from aesg_graph.cache.reading import Gathered, Reader
from aesg_graph.cache.residents import Residents, matching
from aesg_graph.cache.seeds import Product, SeedScan, numpy_product
from aesg_graph.cache.slabs import Slabs
from aesg_graph.concepts import ConceptTable, Doubles, EdgeTable, Floats, Ids, Subgraph, VectorTable, ids_array
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import Operation, born_ids, named_ids


class ConceptCache:
    """Hot concepts, their vectors and their edges, in mapped files.

    Attributes
    ----------
    reused: whether the files that were there could be taken up; otherwise the cache began empty.
    """

    def __init__(self, slabs: Slabs, reused: bool, capacity_bytes: int, limits: Thresholds) -> None:
        self._slabs = slabs
        self.reused = reused
        self._edges = Edges(slabs)
        self._residents = Residents(slabs, self._edges)
        self._fading = Fading(slabs, limits)
        self._eviction = Eviction(slabs, self._residents, capacity_bytes)
        self._lessons = Lessons(slabs, self._edges, self._residents, self._fading)
        self._reader = Reader(slabs, self._edges)
        self._scan = SeedScan()
        self._adjacency: tuple[tuple[int, int], Adjacency] | None = None
        self._loading = False
        self._reserved: WeakSet[Operation] = WeakSet()
        self._residents.tick = int(slabs.state[TICK])

    # -- life -------------------------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        directory: Path,
        layout: CacheLayout,
        capacity_bytes: int,
        expected: CacheStamp,
        limits: Thresholds,
        mode: Mode = "write",
    ) -> ConceptCache:
        """Take up the cache in ``directory`` if it was closed in order at ``expected``, else begin an empty one.

        ``mode`` "write" maps the files shared. "private" maps them copy-on-write, so that not a byte on disk ever
        changes (an empty cache is then held in memory). "read" looks at a running owner's files, whose rows may change
        meanwhile: it is for ``snapshot_keys``, ``columns`` and ``mask``. ``capacity_bytes`` bounds slots and arcs in
        use; 64 concepts always fit. AESGStorageError if the directory cannot be written.
        """
        slabs = Slabs(Path(directory), layout, mode)
        try:
            reused = slabs.open(expected)
            if not reused:
                slabs.create()
        except OSError as error:
            raise AESGStorageError(f"The cache in {directory} cannot be opened: {error}") from error
        cache = cls(slabs, reused, capacity_bytes, limits)
        if mode != "read":
            cache._fading.adopt_limits()
            if not reused:
                cache._fading.nobody_is_here()
        return cache

    def checkpoint(self, stamp: CacheStamp) -> None:
        """Write everything to disk and mark it as good at ``stamp``; the next modification takes the mark away."""
        self._finish_load()
        slabs = self._slabs
        if slabs.mode != "write":
            return
        slabs.flush()
        slabs.state[TICK] = self._residents.tick
        slabs.header.seal(stamp)

    def close(self, stamp: CacheStamp, clean: bool = True) -> None:
        """Let go of the files; with ``clean`` they are written out and can be taken up again at ``stamp``."""
        if clean:
            self.checkpoint(stamp)
        self._adjacency = None
        self._slabs.close()

    def _modify(self) -> None:
        if self._slabs.mode == "read":
            raise AESGMemoryError("This cache was opened for reading beside its owner: expected no modification")
        self._slabs.header.begin()
        self._finish_load()

    # -- what is here -----------------------------------------------------------------------------------------------

    @property
    def private(self) -> bool:
        """Whether modifications stay in this process."""
        return self._slabs.mode == "private"

    @property
    def resident(self) -> int:
        """How many concepts are here."""
        return int(self._slabs.state[RESIDENT])

    @property
    def slots(self) -> int:
        """S: all concepts are in slots below it."""
        return self._slabs.slots

    @property
    def edge_count(self) -> int:
        """How many distinct edges are known here."""
        return int(self._slabs.state[EDGES])

    @property
    def capacity(self) -> int:
        """About how many concepts there is room for."""
        return self._eviction.capacity

    @property
    def evicted(self) -> int:
        """How many concepts have been evicted since the cache was opened."""
        return self._eviction.evicted

    @property
    def complete(self) -> bool:
        """Whether every concept of the memory is here; set by the engine, cleared by eviction."""
        return bool(self._slabs.state[COMPLETE])

    @complete.setter
    def complete(self, value: bool) -> None:
        self._modify()
        self._slabs.state[COMPLETE] = int(value)

    def fits(self, concepts: int, edges: int) -> bool:
        """Whether a memory of this size can be complete here."""
        return self._eviction.fits(concepts, edges)

    def lookup(self, ids: Ids) -> Slots:
        """Slots [N] of concepts, -1 for those that are not here."""
        return self._edges.slots_of(ids_array(ids))

    def adjacency(self) -> Adjacency:
        """The arrays that a spread walks."""
        self._finish_load()
        slabs = self._slabs
        key = slabs.generation, slabs.slots
        if self._adjacency is None or self._adjacency[0] != key:
            blocks, arcs, count = slabs.blocks, slabs.arcs, slabs.slots
            views = blocks.ids[:count], slabs.regions[:count], blocks.start[:count], blocks.degree[:count]
            adjacency = Adjacency(*views, arcs.neighbour_ids, arcs.neighbour_slots, arcs.weights, arcs.arcs)
            self._adjacency = key, adjacency
        return self._adjacency[1]

    # -- from the stores --------------------------------------------------------------------------------------------

    def insert(
        self,
        concepts: ConceptTable,
        vectors: VectorTable,
        edges: EdgeTable,
        *,
        keep: Ids | None = None,
        sequence: int = 0,
    ) -> None:
        """Put rows read from the stores here, over those that are here already.

        ``edges`` are all the edges of these concepts, and replace those that they have here. A concept without a row in
        ``vectors`` is left out. Nothing among ``keep`` is evicted for it: an operation's other concepts, for example.
        """
        self._modify()
        rows, _ = matching(concepts.ids, vectors.ids)
        if not len(rows):
            return
        slots = self.lookup(concepts.ids[rows])
        new = int((slots < 0).sum())
        kept = slots if keep is None else np.concatenate([slots, self.lookup(keep)])
        self._eviction.make_room(new, 2 * len(edges), kept)
        self._residents.reserve(new)
        self._edges.reserve(self._edges.demand_of(np.concatenate([edges.sources, edges.targets])))
        self._fading.forget_bound()
        self._edges.replace(self._residents.put(concepts, vectors, sequence), edges)

    def load_page(self, concepts: ConceptTable, vectors: VectorTable, edges: EdgeTable) -> None:
        """Fill an empty cache page by page: distinct concepts, and of all edges those that start at them.

        The first call of another kind joins edges and targets; nothing is evicted.
        """
        if not self._loading:
            self._modify()
            if self.resident:
                raise AESGMemoryError(f"Pages are loaded into an empty cache, this one holds {self.resident} concepts")
            self._loading = True
        self._fading.forget_bound()
        self._residents.put(concepts, vectors, 0)
        self._edges.put_forward(edges)

    def _finish_load(self) -> None:
        if self._loading:
            self._edges.join()
            self._loading = False

    def forget(self, ids: Ids, *, gone: bool = True) -> None:
        """Drop concepts that turned out to be ``gone``, edges and all; or only stale: neighbours keep the edges."""
        self._modify()
        slots = np.unique(self.lookup(ids))
        slots = slots[slots >= 0]
        if gone:
            self._residents.leave(slots)
        else:
            self._eviction.evict(slots)

    def clear(self) -> None:
        """Empty the cache; ``complete`` no longer holds."""
        self._modify()
        slabs = self._slabs
        self._residents.leave(np.flatnonzero(slabs.ids[: slabs.slots] >= 0).astype(np.int32))
        slabs.state[COMPLETE] = 0
        self._fading.nobody_is_here()

    # -- lessons ----------------------------------------------------------------------------------------------------

    def reserve(self, operations: Sequence[Operation]) -> None:
        """Have space in memory and on disk for operations that are about to be acknowledged; AESGStorageError if not.

        Everything else that they name must be resident, and stays so.
        """
        born = sum(len(born_ids(operation)) for operation in operations)
        self._modify()
        named = [named_ids(operation) for operation in operations]
        keep = self.lookup(np.concatenate([np.empty(0, np.int64), *named]))
        arcs = self._edges.demand(operations)
        self._eviction.make_room(born, arcs, keep)
        self._residents.reserve(born)
        self._edges.reserve(arcs)
        self._reserved = WeakSet(operations)

    def needed(self, operation: Operation) -> Ids:
        """What must be here for an operation to be applied, and is not: what it names, and what it changes unnamed.

        To be asked again after these have been inserted: the neighbours of what is merged are known only then.
        """
        self._finish_load()
        return self._lessons.needed(operation)

    def apply(self, operation: Operation, sequence: int, at: float) -> Applied:
        """Carry out one operation of journal batch ``sequence``, recorded at ``at`` seconds since 1970.

        Same meaning as in a graph store. A concept that is not here counts as gone.
        """
        self._modify()
        if operation not in self._reserved:
            self.reserve([operation])
        return self._lessons.apply(operation, sequence, at)

    def acknowledge(self, sequence: int) -> None:
        """The stores have everything up to ``sequence``: what changed no later may be evicted."""
        if sequence > self._slabs.state[ACKNOWLEDGED]:
            self._modify()
            self._slabs.state[ACKNOWLEDGED] = sequence

    def touch_used(self, slots: npt.NDArray[np.int32], warm: bool = True) -> None:
        """Slots (-1: none) were used just now; without ``warm``, or where nothing can be evicted, that is not noted."""
        slabs = self._slabs
        if warm and slabs.mode != "read" and not (slabs.mode == "private" and self.complete):
            slabs.used[slots[slots >= 0]] = self._residents.next_tick()

    # -- reading ----------------------------------------------------------------------------------------------------

    def seeds(
        self,
        queries: Floats,
        count: int,
        threshold: float,
        allowed: Marks | None = None,
        product: Product = numpy_product,
    ) -> tuple[Slots, Doubles]:
        """Slots [B, count] of the nearest concepts to unit ``queries`` [B, D], -1 pads, and float64 cosines.

        Cosines above ``threshold``, falling, ties by id; ``allowed`` uint8 [S] masks slots. ``product`` multiplies keys
        and queries.
        """
        slabs, count_slots = self._slabs, self._slabs.slots
        self._scan.product = product
        return self._scan.search(slabs.keys[:count_slots], slabs.ids, queries, count, threshold, allowed)

    def gather(self, slots: Slots) -> Gathered:
        """What a retrieval reads of the concepts in ``slots`` [...]."""
        return self._reader.gather(slots)

    def rows(self, slots: Slots) -> ConceptTable:
        """Rows [N] as a table, without names, texts and sources, which the cache does not hold."""
        return self._reader.concepts(slots)

    def concept_row(self, concept: int) -> ConceptTable | None:
        """The row of one concept as a table of one, None if it is not here."""
        slots = self.lookup(np.array([concept]))
        return self.rows(slots) if slots[0] >= 0 else None

    def edges_of(self, concept: int) -> EdgeTable:
        """The edges that touch one concept; none if it is not here."""
        self._finish_load()
        slots = self.lookup(np.array([concept]))
        return self._reader.edges_of(slots[slots >= 0])

    def read(self, ids: Ids, edges: bool = True) -> Subgraph:
        """The residents among ``ids`` and, if asked, every edge that touches one of them, as a graph store has it."""
        self._finish_load()
        return self._reader.subgraph(ids_array(ids), edges)

    def vectors(self, ids: Ids) -> VectorTable:
        """The vectors of the residents among ``ids``, in ascending id order. Writers and sequences are 0: not known."""
        return self._reader.vectors(ids_array(ids))

    def sample(self, count: int) -> tuple[Ids, Floats]:
        """Ids [n] and keys [n, D] of at most ``count`` residents, always the same ones while nothing changes."""
        return self._reader.sample(count)

    def columns(self) -> Mapping[str, npt.NDArray[Any]]:
        """Read-only views of all columns in slot order; rows with id -1 are free."""
        return self._reader.columns()

    def strings(self) -> tuple[str, ...]:
        """What the codes in the columns "kind" and "encoder" stand for."""
        return tuple(self._slabs.header.strings)

    def mask(self, kind: str | None = None, region: int | None = None) -> Marks:
        """uint8 [S]: the slots of concepts of a kind, in a region."""
        return self._reader.mask(kind, region)

    def snapshot_keys(self) -> tuple[Ids, Floats]:
        """Copies of ids [N] and keys [N, D], consistent even while an owner in another process writes."""
        return self._reader.keys()

    def due(self, epoch: int, limit: int | None = None) -> tuple[Ids, Doubles]:
        """Resident concepts that may be pruned in ``epoch`` and their ``fades_at``, weakest first, ties by id."""
        return self._fading.due(epoch, limit)

    def weakest(self, limit: int) -> tuple[Ids, Doubles]:
        """The weakest residents and their ``fades_at``, weakest first, ties by id."""
        return self._fading.weakest(limit)
