"""The sides of a stream of characters. Each predicts a block of them, and only then learns it.

A side beside the frozen model gives, for each character, the probability ``said`` that it had for it and the ``mass``
that it gave to all; what the two say together is ``share * said + (1 - share * mass) * frozen``.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aesg_graph import AESGConfig
from helps.character_model import CLIP, CharacterModel
from helps.memories import passing_memory
from helps.problems import one_hot
from helps.streams import ALPHABET, Codes

BLOCK = 64
MOST_NEIGHBOURS = 256


@dataclass(frozen=True, eq=False)
class Passing:
    """A stream as the frozen model sees it: keys [N, H] (its states, centred), what comes next [N], and the
    probability [N] that the model had for that.
    """

    keys: Tensor
    following: Tensor
    frozen: Tensor


@dataclass(frozen=True, eq=False)
class Said:
    """What a side said of each of N characters, and how many entries it had in the end."""

    said: Tensor
    mass: Tensor
    entries: int

    def bits(self, frozen: Tensor, share: float) -> float:
        """Bits per character together with the frozen model."""
        return bits(share * self.said + (1 - share * self.mass) * frozen)


def bits(probabilities: Tensor) -> float:
    """The mean cost of characters that had these probabilities."""
    return float(-probabilities.double().clamp_min(1e-12).log2().mean())


@torch.no_grad()
def passing(model: CharacterModel, codes: Codes, centre: Tensor) -> Passing:
    """Let a stream pass the frozen model."""
    stream = torch.tensor(codes)
    states, _ = model.states(stream[None, :-1])
    chances = torch.softmax(model.head(states[0]), -1)
    return Passing(states[0] - centre, stream[1:], chances.gather(1, stream[1:, None])[:, 0])


@torch.no_grad()
def centre(model: CharacterModel, codes: Codes) -> Tensor:
    """The mean state [H] over a text that the model was trained on."""
    states, _ = model.states(torch.tensor(codes)[None])
    return states[0].mean(0)


def fine_tuned(model: CharacterModel, codes: Codes, rate: float) -> float:
    """Bits per character of the model itself when it takes a step of SGD after each block: dynamic evaluation
    (Krause et al. 2018).
    """
    own, stream, last = copy.deepcopy(model), torch.tensor(codes)[None], None
    optimizer = torch.optim.SGD(own.parameters(), lr=rate)
    costs = []
    for start in range(0, stream.shape[1] - 1, BLOCK):
        block, last = own.loss(stream[:, start : start + BLOCK + 1], last)
        costs.append(torch.exp(-block.detach()[0]))
        optimizer.zero_grad()
        block.mean().backward()
        nn.utils.clip_grad_norm_(own.parameters(), CLIP)
        optimizer.step()
        last = last.detach()
    return bits(torch.cat(costs))


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest earlier states of each of N characters: cosines [N, 256], and whether the right one followed them."""

    cosines: Tensor
    right: Tensor
    entries: int

    def say(self, k: int, temperature: float) -> Said:
        """A kNN language model's answer (Khandelwal et al. 2020); before the first entry it says nothing."""
        shares = torch.softmax(self.cosines[:, :k] / temperature, -1).nan_to_num(0.0)
        return Said((shares * self.right[:, :k]).sum(-1), shares.sum(-1), self.entries)


def nearest(stream: Passing, window: int | None = None) -> Nearest:
    """Every state is an entry, or the last ``window`` of them."""
    keys = nn.functional.normalize(stream.keys)
    cosines = torch.full((len(keys), MOST_NEIGHBOURS), -torch.inf)
    right = torch.zeros(len(keys), MOST_NEIGHBOURS)
    for start in range(BLOCK, len(keys), BLOCK):
        rows = slice(start, start + BLOCK)
        first = 0 if window is None else max(0, start - window)
        near, which = (keys[rows] @ keys[first:start].T).topk(min(MOST_NEIGHBOURS, start - first))
        cosines[rows, : near.shape[1]] = near
        right[rows, : near.shape[1]] = (stream.following[first + which] == stream.following[rows, None]).float()
    return Nearest(cosines, right, min(len(keys), window or len(keys)))


@dataclass(frozen=True)
class Recalled:
    """The parameters of a memory from states to the characters that follow."""

    explanation: float
    temperature: float = 0.1
    boost: float = 0.0
    seeds: int = 32

    def say(self, stream: Passing, most: int) -> Said:
        """Let the stream pass a memory of at most so many concepts, in a folder that is removed."""
        config = AESGConfig(
            vector_dim=stream.keys.shape[1],
            value_dim=ALPHABET,
            max_concepts=most,
            seeds=self.seeds,
            top_k=self.seeds,
            spreading_activation_steps=0,
            relevance_boost=self.boost,
            consolidation_epoch_interval=1,
            novelty_explanation_threshold=self.explanation,
            novelty_birth_threshold=1,
            read_temperature=self.temperature,
        )
        said, mass = torch.zeros(len(stream.keys)), torch.zeros(len(stream.keys))
        values = one_hot(stream.following, ALPHABET)
        with passing_memory(config) as memory:
            for start in range(0, len(said), BLOCK):
                rows = slice(start, start + BLOCK)
                # It answers first, and then learns what followed.
                read = memory.retrieve(stream.keys[rows], value=values[rows]).read()
                said[rows] = (read * values[rows]).sum(-1)
                mass[rows] = read.sum(-1)
                memory.update_topology()
            return Said(said, mass, memory.storage.node_count)
