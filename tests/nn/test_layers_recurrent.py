"""Cells: how often they ask, what they keep between calls, and that sequences do not leak into each other."""

import pytest
import torch
from layer_scenes import B, E, H, T, first

from aesg_graph import AESGConfigError, AESGMemoryError
from aesg_graph.nn import MemoryGRUCell, MemoryLSTMCell, SequenceState

cells = pytest.mark.parametrize("cell", [MemoryGRUCell, MemoryLSTMCell])


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def run(layer, x, state=None):
    """All hidden states [B, T, H] of a batch of sequences x [B, T, E]."""
    hidden, out = None, []
    for step in x.unbind(1):
        hidden = layer(step, hidden, state)
        out.append(first(hidden))
    return torch.stack(out, 1)


@cells
def test_it_asks_at_every_so_many_th_call_of_a_sequence_for_the_whole_batch(opened, cell):
    memory = opened()
    layer = cell(E, H, memory, query_every=3).eval()
    before = int(memory._clock)
    run(layer, torch.randn(B, 7, E), SequenceState())
    assert int(memory._clock) - before == 3
    run(layer, torch.randn(B, 2, E), SequenceState())
    assert int(memory._clock) - before == 4


@cells
def test_between_queries_the_last_read_out_stays(opened, cell):
    memory = opened()
    memory.create(torch.randn(20, 8))
    layer, state = cell(E, H, memory, query_every=2).eval(), SequenceState()
    said = []
    for step in torch.randn(B, 4, E).unbind(1):
        layer(step, None, state)
        said.append(state.said)
    assert torch.equal(said[0], said[1])
    assert torch.equal(said[2], said[3])
    assert not torch.equal(said[1], said[2])


@cells
@pytest.mark.parametrize("query_every", [1, 2])
def test_two_sequences_in_turn_are_what_each_is_alone(opened, cell, query_every):
    memory = opened()
    memory.create(torch.randn(20, 8))
    layer = cell(E, H, memory, query_every=query_every).eval()
    one, two = torch.randn(2, B, T, E).unbind(0)
    alone = [run(layer, x, SequenceState()) for x in (one, two)]
    hidden, states, out = [None, None], [SequenceState(), SequenceState()], [[], []]
    for t in range(T):
        for n, x in enumerate((one, two)):
            hidden[n] = layer(x[:, t], hidden[n], states[n])
            out[n].append(first(hidden[n]))
    for n in range(2):
        assert torch.equal(torch.stack(out[n], 1), alone[n])


@cells
def test_what_came_before_is_part_of_what_memory_is_asked(opened, cell):
    memory = opened()
    memory.create(torch.randn(30, 8))
    layer, x = cell(E, H, memory).eval(), torch.randn(B, E)
    said = []
    for past in torch.randn(2, B, E).unbind(0):
        state = SequenceState()
        layer(past, None, state)
        layer(x, None, state)  # the same hidden state, the same input
        said.append(state.said)
    assert not torch.allclose(*said)


@cells
def test_without_a_state_each_call_begins_a_sequence(opened, cell):
    memory = opened()
    memory.create(torch.randn(30, 8))
    layer, x = cell(E, H, memory).eval(), torch.randn(B, E)
    layer(torch.randn(B, E))
    assert torch.equal(first(layer(x)), first(layer(x, None, SequenceState())))


@cells
def test_the_hidden_state_learns_to_steer(opened, cell):
    memory = opened(read_temperature=0.5)
    memory.create(torch.randn(30, 8))
    layer = cell(E, H, memory)
    run(layer, torch.randn(B, T, E), SequenceState()).square().sum().backward()
    assert layer.recollection.addressing.steering.weight.grad.abs().max() > 0


@cells
def test_hidden_states_are_no_part_of_keys(opened, cell):
    memory = opened()
    layer, x = cell(E, H, memory), torch.randn(B, E)
    keys = []
    for hidden in (torch.zeros(B, H), torch.randn(B, H)):
        layer(x, hidden if cell is MemoryGRUCell else (hidden, hidden))
        keys.append(memory.storage.node_count)
    assert keys[0] == keys[1] > 0


@cells
def test_steps_of_a_sequence_are_joined_in_time(opened, cell):
    memory = opened()
    with memory.sequence():
        run(cell(E, H, memory, query_every=1), 3 * torch.randn(B, T, E), SequenceState())
    memory.flush()
    types = {edge.type for i in memory.storage.nodes["id"] for edge in memory.neighbors(int(i))}
    assert "TEMPORAL" in types


@cells
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda layer, x: layer(x, None, {"echo": None}), "state is a dict, expected a SequenceState or None"),
        (lambda layer, x: layer(x, None, SequenceState(echo=torch.zeros(B + 1, E))), "state is of cues [4, 8]"),
        (lambda layer, x: layer(x, torch.zeros(B, H + 1)), "expected"),
        (lambda layer, x: layer(x, torch.zeros(B + 1, H)), "expected"),
        (lambda layer, x: layer(x, 0.0), "expected"),
    ],
)
def test_states_that_do_not_fit_are_refused_and_nothing_is_learned(opened, cell, call, message):
    memory = opened()
    with pytest.raises(AESGMemoryError) as raised:
        call(cell(E, H, memory), torch.randn(B, E))
    assert message in str(raised.value)
    assert memory.storage.node_count == 0


def test_an_lstms_states_come_in_pairs(opened):
    layer = MemoryLSTMCell(E, H, opened())
    for hx in (torch.zeros(B, H), (torch.zeros(B, H),)):
        with pytest.raises(AESGMemoryError, match=r"hx is a \w+, expected \(h, c\) or None"):
            layer(torch.randn(B, E), hx)
    with pytest.raises(AESGMemoryError, match="c has shape"):
        layer(torch.randn(B, E), (torch.zeros(B, H), torch.zeros(B, H + 1)))


@cells
def test_a_cell_that_asks_now_and_then_needs_a_state(opened, cell):
    with pytest.raises(AESGMemoryError, match="No state was given with query_every=2, expected"):
        cell(E, H, opened(), query_every=2)(torch.randn(B, E))
    for bad in (0, -1, 1.5, True):
        with pytest.raises(AESGConfigError, match=r"query_every is .*, expected a whole number of at least 1"):
            cell(E, H, opened(), query_every=bad)
