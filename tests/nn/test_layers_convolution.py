"""The convolution with a memory: any size of map, by picture or by position."""

import pytest
import torch
from layer_scenes import B, C

from aesg_graph import AESGMemoryError
from aesg_graph.nn import MemoryConvLayer


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def layer(memory, size=(5, 6), **options):
    made = MemoryConvLayer(C, 4, memory, **options)
    for _ in range(3):
        made(torch.randn(B, C, *size))
    return made.eval()


@pytest.mark.parametrize("per_position", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (4, 4), (7, 5), (16, 12)])
def test_maps_of_any_size_keep_it(opened, size, per_position):
    recalling = MemoryConvLayer(C, 4, opened(), per_position=per_position)
    for _ in range(2):
        output = recalling(torch.randn(B, C, *size))
        output.sum().backward()
    assert output.shape == (B, 4, *size)


def test_one_layer_takes_maps_of_several_sizes(opened):
    recalling = layer(opened())
    assert [recalling(torch.randn(1, C, side, side)).shape[-1] for side in (2, 5, 8)] == [2, 5, 8]


def test_a_picture_recalls_once_and_all_its_positions_hear_the_same(opened):
    recalling, x = layer(opened()), torch.randn(B, C, 5, 6)
    heard = recalling(x) - recalling.convolution(x)
    assert heard.abs().max() > 1e-3
    torch.testing.assert_close(heard, heard[:, :, :1, :1].expand_as(heard))


def test_each_position_recalls_for_itself(opened):
    memory = opened()
    recalling, x = layer(memory, per_position=True), torch.randn(B, C, 5, 6)
    before = int(memory._clock)
    heard = recalling(x) - recalling.convolution(x)
    assert int(memory._clock) - before == 1
    changed = x.clone()
    changed[0, :, 0, 0] = torch.randn(C) * 3
    other = recalling(changed) - recalling.convolution(changed)
    moved = (other - heard).abs().amax(1) > 1e-4
    assert moved[0, 0, 0]
    assert moved.sum() == 1


def test_what_positions_mean_is_a_map(opened):
    memory = opened(value_dim=3)
    recalling = MemoryConvLayer(C, 4, memory, per_position=True)
    for bad in (torch.zeros(B, 3), torch.zeros(B, 3, 6, 5, 1), torch.zeros(B, 2, 5, 6), torch.zeros(B, 3, 6, 5)):
        with pytest.raises(AESGMemoryError, match="value has shape"):
            recalling(torch.randn(B, C, 5, 6), value=bad)
    assert memory.storage.node_count == 0
