"""What a spread is told besides the graph and the seeds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SpreadParams:
    """The parameters of spreading activation; the configuration has checked them.

    Attributes
    ----------
    steps: how many synchronous pulses.
    decay: the share of its energy that a node passes on, in each pulse.
    fan: the exponent of the fan effect: 0 divides nothing, 1 splits a node's energy over its edges.
    min_energy: a node that received less in a pulse passes nothing on in the next.
    max_fanout: how many of a node's edges count, the strongest; None for all.
    region_multiplier: what an edge between two concepts of one region is worth more.
    top_k: how many results at most.
    """

    steps: int = 3
    decay: float = 0.8
    fan: float = 0.5
    min_energy: float = 1e-3
    max_fanout: int | None = None
    region_multiplier: float = 1.5
    top_k: int = 10
