"""All sides do a task: each one's parameters are chosen on validation data, and then every seed is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from helps.learners import Memory, Neighbours, Network
from helps.problems import Problem
from helps.rows import AS_MANY, EVERYTHING, MEMORY, PLAIN, Measured, Row
from helps.setting import TUNING_SEED, Setting, Tell

NEARLY = 0.01
"""So much accuracy is given for fewer entries when parameters are chosen, as in the digits demo."""
KS = (1, 3, 5, 10, 20, 50, 100)
TEMPERATURES = (0.02, 0.05, 0.1, 1.0)
NEIGHBOURS = tuple(Neighbours(k, t) for k in KS for t in TEMPERATURES if k > 1 or t == TEMPERATURES[0])

Candidate = TypeVar("Candidate", Network, Neighbours, Memory)


@dataclass(frozen=True)
class Task:
    """A case of a task: the problem of a seed (for validation, or to be tested), and what is tried on each side."""

    name: str
    case: str
    plain: str
    problem: Callable[[int, bool], Problem]
    networks: Sequence[Network]
    memories: Sequence[Memory]
    note: str = ""


def compare(task: Task, setting: Setting, tell: Tell) -> Row:
    """Choose the parameters of each side; measure all seeds."""
    some = slice(0, 2 if setting.quick else None)
    problems = [task.problem(TUNING_SEED + n, True) for n in range(setting.tuning_seeds)]
    network, _ = choose("network", task.networks[some], problems, tell)
    neighbours, _ = choose("k", NEIGHBOURS[some], problems, tell)
    memory, concepts = choose("memory", task.memories[some], problems, tell)
    few, _ = choose("k", [replace(each, keeps=round(concepts)) for each in NEIGHBOURS[some]], problems, tell)
    chosen = {PLAIN: network, EVERYTHING: neighbours, AS_MANY: few, MEMORY: memory}
    sides = {name: Measured(str(candidate)) for name, candidate in chosen.items()}
    for seed in range(setting.seeds):
        tell(f"seed {seed + 1} of {setting.seeds}")
        problem = task.problem(seed, False)
        kept = sides[MEMORY]
        kept.add(*memory.run(problem, seed))
        sides[PLAIN].add(*network.run(problem, seed))
        sides[EVERYTHING].add(*neighbours.run(problem, seed))
        sides[AS_MANY].add(*replace(few, keeps=kept.entries[-1]).run(problem, seed))
    return Row(task.name, task.case, "accuracy", task.plain, sides, task.note)


def choose(
    name: str, candidates: Sequence[Candidate], problems: Sequence[Problem], tell: Tell
) -> tuple[Candidate, float]:
    """Of the candidates nearly as good as the best the one with the fewest entries (of equals the better one), and
    how many those are.
    """
    judged: list[tuple[Candidate, float, float]] = []
    for number, candidate in enumerate(candidates):
        tell(f"choosing {name}: {number + 1} of {len(candidates)}")
        outcomes = [candidate.run(problem, seed) for seed, problem in enumerate(problems)]
        score, entries = np.mean(outcomes, axis=0).tolist()
        judged.append((candidate, score, entries))
    best = max(score for _, score, _ in judged)
    nearly = [each for each in judged if each[1] >= best - NEARLY]
    candidate, _, entries = min(nearly, key=lambda each: (each[2], -each[1]))
    return candidate, entries
