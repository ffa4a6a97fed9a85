"""What holds for every layer with a memory."""

import copy
import pickle

import pytest
import torch
from layer_scenes import LAYERS, B, V, addressing, first, hearing, taught
from torch.utils.checkpoint import checkpoint

from aesg_graph import AESGConfigError, AESGMemoryError
from aesg_graph.nn import AESG_GRU, AESG_LSTM, AESG_CNNLayer, AESG_TransformerLayer

each = pytest.mark.parametrize("scene", LAYERS, ids=lambda scene: scene.name)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def retrievals(memory):
    return int(memory._clock)


@each
def test_a_layer_keeps_its_shape_and_its_addressing_is_taught(opened, scene):
    memory = opened()
    layer = scene.build(memory)
    layer(scene.batch(1))
    output = first(layer(scene.batch()))
    output.square().sum().backward()
    assert output.shape == scene.gives
    assert addressing(layer).projection.grad.abs().max() > 0
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in layer.parameters())
    assert memory.storage.node_count > 0


@each
def test_with_an_empty_memory_nothing_is_added_and_gradients_are_finite(opened, scene):
    layer = scene.build(opened()).eval()
    x = scene.batch().requires_grad_()
    output = first(layer(x))
    output.square().sum().backward()
    with torch.no_grad():
        hearing(layer).zero_()
    assert torch.equal(first(layer(x)), output)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in layer.parameters())
    assert torch.isfinite(x.grad).all()


@each
def test_each_row_recalls_for_itself(opened, scene):
    layer = taught(scene.build(opened(value_dim=0)), scene)
    batch, order = scene.batch(), torch.tensor([2, 0, 1])
    together = first(layer(batch))
    torch.testing.assert_close(first(layer(batch[order])), together[order], rtol=1e-4, atol=1e-5)
    for row in range(B):
        alone = first(layer(batch[row : row + 1]))
        torch.testing.assert_close(alone, together[row : row + 1], rtol=1e-4, atol=1e-5)
    other = torch.cat([batch[:1], scene.batch(9)[1:]])
    torch.testing.assert_close(first(layer(other))[:1], together[:1], rtol=1e-4, atol=1e-5)


@each
def test_one_retrieval_a_call_in_evaluation_and_two_in_training(opened, scene):
    memory = opened()
    layer = scene.build(memory)
    asked = []
    for training in (True, False):
        layer.train(training)
        before = retrievals(memory)
        layer(scene.batch())
        asked.append(retrievals(memory) - before)
    assert asked == [2, 1]


@each
def test_what_rows_mean_is_kept_and_read_out(opened, scene):
    memory = opened(value_dim=V)
    layer, meaning = scene.build(memory), scene.meaning()
    silent = first(copy.deepcopy(layer).eval()(scene.batch()))
    with memory.step():
        layer(scene.batch(), value=meaning)
    layer.eval()
    assert memory.storage.node_count > 0
    assert not torch.allclose(first(layer(scene.batch())), silent)


@each
def test_nothing_is_learned_in_evaluation(opened, scene):
    memory = opened()
    layer = scene.build(memory).eval()
    layer(scene.batch())
    assert memory.storage.node_count == 0
    assert int(addressing(layer).seen) == 0


@each
def test_a_state_dict_brings_back_what_a_layer_says_to_the_last_bit(opened, scene):
    memory = opened()
    layer = taught(scene.build(memory, keys="slow"), scene)
    torch.manual_seed(5)
    again = scene.build(memory, keys="slow").eval()
    again.load_state_dict(layer.state_dict())
    assert torch.equal(first(again(scene.batch())), first(layer(scene.batch())))


@each
def test_copies_and_pickles_say_the_same(opened, scene):
    memory = opened()
    layer = taught(scene.build(memory), scene)
    expected = first(layer(scene.batch()))
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(first(again(scene.batch())), expected)
        addressing(again).memory.close()


@each
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_train_and_come_back_as_they_came(opened, scene, dtype):
    layer = scene.build(opened()).to(dtype)
    for seed in range(2):
        output = first(layer(scene.batch(seed).to(dtype)))
        output.float().square().sum().backward()
    assert output.dtype == dtype
    assert addressing(layer).projection.grad.abs().max() > 0


@each
def test_autocast_changes_little(opened, scene):
    layer = taught(scene.build(opened()), scene)
    expected = first(layer(scene.batch()))
    with torch.autocast("cpu", torch.bfloat16):
        blurred = first(layer(scene.batch()))
    assert torch.allclose(blurred.float(), expected, atol=0.1)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("scene", [LAYERS[0], LAYERS[2], LAYERS[4], LAYERS[5]], ids=lambda scene: scene.name)
def test_recomputed_in_backward_a_layer_learns_once_and_has_the_same_gradient(opened, scene, reentrant):
    gradients, learned = [], []
    for recomputes in (True, False):
        torch.manual_seed(0)
        memory = opened(f"memory {recomputes}")
        layer = scene.build(memory)
        x = scene.batch().requires_grad_()
        with memory.step():
            layer(scene.batch(1))
        addressing(layer).warm_up = 0  # the mean has warmed up
        with memory.step():
            output = checkpoint(layer, x, use_reentrant=reentrant) if recomputes else layer(x)
            first(output).square().sum().backward()
        gradients.append([x.grad, *(p.grad for p in layer.parameters())])
        memory.flush()
        learned.append((memory.storage.node_count, int(memory.storage.nodes["use_frequency"].sum())))
    assert learned[0] == learned[1]
    for again, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain, rtol=1e-4, atol=1e-5)


@each
def test_two_layers_of_different_kinds_do_not_mix_on_one_memory(opened, scene):
    memory = opened()
    below, above = scene.build(memory, kind="below"), scene.build(memory, kind="above")
    taught(below, scene)
    silent = first(above.eval()(scene.batch()))
    taught(above, scene)
    assert not torch.equal(first(above(scene.batch())), silent)
    kinds = {memory.concept(int(i)).kind for i in memory.storage.nodes["id"]}
    assert kinds == {"below", "above"}


@each
def test_cues_decide_what_is_recalled_and_the_rest_steers(opened, scene):
    memory = opened(read_temperature=0.5)
    layer = scene.build(memory, cue_size=4)
    shape = {"positions": (B, 6, 4), "causal": (B, 6, 4), "pixels": (B, 4, 5, 6)}.get(scene.name, (B, 4))
    cue = torch.randn(shape)
    for seed in range(3):
        layer.zero_grad()
        first(layer(scene.batch(seed), cue=cue + 0.5 * torch.randn(shape))).square().sum().backward()
    own = addressing(layer)
    assert own.projection.grad.abs().max() > 0
    assert own.steering.weight.grad.abs().max() > 0 or scene.name in ("gru", "lstm")
    layer.eval()
    assert not torch.equal(first(layer(scene.batch(), cue=cue)), first(layer(scene.batch(), cue=-cue)))
    with pytest.raises(AESGMemoryError, match="cue is a NoneType, expected floating point numbers"):
        layer(scene.batch())
    with pytest.raises(AESGMemoryError, match="cue has shape"):
        layer(scene.batch(), cue=cue[..., :0])


@each
def test_a_cue_that_nobody_expects_is_refused(opened, scene):
    with pytest.raises(AESGMemoryError, match="cue was given"):
        scene.build(opened())(scene.batch(), cue=scene.batch())


# torch's own compiler looks at the gradient of what is no leaf.
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
@pytest.mark.parametrize("scene", [LAYERS[0], LAYERS[5]], ids=lambda scene: scene.name)
def test_a_compiled_layer_says_the_same_and_learns_as_often(opened, scene):
    memory = opened()
    layer = taught(scene.build(memory), scene)
    expected = first(layer(scene.batch()))
    compiled = torch.compile(layer, backend="eager", fullgraph=False)
    torch.testing.assert_close(first(compiled(scene.batch())), expected, rtol=1e-4, atol=1e-5)
    compiled.train()
    before = retrievals(memory)
    first(compiled(scene.batch(7))).square().sum().backward()
    assert retrievals(memory) - before == 2


@each
def test_what_no_layer_can_be_made_of_is_said(opened, scene):
    memory = opened()
    for sizes, given, message in [
        (scene.sizes, {"memory": None}, "memory is a NoneType, expected an AESGMemory"),
        (scene.sizes, {"keys": "fast"}, "keys is 'fast', expected one of 'frozen', 'slow', 'rekey'"),
        (scene.sizes, {"kind": 3}, "kind is 3, expected a string"),
        (scene.sizes, {"cue_size": 0}, "cue_size is 0, expected a whole number of at least 1"),
        ((0, scene.sizes[1]), {}, "is 0, expected a whole number of at least 1"),
        ((scene.sizes[0], 2.0), {}, "is 2.0, expected a whole number of at least 1"),
    ]:
        with pytest.raises(AESGConfigError) as raised:
            scene.kind(*sizes, given.pop("memory", memory), **scene.options, **given)
        assert message in str(raised.value)


@each
def test_bad_batches_are_refused_and_nothing_is_learned(opened, scene):
    memory = opened(value_dim=V)
    layer, good = scene.build(memory), scene.batch()
    narrow = good[:, :1] if scene.name in ("convolution", "pixels") else good[..., :1]
    for bad, told in [
        (narrow, "has shape"),
        (good[0], "has shape"),
        (good[:0], "is empty"),
        (good.long(), "has dtype torch.int64"),
        (good.numpy(), "is a ndarray"),
        (good * torch.nan, "finite"),
    ]:
        with pytest.raises(AESGMemoryError, match=told):
            layer(bad)
    with pytest.raises(AESGMemoryError, match="value has shape"):
        layer(good, value=scene.meaning()[:1])
    assert memory.storage.node_count == 0
    assert int(addressing(layer).seen) == 0


def test_the_names_that_users_of_aesg_know(opened):
    memory = opened()
    h, c = torch.zeros(2, 7), torch.zeros(2, 7)
    assert AESG_GRU(5, 7, memory)(torch.randn(2, 5), h).shape == (2, 7)
    assert [part.shape for part in AESG_LSTM(5, 7, memory)(torch.randn(2, 5), (h, c))] == [(2, 7), (2, 7)]
    assert AESG_TransformerLayer(8, 2, memory)(torch.randn(2, 5, 8)).shape == (2, 5, 8)
    assert AESG_CNNLayer(3, 6, memory, 8)(torch.randn(2, 3, 8, 8)).shape == (2, 6, 8, 8)
    assert AESG_CNNLayer(3, 6, memory, map_size=8)(torch.randn(2, 3, 9, 5)).shape == (2, 6, 9, 5)
