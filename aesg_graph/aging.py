"""How a concept's relevance rises and fades: the formulas that stores, cache and learning share.

Aging is lazy. A concept stores its relevance as of ``touched_epoch``, unclipped; time passing changes no row. With
``d`` the memory's ``relevance_decay`` and ``L = ln(1/d)``, every function here is elementwise over numpy arrays, in
float64. The exponential form of forgetting is Ebbinghaus's (1885); the lazy form only moves the multiplication from
the passing of an epoch to the reading of a concept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NEVER = -1
"""Stands for an absent ``expires_epoch``: this concept cannot be pruned as it is."""

RELEVANCE_FLOOR = 1e-300
"""Relevance never reaches zero, so that its logarithm stays finite."""

FAR = 2.0**60
"""Epochs further off than this are as good as this."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Thresholds:
    """What a memory's head says of aging; it holds for every process that opens the memory."""

    relevance_boost: float
    relevance_decay: float
    survival_threshold_relevance: float
    survival_threshold_frequency: int
    survival_min_age: int

    @property
    def rate(self) -> float:
        """``L = ln(1 / relevance_decay)``, the loss of log-relevance in one epoch."""
        return -float(np.log(self.relevance_decay))


def touch(
    relevance: npt.ArrayLike,
    touched_epoch: npt.ArrayLike,
    uses: npt.ArrayLike,
    epoch: npt.ArrayLike,
    limits: Thresholds,
) -> tuple[FloatArray, IntArray]:
    """Relevance and touched epoch after ``uses`` uses that happened in ``epoch``, which may be late.

    Additions commute: two touches give the same relevance in either order.
    """
    touched = np.asarray(touched_epoch, np.int64)
    at = np.asarray(epoch, np.int64)
    later = np.maximum(touched, at)
    faded = np.asarray(relevance, np.float64) * limits.relevance_decay ** (later - touched).astype(np.float64)
    boost = np.asarray(uses, np.float64) * limits.relevance_boost
    gained = boost * limits.relevance_decay ** (later - at).astype(np.float64)
    return np.maximum(RELEVANCE_FLOOR, faded + gained), later


def current(
    relevance: npt.ArrayLike, touched_epoch: npt.ArrayLike, epoch: npt.ArrayLike, limits: Thresholds
) -> FloatArray:
    """Relevance as of ``epoch``, unclipped."""
    passed = np.asarray(np.asarray(epoch, np.int64) - np.asarray(touched_epoch, np.int64), np.float64)
    return np.asarray(np.asarray(relevance, np.float64) * limits.relevance_decay**passed)


def fades_at(relevance: npt.ArrayLike, touched_epoch: npt.ArrayLike, limits: Thresholds) -> FloatArray:
    """The (fractional) epoch at which relevance was or will be 1: the weakest concept has the smallest."""
    safe = np.maximum(np.asarray(relevance, np.float64), RELEVANCE_FLOOR)
    return np.asarray(np.asarray(touched_epoch, np.float64) + np.log(safe) / limits.rate)


def expires_epoch(
    relevance: npt.ArrayLike,
    touched_epoch: npt.ArrayLike,
    born_epoch: npt.ArrayLike,
    use_frequency: npt.ArrayLike,
    contradictions: npt.ArrayLike,
    limits: Thresholds,
) -> IntArray:
    """The first epoch at which a concept may be pruned, ``NEVER`` where it may not.

    A concept is pruned when it is older than ``survival_min_age`` epochs, its relevance is below
    ``survival_threshold_relevance``, and its net uses (uses less contradictions) are fewer than
    ``survival_threshold_frequency``. Only the last of these can never come true by waiting.
    """
    net = np.asarray(use_frequency, np.int64) - np.asarray(contradictions, np.int64)
    if limits.survival_threshold_relevance <= 0:
        return np.full(net.shape, NEVER, np.int64)
    faded = _faded_epoch(np.asarray(relevance, np.float64), np.asarray(touched_epoch, np.int64), limits)
    grown = np.asarray(born_epoch, np.int64) + limits.survival_min_age + 1
    return np.where(net >= limits.survival_threshold_frequency, NEVER, np.maximum(grown, faded)).astype(np.int64)


def _faded_epoch(relevance: FloatArray, touched_epoch: IntArray, limits: Thresholds) -> IntArray:
    """The first epoch at which :func:`current` is below the survival threshold."""
    relevance = np.maximum(relevance, RELEVANCE_FLOOR)
    wait = (np.log(relevance) - np.log(limits.survival_threshold_relevance)) / limits.rate
    first = touched_epoch + (np.floor(np.clip(wait, -FAR, FAR)).astype(np.int64) + 1)

    def below(epoch: IntArray) -> npt.NDArray[np.bool_]:
        with np.errstate(over="ignore"):  # of epochs before it was touched, when it was more than a float can say
            return current(relevance, touched_epoch, epoch, limits) < limits.survival_threshold_relevance

    # Close to the cut the logarithm may round to the epoch before or after; what counts is the relevance itself.
    return np.asarray(np.where(below(first - 1), first - 1, np.where(below(first), first, first + 1)))


def stability(use_frequency: npt.ArrayLike, contradictions: npt.ArrayLike) -> FloatArray:
    """How far a concept can be trusted, in (0, 1): one half at birth (Laplace's rule of succession)."""
    used = np.asarray(use_frequency, np.float64)
    return np.asarray((used + 1.0) / (used + np.asarray(contradictions, np.float64) + 2.0))
