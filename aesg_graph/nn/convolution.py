"""A convolution to whose map is added what pictures, or positions, recall."""

from __future__ import annotations

from torch import Tensor, nn

from aesg_graph.errors import AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Addressing, Keys
from aesg_graph.nn.checking import check_count, check_input
from aesg_graph.nn.readout import read_width

GRID = 4
"""A picture addresses memory by its features in so many by so many cells."""


class MemoryConvLayer(nn.Module):
    """A 3 x 3 convolution that keeps the map's size, plus what memory says through a 1 x 1 projection.

    Parameters
    ----------
    in_channels, out_channels: C and C'.
    memory: what it recalls from.
    per_position: each position of the map recalls for itself, by its channels; otherwise a picture recalls once, by its
        map pooled into 4 x 4 cells.
    keys, kind: see :class:`Addressing`.
    cue_size: F, where ``forward`` is given cues to address memory by; None: memory is addressed by the map itself.

    Raises AESGConfigError for what it cannot be made of.
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
        cue_size: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = check_count(in_channels, "in_channels")
        self.per_position = per_position
        self.cue_size = None if cue_size is None else check_count(cue_size, "cue_size")
        own = in_channels if per_position else in_channels * GRID * GRID
        steered_by = 0 if cue_size is None else own
        self.addressing = Addressing(memory, cue_size or own, keys=keys, kind=kind, steered_by=steered_by)
        self.pool = nn.AdaptiveAvgPool2d(GRID)
        self.convolution = nn.Conv2d(in_channels, check_count(out_channels, "out_channels"), 3, padding=1)
        self.spoken = nn.Conv2d(read_width(self.addressing.memory), out_channels, 1, bias=False)

    def forward(self, x: Tensor, *, value: Tensor | None = None, cue: Tensor | None = None) -> Tensor:
        """[B, C', H, W] of [B, C, H, W], any H and W.

        ``value`` is what pictures mean, [B, V], or, per position, [B, V, H, W]. ``cue`` [B, F], or [B, F, H, W] per
        position: what memory is addressed by.

        Raises AESGMemoryError for shapes that do not fit, and for a cue where none is expected or the reverse.
        """
        check_input(x, "x", "B", self.in_channels, "H", "W")
        own = _positions(x) if self.per_position else self.pool(x).flatten(1)
        meant = value
        if self.per_position and value is not None:
            meant = _positions(check_input(value, "value", len(x), "V", *x.shape[2:]))
        if self.cue_size is None:
            if cue is not None:
                raise AESGMemoryError("A cue was given to a layer without cue_size, expected none")
            read = self.addressing.recall(own, meant).read()
        else:
            read = self.addressing.recall(self._cue(cue, x), meant, steer=own).read()
        said = read.transpose(-1, -2).reshape(len(x), -1, *x.shape[2:]) if self.per_position else read[..., None, None]
        out: Tensor = self.convolution(x) + self.spoken(said)
        return out

    def _cue(self, cue: Tensor | None, x: Tensor) -> Tensor:
        assert self.cue_size is not None
        if self.per_position:
            return _positions(check_input(cue, "cue", len(x), self.cue_size, *x.shape[2:]))
        return check_input(cue, "cue", len(x), self.cue_size)


def _positions(map: Tensor) -> Tensor:
    """[B, H W, C] of [B, C, H, W]."""
    return map.flatten(2).transpose(1, 2)


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
        cue_size: int | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, memory, per_position=per_position, keys=keys, kind=kind, cue_size=cue_size
        )
