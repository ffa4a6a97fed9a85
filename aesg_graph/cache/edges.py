"""Edges in bulk: the Python side of the edge kernels, which grows the slab when one of them runs out of room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.cache import index, leaving, linking
from aesg_graph.cache.blocks import ensure_all
from aesg_graph.cache.layout import BACKWARD, EDGES, FORWARD, NO_SLOT, SMALLEST_BLOCK, TAIL, WEAR, Marks, Slots
from aesg_graph.cache.linking import Pairs
from aesg_graph.cache.slabs import Slabs
from aesg_graph.concepts import EdgeTable, Floats, Ids, Ints
from aesg_graph.operations import Link, Merge, Operation, Split, named_ids

BULK = 4096
"""From so many edges on, blocks get their final size before anything is put into them."""
NO_IDS: Ids = np.empty(0, np.int64)


class Edges:
    """The edges of a cache's residents."""

    def __init__(self, slabs: Slabs) -> None:
        self.slabs = slabs
        codes = [name in slabs.layout.symmetric for name in slabs.layout.relations]
        self._symmetric = np.array(codes, np.bool_)

    def slots_of(self, ids: Ids) -> Slots:
        """Where concepts are, NO_SLOT for those that are not resident."""
        slots = np.empty(len(ids), np.int32)
        index.find(self.slabs.table, self.slabs.ids, np.ascontiguousarray(ids, np.int64), slots)
        return slots

    def marks(self, slots: Slots) -> Marks:
        """A mark for each slot; those of ``slots`` are set to LEAVING, which is also INSERTED."""
        marks = np.zeros(self.slabs.slots, np.uint8)
        marks[slots] = leaving.LEAVING
        return marks

    def places_of(self, slots: Slots) -> tuple[Ids, Ids]:
        """Where in the slab the arcs of these slots are, one after the other; and how many each has."""
        blocks = self.slabs.blocks
        degree = blocks.degree[slots].astype(np.int64)
        begin = np.cumsum(degree) - degree
        return np.repeat(blocks.start[slots] - begin, degree) + np.arange(int(degree.sum())), degree

    def neighbours_of(self, slots: Slots) -> Ids:
        """The concepts at the other ends of these slots' edges, resident or not, ascending."""
        return np.unique(self.slabs.arcs.neighbour_ids[self.places_of(slots)[0]])

    # -- from the stores --------------------------------------------------------------------------------------------

    def replace(self, slots: Slots, table: EdgeTable) -> None:
        """Give ``slots`` the edges of ``table`` that touch them, and no others."""
        slabs = self.slabs
        table = distinct(table)
        sources, targets = self.slots_of(table.sources), self.slots_of(table.targets)
        marks = self.marks(slots)
        leaving.detach(slabs.blocks, slabs.arcs, slabs.state, marks, slots, False, 0, 0.0)
        ends = np.concatenate([sources, targets])
        leaving.drop_cold(slabs.blocks, slabs.arcs, slabs.state, slabs.table, marks, ends)
        self._make_room(ends)
        types, wear = table.types.astype(np.int32), wear_of(table)
        weights = np.ascontiguousarray(table.weights, np.float32)

        def put(first: int) -> int:
            return int(
                linking.put(
                    slabs.blocks,
                    slabs.arcs,
                    slabs.state,
                    marks,
                    sources,
                    targets,
                    np.ascontiguousarray(table.sources, np.int64),
                    np.ascontiguousarray(table.targets, np.int64),
                    types,
                    weights,
                    wear,
                    first,
                )
            )

        self._run(put, len(table))

    def put_forward(self, table: EdgeTable) -> None:
        """Edges into their sources' blocks alone, until :meth:`join` is called."""
        slabs = self.slabs
        sources = self.slots_of(table.sources)
        self._make_room(sources)
        targets = np.ascontiguousarray(table.targets, np.int64)
        types, wear = table.types.astype(np.int32), wear_of(table)
        weights = np.ascontiguousarray(table.weights, np.float32)

        def put(first: int) -> int:
            return int(
                linking.put_forward(
                    slabs.blocks, slabs.arcs, slabs.state, sources, targets, types, weights, wear, first
                )
            )

        self._run(put, len(table))

    def join(self) -> None:
        """Every edge from :meth:`put_forward` gets its second arc, where its target is resident."""
        slabs = self.slabs
        incoming = np.zeros(slabs.slots, np.int32)
        linking.resolve(slabs.blocks, slabs.arcs, slabs.state, slabs.table, incoming)
        targets = np.flatnonzero(incoming).astype(np.int32)
        self._ensure(targets, incoming[targets])
        linking.mirror(slabs.blocks, slabs.arcs, slabs.state)

    # -- lessons ----------------------------------------------------------------------------------------------------

    def link(self, operation: Link, sources: Slots, targets: Slots, at: float, sequence: int) -> None:
        """Carry out a Link of residents, given their slots; rows that join a concept with itself are void.

        Sorted, first by source, then by target: memory is then read in the order in which it lies.
        """
        slabs, code = self.slabs, self.slabs.layout.code(operation.type)
        if self._symmetric[code]:
            swap = slabs.ids[sources] > slabs.ids[targets]
            sources, targets = np.where(swap, targets, sources), np.where(swap, sources, targets)
        pairs = coalesced(sources, targets, operation.weights, operation.uses)
        linking.find_linked(slabs.blocks, slabs.arcs, pairs, 2 * code + FORWARD)
        new = ~pairs.exists
        self._make_room(np.concatenate([pairs.owners[new], pairs.others[new]]))
        when = operation.epoch, at, sequence
        for side, arc in ((pairs, 2 * code + FORWARD), (pairs.turned(), 2 * code + BACKWARD)):
            self._run(partial(self._link_side, side, arc, when), len(side.owners))
        slabs.state[EDGES] += np.count_nonzero(new)

    def _link_side(self, pairs: Pairs, arc: int, when: tuple[int, float, int], first: int) -> int:
        slabs = self.slabs
        return int(linking.link(slabs.blocks, slabs.arcs, slabs.state, pairs, arc, *when, first))

    def drop(self, slots: Slots, cool: bool, sequence: int, at: float) -> None:
        """Empty the blocks of concepts that leave; ``cool``: they are evicted, and their neighbours remember them."""
        slabs = self.slabs
        leaving.detach(slabs.blocks, slabs.arcs, slabs.state, self.marks(slots), slots, cool, sequence, at)

    def rehang(self, old: int, new: int, sequence: int, at: float, only: Ids | None = None) -> None:
        """Give one slot's edges to another, all or those to ``only``."""
        slabs = self.slabs
        if only is not None and not len(only):
            return
        degree = int(slabs.blocks.degree[old])
        self._ensure(np.array([new], np.int32), np.array([degree], np.int32))
        chosen = NO_IDS if only is None else np.unique(only)
        leaving.rehang(slabs.blocks, slabs.arcs, slabs.state, old, new, chosen, self._symmetric, sequence, at)

    # -- room -------------------------------------------------------------------------------------------------------

    def demand(self, operations: Sequence[Operation]) -> int:
        """How many arcs these operations may make the slab longer by, at most."""
        ends, demand = [NO_IDS], 0
        for operation in operations:
            match operation:
                case Link():
                    ends += [operation.sources, operation.targets]
                case Merge():
                    # Survivors' blocks grow step by step, and what merged before may be handed on with its heir.
                    degrees = self._degrees(self.slots_of(named_ids(operation)))
                    demand += 4 * int(np.maximum(degrees, SMALLEST_BLOCK).sum())
                case Split():
                    degrees = self._degrees(self.slots_of(np.array([operation.source])))
                    demand += int(block_sizes(degrees)[0]) + 4 * SMALLEST_BLOCK
                    ends.append(np.array([operation.source, operation.id], np.int64))
        return demand + self.demand_of(np.concatenate(ends))

    def demand_of(self, ends: Ids) -> int:
        """How much longer the slab may get by one more arc for each of ``ends``, at most; they need not be here yet."""
        if not len(ends):
            return 0
        slots = self.slots_of(ends)
        here, more = _counted(slots[slots >= 0])
        _, first = _counted(ends[slots < 0])
        degrees = np.concatenate([self._degrees(here), np.zeros(len(first), np.int64)])
        wanted = block_sizes(degrees + np.concatenate([more, first]))
        # Where blocks grow step by step, the steps sum up to less than the last.
        steps = 1 if len(ends) >= 2 * BULK else 2
        return steps * int(wanted[wanted > block_sizes(degrees) * (degrees > 0)].sum())

    def _degrees(self, slots: Slots) -> Ids:
        return np.where(slots >= 0, self.slabs.blocks.degree[slots], 0).astype(np.int64)

    def reserve(self, arcs: int) -> None:
        """Have disk space for so many more arcs."""
        if arcs:
            self.slabs.want_arcs(int(self.slabs.state[TAIL]) + arcs)

    def _make_room(self, owners: Slots) -> None:
        """For many arcs at once: one allocation a block instead of one each time that it fills up."""
        if len(owners) < BULK:
            return
        self._ensure(*_counted(owners[owners != NO_SLOT]))

    def _ensure(self, slots: Slots, more: npt.NDArray[Any]) -> None:
        slabs, more = self.slabs, more.astype(np.int32)
        self._run(lambda first: int(ensure_all(slabs.blocks, slabs.arcs, slabs.state, slots, more, first)), len(slots))

    def _run(self, kernel: Callable[[int], int], rows: int) -> None:
        done = 0
        while (done := kernel(done)) < rows:
            self.slabs.want_arcs(len(self.slabs.arcs.arcs) + 1)


def coalesced(sources: Slots, targets: Slots, weights: Floats, uses: Ints) -> Pairs:
    """Each pair once, sorted: the first one's weight, and uses as if they had come one by one.

    So a later one is one use more. What joins a concept with itself is left out.
    """
    pairs = sources.astype(np.int64) << 32 | targets
    order = np.argsort(pairs)
    if not np.diff(pairs[order]).all():
        order = np.argsort(pairs, kind="stable")  # three times slower; the first of equals must come first
    order = order[sources[order] != targets[order]]
    new = np.append(True, np.diff(pairs[order]) != 0)[: len(order)]
    first = np.flatnonzero(new)
    summed = (np.add.reduceat(uses[order] + ~new, first) if len(first) else uses[:0]).astype(np.int64)
    chosen = order[first]
    exists = np.zeros(len(chosen), np.bool_)
    return Pairs(sources[chosen], targets[chosen], weights[chosen].astype(np.float64), summed, exists)


def _counted(slots: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Ids]:
    """The distinct numbers among ``slots`` and how often each occurs; many small ones are counted, not sorted."""
    if len(slots) >= BULK and slots.max() < 16 * len(slots):
        counts = np.bincount(slots)
        distinct = np.flatnonzero(counts)
        return distinct.astype(slots.dtype), counts[distinct]
    return np.unique(slots, return_counts=True)


def block_sizes(counts: Ids) -> Ids:
    """The sizes of the blocks that hold so many arcs each."""
    classes = np.ceil(np.log2(np.maximum(counts, SMALLEST_BLOCK))).astype(np.int64)
    return np.left_shift(1, classes)


def wear_of(table: EdgeTable) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """The columns of an edge table that a spread does not read, as records."""
    wear = np.empty(len(table), WEAR)
    wear["created_at"], wear["touched_epoch"] = table.created_at, table.touched_epoch
    wear["use_count"], wear["confidence"] = table.use_counts, table.confidences
    return wear


def distinct(table: EdgeTable) -> EdgeTable:
    """The table without repeated (source, type, target); the last one counts."""
    order = np.lexsort((table.types, table.targets, table.sources))
    sources, targets, types = table.sources[order], table.targets[order], table.types[order]
    repeated = (sources[1:] == sources[:-1]) & (targets[1:] == targets[:-1]) & (types[1:] == types[:-1])
    if not repeated.any():
        return table
    return rows_of(table, order[np.append(~repeated, True)])


def rows_of(table: EdgeTable, rows: Ids) -> EdgeTable:
    """Some rows of an edge table."""
    return EdgeTable(**{name: getattr(table, name)[rows] for name in EdgeTable.__dataclass_fields__})
