"""Reading rows out of the cache: gathered for a batch, as tables, or as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from aesg_graph.cache.edges import Edges
from aesg_graph.cache.layout import BACKWARD, LIFE, Slots
from aesg_graph.cache.slabs import Slabs
from aesg_graph.concepts import (
    NO_ID,
    ConceptTable,
    Doubles,
    EdgeTable,
    Flags,
    Floats,
    Ids,
    Subgraph,
    VectorTable,
)


@dataclass(frozen=True, eq=False)
class Gathered:
    """What a retrieval reads of concepts, in the shape of the slots given [...]; NO_ID, zeros and 0.5 where padded."""

    ids: Ids
    keys: Floats
    """[..., D]"""
    values: Floats
    """[..., V]"""
    has_value: Flags
    stability: Doubles


class Reader:
    """Reads of one cache's rows."""

    def __init__(self, slabs: Slabs, edges: Edges) -> None:
        self.slabs, self.edges = slabs, edges

    def gather(self, slots: Slots) -> Gathered:
        """The rows in ``slots`` [...], in that shape."""
        slabs, shape, count = self.slabs, slots.shape, slots.size
        ids, has_value, stability = np.empty(count, np.int64), np.empty(count, np.bool_), np.empty(count, np.float64)
        keys = np.empty((count, slabs.layout.vector_dim), np.float32)
        values = np.empty((count, slabs.layout.value_dim), np.float32)
        columns = slabs.ids, slabs.keys, slabs.values, slabs.lives
        _gather(np.ascontiguousarray(slots, np.int32).reshape(-1), *columns, ids, keys, values, has_value, stability)
        return Gathered(
            ids.reshape(shape),
            keys.reshape(*shape, keys.shape[1]),
            values.reshape(*shape, values.shape[1]),
            has_value.reshape(shape),
            stability.reshape(shape),
        )

    def concepts(self, slots: Slots) -> ConceptTable:
        """Rows as a table. The cache knows no names, texts and sources: these are None for all."""
        slabs = self.slabs
        life = slabs.lives[slots]
        nothing = (None,) * len(slots)
        strings = slabs.header.strings
        return ConceptTable(
            ids=slabs.ids[slots],
            kinds=tuple(strings[c] for c in life["kind"].tolist()),
            names=nothing,
            texts=nothing,
            sources=nothing,
            encoders=tuple(strings[c] for c in life["encoder"].tolist()),
            versions=life["version"],
            created_at=life["created_at"],
            modified_at=slabs.modified_at[slots],
            born_epoch=life["born_epoch"],
            touched_epoch=life["touched_epoch"],
            relevance=life["relevance"],
            use_frequency=life["use_frequency"],
            contradictions=life["contradictions"],
            region_id=slabs.regions[slots],
        )

    def edges_of(self, slots: Slots) -> EdgeTable:
        """Every edge that touches one of the concepts in ``slots``, each once."""
        blocks, arcs = self.slabs.blocks, self.slabs.arcs
        place, degree = self.edges.places_of(slots)
        owners, others = np.repeat(blocks.ids[slots], degree), arcs.neighbour_ids[place]
        backward = (arcs.arcs[place] & 1) == BACKWARD
        # Between two of the concepts an edge has two arcs here: the forward one counts.
        once = ~backward | ~np.isin(others, blocks.ids[slots])
        place, owners, others, backward = place[once], owners[once], others[once], backward[once]
        wear = arcs.wear[place]
        return EdgeTable(
            sources=np.where(backward, others, owners),
            targets=np.where(backward, owners, others),
            types=(arcs.arcs[place] >> 1).astype(np.int16),
            weights=arcs.weights[place],
            confidences=np.ascontiguousarray(wear["confidence"]),
            use_counts=wear["use_count"].astype(np.int64),
            created_at=np.ascontiguousarray(wear["created_at"]),
            touched_epoch=np.ascontiguousarray(wear["touched_epoch"]),
        )

    def subgraph(self, ids: Ids, edges: bool) -> Subgraph:
        """The residents among ``ids`` in ascending id order and, if asked, every edge that touches one of them."""
        wanted = np.unique(ids)
        slots = self.edges.slots_of(wanted)
        slots = slots[slots >= 0]
        return Subgraph(self.concepts(slots), self.edges_of(slots if edges else slots[:0]))

    def columns(self) -> Mapping[str, npt.NDArray[Any]]:
        """Read-only views of all columns, in slot order; a row whose id is NO_ID is free."""
        slabs, count = self.slabs, self.slabs.slots
        columns: dict[str, npt.NDArray[Any]] = {
            "id": slabs.ids,
            "key": slabs.keys,
            "value": slabs.values,
            "region_id": slabs.regions,
        }
        columns |= {name: slabs.lives[name] for name in LIFE.names or ()}
        columns |= {
            "modified_at": slabs.modified_at,
            "degree": slabs.blocks.degree,
            "pending": slabs.pending,
            "used": slabs.used,
        }
        views = {name: column[:count] for name, column in columns.items()}
        for view in views.values():
            view.flags.writeable = False
        return views

    def mask(self, kind: str | None, region: int | None) -> npt.NDArray[np.uint8]:
        """Which slots [S] hold a concept of a kind and in a region (None: any)."""
        slabs, count = self.slabs, self.slabs.slots
        allowed = slabs.ids[:count] >= 0
        if kind is not None:
            code = slabs.header.code(kind)
            allowed &= (slabs.lives["kind"][:count] == code) if code is not None else False
        if region is not None:
            allowed &= slabs.regions[:count] == region
        return allowed.view(np.uint8)

    def vectors(self, ids: Ids) -> VectorTable:
        """The vectors of the residents among ``ids``, in ascending id order. Writers are not known here: 0."""
        slots = self.edges.slots_of(np.unique(ids))
        found = self.gather(slots[slots >= 0])
        unknown = np.zeros(len(found.ids), np.int64)
        versions = self.slabs.lives["version"][slots[slots >= 0]]
        return VectorTable(found.ids, found.keys, found.values, found.has_value, versions, unknown, unknown)

    def sample(self, count: int) -> tuple[Ids, Floats]:
        """Ids and keys of at most ``count`` residents, evenly spread over the slots."""
        slabs = self.slabs
        slots = np.unique(np.linspace(0, slabs.slots - 1, min(count, slabs.slots)).astype(np.int32))
        slots = slots[slabs.ids[slots] >= 0]
        return slabs.ids[slots], slabs.keys[slots]

    def keys(self) -> tuple[Ids, Floats]:
        """Copies of all ids and keys, of rows that did not change hands while they were copied."""
        slabs, count = self.slabs, self.slabs.slots
        before = slabs.ids[:count].copy()
        keys = slabs.keys[:count].copy()
        same = (before >= 0) & (before == slabs.ids[:count])
        return (before, keys) if same.all() else (before[same], keys[same])


@njit(cache=True, nogil=True)
def _gather(
    slots: Slots,
    all_ids: Ids,
    all_keys: Floats,
    all_values: Floats,
    lives: npt.NDArray[Any],
    ids: Ids,
    keys: Floats,
    values: Floats,
    has_value: Flags,
    stability: Doubles,
) -> None:
    """Copy the rows in ``slots``; padding where a slot is NO_SLOT."""
    for i in range(len(slots)):
        slot = slots[i]
        if slot < 0:
            ids[i], has_value[i], stability[i] = NO_ID, False, 0.5
            keys[i], values[i] = 0, 0
            continue
        life = lives[slot]
        ids[i], has_value[i] = all_ids[slot], life.has_value != 0
        stability[i] = (life.use_frequency + 1.0) / (life.use_frequency + life.contradictions + 2.0)
        for d in range(keys.shape[1]):
            keys[i, d] = all_keys[slot, d]
        for d in range(values.shape[1]):
            values[i, d] = all_values[slot, d]
