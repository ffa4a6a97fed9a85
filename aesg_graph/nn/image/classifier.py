"""A classifier of pictures."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor, nn

from aesg_graph.config import AESGConfig
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.image.model import ImageModel
from aesg_graph.nn.sizes import LARGE, MEDIUM, SMALL, Place, counted
from aesg_graph.settings import StoreSettings


class AESGCNNClassifier(ImageModel):
    """A convolutional classifier that recalls by what its last block found in a picture.

    Parameters
    ----------
    base_filters: channels of the first block; each further block has twice as many.
    num_blocks: how many; a picture's sides must be at least 2 to that power.
    memory: what it recalls from; the model has it as ``memory``.
    bottleneck_size: accepted as ``aesg`` users give it, and not needed: pictures of any size pass.
    num_classes: how many classes there are.
    in_channels: of the pictures.
    per_position: each position of the last map recalls for itself, instead of once a picture.
    keys: what keys are made by, see :class:`~aesg_graph.nn.Addressing`.
    """

    domain = "classification"
    folder = "cnn-classifier"

    def __init__(
        self,
        base_filters: int,
        num_blocks: int,
        memory: AESGMemory,
        bottleneck_size: int | None = None,
        num_classes: int = 10,
        *,
        in_channels: int = 3,
        per_position: bool = False,
        keys: Keys = "frozen",
    ) -> None:
        super().__init__(in_channels, base_filters, num_blocks, memory, per_position=per_position, keys=keys)
        self.num_classes = counted(num_classes, "num_classes")
        self.output = nn.Linear(self.widths[-1], num_classes)

    def forward(self, x: Tensor, *, value: Tensor | None = None) -> Tensor:
        """Logits [B, num_classes] of pictures [B, C, H, W].

        ``value`` [B, V] is what pictures mean, for a memory with values. Raises AESGMemoryError for pictures of other
        channels, or too small.
        """
        hidden = self.encoded(self.pictures(x, whole=False), value)
        logits: Tensor = self.output(hidden.mean((2, 3)))
        return logits

    @classmethod
    def small(
        cls,
        num_classes: int = 10,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """32 filters, 3 blocks, 64 dimensions of memory."""
        chosen = structure | {"num_classes": counted(num_classes, "num_classes")}
        return cls._made(SMALL, storage_dir, config, stores, chosen)

    @classmethod
    def medium(
        cls,
        num_classes: int = 10,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """64 filters, 4 blocks, 128 dimensions of memory."""
        chosen = structure | {"num_classes": counted(num_classes, "num_classes")}
        return cls._made(MEDIUM, storage_dir, config, stores, chosen)

    @classmethod
    def large(
        cls,
        num_classes: int = 10,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """128 filters, 5 blocks, 256 dimensions of memory."""
        chosen = structure | {"num_classes": counted(num_classes, "num_classes")}
        return cls._made(LARGE, storage_dir, config, stores, chosen)
