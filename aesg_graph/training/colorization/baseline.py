"""The network to compare with: the same one, and as large, without its memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aesg_graph.errors import AESGTrainingError
from aesg_graph.nn.convolution import MemoryConvLayer

TOLERANCE = 0.01
"""By how much of itself the number of parameters may differ."""


class PlainConvLayer(nn.Module):
    """A :class:`MemoryConvLayer` in which a hidden layer stands where memory was.

    It sees all that memory was addressed by, speaks where memory spoke, and is as wide as makes the parameters equal.
    """

    def __init__(self, layer: MemoryConvLayer) -> None:
        super().__init__()
        out_channels = layer.convolution.out_channels
        self.per_position = layer.per_position
        self.pool = layer.pool
        self.convolution = layer.convolution
        steering = layer.addressing.steering
        features = layer.addressing.features + (0 if steering is None else steering.in_features)
        budget = parameter_count(layer) - parameter_count(layer.convolution)
        width = max(1, round(budget / (features + 1 + out_channels)))
        self.hidden = nn.Linear(features, width)
        self.spoken = nn.Linear(width, out_channels, bias=False)

    def forward(self, x: Tensor, *, value: Tensor | None = None, cue: Tensor | None = None) -> Tensor:
        """[B, C', H, W] of [B, C, H, W] and the cue that memory had; ``value`` is for memories, and not used."""
        own = x if self.per_position else self.pool(x).flatten(1)[..., None, None]
        given = [own] if cue is None else [own, cue if self.per_position else cue[..., None, None]]
        seen = torch.cat(given, 1).permute(0, 2, 3, 1)
        said = self.spoken(torch.relu(self.hidden(seen))).permute(0, 3, 1, 2)
        out: Tensor = self.convolution(x) + said
        return out


def without_memory(model: nn.Module) -> nn.Module:
    """The model with every memory layer replaced, in place; AESGTrainingError where that cannot be made as large."""
    before = parameter_count(model)
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, MemoryConvLayer)]
    if not layers:
        raise AESGTrainingError(f"got a {type(model).__name__} without a MemoryConvLayer, expected one to replace")
    for name, layer in layers:
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, PlainConvLayer(layer))
    after = parameter_count(model)
    if abs(after - before) > TOLERANCE * before:
        raise AESGTrainingError(f"got a baseline of {after} parameters, expected {before} within {TOLERANCE:.0%}")
    return model


def parameter_count(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
