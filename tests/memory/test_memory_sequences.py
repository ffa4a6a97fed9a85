"""Sequences: what follows what, and the TEMPORAL edges that say so."""

import pytest
import torch
from memory_scenes import D, axis, config, edges, rows
from torch import nn


def follows(memory):
    """The TEMPORAL edges as pairs of the axes that the concepts stand for."""
    memory.flush()
    nodes = memory.storage.nodes
    named = {int(i): int(v.argmax()) for i, v in zip(nodes["id"], nodes["vector"], strict=True)}
    return {(named[s], named[t]) for (s, t, kind) in edges(memory) if kind == "TEMPORAL"}


def axes(*numbers, batch=None):
    chosen = torch.eye(D)[list(numbers)]
    return chosen if batch is None else chosen.reshape(batch, -1, D)


def test_rows_of_a_batch_and_successive_calls_are_independent(opened):
    memory = opened()
    memory(axes(0, 1, 2))
    memory(axes(3, 4, 5))
    assert follows(memory) == set()


def test_rows_of_successive_calls_inside_a_sequence_follow_each_other(opened):
    memory = opened()
    with memory.sequence():
        memory(axes(0, 1))
        memory(axes(2, 3))
        memory(axes(4, 5))
    memory(axes(6, 7))
    assert follows(memory) == {(0, 2), (2, 4), (1, 3), (3, 5)}
    assert {w for (_, _, kind), (w, _) in edges(memory).items() if kind == "TEMPORAL"} == {0.5}


def test_a_known_concept_precedes_what_is_born_after_it(opened):
    memory = opened()
    memory.create(axes(0))
    with memory.sequence():
        memory(axes(0))
        memory(axes(1))
        memory(axes(0))
        memory(axes(2))
    assert follows(memory) == {(0, 1), (0, 2)}


def test_another_number_of_rows_ends_all_sequences(opened):
    memory = opened()
    with memory.sequence():
        memory(axes(0, 1))
        memory(axes(2))
        memory(axes(3))
        memory(axes(4, 5))
    assert follows(memory) == {(2, 3)}


def test_an_inner_sequence_is_separate_and_the_outer_resumes(opened):
    memory = opened()
    with memory.sequence():
        memory(axes(0))
        with memory.sequence():
            memory(axes(1))
            memory(axes(2))
        memory(axes(3))
    assert follows(memory) == {(1, 2), (0, 3)}


def test_reset_state_ends_sequences_and_leaves_the_novelty_buffer(opened):
    memory = opened(novelty_birth_threshold=2)
    memory.create(axes(7))
    with memory.sequence():
        memory(axes(7))
        memory(axes(0))
        memory.reset_state()
        memory(axes(0))  # its second time: it is born, and nothing precedes it
    assert memory.storage.node_count == 2
    assert follows(memory) == set()


@pytest.mark.parametrize("inside", [False, True])
def test_a_batch_of_sequences_is_learned_row_by_row_and_ends_with_the_call(opened, inside):
    memory = opened()
    with memory.sequence() if inside else memory.step():
        memory(axes(0, 1, 2, 3, batch=2))
        memory(axes(4, 5, batch=2))
    assert follows(memory) == {(0, 1), (2, 3)}


def test_a_call_over_time_inside_a_sequence_does_not_move_the_sequence(opened):
    memory = opened()
    with memory.sequence():
        memory(axes(0))
        memory(axes(1, 2, batch=1))
        memory(axes(3))
    assert follows(memory) == {(1, 2), (0, 3)}


def test_batches_of_sequences_are_learned_b_major(opened):
    memory = opened(novelty_birth_threshold=1)
    # The second row of the first sequence explains the first of the second: born once, in this order.
    memory(axes(0, 1, 1, 0, batch=2))
    assert [int(v.argmax()) for v in memory.storage.nodes["vector"]] == [0, 1]
    assert follows(memory) == {(0, 1)}


def test_lessons_deferred_by_a_step_keep_their_sequence(opened):
    memory = opened()
    with memory.step():
        with memory.sequence():
            memory(axes(0, 1))
            memory(axes(2, 3))
        with memory.sequence():
            memory(axes(4, 5))
    assert follows(memory) == {(0, 2), (1, 3)}


def test_a_sequence_goes_on_over_steps_and_over_one_that_was_dropped(opened):
    memory = opened()
    with memory.sequence():
        with memory.step():
            memory(axes(0))
        with memory.step() as step:
            memory(axes(1))
            step.discard()
        with memory.step():
            memory(axes(2))
    assert follows(memory) == {(0, 2)}


def test_an_ended_sequence_leaves_nothing_in_working_memory(opened):
    memory = opened()
    with memory.sequence():
        memory(axes(0, 1))
        assert len(memory.engine.working.previous) == 2
    assert memory.engine.working.previous == {}
    with memory.sequence():
        memory(axes(2))
        with memory.step() as step:
            memory(axes(3, 4))  # ends the sequence of one row, once the step is over
            step.discard()
        assert memory.engine.working.previous == {}


def test_sequences_do_not_go_on_after_reopening(opened):
    memory = opened()
    with memory.sequence():
        memory(axes(0))
        memory.save()
        memory.close()
    memory = opened()
    with memory.sequence():
        memory(axes(1))
    assert follows(memory) == set()


def test_sequences_belong_to_a_thread(opened):
    import threading

    memory = opened()
    with memory.sequence():
        memory(axes(0))
        other = threading.Thread(target=lambda: memory(axes(1)))
        other.start()
        other.join(30)
        memory(axes(2))
    assert follows(memory) == {(0, 2)}


def test_calls_that_do_not_learn_do_not_move_a_sequence(opened):
    memory = opened()
    memory.create(axes(7))
    with memory.sequence():
        memory(axes(0))
        memory.retrieve(axes(7), learn=False)
        memory(axes(1))
    assert follows(memory) == {(0, 1)}


def test_zero_rows_are_passed_over(opened):
    memory = opened()
    with memory.sequence():
        memory(axes(0))
        memory(torch.zeros(1, D))
        memory(axes(1))
    assert follows(memory) == {(0, 1)}


def test_a_recurrent_model_opens_a_sequence(opened):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.memory = opened(given=config(value_dim=0))

        def forward(self, x):
            with self.memory.sequence():
                return torch.stack([self.memory(x[:, t]).read() for t in range(x.shape[1])], 1)

    model = Recurrent()
    assert model(axes(0, 1, 2, 3, batch=2)).shape == (2, 2, D)
    assert follows(model.memory) == {(0, 1), (2, 3)}


def test_births_are_joined_to_their_seeds_by_similarity_with_the_cosine_as_weight(opened):
    memory = opened()
    first, *_ = memory.create(axes(0)).tolist()
    memory(0.3 * axis(0) + axis(1))
    ((pair, (weight, used)),) = edges(memory).items()
    assert pair[2] == "SIMILARITY"
    assert first in pair
    assert pair[0] < pair[1]
    assert weight == pytest.approx(0.3 / (1.09**0.5), rel=1e-5)
    assert used == 0


def test_seeds_recalled_together_often_enough_are_associated(opened):
    memory = opened(coactivation_threshold_create=3)
    ids = sorted(memory.create(torch.stack([axis(0) + axis(1), axis(0) - axis(1)])).tolist())
    for _ in range(2):
        memory(axis(0))
    assert edges(memory) == {}
    memory(axis(0).repeat(4, 1))  # rows of one call count each
    assert edges(memory) == {(*ids, "ASSOCIATION"): (pytest.approx(1 - 0.5 * 0.9), 1)}
    assert memory.neighbors(ids[0])[0].use_count == 1


def test_random_rows_in_sequences_never_link_a_concept_to_itself(opened):
    memory = opened()
    with memory.sequence():
        for seed in range(6):
            memory(rows(4, seed % 3))
    assert all(s != t for s, t, _ in edges(memory))
