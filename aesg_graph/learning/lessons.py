"""What the memory is to make of one call: the whole rule, from a lesson to operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import NO_ID, Doubles, Flags, Ids
from aesg_graph.learning.births import Births
from aesg_graph.learning.coactivation import CoActivations
from aesg_graph.learning.lesson import Lesson
from aesg_graph.learning.rules import LearningRules
from aesg_graph.learning.step import Step
from aesg_graph.learning.working import WorkingMemory
from aesg_graph.operations import Link, Operation, Touch

__all__ = ["Lesson", "Lessons", "associations", "learn", "uses"]

ASSOCIATION_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Lessons:
    """What one call taught.

    Attributes
    ----------
    operations: to be carried out in this order: Create, Links, Touch.
    born: the ids of the new concepts, in order of birth.
    explanation: float64 [R], how well memory and the concepts born earlier in the step explain each row.
    novel: bool [R], whether a row is explained less than the threshold; never a zero query.
    blocked: how many births there was no room for.
    """

    operations: tuple[Operation, ...]
    born: Ids
    explanation: Doubles
    novel: Flags
    blocked: int


def learn(
    lesson: Lesson,
    working: WorkingMemory,
    rules: LearningRules,
    step: Step,
    allocate: Callable[[int], Ids],
    *,
    epoch: int,
    room: int | None,
    empty: bool,
    encoder: str = "",
    version: int = 0,
) -> Lessons:
    """Take a lesson: its rows in order, each of which may see what earlier rows of the step gave birth to.

    Changes ``working`` and ``step``; the memory itself changes when the operations are carried out. In INFERENCE
    nothing changes and there are no operations.

    ``allocate`` gives so many unused ids. ``epoch`` is the memory's, for births, links and touches. ``room`` is how
    many births are still allowed, ``None`` for no limit. ``empty`` says that the memory which gave the answers held no
    concept. ``encoder`` and ``version`` are what the keys were made with.

    AESGMemoryError, before anything has changed, for a lesson whose shapes do not fit together or the memory.
    """
    lesson.check(working.buffer.vector_dim, working.buffer.value_dim)
    awake: Flags = np.asarray(lesson.queries.any(axis=1))
    births = Births(lesson, awake, working, rules, step)
    if rules.mode.creates:
        births.take_rows(allocate, room, empty)
    operations = births.operations(epoch, encoder, version)
    if rules.mode.touches:
        seeds, agreement = lesson.seed_ids[awake], lesson.seed_agreement[awake]
        operations += associations(seeds, working.coactivations, rules.coactivation_threshold, epoch)
        operations += uses(seeds, agreement, rules.agreement, epoch)
    novel = awake & (births.explanation < rules.explanation_threshold)
    return Lessons(operations, births.born, births.explanation, novel, births.blocked)


def associations(seeds: Ids, counts: CoActivations, threshold: int, epoch: int) -> tuple[Link, ...]:
    """The edges that are born or strengthened because ``seeds`` [R, S] were retrieved together once more."""
    low, high, times = counts.count(seeds, threshold)
    if not len(low):
        return ()
    weights = np.full(len(low), ASSOCIATION_WEIGHT, np.float32)
    # One creating Link of n - 1 uses means the same as n of none: born once and used n - 1 times, or used n times.
    return (Link("ASSOCIATION", low, high, weights, times - 1, epoch),)


def uses(seeds: Ids, seed_agreement: Doubles, agreement: float, epoch: int) -> tuple[Touch, ...]:
    """One Touch for all ``seeds`` [R, S]: a use each, or a contradiction where a seed disagrees with the lesson."""
    real = seeds != NO_ID
    ids, place = np.unique(seeds[real], return_inverse=True)
    if not len(ids):
        return ()
    against = seed_agreement[real] < agreement  # NaN, where there is nothing to disagree with, is a use
    used = np.bincount(place[~against], minlength=len(ids)).astype(np.int64)
    contradicted = np.bincount(place[against], minlength=len(ids)).astype(np.int64)
    return (Touch(ids, used, contradicted, epoch),)
