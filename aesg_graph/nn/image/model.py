"""What image models share: an encoder, a layer at its end that recalls, sizes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.checking import check_count, check_input, check_memory
from aesg_graph.nn.convolution import MemoryConvLayer
from aesg_graph.nn.sizes import Place, Size, memory_for
from aesg_graph.settings import StoreSettings

GRID = 8
"""A picture addresses memory by its pixels, averaged to so many each way."""
FINER = 2
"""Where positions recall, each does by so many each way of its own."""


class ImageModel(nn.Module):
    """Blocks that each halve a picture and double the channels, then a layer that recalls.

    ``small()``, ``medium()`` and ``large()`` make a model and its memory in ``storage_dir``, by default
    ``./aesg_memory/<model>-<vector_dim>``. ``config`` says what the memory is instead of the size's 64, 128 or 256
    dimensions and 100,000 concepts; ``stores`` where it lives; other keywords are those of the constructor.
    """

    domain: ClassVar[str] = "image"
    """What kind of task this is for; the evaluator goes by it."""
    folder: ClassVar[str]
    """How the model is called in the name of its memory's folder."""

    def __init__(
        self,
        in_channels: int,
        base_filters: int,
        num_blocks: int,
        memory: AESGMemory,
        *,
        per_position: bool,
        keys: Keys,
    ) -> None:
        super().__init__()
        self.in_channels = check_count(in_channels, "in_channels")
        check_count(base_filters, "base_filters")
        self.shrinks = 2 ** check_count(num_blocks, "num_blocks")
        """How many times smaller a picture is after the blocks, each way."""
        self.memory = check_memory(memory)
        self.widths = [base_filters * 2**place for place in range(num_blocks)]
        self.encoder = nn.Sequential(*(_halving(given, made) for given, made in pairwise([in_channels, *self.widths])))
        deepest = self.widths[-1]
        self.per_position = per_position
        self.recalling = MemoryConvLayer(
            deepest,
            deepest,
            memory,
            per_position=per_position,
            keys=keys,
            cue_size=in_channels * (FINER if per_position else GRID) ** 2,
        )

    @classmethod
    def _made(
        cls,
        size: Size,
        storage_dir: Place,
        config: AESGConfig | None,
        stores: StoreSettings | None,
        structure: dict[str, Any],
    ) -> Self:
        memory = memory_for(cls.folder, size, storage_dir, config, stores)
        sized = {"base_filters": size.base_filters, "num_blocks": size.num_blocks}
        try:
            return cls(memory=memory, **(sized | structure))
        except BaseException:
            memory.close()
            raise

    def encoded(self, x: Tensor, value: Tensor | None) -> Tensor:
        """What the blocks and the recalling layer make of pictures: [B, C', H / s, W / s], s being ``shrinks``."""
        hidden = self.encoder(x)
        out: Tensor = torch.relu(self.recalling(hidden, value=value, cue=self._cue(x, hidden)))
        return out

    def _cue(self, x: Tensor, hidden: Tensor) -> Tensor:
        """What memory is addressed by: pixels, which no training moves, as those of a small picture."""
        if not self.per_position:
            return nn.functional.adaptive_avg_pool2d(x, GRID).flatten(1)
        finer = nn.functional.adaptive_avg_pool2d(x, (FINER * hidden.shape[2], FINER * hidden.shape[3]))
        return nn.functional.pixel_unshuffle(finer, FINER)

    def pictures(self, given: Any, *, whole: bool) -> Tensor:
        """Pictures [B, C, H, W] that the blocks can take; ``whole``: without losing a border.

        Raises AESGMemoryError for another shape or number of channels, for pictures that are too small, and, if
        ``whole``, for sides that ``shrinks`` does not divide.
        """
        x = check_input(given, "x", "B", self.in_channels, "H", "W")
        height, width = x.shape[2:]
        if min(height, width) < self.shrinks:
            raise AESGMemoryError(
                f"x has pictures of {height} x {width}, expected at least {self.shrinks} x {self.shrinks}"
            )
        if whole and (height % self.shrinks or width % self.shrinks):
            raise AESGMemoryError(
                f"x has pictures of {height} x {width}, expected a height and a width that {self.shrinks} divides"
            )
        return x


def _halving(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(given, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU(), nn.MaxPool2d(2))
