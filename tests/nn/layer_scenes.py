"""Every layer with a memory, small, with something to give it."""

from typing import NamedTuple

import torch
from torch import nn

from aesg_graph.nn import Addressing, MemoryConvLayer, MemoryGRUCell, MemoryLSTMCell, MemoryTransformerLayer

B, T, E, H, C, V = 3, 6, 8, 5, 2, 3


class Scene(NamedTuple):
    """How to make a layer, the shape of what it takes and gives, and the shape of what rows mean."""

    name: str
    kind: type
    sizes: tuple
    options: dict
    takes: tuple
    gives: tuple
    means: tuple = (B, V)

    def build(self, memory, **options):
        return self.kind(*self.sizes, memory, **self.options, **options)

    def batch(self, seed=0):
        return torch.randn(self.takes, generator=torch.Generator().manual_seed(seed))

    def meaning(self, seed=0):
        return torch.randn(self.means, generator=torch.Generator().manual_seed(seed))


STILL = {"dropout": 0.0}
LAYERS = [
    Scene("gru", MemoryGRUCell, (E, H), {}, (B, E), (B, H)),
    Scene("lstm", MemoryLSTMCell, (E, H), {}, (B, E), (B, H)),
    Scene("transformer", MemoryTransformerLayer, (E, 2), STILL, (B, T, E), (B, T, E)),
    Scene("positions", MemoryTransformerLayer, (E, 2), {**STILL, "per_position": True}, *[(B, T, E)] * 2, (B, T, V)),
    Scene("causal", MemoryTransformerLayer, (E, 2), {**STILL, "causal": True}, *[(B, T, E)] * 2, (B, T, V)),
    Scene("convolution", MemoryConvLayer, (C, 4), {}, (B, C, 5, 6), (B, 4, 5, 6)),
    Scene("pixels", MemoryConvLayer, (C, 4), {"per_position": True}, (B, C, 5, 6), (B, 4, 5, 6), (B, V, 5, 6)),
]


def first(output):
    """The hidden state of what a cell gives, or what another layer gives."""
    return output[0] if isinstance(output, tuple) else output


def addressing(layer: nn.Module) -> Addressing:
    return next(module for module in layer.modules() if isinstance(module, Addressing))


def hearing(layer: nn.Module) -> torch.Tensor:
    """The weights by which a layer hears what memory says."""
    if isinstance(layer, MemoryConvLayer):
        return layer.spoken.weight
    if isinstance(layer, MemoryTransformerLayer):
        return layer.recollection.out.weight
    return layer.cell.weight_ih[:, E:]


def taught(layer, scene, calls=3, value=None):
    """The layer after a few calls in training, in evaluation."""
    layer.train()
    for seed in range(calls):
        layer(scene.batch(seed), **({} if value is None else {"value": value}))
    return layer.eval()
