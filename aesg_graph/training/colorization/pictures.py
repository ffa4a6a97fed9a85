"""Pictures to colour: tiles for training and tiles for judging, which share no pixel."""

from __future__ import annotations

import importlib.resources
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aesg_graph.training.colorization.cifar import cifar_pictures
from aesg_graph.training.evaluation.extras import extra

Photograph = npt.NDArray[np.uint8]
"""[H, W, 3]"""

JUDGED = 0.2
"""The share of pictures, and of each photograph, that is kept for judging."""
BUNDLED = (
    ("sklearn.datasets.images", "china.jpg"),
    ("sklearn.datasets.images", "flower.jpg"),
    ("skimage.data", "astronaut.png"),
    ("skimage.data", "chelsea.png"),
    ("skimage.data", "coffee.png"),
    ("skimage.data", "rocket.jpg"),
    ("skimage.data", "motorcycle_left.png"),
)
"""Photographs that come with scikit-learn and scikit-image, by package; what a version lacks is left out."""
LUMA = (0.299, 0.587, 0.114)
"""How much of red, green and blue makes gray (ITU-R BT.601)."""


@dataclass(frozen=True)
class Pictures:
    """Colour pictures [N, 3, S, S] in [0, 1] to train on and to judge by, and where they come from, in words."""

    train: Tensor
    judged: Tensor
    source: str


def gray(colour: Tensor) -> Tensor:
    """[N, 1, H, W] of [N, 3, H, W]."""
    weights = colour.new_tensor(LUMA).reshape(3, 1, 1)
    return (colour * weights).sum(-3, keepdim=True)


def load(dataset: str, count: int, size: int, directory: Path) -> Pictures:
    """``count`` pictures of ``size`` by ``size`` pixels; nothing is ever fetched from the network."""
    if dataset == "cifar10":
        if (found := cifar_pictures(directory, count)) is not None:
            return _whole(found, size)
        return photographs(count, size, f"CIFAR-10 was asked for and is not in {directory}, so: ")
    return photographs(count, size)


def photographs(count: int, size: int, preface: str = "") -> Pictures:
    """Tiles of the bundled photographs.

    Every photograph is cut across its longer side: training tiles come from the first 80 % of it, judged ones from
    the rest. Tiles are squares of at most ``size`` pixels that fit into either part, scaled to ``size``.
    """
    found = bundled()
    chance = np.random.default_rng(0)  # the tiles are the data: the same for every seed of the benchmark
    judged = max(1, round(JUDGED * count))
    train_tiles, judged_tiles = [], []
    for place, photograph in enumerate(found.values()):
        seen, kept = parts(photograph)
        side = min(size, *kept.shape[:2], *seen.shape[:2])
        train_tiles += cut(seen, side, size, _share(count - judged, place, len(found)), chance)
        judged_tiles += cut(kept, side, size, _share(judged, place, len(found)), chance)
    source = (
        f"{preface}tiles of the {len(found)} photographs bundled with scikit-learn and scikit-image "
        f"({', '.join(found)}); training tiles from the first 80 % of each photograph, judged ones from the rest, so "
        "that they share no pixel (tiles of one part overlap)"
    )
    return Pictures(_tensor(train_tiles), _tensor(judged_tiles), source)


def bundled() -> dict[str, Photograph]:
    """The photographs that are there, by name."""
    found = {}
    for package, name in BUNDLED:
        extra(package)
        file = importlib.resources.files(package) / name
        if file.is_file():
            picture = extra("PIL.Image").open(io.BytesIO(file.read_bytes())).convert("RGB")
            found[name.partition(".")[0]] = np.asarray(picture)
    return found


def parts(photograph: Photograph) -> tuple[Photograph, Photograph]:
    """What may be seen in training, and what is kept for judging."""
    axis = int(photograph.shape[1] >= photograph.shape[0])
    border = round((1 - JUDGED) * photograph.shape[axis])
    seen, kept = np.split(photograph, [border], axis)
    return seen, kept


def cut(part: Photograph, side: int, size: int, count: int, chance: np.random.Generator) -> list[Photograph]:
    """Squares of ``side`` pixels from anywhere in a part, scaled to ``size``."""
    tops = chance.integers(0, part.shape[0] - side + 1, count)
    lefts = chance.integers(0, part.shape[1] - side + 1, count)
    tiles = (part[top : top + side, left : left + side] for top, left in zip(tops, lefts, strict=True))
    return [_scaled(tile, size) for tile in tiles]


def _whole(found: Photograph, size: int) -> Pictures:
    tiles = [_scaled(picture, size) for picture in found]
    border = len(tiles) - max(1, round(JUDGED * len(tiles)))
    source = f"the first {len(tiles)} pictures of CIFAR-10; the last {len(tiles) - border} of them are judged"
    return Pictures(_tensor(tiles[:border]), _tensor(tiles[border:]), source)


def _scaled(tile: Photograph, size: int) -> Photograph:
    if tile.shape[0] == size:
        return tile
    image: Any = extra("PIL.Image")
    scaled: Photograph = np.asarray(image.fromarray(tile).resize((size, size), image.Resampling.BILINEAR))
    return scaled


def _share(count: int, place: int, of: int) -> int:
    """How many of ``count`` fall to one of several places."""
    return count * (place + 1) // of - count * place // of


def _tensor(tiles: list[Photograph]) -> Tensor:
    return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 255
