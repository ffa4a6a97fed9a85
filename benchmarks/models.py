"""The eight models beside those of ``aesg``: how long a forward pass takes, what the memories come to hold in training,
and what emptying ours does to the loss on data that was held out.

Forward passes: small models in eval mode, memories of the same concepts and edges; rows of 32 characters, pictures of
128 x 128. Ours recalls for each row, ``aesg`` once for a whole batch. Before each pass its
navigation is reset, as its trainer does: without that it goes on from the last answer and searches nothing.

Training: ten epochs over the same small real data in the same order, the same optimizer, five seeds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import mean, stdev
from typing import Any

import aesg
import torch
import worlds
from measuring import Figure, at_least, in_turn, rounds_within, timed
from model_pairs import Data, Pair, pairs
from settings import Setting
from torch import Tensor, nn

from aesg_graph import AESGConfig, AESGMemory

TITLE = "Models: a forward pass in eval mode, and ten epochs of training"
ROWS = (8, 32)
SIZES = (500, 50_000)
GOAL_SIZE = 50_000
EPOCHS = 10
SEEDS = 5
SAMPLES = 128
BATCH = 16
SIDE = 128
NOTHING = 2.0
"""A mean difference within so many standard errors of zero is called nothing."""


def measure(setting: Setting) -> list[Figure]:
    """Forward passes at each size, their sum, then what training does."""
    small = max(setting.sizes) < GOAL_SIZE  # a quick run
    sizes = setting.sizes[:1] if small else SIZES
    figures = [figure for size in sizes for figure in _forward(setting, size)]
    seeds, epochs, samples = (2, 1, BATCH) if max(setting.sizes) < 1000 else (SEEDS, EPOCHS, SAMPLES)
    with _one_thread():
        return figures + [figure for pair in pairs() for figure in _trained(setting, pair, seeds, epochs, samples)]


# -- forward passes ----------------------------------------------------------------------------------------------------


def _forward(setting: Setting, size: int) -> list[Figure]:
    other, filled = worlds.others(setting.place("aesg-models"), setting.world(size))
    memory, _ = setting.opened(size)
    figures, goal = [], size >= GOAL_SIZE
    with memory:
        for rows in ROWS if size >= min(SIZES) else ROWS[:1]:
            each = [_one_forward(setting, pair, memory, other, rows, size) for pair in pairs()]
            ours, theirs = sum(f.ours for f in each), sum(f.other or 0.0 for f in each)
            case = f"{size:,} concepts, batch of {rows}, all eight"
            each.append(Figure(case, ours, "s", "aesg", theirs, "faster", at_least(2) if goal else None, filled))
            figures += each
    return figures


def _one_forward(setting: Setting, pair: Pair, memory: AESGMemory, other: Any, rows: int, size: int) -> Figure:
    torch.manual_seed(0)
    side = SIDE if size >= min(SIZES) else SIDE // 4
    ours, theirs = pair.ours(memory).eval(), pair.theirs(other, side).eval()
    x = pair.given(rows, side)

    def reset_and(model: nn.Module) -> Tensor:
        other.reset_state()
        other.set_mode("INFERENCE")
        return model(x)

    sides: dict[str, Callable[[], object]] = {"ours": lambda: ours(x), "theirs": partial(reset_and, theirs)}
    with torch.no_grad():
        once = timed(sides["theirs"])
        if once > setting.seconds:  # so slow that once says enough
            took = in_turn({"ours": sides["ours"]}, 5) | {"theirs": once}
        else:
            took = in_turn(sides, rounds_within(sides, setting.seconds, 3, 20), warm_up=0)
    goal = at_least(1) if size >= GOAL_SIZE else None
    case = f"{size:,} concepts, batch of {rows}, {pair.name}"
    note = "one of its calls timed" if once > setting.seconds else ""
    return Figure(case, took["ours"], "s", "aesg", took["theirs"], "faster", goal, note)


# -- training ----------------------------------------------------------------------------------------------------------


def _trained(setting: Setting, pair: Pair, seeds: int, epochs: int, samples: int) -> list[Figure]:
    runs = [_one_seed(setting, pair, seed, epochs, samples) for seed in range(seeds)]
    concepts, others, full, empty, theirs = (list(column) for column in zip(*runs, strict=True))
    differences = [without - with_it for without, with_it in zip(empty, full, strict=True)]
    said = f"emptied: {mean(empty):.4f}, {mean(differences):+.4f} ± {stdev(differences):.4f}"
    if abs(mean(differences)) <= NOTHING * stdev(differences) / seeds**0.5:
        said += ", which is nothing"
    case = f"{pair.name} after {epochs} epochs"
    return [
        Figure(f"{case}: concepts", mean(concepts), "", "aesg", mean(others)),
        Figure(f"{case}: held-out loss", mean(full), "loss", "aesg", mean(theirs), note=said),
    ]


def _one_seed(
    setting: Setting, pair: Pair, seed: int, epochs: int, samples: int
) -> tuple[float, float, float, float, float]:
    """Concepts here and there, our loss on what was held out with memory and without, and ``aesg``'s with it."""
    data = pair.data(samples, seed)
    with tempfile.TemporaryDirectory(dir=setting.directory) as folder:
        memory = AESGMemory(f"{folder}/ours", AESGConfig(vector_dim=64, max_concepts=100_000))
        other = aesg.AESGMemory(f"{folder}/theirs", aesg.AESGConfig(vector_dim=64, max_concepts=10_000))
        with memory:
            torch.manual_seed(seed)
            ours = pair.ours(memory)
            _train(ours, memory, pair, data, epochs, seed, step=memory.step)
            concepts, full = memory.storage.node_count, _judged(ours, pair, data)
            memory.remove(memory.storage.nodes["id"].astype("int64"))
            empty = _judged(ours, pair, data)
        torch.manual_seed(seed)
        theirs = pair.theirs(other, data.train[0].shape[-1])
        _train(theirs, other, pair, data, epochs, seed, step=lambda: _reset(other))
        others = int(other.storage.nodes["is_active"][: other.storage.node_count].sum())
        other.set_mode("INFERENCE")
        other.reset_state()
        return concepts, others, full, empty, _judged(theirs, pair, data)


def _train(
    model: nn.Module, memory: Any, pair: Pair, data: Data, epochs: int, seed: int, step: Callable[[], Any]
) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(data.train[0]), generator=generator).split(BATCH):
            x, target = (side[rows] for side in data.train)
            with step():
                optimizer.zero_grad()
                pair.loss(_asked(model, pair, x, target), target).backward()
                optimizer.step()
            memory.update_topology()


def _judged(model: nn.Module, pair: Pair, data: Data) -> float:
    model.eval()
    with torch.no_grad():
        return float(pair.loss(_asked(model, pair, *data.judged), data.judged[1]))


def _asked(model: nn.Module, pair: Pair, x: Tensor, target: Tensor) -> Tensor:
    """What a model says; ours is fed what it takes beside the inputs."""
    given = pair.feed(target) if type(model).__module__.startswith("aesg_graph") else {}
    said: Tensor = model(x, **given)
    return said


@contextmanager
def _reset(other: Any) -> Iterator[None]:
    other.reset_state()
    yield


@contextmanager
def _one_thread() -> Iterator[None]:
    """Such small products are slower on two threads than on one, on a machine that does anything else."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
