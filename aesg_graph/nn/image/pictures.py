"""Models that give back pictures: colorization and reconstruction."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from aesg_graph.config import AESGConfig
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.image.model import ImageModel
from aesg_graph.nn.sizes import LARGE, MEDIUM, SMALL, Place
from aesg_graph.settings import StoreSettings


class PictureModel(ImageModel):
    """An encoder, a layer that recalls, and a decoder that doubles a picture as often as the encoder halved it."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        base_filters: int,
        num_blocks: int,
        memory: AESGMemory,
        *,
        per_position: bool,
        keys: Keys,
    ) -> None:
        super().__init__(in_channels, base_filters, num_blocks, memory, per_position=per_position, keys=keys)
        widths = self.widths[::-1]
        doublings = [_doubling(given, made) for given, made in pairwise(widths)]
        self.decoder = nn.Sequential(*doublings, nn.ConvTranspose2d(widths[-1], out_channels, 2, stride=2))

    def forward(self, x: Tensor, *, value: Tensor | None = None) -> Tensor:
        """Pictures of the size of ``x`` [B, C, H, W], in [0, 1].

        ``value`` [B, V] is what pictures mean, for a memory with values. Raises AESGMemoryError for pictures of other
        channels, or whose sides 2 to the power of ``num_blocks`` does not divide.
        """
        hidden = self.encoded(self.pictures(x, whole=True), value)
        return torch.sigmoid(self.decoder(hidden))

    @classmethod
    def small(
        cls,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """32 filters, 3 blocks, 64 dimensions of memory."""
        return cls._made(SMALL, storage_dir, config, stores, structure)

    @classmethod
    def medium(
        cls,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """64 filters, 4 blocks, 128 dimensions of memory."""
        return cls._made(MEDIUM, storage_dir, config, stores, structure)

    @classmethod
    def large(
        cls,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """128 filters, 5 blocks, 256 dimensions of memory."""
        return cls._made(LARGE, storage_dir, config, stores, structure)


class AESGColorizationNet(PictureModel):
    """Grey pictures [B, 1, H, W] to colour ones [B, 3, H, W], values in [0, 1].

    Parameters
    ----------
    base_filters: channels of the first block; each further block has twice as many.
    num_blocks: how many; 2 to that power must divide a picture's sides.
    memory: what it recalls from; the model has it as ``memory``.
    bottleneck_size: accepted as ``aesg`` users give it, and not needed: pictures of any size pass.
    in_channels: of the pictures that are coloured.
    per_position: each position of the last map recalls for itself, instead of once a picture.
    keys: what keys are made by, see :class:`~aesg_graph.nn.Addressing`.
    """

    folder = "colorization-net"

    def __init__(
        self,
        base_filters: int,
        num_blocks: int,
        memory: AESGMemory,
        bottleneck_size: int | None = None,
        *,
        in_channels: int = 1,
        per_position: bool = False,
        keys: Keys = "frozen",
    ) -> None:
        super().__init__(in_channels, 3, base_filters, num_blocks, memory, per_position=per_position, keys=keys)


class AESGCNNAutoencoder(PictureModel):
    """Pictures [B, C, H, W] through a narrow middle and back, values in [0, 1].

    Parameters are those of :class:`AESGColorizationNet`, with 3 channels in and as many out as in.
    """

    folder = "cnn-autoencoder"

    def __init__(
        self,
        base_filters: int,
        num_blocks: int,
        memory: AESGMemory,
        bottleneck_size: int | None = None,
        in_channels: int = 3,
        *,
        per_position: bool = False,
        keys: Keys = "frozen",
    ) -> None:
        super().__init__(
            in_channels, in_channels, base_filters, num_blocks, memory, per_position=per_position, keys=keys
        )


def _doubling(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(given, made, 2, stride=2), nn.BatchNorm2d(made), nn.ReLU())
