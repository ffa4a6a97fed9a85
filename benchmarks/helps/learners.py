"""The sides of a problem of classification: a network, the nearest of all examples, and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from aesg_graph import AESGConfig
from helps.memories import passing_memory
from helps.problems import Problem, Rows, one_hot

BATCH = 32


class Outcome(NamedTuple):
    """A side's accuracy on what it is judged by, and how many examples or concepts it keeps."""

    score: float
    entries: int


@dataclass(frozen=True)
class Network:
    """A network with a hidden layer (none: a linear one), trained by Adam on each part when it comes."""

    hidden: int
    rate: float
    passes: int

    def run(self, problem: Problem, seed: int) -> Outcome:
        """Learn the parts in turn; be judged."""
        torch.manual_seed(seed)
        width = problem.keys.shape[1]
        inner = (nn.Linear(width, self.hidden), nn.Tanh()) if self.hidden else ()
        network = nn.Sequential(*inner, nn.Linear(self.hidden or width, problem.classes))
        optimizer = torch.optim.Adam(network.parameters(), lr=self.rate)
        seen = problem.keys / problem.keys[problem.shown[0]].std()
        for rows in problem.lessons(self.passes, BATCH, seed):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(seen[rows]), problem.told[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            return Outcome(problem.accuracy(network(seen[problem.judged])), 0)


@dataclass(frozen=True)
class Neighbours:
    """The votes of the k nearest by cosine, each by ``exp(cosine / temperature)``: memory's own read-out, without
    stability. ``keeps`` limits it to so many random examples.
    """

    k: int
    temperature: float
    keeps: int | None = None

    def run(self, problem: Problem, seed: int) -> Outcome:
        """Keep the examples; be judged."""
        rows = problem.everything
        if self.keeps is not None:
            rows = np.random.default_rng(seed).choice(rows, min(self.keeps, len(rows)), replace=False)
        return Outcome(problem.accuracy(self.votes(problem, rows)), len(rows))

    def votes(self, problem: Problem, rows: Rows) -> Tensor:
        """What the kept ``rows`` say of the judged examples: [judged, classes]."""
        kept, asked = (nn.functional.normalize(problem.keys[some]) for some in (rows, problem.judged))
        near, which = (asked @ kept.T).topk(min(self.k, len(rows)))
        votes = torch.zeros(len(asked), problem.classes)
        return votes.scatter_add_(1, problem.told[rows][which], torch.softmax(near / self.temperature, -1))


@dataclass(frozen=True)
class Memory:
    """An AESGMemory from keys to one-hot values; what it reads out is the answer."""

    explanation: float
    births: int = 1
    passes: int = 1
    temperature: float = 0.05
    seeds: int = 3
    survival_uses: int = 5
    interval: int = 10

    def config(self, problem: Problem) -> AESGConfig:
        """What is not named here has its default."""
        return AESGConfig(
            vector_dim=problem.keys.shape[1],
            value_dim=problem.classes,
            novelty_explanation_threshold=self.explanation,
            novelty_birth_threshold=self.births,
            novelty_buffer=1024,
            read_temperature=self.temperature,
            seeds=self.seeds,
            top_k=max(self.seeds, 10),
            survival_threshold_frequency=self.survival_uses,
            consolidation_epoch_interval=self.interval,
        )

    def run(self, problem: Problem, seed: int) -> Outcome:
        """Learn the parts in turn; be judged. The memory lives in a folder that is removed."""
        with passing_memory(self.config(problem)) as memory:
            for rows in problem.lessons(self.passes, BATCH, seed):
                memory.retrieve(problem.keys[rows], value=one_hot(problem.told[rows], problem.classes))
                memory.update_topology()
            said = memory.retrieve(problem.keys[problem.judged], learn=False).read()
            return Outcome(problem.accuracy(said), memory.storage.node_count)
