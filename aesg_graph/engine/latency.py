"""How long recalls take, counted in buckets: cheap enough to be done at each call."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the buckets, in seconds; one more has whatever took longer."""


class Latency:
    """A histogram of seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        """Seconds in all."""

    def observe(self, seconds: float) -> None:
        """One call took so long."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
