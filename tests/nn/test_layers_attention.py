"""The Transformer layer: causal, padded, continued; attention over concepts with a slot for nothing."""

import pytest
import torch
from layer_scenes import B, E, T
from torch import nn

from aesg_graph import AESGConfigError, AESGMemoryError
from aesg_graph.nn import MemoryTransformerLayer
from aesg_graph.nn.attention import LayerState
from aesg_graph.nn.readout import ConceptAttention, nearness


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def layer(memory, **options):
    made = MemoryTransformerLayer(E, 2, memory, dropout=0.0, **options)
    for seed in range(3):
        made(torch.randn(B, T, E, generator=torch.Generator().manual_seed(seed)))
    return made.eval()


def test_a_causal_layer_sees_nothing_of_what_comes_later(opened):
    causal, x = layer(opened(), causal=True), torch.randn(B, T, E)
    whole = causal(x)
    for t in range(1, T):
        changed = torch.cat([x[:, :t], torch.randn(B, T - t, E)], 1)
        torch.testing.assert_close(causal(changed)[:, :t], whole[:, :t])
        assert not torch.allclose(causal(changed)[:, t], whole[:, t])


def test_a_layer_that_is_not_causal_sees_all(opened):
    both, x = layer(opened(), per_position=True), torch.randn(B, T, E)
    changed = torch.cat([x[:, :-1], torch.randn(B, 1, E)], 1)
    assert not torch.allclose(both(changed)[:, 0], both(x)[:, 0])


@pytest.mark.parametrize("parts", [[1] * T, [2, 3, 1], [T]])
def test_a_causal_layer_goes_on_from_a_state(opened, parts):
    causal, x = layer(opened(), causal=True), torch.randn(B, T, E)
    state = LayerState()
    continued = torch.cat([causal(part, state=state) for part in x.split(parts, 1)], 1)
    torch.testing.assert_close(continued, causal(x))


@pytest.mark.parametrize("options", [{}, {"per_position": True}, {"causal": True}])
def test_what_stands_at_padding_changes_nothing_and_is_not_learned(opened, options):
    memory = opened()
    padded, x = layer(memory, **options), torch.randn(B, T, E)
    padding = torch.arange(T).expand(B, T) >= torch.tensor([[T], [4], [2]])
    expected = padded(x, key_padding_mask=padding)
    other = torch.where(padding.unsqueeze(-1), torch.randn(B, T, E), x)
    torch.testing.assert_close(padded(other, key_padding_mask=padding)[~padding], expected[~padding])
    torch.testing.assert_close(padded(x[2:, :2])[0], expected[2, :2], rtol=1e-4, atol=1e-5)
    padded.train()
    before = memory.storage.node_count
    with memory.step():
        padded(x, key_padding_mask=torch.ones(B, T, dtype=torch.bool))
    assert memory.storage.node_count == before


@pytest.mark.parametrize("options", [{}, {"per_position": True}, {"causal": True}])
def test_a_row_of_padding_alone_stays_finite(opened, options):
    padded, x = layer(opened(), **options), torch.randn(B, T, E, requires_grad=True)
    padding = torch.zeros(B, T, dtype=torch.bool)
    padding[1] = True
    padding[2, :3] = True  # on the left, so that a causal position has nothing before it
    output = padded(x, key_padding_mask=padding)
    output.sum().backward()
    assert torch.isfinite(output).all()
    assert torch.isfinite(x.grad).all()


def test_each_position_may_recall_something_of_its_own(opened):
    memory = opened(top_k=1, seeds=1, spreading_activation_steps=0)
    own = layer(memory, per_position=True)
    found = own.addressing.recall(torch.randn(1, T, E))
    assert found.ids.shape == (1, T, 1)
    assert len(set(found.ids.flatten().tolist())) > 1


def test_dropout_is_in_training_alone(opened):
    memory = opened()
    memory.eval()
    dropping = MemoryTransformerLayer(E, 2, memory, dropout=0.5)
    x = torch.randn(B, T, E)
    dropping.train()
    assert not torch.equal(dropping(x), dropping(x))
    dropping.eval()
    assert torch.equal(dropping(x), dropping(x))


def test_attention_over_concepts_begins_as_the_memorys_own_read_out(opened):
    memory = opened(value_dim=E)
    memory.create(torch.randn(30, 8), torch.randn(30, E))
    attention = ConceptAttention(E, 2, E)
    for module in (attention.value, attention.out):
        nn.init.eye_(module.weight)
    nn.init.zeros_(attention.query.weight)
    context = memory.retrieve(torch.randn(B, 8), learn=False)
    said = attention(torch.randn(B, T, E), context)
    torch.testing.assert_close(said, context.read().unsqueeze(1).expand(B, T, E))


def test_concepts_without_a_value_take_no_part(opened):
    memory = opened(value_dim=E)
    memory.create(torch.randn(30, 8))
    context = memory.retrieve(torch.randn(B, 8), learn=False)
    assert context.mask.any()
    assert not ConceptAttention(E, 2, E)(torch.randn(B, T, E), context).any()


def test_how_near_a_concept_is_has_the_gradient_of_the_query(opened):
    memory = opened()
    memory.create(torch.randn(30, 8))
    query = torch.randn(B, 8, requires_grad=True)
    context = memory.retrieve(query, learn=False)
    nearness(context)[context.mask].sum().backward()
    assert query.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nhead": 3}, "nhead is 3, expected a divisor of d_model=8"),
        ({"causal": True, "per_position": False}, "per_position is False in a causal layer, expected True or None"),
        ({"dropout": 1.0}, "dropout is 1.0, expected a number in [0, 1)"),
        ({"dropout": None}, "dropout is None"),
        ({"dim_feedforward": 0}, "dim_feedforward is 0, expected a whole number of at least 1"),
    ],
)
def test_what_no_transformer_layer_can_be_made_of_is_said(opened, options, message):
    with pytest.raises(AESGConfigError) as raised:
        MemoryTransformerLayer(**{"d_model": E, "nhead": 2, "memory": opened(), **options})
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "mask",
    [torch.zeros(B, T), torch.zeros(B, T + 1, dtype=torch.bool), [[False] * T] * B],
    ids=["float", "long", "list"],
)
def test_a_mask_of_another_kind_is_refused(opened, mask):
    memory = opened()
    with pytest.raises(AESGMemoryError, match=r"key_padding_mask is .*, expected torch.bool \[3, 6\]"):
        MemoryTransformerLayer(E, 2, memory)(torch.randn(B, T, E), key_padding_mask=mask)
    assert memory.storage.node_count == 0


def test_a_state_is_for_causal_layers_without_padding(opened):
    x, padding = torch.randn(B, T, E), torch.zeros(B, T, dtype=torch.bool)
    with pytest.raises(AESGMemoryError, match="A state was given, expected one only in a causal layer"):
        layer(opened())(x, state=LayerState())
    causal = layer(opened("causal"), causal=True)
    with pytest.raises(AESGMemoryError, match="A state was given, expected one only in a causal layer"):
        causal(x, state=LayerState(), key_padding_mask=padding)
    state = LayerState()
    causal(x, state=state)
    with pytest.raises(AESGMemoryError, match="state is of 3 rows, expected 2 as in src"):
        causal(x[:2], state=state)
