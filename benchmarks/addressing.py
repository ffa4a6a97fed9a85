"""Where keys should come from while the encoder below a memory goes on training: accuracy, over seeds.

    python benchmarks/addressing.py                 # 5 seeds, a few minutes
    python benchmarks/addressing.py --only digits --seeds 1 --passes 2

Digits: those of scikit-learn come two classes at a time, and each method ends with a test on all ten classes.
Sequences: random texts come two at a time, and each method ends with the next tokens of all texts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import addressing_sequences as sequences
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from aesg_graph import AESGConfig, AESGMemory
from aesg_graph.nn import Addressing
from aesg_graph.nn.addressing import Keys

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from digits_demo.data import CLASSES, PIXELS, TASKS, Digits, batches, split

WIDTH = 64
BATCH = 32

Trial = Callable[[Any, int, Path], tuple[float, int]]
"""One way, a seed and a place for the memory: the share that was right, and how many concepts there are."""


@dataclass(frozen=True)
class Method:
    """One way of making keys; ``keys`` None: no memory at all.

    still: the features are raw pixels, not what the encoder makes of them. rekeyed: the memory, after each task.
    learned: the projection of queries is; else they are the keys. steered: the encoder may turn the query.
    """

    name: str
    keys: Keys | None
    still: bool = False
    rekeyed: bool = False
    learned: bool = True
    steered: bool = False


METHODS = (
    Method("no memory", None),
    Method("encoder, frozen", "frozen"),
    Method("encoder, slow", "slow"),
    Method("encoder, rekey, never rekeyed", "rekey"),
    Method("encoder, rekey, rekeyed after each task", "rekey", rekeyed=True),
    Method("encoder, frozen, rekeyed after each task", "frozen", rekeyed=True),
    Method("pixels, frozen", "frozen", still=True),
    Method("pixels, slow", "slow", still=True),
    Method("pixels, rekey, never rekeyed", "rekey", still=True),
    Method("pixels, rekey, rekeyed after each task", "rekey", still=True, rekeyed=True),
    Method("pixels, frozen, query steered by the encoder", "frozen", still=True, steered=True),
    Method("pixels, slow, query steered by the encoder", "slow", still=True, steered=True),
    Method("pixels, frozen, query not learned", "frozen", still=True, learned=False),
)


class Model(nn.Module):
    """A small network; what memory reads out is added to its logits."""

    def __init__(self, directory: Path, method: Method) -> None:
        super().__init__()
        self.method = method
        self.encoder = nn.Sequential(nn.Linear(PIXELS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, CLASSES))
        self.trust = nn.Parameter(torch.tensor(10.0))
        self.memory = self.addressing = None
        if method.keys is not None:
            config = AESGConfig(vector_dim=WIDTH, value_dim=CLASSES, novelty_birth_threshold=1)
            self.memory = AESGMemory(directory, config)
            features = PIXELS if method.still else WIDTH
            steered_by = WIDTH if method.steered else 0
            self.addressing = Addressing(self.memory, features, keys=method.keys, steered_by=steered_by)
            self.addressing.projection.requires_grad_(method.learned)

    def features(self, x: Tensor) -> Tensor:
        return x if self.method.still else self.encoder(x)

    def forward(self, x: Tensor, meaning: Tensor | None = None, sources: Sequence[str] | None = None) -> Tensor:
        encoded = self.encoder(x)
        logits = self.head(encoded)
        if self.addressing is None:
            return logits
        features = x if self.method.still else encoded
        steer = encoded if self.method.steered else None
        found = self.addressing.recall(features, meaning, steer=steer, sources=sources)
        return logits + self.trust * found.read()


def run(method: Method, seed: int, passes: int, directory: Path) -> tuple[float, int]:
    """The share of unseen pictures of all classes that is named rightly at the end, and how many concepts there are."""
    digits, chance = split(seed), np.random.default_rng(seed)
    torch.manual_seed(seed)
    model = Model(directory, method)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for task in range(len(TASKS)):
        model.train()
        for _ in range(passes):
            for rows in batches(digits.task(task), BATCH, chance):
                step(model, optimizer, digits, rows)
        if method.rekeyed:
            rekey(model, digits)
    model.eval()
    with torch.no_grad():
        right = model(digits.images[digits.test] / 16).argmax(-1) == digits.labels[digits.test]
    if model.memory is None:
        return float(right.double().mean()), 0
    concepts = int(model.memory.storage.node_count)
    model.memory.close()
    return float(right.double().mean()), concepts


def step(model: Model, optimizer: torch.optim.Optimizer, digits: Digits, rows: np.ndarray) -> None:
    x, labels = digits.images[rows] / 16, digits.labels[rows]
    optimizer.zero_grad()
    if model.memory is None:
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
        return
    with model.memory.step():
        logits = model(x, digits.meanings(rows), [str(row) for row in rows])
        nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()
    model.memory.update_topology()


def rekey(model: Model, digits: Digits) -> None:
    model.eval()
    model.memory.rekey(
        lambda sources: model.addressing.key(model.features(digits.images[[int(s) for s in sources]] / 16))
    )


def compare(title: str, ways: Sequence[Method | sequences.Way], trial: Trial, seeds: int) -> Table:
    """A row for each way: the mean over seeds, the least and the most."""
    table = Table("addressed by", "mean", "spread", "concepts", title=f"{title}, {seeds} seeds")
    for way in ways:
        shares, concepts = [], []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory(prefix="aesg-addressing-") as folder:
                share, count = trial(way, seed, Path(folder) / "memory")
            shares.append(share)
            concepts.append(count)
        low, high = min(shares), max(shares)
        table.add_row(way.name, f"{np.mean(shares):.1%}", f"{low:.1%} to {high:.1%}", f"{np.mean(concepts):.0f}")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=10, help="over each two classes' pictures")
    parser.add_argument("--steps", type=int, default=25, help="on each two texts")
    parser.add_argument("--only", choices=("digits", "sequences"))
    asked = parser.parse_args(arguments)
    console = Console(width=110)
    if asked.only != "sequences":
        trial: Trial = lambda method, seed, place: run(method, seed, asked.passes, place)  # noqa: E731
        console.print(compare("All ten classes at the end", METHODS, trial, asked.seeds))
    if asked.only != "digits":
        trial = lambda way, seed, place: sequences.run(way, seed, asked.steps, place)  # noqa: E731
        console.print(compare("Next tokens of all texts at the end", sequences.WAYS, trial, asked.seeds))


if __name__ == "__main__":
    main()
