"""A small model with a memory, its data, and what to compare of two runs."""

import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset

from aesg_graph import AESGConfig, AESGMemory
from aesg_graph.training import AESGTrainer, Callback

VOCABULARY, STEPS, WIDTH = 50, 6, 8
CONFIG = AESGConfig(
    vector_dim=WIDTH,
    value_dim=4,
    novelty_birth_threshold=2,
    novelty_explanation_threshold=0.95,
    consolidation_epoch_interval=3,
    coactivation_threshold_create=6,
    survival_min_age=1,
    survival_threshold_relevance=0.9,
    batch_size=4,
)


class Recaller(nn.Module):
    """Classifies token sequences with what a memory recalls beside a small network, noise and running means in it."""

    def __init__(self, directory, classes=4, config=CONFIG):
        super().__init__()
        self.memory = AESGMemory(directory, config)
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.keys = nn.Embedding(VOCABULARY, WIDTH).requires_grad_(False)  # keys must hold still
        self.norm = nn.BatchNorm1d(WIDTH)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(WIDTH, classes)
        self.trust = nn.Linear(WIDTH + 4, classes)

    def forward(self, tokens):
        with self.memory.sequence():
            found = self.memory.retrieve(self.keys(tokens), nn.functional.one_hot(tokens % 4, 4))
        recalled = torch.cat([found.aggregate(), found.read()], -1).mean(1)
        hidden = self.drop(self.norm(self.embedding(tokens).mean(1)))
        return self.out(hidden) + self.trust(recalled)


def sentences(count=22, seed=1):
    chance = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, VOCABULARY, (count, STEPS), generator=chance)
    return [(row, row.sum() % 4) for row in tokens]


def made(directory, **options):
    """A model and its trainer, always the same."""
    torch.manual_seed(0)
    model = Recaller(directory)
    options.setdefault("learning_rate", 0.01)
    return model, AESGTrainer(model, quiet=True, **options)


def contents(memory):
    """Everything that a memory knows, in a form that can be compared exactly."""
    memory.flush()
    ids = torch.from_numpy(memory.storage.nodes["id"].copy()).sort().values
    concepts = [memory.concept(int(id)) for id in ids]
    edges = [[(e.source, e.target, e.type, e.weight) for e in memory.neighbors(int(id))] for id in ids]
    return concepts, edges


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items() if "_extra_state" not in name}


def plain(**options):
    """A trainer of a model without a memory."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    with pytest.warns(UserWarning, match="no AESGMemory"):
        return AESGTrainer(model, quiet=True, **options)


def points(count=10):
    chance = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, generator=chance)
    return [(row, (row.sum() > 0).long()) for row in x]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Stream(IterableDataset):
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


class Watching(Callback):
    def __init__(self, look):
        self.look, self.seen = look, []

    def on_batch_end(self, batch, logs):
        self.seen.append(self.look())


def equal(one, other):
    """Whether two states are the same, types of containers included."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


def state_of(model, trainer):
    """All that loading a checkpoint may change."""
    return [
        weights(model),
        trainer.optimizer.state_dict(),
        torch.get_rng_state(),
        trainer.state.to_json(),
        contents(model.memory),
        model.memory.engine.directory.stat().st_ino,
    ]
