"""What holds for every layer with a memory."""

import pytest
import torch

from aesg_graph.nn import MemoryConvLayer, MemoryGRUCell, MemoryLSTMCell, MemoryTransformerLayer

B, T, E = 3, 6, 8


def gru(memory, **options):
    return MemoryGRUCell(E, 5, memory, **options), torch.randn(B, E), (B, 5)


def lstm(memory, **options):
    return MemoryLSTMCell(E, 5, memory, **options), torch.randn(B, E), (B, 5)


def transformer(memory, **options):
    return MemoryTransformerLayer(E, 2, memory, dropout=0.0, **options), torch.randn(B, T, E), (B, T, E)


def each_position(memory, **options):
    return transformer(memory, per_position=True, **options)


def causal(memory, **options):
    return transformer(memory, causal=True, **options)


def convolution(memory, **options):
    return MemoryConvLayer(2, 4, memory, **options), torch.randn(B, 2, 5, 6), (B, 4, 5, 6)


def each_pixel(memory, **options):
    return convolution(memory, per_position=True, **options)


LAYERS = [gru, lstm, transformer, each_position, causal, convolution, each_pixel]


def first(output):
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("make", LAYERS)
def test_a_layer_keeps_its_shape_and_its_addressing_is_taught(opened, make):
    torch.manual_seed(0)
    memory = opened()
    layer, x, shape = make(memory)
    for _ in range(3):
        layer.zero_grad()
        output = first(layer(x + torch.randn_like(x)))
        assert output.shape == shape
        output.square().sum().backward()
    addressing = next(module for name, module in layer.named_modules() if name.endswith("addressing"))
    assert addressing.projection.grad.abs().max() > 0
    assert memory.storage.node_count > 0
