"""In which order data comes: the generators that draw it, the trainer's own and those of a user's loader."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from aesg_graph.training.data import generators

log = logging.getLogger("aesg_graph")


class Order:
    """The generators of the data's order.

    Attributes
    ----------
    own: draws the order of Datasets and lists.
    loaders: those of the loader that was trained with last.
    awaited: states that a checkpoint had for a loader's generators; the next loader gets them.
    """

    def __init__(self, seed: int) -> None:
        self.own = torch.Generator().manual_seed(seed)
        self.loaders: list[torch.Generator] = []
        self.awaited: list[Tensor] = []

    def followed_by(self, loader: DataLoader[Any]) -> DataLoader[Any]:
        """Training goes on with this loader, in the order that a checkpoint was going to."""
        self.loaders = [one for one in generators(loader) if one is not self.own]
        if self.awaited and len(self.awaited) != len(self.loaders):
            log.warning(
                "the checkpoint was saved with a loader of %d generators, this one has %d; its order is its own",
                len(self.awaited),
                len(self.loaders),
            )
        elif self.awaited:
            for generator, state in zip(self.loaders, self.awaited, strict=True):
                generator.set_state(state)
        self.awaited = []
        return loader
