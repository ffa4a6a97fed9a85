"""Concepts coming and going: slots are occupied, filled, freed.

Keys are written before the id that makes them visible, and an id is withdrawn before its key is wiped, so that a reader
in another process who finds the same id before and after copying a key has that concept's key.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aesg_graph.cache import index, leaving
from aesg_graph.cache.edges import Edges
from aesg_graph.cache.layout import LIFE, RESIDENT, SLOTS, Slots
from aesg_graph.cache.slabs import Slabs
from aesg_graph.concepts import NO_REGION, ConceptTable, Ids, VectorTable
from aesg_graph.operations import Create

Place = slice | Slots
Records = npt.NDArray[np.void]


class Residents:
    """The rows of a cache's slots."""

    def __init__(self, slabs: Slabs, edges: Edges) -> None:
        self.slabs = slabs
        self.edges = edges
        self.tick = 0

    # -- coming -----------------------------------------------------------------------------------------------------

    def reserve(self, count: int) -> None:
        """Have disk space for ``count`` more concepts; AESGStorageError if there is none."""
        slabs, state = self.slabs, self.slabs.state
        free = int(state[SLOTS] - state[RESIDENT])
        slabs.want_rows(int(state[SLOTS]) + max(0, count - free))
        slabs.want_index(int(state[RESIDENT]) + count)

    def create(self, operation: Create, rows: Ids, at: float, sequence: int) -> None:
        """Give slots to new concepts: those ``rows`` of a Create."""
        life = np.zeros(len(rows), LIFE)
        life["relevance"] = 1.0
        life["created_at"] = at
        life["touched_epoch"] = life["born_epoch"] = operation.epoch
        life["version"] = operation.version
        life["kind"] = self.slabs.header.intern(operation.kind)
        life["encoder"] = self.slabs.header.intern(operation.encoder)
        life["has_value"] = operation.has_value[rows]
        regions = np.full(len(rows), NO_REGION, np.int64)
        everything = len(rows) == len(operation.ids)
        keys, values = (
            (operation.keys, operation.values) if everything else (operation.keys[rows], operation.values[rows])
        )
        self.stamp(self.add(operation.ids[rows], keys, values, life, regions), sequence, at)

    def add(
        self,
        ids: Ids,
        keys: npt.NDArray[np.float32],
        values: npt.NDArray[np.float32],
        life: Records,
        regions: Ids,
    ) -> Slots:
        """Give slots, and empty edge lists, to concepts that are not resident."""
        self.reserve(len(ids))
        slabs = self.slabs
        slots = np.empty(len(ids), np.int32)
        leaving.occupy(slabs.blocks, slabs.state, slots)
        place = _place(slots)
        slabs.keys[place], slabs.values[place] = keys, values
        slabs.lives[place], slabs.regions[place] = life, regions
        slabs.pending[place], slabs.used[place] = 0, self.next_tick()
        slabs.ids[place] = ids
        index.enter(slabs.table, slabs.ids, slots)
        return slots

    def put(self, concepts: ConceptTable, vectors: VectorTable, sequence: int) -> Slots:
        """Write rows as the stores have them: new ones, or over those that are here.

        Concepts without a vector are left out; returns the slots of the others.
        """
        rows, vector_rows = matching(concepts.ids, vectors.ids)
        ids = np.ascontiguousarray(concepts.ids[rows])
        life = self._lives(concepts, rows, vectors.has_value[vector_rows])
        slots = self.edges.slots_of(ids)
        new = slots < 0
        if (~new).any():
            self._overwrite(slots[~new], vectors, vector_rows[~new], life[~new], concepts.region_id[rows[~new]])
        if new.any():
            places = vector_rows[new]
            regions = concepts.region_id[rows[new]]
            keys, values = _some(vectors.keys, places), _some(vectors.values, places)
            slots[new] = self.add(ids[new], keys, values, life[new], regions)
        place = _place(slots)
        slabs = self.slabs
        slabs.modified_at[place] = concepts.modified_at[rows]
        slabs.pending[place] = np.maximum(slabs.pending[place], sequence)
        return slots

    def _overwrite(self, slots: Slots, vectors: VectorTable, vector_rows: Ids, life: Records, regions: Ids) -> None:
        slabs = self.slabs
        slabs.keys[slots], slabs.values[slots] = vectors.keys[vector_rows], vectors.values[vector_rows]
        slabs.lives[slots], slabs.regions[slots] = life, regions

    def stamp(self, slots: Slots, sequence: int, at: float) -> None:
        """A lesson of journal batch ``sequence``, recorded at ``at``, has changed these rows."""
        place = _place(slots)
        self.slabs.pending[place] = np.maximum(self.slabs.pending[place], sequence)
        self.slabs.modified_at[place] = at

    def _lives(self, concepts: ConceptTable, rows: Ids, has_value: npt.NDArray[np.bool_]) -> Records:
        life = np.zeros(len(rows), LIFE)
        for field in ("relevance", "created_at", "touched_epoch", "born_epoch", "use_frequency"):
            life[field] = getattr(concepts, field)[rows]
        life["contradictions"] = concepts.contradictions[rows]
        life["version"] = concepts.versions[rows]
        life["kind"] = self._codes(concepts.kinds)[rows]
        life["encoder"] = self._codes(concepts.encoders)[rows]
        life["has_value"] = has_value
        return life

    def _codes(self, texts: tuple[str, ...]) -> npt.NDArray[np.int32]:
        known = {text: self.slabs.header.intern(text) for text in dict.fromkeys(texts)}
        if len(known) == 1:
            return np.full(len(texts), next(iter(known.values())), np.int32)
        return np.fromiter((known[text] for text in texts), np.int32, len(texts))

    # -- going ------------------------------------------------------------------------------------------------------

    def leave(self, slots: Slots, cool: bool = False, sequence: int = 0, at: float = 0.0) -> None:
        """Free slots. ``cool``: evicted, so neighbours keep their edges; otherwise the concepts are gone.

        ``sequence`` and ``at``: the lesson that removed them, if it was one; the neighbours are stamped with it.
        """
        slabs = self.slabs
        if not len(slots):
            return
        self.edges.drop(slots, cool, sequence, at)
        everyone = len(slots) == slabs.state[RESIDENT]
        if not everyone:
            index.leave(slabs.table, slabs.ids, slots)
        leaving.free(slabs.blocks, slabs.arcs, slabs.state, slots)
        place = slice(0, slabs.slots) if everyone else _place(slots)
        slabs.keys[place] = slabs.values[place] = 0
        slabs.lives[place] = np.zeros(1, LIFE)
        slabs.pending[place] = slabs.modified_at[place] = 0
        if everyone:
            slabs.reset()

    def next_tick(self) -> int:
        """A later point in time than any before, for telling what was used least recently."""
        self.tick += 1
        return self.tick


def matching(ids: Ids, others: Ids) -> tuple[Ids, Ids]:
    """Rows of ``ids`` that are also in ``others``, each id once (its last row), and where they are there."""
    if not len(ids) or not len(others):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if np.array_equal(ids, others) and (ids[1:] > ids[:-1]).all():
        rows = np.arange(len(ids))
        return rows, rows
    order = np.argsort(others, kind="stable")
    place = np.minimum(np.searchsorted(others, ids, side="right", sorter=order), len(others)) - 1
    found = order[np.maximum(place, 0)]
    rows = np.flatnonzero((place >= 0) & (others[found] == ids))
    _, last = np.unique(ids[rows][::-1], return_index=True)
    rows = np.sort(rows[len(rows) - 1 - last])
    return rows, found[rows]


def _place(slots: Slots) -> Place:
    """A slice where slots are consecutive, which is what new ones usually are: copying is then as fast as memory."""
    first = int(slots[0]) if len(slots) else 0
    if len(slots) and slots[-1] - first == len(slots) - 1 and (np.diff(slots) == 1).all():
        return slice(first, first + len(slots))
    return slots


def _some(array: npt.NDArray[np.float32], rows: Ids) -> npt.NDArray[np.float32]:
    return array if len(rows) == len(array) and np.array_equal(rows, np.arange(len(rows))) else array[rows]
