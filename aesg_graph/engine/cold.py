"""Spreading over concepts that are not in the cache: pulse, load what is missing, pulse.

A :class:`ColdGraph` is a small graph of its own, made for one batch: it takes rows from the cache where they are
resident and from the stores where they are not, in one round trip a pulse for all rows of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aesg_graph import aging
from aesg_graph.activation import Adjacency, Spread, SpreadParams, from_tables, spread
from aesg_graph.concepts import NO_ID, ConceptTable, Doubles, EdgeTable, Flags, Floats, Ids, Subgraph
from aesg_graph.engine.residency import Residency, take, take_edges

KEEP_SHARE = 4
"""At most one in so many of the cache's places is given to what one cold batch touched."""
PADDED_STABILITY = float(aging.stability(0, 0))


@dataclass(frozen=True, eq=False)
class Rows:
    """Vectors and stability of some concepts, to be laid out as any array of their ids."""

    ids: Ids
    keys: Floats
    values: Floats
    has_value: Flags
    stability: Doubles

    def at(self, ids: Ids) -> tuple[Floats, Floats, Flags, Doubles]:
        """keys [..., D], values [..., V], has_value [...], stability [...] for ``ids`` [...]; padding where unknown."""
        if not len(self.ids):
            shape = ids.shape
            empty = (
                np.zeros((*shape, self.keys.shape[1]), np.float32),
                np.zeros((*shape, self.values.shape[1]), np.float32),
            )
            return *empty, np.zeros(shape, np.bool_), np.full(shape, PADDED_STABILITY)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        known = self.ids[place] == ids
        return (
            np.where(known[..., None], self.keys[place], np.float32(0)),
            np.where(known[..., None], self.values[place], np.float32(0)),
            known & self.has_value[place],
            np.where(known, self.stability[place], PADDED_STABILITY),
        )


class ColdGraph:
    """What one batch has seen of a memory that is not wholly resident. Without ``reach`` the stores are not asked."""

    def __init__(self, residency: Residency, gains: Doubles, params: SpreadParams, reach: bool = True) -> None:
        self.residency = residency
        self.reach = reach
        self.gains = gains
        self.params = params
        self._concepts: list[ConceptTable] = []
        self._edges: list[EdgeTable] = []
        self._expanded: list[Ids] = []
        self._gone: Ids = np.empty(0, np.int64)
        self.ids: Ids = np.empty(0, np.int64)

    # -- loading ----------------------------------------------------------------------------------------------------

    def load(self, ids: Ids, edges: bool) -> None:
        """Read concepts, from the cache or in one round trip from the stores; with their edges if asked."""
        ids = np.unique(ids[ids != NO_ID])
        resident = self.residency.cache.lookup(ids) >= 0 if len(ids) else np.empty(0, np.bool_)
        parts = []
        if resident.any():
            parts.append(self.residency.cache.read(ids[resident], edges))
        if self.reach and (~resident).any():
            parts.append(self.residency.read(ids[~resident], edges))
        for part in parts:
            new = ~np.isin(part.concepts.ids, self.ids)
            self._concepts.append(take(part.concepts, new))
            self.ids = np.union1d(self.ids, part.concepts.ids)
            if edges:
                self._edges.append(part.edges)
                self._expanded.append(part.concepts.ids)
        # An edge may name what is no longer there: it leads nowhere, and must not be asked for again.
        self._gone = np.union1d(self._gone, np.setdiff1d(ids, self.ids))

    def concepts(self) -> ConceptTable:
        """Every concept seen, in ascending id order."""
        return join(self._concepts)

    def edges(self) -> EdgeTable:
        """Every edge seen, each once, none that leads to a concept that is gone."""
        table = join_edges(self._edges)
        key = np.lexsort((table.types, table.targets, table.sources))
        sources, targets, types = table.sources[key], table.targets[key], table.types[key]
        again = (sources[1:] == sources[:-1]) & (targets[1:] == targets[:-1]) & (types[1:] == types[:-1])
        first = np.append(True, ~again)[: len(key)]
        keep = np.zeros(len(key), np.bool_)
        keep[key[first]] = True
        keep &= ~(np.isin(table.sources, self._gone) | np.isin(table.targets, self._gone))
        return take_edges(table, keep)

    def adjacency(self) -> Adjacency:
        """What has been seen, laid out for a spread; slot i is the i-th id in ascending order."""
        table, edges = self.concepts(), self.edges()
        known = np.isin(table.ids, np.concatenate([np.empty(0, np.int64), *self._expanded]))
        return from_tables(table.ids, table.region_id, known, edges.sources, edges.targets, edges.types, edges.weights)

    def slots(self, ids: Ids) -> npt.NDArray[np.int32]:
        """The slots of ids in :meth:`adjacency`, -1 for what was not seen."""
        if not len(self.ids):
            return np.full(ids.shape, -1, np.int32)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[place] == ids, place, -1).astype(np.int32)

    # -- spreading --------------------------------------------------------------------------------------------------

    def spread(self, seed_ids: Ids, cosines: Doubles, kind: str | None, region: int | None) -> tuple[Ids, Doubles]:
        """Activated concepts [B, K] and their energies, for seeds [B, S]."""
        self.load(seed_ids, edges=True)
        while True:
            adjacency = self.adjacency()
            slots = self.slots(seed_ids)
            allowed = self._allowed(kind, region)
            result = spread(
                adjacency, slots, np.where(slots >= 0, cosines, 0.0), self.gains, self.params, allowed, None
            )
            if result.complete.all():
                ids = np.where(result.slots >= 0, self._padded()[result.slots], NO_ID)
                return ids, result.energies
            self.load_missing(result)

    def load_missing(self, result: Spread) -> None:
        """Load what a spread could not go on without."""
        self.load_named(result.missing_rows, result.missing_edges, result.missing_pulse)

    def load_named(self, rows: Ids, edges: Ids, pulse: int) -> None:
        """Load rows that were reached and edges of what passes energy on; rows alone if reached in the last pulse."""
        last = pulse >= self.params.steps
        if last:
            self.load(rows, edges=False)
            self.load(edges, edges=True)
        else:
            self.load(np.union1d(rows, edges), edges=True)

    def _padded(self) -> Ids:
        return np.append(self.ids, NO_ID)

    def _allowed(self, kind: str | None, region: int | None) -> npt.NDArray[np.uint8] | None:
        if kind is None and region is None:
            return None
        table = self.concepts()
        allowed = np.ones(len(table), np.bool_)
        if kind is not None:
            allowed &= np.array([k == kind for k in table.kinds], np.bool_)
        if region is not None:
            allowed &= table.region_id == region
        return allowed.astype(np.uint8)

    # -- gathering --------------------------------------------------------------------------------------------------

    def gather(self, *wanted: Ids) -> Rows:
        """Vectors and stability of the concepts named, in one round trip for those that are not resident."""
        ids = np.unique(np.concatenate([w.ravel() for w in wanted]))
        ids = ids[np.isin(ids, self.ids)]
        slots = self.residency.cache.lookup(ids) if len(ids) else np.empty(0, np.int32)
        here = self.residency.cache.gather(slots)
        absent = slots < 0
        keys, values, has_value = here.keys.copy(), here.values.copy(), here.has_value.copy()
        if absent.any():
            table = self.residency.vectors().fetch(ids[absent])
            place = np.searchsorted(ids, table.ids)
            keys[place], values[place], has_value[place] = table.keys, table.values, table.has_value
        concepts = self.concepts()
        at = np.searchsorted(concepts.ids, ids)
        stability = aging.stability(concepts.use_frequency[at], concepts.contradictions[at])
        return Rows(ids, keys, values, has_value, stability)

    def keep(self, *wanted: Ids) -> None:
        """Let seeds, results and what else was expanded stay in the cache, as far as a share of it goes."""
        first = np.concatenate([np.empty(0, np.int64), *(w.ravel() for w in wanted)])
        expanded = np.concatenate([np.empty(0, np.int64), *self._expanded])
        ordered = np.concatenate([first[np.isin(first, expanded)], expanded])
        _, positions = np.unique(ordered, return_index=True)
        chosen = ordered[np.sort(positions)][: max(64, self.residency.cache.capacity // KEEP_SHARE)]
        concepts = self.concepts()
        edges = self.edges()
        touching = np.isin(edges.sources, chosen) | np.isin(edges.targets, chosen)
        self.residency.admit(Subgraph(take(concepts, np.isin(concepts.ids, chosen)), take_edges(edges, touching)))


def join(tables: list[ConceptTable]) -> ConceptTable:
    """Concept tables with distinct ids as one, in ascending id order."""
    if not tables:
        return take(_EMPTY, np.empty(0, np.bool_))
    ids = np.concatenate([t.ids for t in tables])
    order = np.argsort(ids)
    places = order.tolist()

    def column(name: str) -> npt.NDArray[np.generic]:
        return np.asarray(np.concatenate([getattr(t, name) for t in tables])[order])

    def texts(name: str) -> tuple[str, ...]:
        flat = [text for t in tables for text in getattr(t, name)]
        return tuple(flat[i] for i in places)

    columns = {name: column(name) for name in _NUMBERS} | {name: texts(name) for name in _TEXTS}
    return ConceptTable(**columns)  # type: ignore[arg-type]  # the columns are listed by name, each with its own type


def join_edges(tables: list[EdgeTable]) -> EdgeTable:
    """Edge tables one after the other."""
    parts = [_NO_EDGES, *tables]
    return EdgeTable(
        **{name: np.concatenate([getattr(t, name) for t in parts]) for name in _NO_EDGES.__dataclass_fields__}
    )


_TEXTS = ("kinds", "names", "texts", "sources", "encoders")
_INTS = np.empty(0, np.int64)
_DOUBLES = np.empty(0, np.float64)
_EMPTY = ConceptTable(_INTS, (), (), (), (), (), _INTS, _DOUBLES, _DOUBLES, _INTS, _INTS, _DOUBLES, _INTS, _INTS, _INTS)
_NUMBERS = tuple(name for name in ConceptTable.__dataclass_fields__ if name not in _TEXTS)
_NO_EDGES = EdgeTable(
    _INTS, _INTS, np.empty(0, np.int16), np.empty(0, np.float32), np.empty(0, np.float32), _INTS, _DOUBLES, _INTS
)
