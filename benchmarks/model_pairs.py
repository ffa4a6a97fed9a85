"""The eight models, ours and ``aesg``'s, in their small size, and small real data to train them on."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aesg
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from aesg_graph.nn import image, text
from aesg_graph.training.colorization.pictures import gray, photographs

SHAKESPEARE = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare" / "input.txt.gz"
STEPS = 16
"""Characters a row."""
SIDE = 16
"""Pixels a side."""
HELD_OUT = 128


@dataclass(frozen=True)
class Data:
    """Inputs and targets to train on, and others to judge by."""

    train: tuple[Tensor, Tensor]
    judged: tuple[Tensor, Tensor]

    def __post_init__(self) -> None:
        # Pictures from files have their channels last in memory, which ``aesg`` does not take.
        for name in ("train", "judged"):
            sides = tuple(torch.empty(side.shape, dtype=side.dtype).copy_(side) for side in getattr(self, name))
            object.__setattr__(self, name, sides)


@dataclass(frozen=True)
class Pair:
    """One of the eight models: how either side is made with a memory, and what it is trained on.

    ``theirs`` is made for pictures of a known size. ``feed`` says what our side gets beside the inputs.
    """

    name: str
    ours: Callable[[Any], nn.Module]
    theirs: Callable[[Any, int], nn.Module]
    data: Callable[[int, int], Data]
    given: Callable[[int, int], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    feed: Callable[[Tensor], dict[str, Tensor]] = lambda target: {}


def pairs() -> list[Pair]:
    """All eight."""
    return [
        _text("AESGGRUText"),
        _text("AESGLSTMText"),
        _text("AESGSeq2Seq", halves, lambda target: {"tgt": target}),
        _text("AESGDecoderLM"),
        _text("AESGTransformer", hidden_characters, nhead=4),
        _image("AESGCNNClassifier", 3, digits, nn.functional.cross_entropy),
        _image("AESGColorizationNet", 1, lambda *asked: tiles(*asked, coloured=False), nn.functional.mse_loss),
        _image("AESGCNNAutoencoder", 3, lambda *asked: tiles(*asked, coloured=True), nn.functional.mse_loss),
    ]


def per_character(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy in nats a character; of the characters that are asked for, where only some are."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100)


def _text(
    name: str,
    data: Callable[[int, int], Data] | None = None,
    feed: Callable[[Tensor], dict[str, Tensor]] = lambda target: {},
    **structure: int,
) -> Pair:
    size = {"vocab_size": vocabulary(), "hidden_size": 128, "num_layers": 1, **structure}
    return Pair(
        name,
        lambda memory: getattr(text, name)(memory=memory, **size),
        lambda memory, side: getattr(aesg, name)(memory=memory, **size),
        next_characters if data is None else data,
        lambda rows, side: torch.randint(0, vocabulary(), (rows, 2 * STEPS)),
        per_character,
        feed,
    )


def _image(
    name: str, channels: int, data: Callable[[int, int], Data], loss: Callable[[Tensor, Tensor], Tensor]
) -> Pair:
    size = {"base_filters": 32, "num_blocks": 3}
    return Pair(
        name,
        lambda memory: getattr(image, name)(memory=memory, **size),
        lambda memory, side: getattr(aesg, name)(memory=memory, bottleneck_size=side // 8, **size),
        data,
        lambda rows, side: torch.rand(rows, channels, side, side),
        loss,
    )


# -- data --------------------------------------------------------------------------------------------------------------


@cache
def characters() -> Tensor:
    """Tiny Shakespeare as ids of its characters, or this file where that is not there."""
    if SHAKESPEARE.exists():
        written = gzip.decompress(SHAKESPEARE.read_bytes()).decode()
    else:
        written = Path(__file__).read_text()
    places = {character: place for place, character in enumerate(sorted(set(written)))}
    return torch.tensor([places[character] for character in written])


def vocabulary() -> int:
    """How many characters there are."""
    return int(characters().max()) + 1


def _rows(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows of ``STEPS`` + 1 characters: ``count`` of the first 80 % of the text, ``HELD_OUT`` of the rest."""
    generator, written = torch.Generator().manual_seed(seed), characters()
    cut = int(0.8 * len(written))
    span = torch.arange(STEPS + 1)
    seen = torch.randint(0, cut - STEPS - 1, (count, 1), generator=generator)
    kept = torch.randint(cut, len(written) - STEPS - 1, (HELD_OUT, 1), generator=generator)
    return written[seen + span], written[kept + span]


def next_characters(count: int, seed: int) -> Data:
    """Each character from those before it."""
    seen, kept = _rows(count, seed)
    return Data((seen[:, :-1], seen[:, 1:]), (kept[:, :-1], kept[:, 1:]))


def halves(count: int, seed: int) -> Data:
    """The second half of a row from its first half."""
    middle = STEPS // 2
    seen, kept = (rows[:, :STEPS] for rows in _rows(count, seed))
    return Data((seen[:, :middle], seen[:, middle:]), (kept[:, :middle], kept[:, middle:]))


def hidden_characters(count: int, seed: int) -> Data:
    """One in seven characters, which is hidden, from those on both sides of it."""
    generator = torch.Generator().manual_seed(seed)

    def hidden(rows: Tensor) -> tuple[Tensor, Tensor]:
        asked = torch.rand(rows.shape, generator=generator) < 1 / 7
        return rows.masked_fill(asked, 0), rows.masked_fill(~asked, -100)

    seen, kept = (rows[:, :STEPS] for rows in _rows(count, seed))
    return Data(hidden(seen), hidden(kept))


def digits(count: int, seed: int) -> Data:
    """scikit-learn's digits, twice as large and in three channels."""
    found = load_digits()
    order = torch.randperm(len(found.images), generator=torch.Generator().manual_seed(seed))[: count + HELD_OUT]
    pictures = torch.from_numpy(found.images).float()[order].unsqueeze(1) / 16
    pictures = nn.functional.interpolate(pictures, size=(SIDE, SIDE)).repeat(1, 3, 1, 1)
    labels = torch.from_numpy(found.target)[order]
    return Data((pictures[:-HELD_OUT], labels[:-HELD_OUT]), (pictures[-HELD_OUT:], labels[-HELD_OUT:]))


@cache
def _tiles(count: int) -> tuple[Tensor, Tensor]:
    found = photographs(2 * count, SIDE)
    return found.train, found.judged


def tiles(count: int, seed: int, *, coloured: bool) -> Data:
    """Tiles of bundled photographs: colours from grey, or themselves."""
    seen, kept = _tiles(count)
    order = torch.randperm(len(seen), generator=torch.Generator().manual_seed(seed))[:count]
    sides = (seen[order], kept[:HELD_OUT])
    first, second = ((side if coloured else gray(side), side) for side in sides)
    return Data(first, second)
