"""What a memory may forget, and when: consolidation and capacity.

Aging is lazy (``aesg_graph.aging``), so that consolidation is two things: the epoch moves by one, and what is due is
pruned. The store carries each prune out under lock and tests its predicate again.
"""

from __future__ import annotations

import math

import numpy as np

from aesg_graph.concepts import Doubles, Ids
from aesg_graph.learning.rules import LearningRules
from aesg_graph.operations import Advance, Operation, Prune

PRUNE_CHUNK = 8192
"""No operation prunes more concepts than this, so that no transaction holds a lock on the whole memory."""


def is_consolidation_due(call_count: int, interval: int) -> bool:
    """Whether the ``call_count``-th call of ``update_topology()`` (counted from 1) consolidates."""
    return call_count > 0 and call_count % interval == 0


def prune_quota(concept_count: int, rules: LearningRules) -> int:
    """How many of ``concept_count`` concepts one consolidation may prune: what to ask the store's ``due`` for.

    ``max_prune_fraction`` of them, rounded down: "at most" means at most, and a memory too small to lose a whole
    concept loses none. 0 in a mode that does not prune.
    """
    if not rules.mode.prunes:
        return 0
    # A fraction such as 0.29 of 100 is 28.999999999999996 in binary, and means 29.
    return min(concept_count, math.floor(rules.max_prune_fraction * concept_count + 1e-9))


def plan_consolidation(due_ids: Ids, concept_count: int, rules: LearningRules) -> Ids:
    """Those of ``due_ids`` (weakest first) that this consolidation prunes: at most :func:`prune_quota`."""
    return due_ids[: prune_quota(concept_count, rules)]


def consolidate(due_ids: Ids, concept_count: int, epoch: int, rules: LearningRules) -> tuple[Operation, ...]:
    """One consolidation of a memory in ``epoch``: it moves to the next, and prunes what is due there.

    ``due_ids`` are those due in ``epoch + 1``, weakest first. Nothing at all in a mode that does not consolidate.
    """
    if not rules.mode.consolidates:
        return ()
    pruned = plan_consolidation(due_ids, concept_count, rules)
    return (
        Advance(epoch + 1),
        *(Prune(pruned[at : at + PRUNE_CHUNK], epoch=epoch + 1) for at in range(0, len(pruned), PRUNE_CHUNK)),
    )


def plan_capacity(weakest_ids: Ids, fades_at: Doubles, excess: int) -> tuple[Prune, ...]:
    """Remove the ``excess`` weakest concepts of a memory over ``max_concepts``.

    ``weakest_ids`` and their ``fades_at`` come weakest first, as the store's ``weakest`` gives them. A concept that is
    used before the plan is carried out stays.
    """
    ids = np.ascontiguousarray(weakest_ids[: max(0, excess)])
    limits = np.ascontiguousarray(fades_at[: len(ids)])
    return tuple(
        Prune(ids[at : at + PRUNE_CHUNK], fades_at=limits[at : at + PRUNE_CHUNK])
        for at in range(0, len(ids), PRUNE_CHUNK)
    )
