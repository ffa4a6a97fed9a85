"""An ability of some graph stores: spreading activation themselves, where the data is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aesg_graph.concepts import Doubles, Ids, Ints

if TYPE_CHECKING:
    from aesg_graph.activation import SpreadParams


@dataclass(frozen=True, eq=False)
class Activations:
    """What a batch of queries activated, in columns: row after row, each in falling activation, ties by id."""

    rows: Ints
    ids: Ids
    activations: Doubles


@dataclass(frozen=True)
class Route:
    """One way by which energy came: the concepts from a seed to the target, the types of the edges between them
    (``<`` before one that is walked against its direction), what arrived by it, and its part of all that arrived.
    """

    ids: tuple[int, ...]
    types: tuple[str, ...]
    energy: float
    part: float


@runtime_checkable
class Spreading(Protocol):
    """A graph store that spreads activation by itself, where the data is, in one round trip."""

    def spread(
        self,
        seeds: Sequence[Sequence[tuple[int, float]]],
        gains: Doubles,
        params: SpreadParams,
        allowed: Ids | None = None,
    ) -> Activations | None:
        """What is activated by seeds, for each query pairs of id and energy; seeds that do not exist are skipped.

        None where it would be too much for one answer.

        ``gains`` [types, 2] are those of the memory's relations, forward and backward. With ``allowed`` only those are
        results, though energy flows through all.
        """
        ...

    def explain(
        self, seeds: Sequence[tuple[int, float]], target: int, gains: Doubles, params: SpreadParams, limit: int
    ) -> list[Route] | None:
        """The strongest routes to a concept, strongest first; None where the store cannot tell."""
        ...
