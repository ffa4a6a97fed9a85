"""The tasks on scikit-learn's digits: two classes at a time, with wrong labels, and each class shown once.

Data, splits and the memory's parameters for the first are those of the demo (``examples/digits_demo``).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from digits_demo.data import CLASSES, TASKS, split
from digits_demo.setting import ON_PIXELS
from digits_demo.setting import Setting as Demo

from helps.comparing import Task
from helps.learners import Memory, Network
from helps.problems import Problem

HIDDEN = 128
WRONG = (0.0, 0.1, 0.3, 0.5)
MANY_WRONG = (0.3, 0.5)
PASSES = Demo().passes
NETWORKS = tuple(Network(HIDDEN, rate, passes) for rate in (3e-4, 1e-3, 3e-3) for passes in (1, 5, PASSES))


def in_turn(quick: bool) -> list[Task]:
    """Two classes at a time: with as many passes as in the demo, and with as many as are best."""
    plain = "network, 128 hidden, trained in the same order"
    demos = [network for network in NETWORKS if network.passes == PASSES]
    task = partial(Task, "continual learning", plain=plain, problem=_in_turn, note="memory's parameters: the demo's")
    once = task(case="digits, two classes at a time", networks=NETWORKS, memories=(_demos(1),))
    often = task(case=f"the same, {PASSES} passes over each", networks=demos, memories=(_demos(PASSES),))
    return [once] if quick else [once, often]


def _demos(passes: int) -> Memory:
    """The demo's memory on pixels."""
    return Memory(
        ON_PIXELS.explanation,
        passes=passes,
        temperature=ON_PIXELS.temperature,
        seeds=ON_PIXELS.seeds,
        survival_uses=ON_PIXELS.survival_uses,
        interval=ON_PIXELS.config(1).consolidation_epoch_interval,
    )


def noisy(quick: bool) -> list[Task]:
    """All classes mixed; a share of the labels is wrong. Where many are, also with memories that believe nothing that
    came but once.
    """
    # One pass: in a second one every wrong label would come again, and be believed.
    memories = [
        Memory(explanation, births, temperature=temperature, seeds=seeds)
        for births in (1, 2, 3)
        for explanation in (0.7, 0.8)
        for seeds, temperature in ((3, 0.05), (10, 0.1), (20, 0.1))
    ]
    wary = [memory for memory in memories if memory.births > 1]
    cases = [(wrong, f"digits, {wrong:.0%} wrong", memories) for wrong in WRONG]
    cases += [(wrong, f"the same, {wrong:.0%} wrong, birth threshold 2 or 3", wary) for wrong in MANY_WRONG]
    return [
        Task("label noise", case, "network, 128 hidden", partial(_noisy, wrong), NETWORKS, candidates)
        for wrong, case, candidates in sorted(cases[2:3] if quick else cases, key=lambda case: case[0])
    ]


def once(quick: bool) -> list[Task]:
    """Each class is shown once, one after the other."""
    networks = [Network(hidden, rate, steps) for hidden in (0, HIDDEN) for rate in (1e-3, 1e-2) for steps in (1, 5, 20)]
    plain = "linear or 128 hidden, fine-tuned on that example"
    return [Task("one-shot naming", "digits, one each", plain, _once, networks, (Memory(0.6), Memory(0.9)))]


def _in_turn(seed: int, validate: bool) -> Problem:
    digits = split(seed, validate=validate)
    shown = tuple(digits.task(number) for number in range(len(TASKS)))
    keys = digits.images - digits.images[shown[0]].mean(0)
    return Problem(keys, digits.labels, digits.labels, shown, digits.test)


def _noisy(wrong: float, seed: int, validate: bool) -> Problem:
    digits, chance = split(seed, validate=validate), np.random.default_rng(seed)
    told = digits.labels.clone()
    rows = chance.random(len(told)) < wrong
    told[rows] = (told[rows] + torch.tensor(chance.integers(1, CLASSES, int(rows.sum())))) % CLASSES
    keys = digits.images - digits.images[digits.train].mean(0)
    # Nobody who chooses parameters knows which labels are wrong, so those that validate are as noisy as the rest.
    return Problem(keys, told, told if validate else digits.labels, (digits.train,), digits.test)


def _once(seed: int, validate: bool) -> Problem:
    digits, chance = split(seed, validate=validate), np.random.default_rng(seed)
    labels = digits.labels.numpy()
    train = digits.train
    shown = tuple(chance.choice(train[labels[train] == label], 1) for label in range(CLASSES))
    keys = digits.images - digits.images[np.concatenate(shown)].mean(0)
    return Problem(keys, digits.labels, digits.labels, shown, digits.test)
