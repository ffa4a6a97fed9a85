"""The arrays that a spread walks: concepts in slots, each with a block of arcs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import NO_ID, Flags, Floats, Ids, Ints
from aesg_graph.errors import AESGNavigationError

Slots = npt.NDArray[np.int32]

FORWARD = 0
"""Direction of an arc whose block belongs to the edge's source."""
BACKWARD = 1
"""Direction of an arc whose block belongs to the edge's target."""
NO_SLOT = -1
UNKNOWN = -1
"""Degree of a concept whose edges are not loaded."""
MAX_TYPES = 1 << 15

_SLOT_ARRAYS = {"ids": np.int64, "regions": np.int64, "start": np.int64, "degree": np.int32}
_ARC_ARRAYS = {
    "neighbour_ids": np.int64,
    "neighbour_slots": np.int32,
    "weights": np.float32,
    "arcs": np.uint16,
}


@dataclass(frozen=True, eq=False)
class Adjacency:
    """S slots and E arcs. An edge is two arcs: one in its source's block, one in its target's; so is a self-loop.

    The arrays are kept as read-only views, never copied: whoever owns them may go on changing them between spreads.
    Raises AESGNavigationError for an array of another type, length or layout than the one named here.
    """

    ids: Ids
    """int64[S]: the concept in a slot, ``NO_ID`` where it is free."""
    regions: Ints
    """int64[S]: ``NO_REGION`` for none."""
    start: Ints
    """int64[S]: where the slot's block begins in the arc arrays."""
    degree: Slots
    """int32[S]: how many arcs the block has; ``UNKNOWN`` where they are not loaded."""
    neighbour_ids: Ids
    """int64[E]: the concept at the other end."""
    neighbour_slots: Slots
    """int32[E]: its slot; ``NO_SLOT`` where it is not here, and its region therefore unknown."""
    weights: Floats
    """float32[E]"""
    arcs: npt.NDArray[np.uint16]
    """uint16[E]: type code * 2 + direction."""

    def __post_init__(self) -> None:
        # One layout and one mutability for all callers: the compiled kernel then has a single signature.
        for expected, length in ((_SLOT_ARRAYS, len(self.ids)), (_ARC_ARRAYS, len(self.neighbour_ids))):
            for name, dtype in expected.items():
                object.__setattr__(self, name, _view(name, getattr(self, name), np.dtype(dtype), length))

    def __len__(self) -> int:
        return len(self.ids)


def _view(name: str, array: npt.NDArray[Any], dtype: np.dtype[Any], length: int) -> npt.NDArray[Any]:
    given = np.asarray(array)
    if given.dtype != dtype or given.shape != (length,) or not (given.flags.c_contiguous and given.flags.aligned):
        raise AESGNavigationError(
            f"Adjacency.{name} must be a contiguous {dtype}[{length}], got {given.dtype}{list(given.shape)}"
        )
    view = given.view()
    view.flags.writeable = False
    return view


def from_edges(
    concept_ids: npt.ArrayLike,
    regions: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    type_codes: npt.ArrayLike,
    weights: npt.ArrayLike,
) -> Adjacency:
    """A graph known as a whole: N concepts (ids and regions [N]) and M edges (columns [M]).

    Slots are in ascending order of id. Raises AESGNavigationError for an id given twice, columns of unequal lengths,
    and an edge that names a concept which is not among ``concept_ids``.
    """
    known = np.ones(np.shape(concept_ids), np.bool_)
    adjacency = from_tables(concept_ids, regions, known, sources, targets, type_codes, weights)
    arcs = 2 * np.size(sources)
    if len(adjacency.arcs) != arcs or (adjacency.neighbour_slots == NO_SLOT).any():
        ends = np.concatenate([np.asarray(sources, np.int64), np.asarray(targets, np.int64)])
        strange = np.setdiff1d(ends, adjacency.ids)
        raise AESGNavigationError(
            f"Every end of an edge must be among the {len(adjacency)} concepts given, got {strange[:5].tolist()} too"
        )
    return adjacency


def from_tables(
    concept_ids: npt.ArrayLike,
    regions: npt.ArrayLike,
    known: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    type_codes: npt.ArrayLike,
    weights: npt.ArrayLike,
) -> Adjacency:
    """A graph known in part: ``known`` [N] says of which concepts all edges are among the M given.

    Those concepts have blocks; the others get the degree ``UNKNOWN``. A neighbour that is not among ``concept_ids`` has
    no slot. Otherwise as :func:`from_edges`.
    """
    ids, slot_regions, has_edges = _concepts(concept_ids, regions, known)
    from_ids, to_ids, arcs, arc_weights = _edges(sources, targets, type_codes, weights)
    from_slots, to_slots = _slots_of(ids, from_ids), _slots_of(ids, to_ids)
    owner_slots, neighbour_slots = np.concatenate([from_slots, to_slots]), np.concatenate([to_slots, from_slots])

    # An owner that is not here has slot -1, which picks the False at the end.
    kept = np.flatnonzero(np.append(has_edges, False)[owner_slots])
    order = kept[np.argsort(owner_slots[kept], kind="stable")]

    degree = np.bincount(owner_slots[order], minlength=len(ids))
    start = np.cumsum(degree) - degree
    return Adjacency(
        ids=ids,
        regions=slot_regions,
        start=np.where(has_edges, start, 0).astype(np.int64),
        degree=np.where(has_edges, degree, UNKNOWN).astype(np.int32),
        neighbour_ids=np.concatenate([to_ids, from_ids])[order],
        neighbour_slots=neighbour_slots[order],
        weights=arc_weights[order],
        arcs=arcs[order],
    )


def _concepts(concept_ids: npt.ArrayLike, regions: npt.ArrayLike, known: npt.ArrayLike) -> tuple[Ids, Ints, Flags]:
    """The three columns in ascending order of id."""
    ids = np.asarray(concept_ids, np.int64)
    columns = np.asarray(regions, np.int64), np.asarray(known, np.bool_)
    _check_lengths("ids, regions and known", ids, *columns)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if len(ids) and (ids[0] <= NO_ID or (ids[1:] == ids[:-1]).any()):
        raise AESGNavigationError("Concept ids must be distinct and at least 0")
    return ids, columns[0][order], columns[1][order]


def _edges(
    sources: npt.ArrayLike, targets: npt.ArrayLike, type_codes: npt.ArrayLike, weights: npt.ArrayLike
) -> tuple[Ids, Ids, npt.NDArray[np.uint16], Floats]:
    """The ends [M], and the codes and weights of both arcs of every edge, forward ones first [2M]."""
    from_ids, to_ids = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
    codes, edge_weights = np.asarray(type_codes, np.int64), np.asarray(weights, np.float32)
    _check_lengths("sources, targets, type codes and weights", from_ids, to_ids, codes, edge_weights)
    if len(codes) and (codes.min() < 0 or codes.max() >= MAX_TYPES):
        raise AESGNavigationError(f"Type codes must lie in [0, {MAX_TYPES}), got {codes.min()} to {codes.max()}")
    if not (np.isfinite(edge_weights) & (edge_weights >= 0)).all():
        raise AESGNavigationError("Weights of edges must be finite and at least 0")
    arcs = np.concatenate([2 * codes + FORWARD, 2 * codes + BACKWARD]).astype(np.uint16)
    return from_ids, to_ids, arcs, np.concatenate([edge_weights, edge_weights])


def _slots_of(sorted_ids: Ids, wanted: Ids) -> Slots:
    """The slot of each wanted id, ``NO_SLOT`` where it has none."""
    if not len(sorted_ids):
        return np.full(len(wanted), NO_SLOT, np.int32)
    slots = np.minimum(np.searchsorted(sorted_ids, wanted), len(sorted_ids) - 1)
    return np.where(sorted_ids[slots] == wanted, slots, NO_SLOT).astype(np.int32)


def _check_lengths(what: str, *columns: npt.NDArray[Any]) -> None:
    if any(c.ndim != 1 or len(c) != len(columns[0]) for c in columns):
        raise AESGNavigationError(f"{what} must be vectors of one length, got shapes {[c.shape for c in columns]}")
