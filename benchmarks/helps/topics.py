"""The tasks on topics of text: one category of glosses after the other, and each named by a single gloss."""

from __future__ import annotations

from functools import partial

import numpy as np

from helps.comparing import Task
from helps.learners import Memory, Network
from helps.problems import Problem
from helps.texts import Categories

HIDDEN = 128
NETWORKS = tuple(
    Network(hidden, rate, passes) for hidden in (0, HIDDEN) for rate in (3e-4, 1e-3, 3e-3) for passes in (1, 5, 20)
)
MEMORIES = tuple(
    Memory(explanation, births, temperature=temperature, seeds=seeds)
    for births in (1, 2)
    for explanation in (0.4, 0.5, 0.6)
    for seeds, temperature in ((3, 0.05), (10, 0.1))
)
STEPS = (1, 5, 20)


def in_turn(categories: Categories) -> list[Task]:
    """One category after the other."""
    plain = "linear or 128 hidden, trained in the same order"
    count = int(categories.labels.max()) + 1
    case = f"glosses of {count} categories in turn"
    return [Task("continual learning", case, plain, partial(_in_turn, categories), NETWORKS, MEMORIES)]


def once(categories: Categories) -> list[Task]:
    """One gloss of each category, one after the other."""
    networks = [Network(hidden, rate, steps) for hidden in (0, HIDDEN) for rate in (1e-3, 1e-2) for steps in STEPS]
    plain = "linear or 128 hidden, fine-tuned on that example"
    memories = (Memory(0.6), Memory(0.9))
    return [Task("one-shot naming", "glosses, one each", plain, partial(_once, categories), networks, memories)]


def _in_turn(categories: Categories, seed: int, validate: bool) -> Problem:
    labels = categories.labels
    order = np.random.default_rng(seed).permutation(int(labels.max()) + 1)
    divided = [categories.divided(int(label), seed, validate) for label in order]
    judged = np.concatenate([judging for _, judging in divided])
    return Problem(categories.keys, labels, labels, tuple(learned for learned, _ in divided), judged)


def _once(categories: Categories, seed: int, validate: bool) -> Problem:
    whole = _in_turn(categories, seed, validate)
    return Problem(whole.keys, whole.told, whole.true, tuple(part[:1] for part in whole.shown), whole.judged)
