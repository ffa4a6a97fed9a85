"""A convolution to whose map is added what pictures, or positions, recall."""

from __future__ import annotations

from torch import Tensor, nn

from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Addressing, Keys
from aesg_graph.nn.checking import check_count, check_input
from aesg_graph.nn.readout import read_width

GRID = 4
"""A picture asks memory by its features in so many by so many cells."""


class MemoryConvLayer(nn.Module):
    """A 3 x 3 convolution, plus what memory says through a 1 x 1 projection.

    Parameters
    ----------
    in_channels, out_channels: C and C'.
    memory: what it recalls from.
    per_position: each position of the map recalls for itself; otherwise a picture recalls once, by its features pooled
        into 4 x 4 cells.
    keys, kind: see :class:`Addressing`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        memory: AESGMemory,
        *,
        per_position: bool = False,
        keys: Keys = "frozen",
        kind: str | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = check_count(in_channels, "in_channels")
        self.per_position = per_position
        features = in_channels if per_position else in_channels * GRID * GRID
        self.addressing = Addressing(memory, features, keys=keys, kind=kind)
        self.convolution = nn.Conv2d(in_channels, check_count(out_channels, "out_channels"), 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(GRID)
        self.spoken = nn.Conv2d(read_width(memory), out_channels, 1, bias=False)

    def forward(self, x: Tensor, *, value: Tensor | None = None) -> Tensor:
        """[B, C', H, W] of [B, C, H, W], any H and W; ``value`` [B, V] is what pictures mean.

        Per position it is [B, H W, V].
        """
        check_input(x, "x", ("B", "C", "H", "W"), {"C": self.in_channels})
        if self.per_position:
            read = self.addressing.recall(x.flatten(2).transpose(1, 2), value).read()
            said = read.transpose(1, 2).reshape(len(x), -1, *x.shape[2:])
        else:
            said = self.addressing.recall(self.pool(x).flatten(1), value).read()[..., None, None]
        out: Tensor = self.convolution(x) + self.spoken(said)
        return out


class AESG_CNNLayer(MemoryConvLayer):  # noqa: N801
    """:class:`MemoryConvLayer` as users of ``aesg`` make it; ``map_size`` is accepted, and not needed."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        memory: AESGMemory,
        map_size: int | None = None,
        *,
        per_position: bool = False,
        keys: Keys = "frozen",
        kind: str | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, memory, per_position=per_position, keys=keys, kind=kind)
