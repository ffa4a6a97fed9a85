"""What candidates for a memory's parameters did on a sample, and which of them to propose.

A trial is one candidate: the memory that it made of one part of the sample, and how well that memory knows the part
that it has not seen. Running trials is the engine's (:mod:`aesg_graph.engine.tuning`); nothing here opens a memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Floats, Ids

CROWDED = 0.5
"""Above this mean cosine between vectors, cosine hardly tells them apart."""
HELD_OUT = 0.2
"""The share of a sample that is asked and never taught."""
UNKNOWN = 0.5
"""Explained less than this on average, held-out queries have little to do with what was taught."""
CLEARLY = 2.0
"""So many standard errors are more than chance."""
UNSETTLED = 0.5
"""If a greater share of held-out queries is novel, the memory goes on growing."""


@dataclass(frozen=True)
class Candidate:
    """What is tried.

    Attributes
    ----------
    explanation_threshold, birth_threshold: as in the configuration, ``novelty_explanation_threshold`` and
        ``novelty_birth_threshold``.
    centred: whether the sample's mean is subtracted from every query.
    """

    explanation_threshold: float
    birth_threshold: int
    centred: bool


@dataclass(frozen=True)
class Trial:
    """What a candidate did.

    Attributes
    ----------
    concepts: how many the taught part made.
    explanation: how well the held-out queries were explained, on average, in [0, 1].
    novel: the share of held-out queries that were novel all the same.
    agreement: the cosine of a held-out value and what memory read out, floored at 0, on average; None without values.
    error: the standard error of what is judged by, ``agreement`` where there is one and ``explanation`` elsewhere.
    """

    candidate: Candidate
    concepts: int
    explanation: float
    novel: float
    agreement: float | None
    error: float


def mean_cosine(units: Floats) -> float:
    """The mean cosine between two different ones of N unit rows [N, D], N at least 2."""
    total, count = units.astype(np.float64).sum(axis=0), len(units)
    return float((total @ total - count) / (count * (count - 1)))


def divided(count: int) -> tuple[Ids, Ids]:
    """The rows of a sample that are taught and those that are held out, both in order, always the same."""
    drawn = np.random.default_rng(0).permutation(count)
    held = round(HELD_OUT * count)
    return np.sort(drawn[held:]).astype(np.int64), np.sort(drawn[:held]).astype(np.int64)


def drawn(count: int, most: int) -> Ids:
    """At most so many rows of a sample, in order, always the same."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False)).astype(np.int64)


def choose(trials: Sequence[Trial]) -> Trial:
    """The trial to propose: :func:`smallest_as_good` where values say what is right, :func:`at_the_knee` elsewhere."""
    if any(trial.agreement is not None for trial in trials):
        return smallest_as_good(trials)
    return at_the_knee(trials)


def smallest_as_good(trials: Sequence[Trial]) -> Trial:
    """The one of fewest concepts among those within one standard error of the best held-out agreement.

    The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984): what chance may have made is no reason for a
    larger memory.
    """
    best = max(trials, key=_agreement)
    allowed = [trial for trial in trials if _agreement(trial) >= _agreement(best) - best.error]
    fewest = min(trial.concepts for trial in allowed)
    return _middle([trial for trial in allowed if trial.concepts == fewest])


def at_the_knee(trials: Sequence[Trial]) -> Trial:
    """The one after which more concepts explain little more.

    Explanation, as a share of the best, less concepts, as a share of the most: where that is greatest the curve bends
    (Satopää, Albrecht, Irwin and Raghavan 2011, *Finding a "kneedle" in a haystack*). It begins at no concepts, which
    explain nothing. Memories that do not settle, more than half of the held-out queries being novel to them, are left
    out where there are others.
    """
    settled = [trial for trial in trials if trial.novel <= UNSETTLED] or trials
    best = max(trial.explanation for trial in trials) or 1.0
    most = max(trial.concepts for trial in trials) or 1
    gains = [trial.explanation / best - trial.concepts / most for trial in settled]
    return _middle([trial for trial, gain in zip(settled, gains, strict=True) if gain == max(gains)])


def unbeaten(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no other equals or exceeds with fewer concepts, or exceeds with as many; in order of concepts."""
    ordered = sorted(trials, key=lambda trial: (trial.concepts, -_judged(trial)))
    best = -1.0
    found: list[Trial] = []
    for trial in ordered:
        if _judged(trial) > best or (found and (trial.concepts, _judged(trial)) == (found[-1].concepts, best)):
            best = _judged(trial)
            found.append(trial)
    return found


def reason(chosen: Trial, trials: Sequence[Trial]) -> str:
    """Why this one was chosen, in a sentence."""
    if chosen.agreement is None:
        return "the knee: more concepts would explain held-out queries little better"
    best = max(trials, key=_agreement)
    return (
        f"the fewest concepts within one standard error ({best.error:.3f}) of the best held-out agreement "
        f"({_agreement(best):.3f})"
    )


def remarks(chosen: Trial, trials: Sequence[Trial], always: float | None = None) -> tuple[str, ...]:
    """What somebody should know before following the proposal; ``always`` is the agreement of one constant answer."""
    found = []
    best = max(trials, key=_judged)
    if always is not None and always + CLEARLY * best.error >= _judged(best):
        found.append(
            f"to say the mean of the taught values every time agrees {always:.3f}, and no candidate is clearly better: "
            "these queries say little about their values"
        )
    if (most := max(trial.explanation for trial in trials)) < UNKNOWN:
        found.append(
            f"no candidate explains held-out queries better than {most:.2f}: little in this sample comes again, and a "
            "memory may not help"
        )
    if chosen.concepts <= 1:
        found.append("the proposal makes no more than one concept of this sample")
    if chosen.novel > UNSETTLED:
        found.append(f"{chosen.novel:.0%} of the held-out queries would still be novel: the memory would go on growing")
    return tuple(found)


def _judged(trial: Trial) -> float:
    return trial.explanation if trial.agreement is None else trial.agreement


def _agreement(trial: Trial) -> float:
    return 0.0 if trial.agreement is None else trial.agreement


def _middle(trials: list[Trial]) -> Trial:
    """Of equals, the one between the others: it is farthest from where things change."""
    by_threshold = sorted(trials, key=lambda t: (t.candidate.explanation_threshold, t.candidate.birth_threshold))
    return by_threshold[(len(by_threshold) - 1) // 2]
