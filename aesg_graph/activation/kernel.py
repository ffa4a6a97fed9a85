"""The fast spread: many queries in one call, over the arrays of an :class:`Adjacency`.

What it computes is defined by ``reference``. How it is fast: two passes over a node's contiguous block of arcs, no
allocation a node, working memory as small as the visited part of the graph, rows shared out over a few threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aesg_graph.activation.adjacency import NO_SLOT, Adjacency, Slots
from aesg_graph.activation.params import SpreadParams
from aesg_graph.activation.pulses import (
    BAD_ARC,
    MISSING_EDGES,
    MISSING_PULSE,
    MISSING_ROWS,
    Graph,
    Rules,
    Scratch,
    bad_seed,
    spread_rows,
)
from aesg_graph.activation.workspaces import Workspaces
from aesg_graph.concepts import Doubles, Flags, Ids, Ints
from aesg_graph.errors import AESGNavigationError

ALL_EDGES = -1


@dataclass(frozen=True, eq=False)
class Spread:
    """The answers to B queries, K = ``top_k`` places each, and what was missing to give them.

    A row that is not ``complete`` has no results yet: load what is missing and spread again. Every id reported is
    needed, but more may be found then: the row went no further than the pulse in which something was missing.
    """

    slots: Slots
    """int32[B, K]: strongest first, ties by id; ``NO_SLOT`` where there are fewer."""
    energies: Doubles
    """float64[B, K]: activations, 0 where padded."""
    complete: Flags
    """bool[B]"""
    missing_rows: Ids
    """Concepts without a slot that an arc with some strength leads to; ascending."""
    missing_edges: Ids
    """Concepts whose edges are not loaded although they have energy to pass on; ascending."""
    missing_pulse: int
    """The first pulse (from 1) that missed something, 0 if none did. If it is the last, no row's edges are needed."""
    visited: Ints
    """int64[B]: how many concepts energy reached."""


def spread(
    adjacency: Adjacency,
    seed_slots: npt.ArrayLike,
    seed_energies: npt.ArrayLike,
    gains: npt.ArrayLike,
    params: SpreadParams,
    allowed: npt.NDArray[np.uint8] | None = None,
    workspaces: Workspaces | None = None,
) -> Spread:
    """Spread activation from ``seed_slots`` [B, S] (``NO_SLOT`` pads) with ``seed_energies`` [B, S].

    ``gains`` is [types, 2], forward and backward. ``allowed`` [slots] masks which concepts may be results; energy flows
    through all. A seed given twice in a row adds up. Rows are independent: an answer does not depend on the batch that
    it is in. Raises AESGNavigationError for arrays of another shape or type, a seed that is not a concept's slot, an
    energy or gain that is negative or not finite, and an edge whose type has no gain.
    """
    seeds, energies = checked_seeds(adjacency, seed_slots, seed_energies)
    graph, rules = _graph(adjacency), _rules(gains, params)
    mask = _NO_MASK if allowed is None else _mask(allowed, len(adjacency))
    spaces = Workspaces(workers=1) if workspaces is None else workspaces
    picks = max(1, min(params.top_k, len(adjacency)), min(rules.max_fanout, len(adjacency.arcs)))

    rows = len(seeds)
    slots = np.full((rows, params.top_k), NO_SLOT, np.int32)
    activations = np.zeros((rows, params.top_k), np.float64)
    complete = np.zeros(rows, np.bool_)
    visited = np.zeros(rows, np.int64)
    missing: list[_Missing] = []

    def work(first: int, last: int) -> None:
        scratch = spaces.take(len(adjacency), picks)
        given = graph, rules, seeds, energies, mask, first, last, scratch
        spread_rows(*given, slots, activations, complete, visited)
        if scratch.counts.any():
            missing.append(_missing(scratch))
        spaces.give(scratch)

    spaces.run(work, spaces.parts(rows))
    bad_arc = max((m.bad_arc for m in missing), default=-1)
    if bad_arc >= 0:
        raise missing_gain(bad_arc, rules.gains)
    spaces.observe(rows, int(visited.sum()))
    return Spread(
        slots,
        activations,
        complete,
        missing_rows=_united([m.rows for m in missing]),
        missing_edges=_united([m.edges for m in missing]),
        missing_pulse=min((m.pulse for m in missing if m.pulse > 0), default=0),
        visited=visited,
    )


class _Missing(NamedTuple):
    rows: Ids
    edges: Ids
    pulse: int
    bad_arc: int


def _missing(scratch: Scratch) -> _Missing:
    """What a worker found missing, copied out of its memory."""
    counts = scratch.counts.tolist()
    return _Missing(
        scratch.missing_rows[: counts[MISSING_ROWS]].copy(),
        scratch.missing_edges[: counts[MISSING_EDGES]].copy(),
        counts[MISSING_PULSE],
        counts[BAD_ARC] - 1,
    )


def _graph(a: Adjacency) -> Graph:
    return Graph(a.ids, a.regions, a.start, a.degree, a.neighbour_ids, a.neighbour_slots, a.weights, a.arcs)


def _united(ids: list[Ids]) -> Ids:
    """All of them, ascending, each once."""
    return np.unique(np.concatenate(ids)) if any(map(len, ids)) else np.zeros(0, np.int64)


def checked_seeds(
    adjacency: Adjacency, seed_slots: npt.ArrayLike, seed_energies: npt.ArrayLike
) -> tuple[Slots, Doubles]:
    """Both as contiguous [B, S] arrays, checked."""
    given, energies = np.asarray(seed_slots), np.asarray(seed_energies, np.float64)
    if given.ndim != 2 or given.shape != energies.shape or given.dtype.kind not in "iu":
        raise AESGNavigationError(
            "Seeds must be two arrays of one shape [batch, seeds], the slots integers, "
            f"got {given.dtype}{list(given.shape)} and energies {list(energies.shape)}"
        )
    if given.dtype != np.int32:
        # Narrowing could turn a slot that is far too large into one that exists.
        given = np.clip(given, NO_SLOT - 1, len(adjacency)).astype(np.int32)
    slots, energies = _read_only(given), _read_only(energies)
    bad = bad_seed(adjacency.ids, slots, energies)
    if bad >= 0:
        row, column = divmod(bad, given.shape[1])
        raise AESGNavigationError(
            f"Seed {column} of row {row} has slot {slots[row, column]} and energy {energies[row, column]}: expected a "
            f"concept's slot below {len(adjacency)} (or {NO_SLOT} for no seed) and a finite energy of at least 0"
        )
    return slots, energies


def checked_gains(gains: npt.ArrayLike) -> Doubles:
    """``gains`` [types, 2] as a vector by arc code."""
    table = np.asarray(gains, np.float64)
    if table.ndim != 2 or table.shape[1] != 2 or not ((table >= 0) & (table < np.inf)).all():
        raise AESGNavigationError(
            f"Gains must be finite numbers of at least 0 in an array [types, 2], got shape {list(table.shape)}"
        )
    return _read_only(table.reshape(-1))


def missing_gain(arc: int, gains: Doubles) -> AESGNavigationError:
    """The error for an arc whose type has no gain."""
    return AESGNavigationError(f"An edge has type code {arc // 2}, but gains were given for {len(gains) // 2} types")


def _rules(gains: npt.ArrayLike, params: SpreadParams) -> Rules:
    table = np.asarray(gains, np.float64)
    return _remembered_rules(table.tobytes(), table.shape, params)


@lru_cache(maxsize=16)
def _remembered_rules(gains: bytes, shape: tuple[int, ...], params: SpreadParams) -> Rules:
    """A memory's rules are the same at every call, and checking them takes as long as a small spread."""
    return Rules(
        gains=checked_gains(np.frombuffer(gains).reshape(shape)),
        steps=int(params.steps),
        decay=float(params.decay),
        fan=float(params.fan),
        min_energy=float(params.min_energy),
        max_fanout=ALL_EDGES if params.max_fanout is None else int(params.max_fanout),
        region_multiplier=float(params.region_multiplier),
    )


def _mask(allowed: npt.NDArray[np.uint8], slots: int) -> npt.NDArray[np.uint8]:
    given = np.asarray(allowed)
    if given.dtype != np.uint8 or given.shape != (slots,):
        raise AESGNavigationError(f"allowed must be uint8[{slots}], got {given.dtype}{list(given.shape)}")
    return _read_only(given)


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A contiguous view that cannot be written: the compiled code then knows one kind of array, whoever calls."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


_NO_MASK = _read_only(np.zeros(0, np.uint8))
