"""How the parameters in setting.py were chosen: on the validation set, which no method is ever tested on.

Run as ``python examples/digits_demo/tune.py``; takes some ten minutes. Of the settings that keep at most 400 concepts
and come within a point of the best of these, the one with the fewest concepts is chosen.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

if __name__ == "__main__":  # run as a script, Python knows only this file's own folder
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from digits_demo.data import TASKS, Digits, split
from digits_demo.encoders import Encoder, FrozenFeatures, LoopFeatures, Pixels
from digits_demo.memories import MemoryLearner
from digits_demo.setting import Chosen, Setting

SEEDS = (1_000, 1_001, 1_002)
MOST_CONCEPTS = 400
NEARLY = 0.01
"""So much accuracy is given for a smaller memory; on 359 pictures it is hardly more than chance."""
THRESHOLDS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85)

Make = Callable[[Digits, int], Encoder]

ENCODERS: dict[str, tuple[Make, bool]] = {
    "pixels": (lambda digits, seed: Pixels(digits), False),
    "renewed": (lambda digits, seed: LoopFeatures(digits, Setting(), seed), True),
    "frozen": (lambda digits, seed: FrozenFeatures(digits, Setting(), seed), False),
}


def candidates(name: str) -> Iterable[Chosen]:
    """What is tried: on pixels every combination, on features the threshold alone."""
    if name != "pixels":
        return [Chosen(threshold) for threshold in THRESHOLDS]
    return [Chosen(*combination) for combination in itertools.product(THRESHOLDS, (3, 5), (0.05, 0.1), (5, 50))]


def judge(chosen: Chosen, make: Make, rekeys: bool) -> tuple[float, float, float]:
    """Mean final accuracy on the validation set, mean number of concepts, mean number of pruned ones."""
    found = []
    for seed in SEEDS:
        digits = split(seed, validate=True)
        with tempfile.TemporaryDirectory() as directory:
            learner = MemoryLearner(
                digits, Setting(), seed, Path(directory) / "memory", make(digits, seed), chosen, rekeys
            )
            for task in range(len(TASKS)):
                learner.learn(digits.task(task))
            life = learner.life()
            found.append((learner.score(digits.seen(len(TASKS) - 1)), life.concepts, life.pruned))
            learner.close()
    accuracy, concepts, pruned = np.mean(found, axis=0).tolist()
    return accuracy, concepts, pruned


def choose(judged: dict[Chosen, tuple[float, float, float]]) -> Chosen:
    """The smallest memory among those nearly as good as the best."""
    allowed = {chosen: result for chosen, result in judged.items() if result[1] <= MOST_CONCEPTS} or judged
    best = max(accuracy for accuracy, _, _ in allowed.values())
    return min((c for c, r in allowed.items() if r[0] >= best - NEARLY), key=lambda c: allowed[c][1])


def main() -> None:
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ENCODERS:
        make, rekeys = ENCODERS[name]
        judged = {}
        for chosen in candidates(name):
            judged[chosen] = accuracy, concepts, pruned = judge(chosen, make, rekeys)
            told = f"{name:8} {accuracy:7.2%} {concepts:6.0f} concepts {pruned:5.0f} pruned"
            print(told, asdict(chosen), flush=True)
        print(f"{name:8} chosen: {choose(judged)}", flush=True)


if __name__ == "__main__":
    main()
