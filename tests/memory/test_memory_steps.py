"""Steps: answers as on entry, lessons at the exit; and what threads may do meanwhile."""

import threading

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, edges, rows, uses, written

from aesg_graph import AESGMemoryError


def test_calls_in_a_step_are_answered_from_the_memory_as_it_was_on_entry(opened):
    memory = opened()
    with memory.step():
        assert not memory(axis(0), torch.ones(V)).mask.any()
        assert not memory(axis(0), torch.ones(V)).mask.any()
        assert memory.storage.node_count == 0
    assert memory(axis(0)).mask.any()


def test_lessons_of_a_step_are_taken_in_order_each_knowing_what_was_born_before(opened):
    memory = opened()
    with memory.step():
        first = memory(axis(0), axis(0, V))
        again = memory(axis(0), axis(0, V))
        memory(axis(0), axis(1, V))  # another meaning is news
        assert first.novel
        assert again.novel
    assert memory.storage.node_count == 2
    assert sorted(memory.concept(i).value.tolist() for i in memory.storage.nodes["id"].tolist()) == [
        [0.0, 1.0, 0.0],
        [1.0, 0.0, 0.0],
    ]


def test_a_step_is_one_batch(opened):
    memory = opened()
    memory.create(rows(4), rows(4, 1, V))
    before = memory.engine.position
    with memory.step():
        for row in range(4):
            memory(rows(4)[row])
        memory.create(rows(2, 5))
    assert memory.engine.position == before + 1


@pytest.mark.parametrize("how", ["exception", "discard", "handle"])
def test_a_step_that_fails_or_is_discarded_leaves_nothing(opened, how):
    memory = opened()
    ids = memory.create(rows(4), rows(4, 1, V))
    memory(rows(1, 7))  # something in the novelty buffer or born; either way it is there before
    before = written(memory)
    centroids = len(memory.engine.working.buffer)
    raising = pytest.raises(ZeroDivisionError) if how == "exception" else contextless()
    with raising, memory.step() as step:
        memory(rows(5, 3), rows(5, 4, V))
        memory.create(rows(2, 5))
        memory.link(ids[:1], ids[1:2], "CAUSAL")
        memory.annotate(ids[:1], ["name"])
        memory.remove(ids[3:])
        if how == "exception":
            raise ZeroDivisionError
        if how == "discard":
            memory.discard()
        if how == "handle":
            step.discard()
    assert written(memory) == before
    assert len(memory.engine.working.buffer) == centroids
    assert memory.concept(int(ids[0])).name is None


class contextless:  # noqa: N801
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


def test_an_inner_step_joins_the_outer(opened):
    memory = opened()
    with memory.step():
        with memory.step():
            memory(axis(0))
        assert memory.storage.node_count == 0
        assert not memory(axis(0)).mask.any()
    assert memory.storage.node_count == 1
    with memory.step():
        memory(axis(1))
        with memory.step() as inner:
            memory(axis(2))
            inner.discard()
    assert memory.storage.node_count == 1, "it is one step: discarding the inner discards it"


def test_discard_outside_of_a_step_is_refused(opened):
    with pytest.raises(AESGMemoryError, match="outside of a step"):
        opened().discard()


def test_what_is_created_in_a_step_can_be_joined_named_and_removed_in_it(opened):
    memory = opened()
    with memory.step():
        ids = memory.create(rows(4), rows(4, 1, V))
        assert len(ids) == 4
        memory.link(ids[:2], ids[1:3], "CAUSAL", [0.5, 0.25])
        memory.annotate(ids[:1], ["first"], ["text"])
        memory.remove(ids[3:])
        with pytest.raises(AESGMemoryError, match="does not exist"):
            memory.concept(int(ids[0]))
    a, b, c, d = ids.tolist()
    assert memory.storage.node_count == 3
    assert edges(memory) == {(a, b, "CAUSAL"): (0.5, 0), (b, c, "CAUSAL"): (0.25, 0)}
    assert memory.concept(a).name == "first"
    with pytest.raises(AESGMemoryError, match="does not exist"):
        memory.concept(d)
    assert memory.storage.node_count == memory.engine.residency.graph.count().concepts


def test_what_is_created_by_hand_in_a_step_explains_later_rows_of_it(opened):
    memory = opened()
    with memory.step():
        memory.create(axis(0)[None], axis(0, V)[None])
        memory(axis(0), axis(0, V))
    assert memory.storage.node_count == 1


def test_removing_twice_in_a_step_counts_once(opened):
    memory = opened()
    ids = memory.create(rows(4), rows(4, 1, V))
    with memory.step():
        memory.remove(ids[:2])
        memory.remove(ids[1:3])
    assert memory.storage.node_count == 1
    memory.flush()
    assert memory.engine.residency.graph.count().concepts == 1


def test_use_of_a_concept_that_the_step_removes_is_void(opened):
    memory = opened()
    ids = memory.create(torch.eye(D)[:3])
    with memory.step():
        memory(axis(0))
        memory(axis(1))
        memory.remove(ids[:1])
    assert uses(memory) == {int(ids[1]): (1, 0), int(ids[2]): (0, 0)}
    assert not memory.eval()(axis(0)).mask.any()


def test_the_value_that_was_given_counts_and_not_what_its_tensor_holds_at_the_exit(opened):
    memory = opened()
    value, query = torch.ones(1, V), axis(0)[None].clone()
    with memory.step():
        memory(query, value)
        value.zero_()
        query.fill_(-1)
    (concept,) = memory.storage.nodes["id"].tolist()
    assert memory.concept(concept).value.tolist() == [1.0] * V
    assert np.allclose(memory.concept(concept).key, axis(0))


def test_topology_is_updated_at_the_exit_of_the_step_after_its_lessons(opened):
    memory = opened(consolidation_epoch_interval=1)
    with memory.step():
        memory(axis(0))
        memory.update_topology()
        memory.cognitive_engine.consolidate()
        assert memory.engine.recorder.epoch == 0
    assert memory.engine.recorder.epoch == 2
    assert [event["type"] for event in memory.history()] == ["CREATE", "CONSOLIDATE", "CONSOLIDATE"]
    with memory.step():
        memory.update_topology()
        memory.discard()
    assert memory.engine.recorder.epoch == 3, "a batch was seen all the same"


def test_rekeying_inside_a_step_is_refused(opened):
    memory = opened()
    memory.create(rows(1), sources=["a"])
    with memory.step(), pytest.raises(AESGMemoryError, match="inside a step"):
        memory.rekey(lambda sources: rows(len(sources)))


def test_capacity_counts_what_the_step_has_promised(opened):
    memory = opened(max_concepts=5)
    memory.set_mode("ONLINE")
    with memory.step():
        assert len(memory.create(rows(4))) == 4
        assert len(memory.create(rows(4, 1))) == 0
        assert len(memory.create(rows(1, 2))) == 1
    assert memory.storage.node_count == 5
    assert memory.stats()["births_blocked"] == 4


# -- threads ----------------------------------------------------------------------------------------------------------


def running(*calls):
    """Threads that run each call; what they raised is raised by ``join``."""

    class Running(threading.Thread):
        error = None

        def run(self):
            try:
                self._target()
            except BaseException as error:
                self.error = error

        def ended(self, timeout=60):
            self.join(timeout)
            assert not self.is_alive(), "it hangs"
            if self.error is not None:
                raise self.error

    threads = [Running(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def test_lessons_of_other_threads_wait_for_the_exit_and_reading_does_not(opened):
    memory = opened()
    memory.create(rows(4), rows(4, 1, V))
    memory.eval()
    read, learned = threading.Event(), threading.Event()

    def read_then_learn():
        assert memory(rows(4)).mask.any()
        read.set()
        memory.retrieve(axis(5) * 9, learn=True)
        learned.set()

    with memory.step():
        (other,) = running(read_then_learn)
        assert read.wait(30)
        memory.retrieve(axis(0) * 3, learn=True)
        assert not learned.wait(0.1)
        before = memory.engine.position
        memory.flush()
        assert memory.engine.position == before
    other.ended()
    assert learned.is_set()
    assert memory.engine.position == before + 2


def test_a_step_of_one_thread_is_none_of_another_threads(opened):
    memory = opened()
    with memory.step():
        (other,) = running(lambda: memory.discard())
        with pytest.raises(AESGMemoryError, match="outside of a step"):
            other.ended()


def test_many_threads_learning_in_and_out_of_steps_lose_nothing(opened):
    memory = opened(coactivation_threshold_create=1_000_000)
    memory.create(torch.eye(D))
    each = 40

    def plain():
        for number in range(each):
            memory(axis(number % D))

    def in_steps():
        for number in range(each // 4):
            with memory.step():
                for _ in range(4):
                    memory(axis(number % D))

    def caring():
        for _ in range(10):
            memory.update_topology()
            memory.flush()
            memory.stats()
            memory.save()

    for thread in running(plain, plain, in_steps, in_steps, caring):
        thread.ended(120)
    assert sum(used for used, _ in uses(memory).values()) == 4 * each


def test_closing_waits_for_a_step_and_later_lessons_are_refused(opened):
    memory = opened()
    entered, leave = threading.Event(), threading.Event()

    def step():
        with memory.step():
            memory(axis(0))
            entered.set()
            assert leave.wait(30)

    (stepping,) = running(step)
    assert entered.wait(30)
    engine = memory.engine
    (closing,) = running(engine.close)
    (late,) = running(lambda: engine.create(rows(1).numpy()))
    leave.set()
    stepping.ended()
    closing.ended()
    late.join(60)
    assert late.error is None or "closed" in late.error.message
    born = 2 if late.error is None else 1
    memory.close()
    assert opened().storage.node_count == born


def test_reading_while_the_memory_is_closed_is_refused_or_answered(opened):
    memory = opened()
    memory.create(rows(2000), rows(2000, 1, V))
    memory.eval()
    started = threading.Event()

    def reading():
        while True:
            memory(rows(64))
            started.set()

    readers = running(reading, reading)
    assert started.wait(30)
    memory.close()
    for reader in readers:
        with pytest.raises(AESGMemoryError, match="closed"):
            reader.ended()
