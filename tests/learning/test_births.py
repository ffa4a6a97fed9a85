"""Novelty by hand: when a concept is born, as what, and what it is joined to."""

import numpy as np
import pytest
from scenarios import Counter, created, lesson, links, rules

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import Mode, Step, WorkingMemory, learn
from aesg_graph.learning.buffer import NoveltyBuffer
from aesg_graph.operations import Create, Link, Touch

X, Y, Z = np.eye(3)


def between(a, b, cosine):
    """A unit vector with this cosine to unit vector ``a``, towards the orthogonal ``b``."""
    return cosine * a + np.sqrt(1 - cosine**2) * b


class Mind:
    """Working memory and what a test leaves alone, so that a call is one line."""

    def __init__(self, value_dim=0, buffer=256, **changes):
        self.working = WorkingMemory(3, value_dim, buffer)
        self.value_dim, self.rules, self.ids = value_dim, rules(**changes), Counter(1000)

    def learn(self, given, *, step=None, room=None, empty=False, **stamp):
        step = Step(3, self.value_dim) if step is None else step
        return learn(given, self.working, self.rules, step, self.ids, epoch=4, room=room, empty=empty, **stamp)


def test_a_novel_query_is_born_when_its_centroid_was_hit_often_enough():
    mind = Mind(birth_threshold=3)
    assert len(mind.learn(lesson([X, X])).born) == 0
    assert len(mind.working.buffer) == 1
    got = mind.learn(lesson([X]))
    assert got.born.tolist() == [1000]
    np.testing.assert_allclose(created(got).keys, [X])
    assert len(mind.working.buffer) == 0


def test_an_explained_query_leaves_the_buffer_alone():
    mind = Mind()
    got = mind.learn(lesson([X, Y], explanation=[0.6, 0.59]))
    assert got.novel.tolist() == [False, True]
    np.testing.assert_allclose(created(got).keys, [Y])


def test_a_birth_carries_its_stamp_and_the_source_of_the_row_that_completed_it():
    mind = Mind(birth_threshold=2)
    got = mind.learn(lesson([X, Y, X], sources=("first", "other", "last")), encoder="pixels", version=3)
    create = created(got)
    assert (create.kind, create.epoch, create.encoder, create.version) == ("concept", 4, "pixels", 3)
    assert create.sources == ("last",)


def test_the_key_is_the_normalised_mean_and_the_value_the_mean():
    mind = Mind(value_dim=2, birth_threshold=2)
    a, b = between(X, Y, 0.9), between(X, -Y, 0.9)
    create = created(mind.learn(lesson([a, b], values=[[2.0, 0.0], [2.0, 1.0]])))
    np.testing.assert_allclose(create.keys, [X], atol=1e-6)
    np.testing.assert_allclose(create.values, [[2.0, 0.5]], atol=1e-6)
    assert create.has_value.tolist() == [True]
    assert create.keys.dtype == create.values.dtype == np.float32


def test_a_query_hits_the_nearest_of_the_centroids_that_match():
    mind = Mind(birth_threshold=9, explanation_threshold=0.6)
    mind.learn(lesson([X, Y]))
    mind.learn(lesson([between(X, Y, 0.65)]))  # 0.65 to X, 0.76 to Y
    assert mind.working.buffer.hits[:2].tolist() == [1, 2]


def test_a_nearer_centroid_of_another_meaning_is_passed_over():
    mind = Mind(value_dim=2, birth_threshold=9, explanation_threshold=0.6)
    mind.learn(lesson([X, Y], values=[[0, 1], [1, 0]]))
    mind.learn(lesson([between(X, Y, 0.75)], values=[[0.1, 1]]))
    mind.learn(lesson([between(X, Y, 0.75)], values=[[1, 0.1]]))  # nearer to X, but means what Y means
    assert mind.working.buffer.hits[:2].tolist() == [2, 2]


def test_of_equally_near_centroids_the_oldest_is_hit():
    mind = Mind(value_dim=2, birth_threshold=9, buffer=3)
    mind.learn(lesson([Y, X, X], values=[[1, 0], [1, 0], [0, 1]]))
    mind.learn(lesson([Z], values=[[1, 0]]))  # Y, the oldest, leaves and the rows are moved about
    mind.learn(lesson([X], values=[[1, 1]]))
    arrays = mind.working.to_arrays()  # oldest first
    assert arrays["buffer_hits"].tolist() == [2, 1, 1]
    assert arrays["buffer_values"][0].tolist() == [1.0, 0.5]


def test_a_query_without_a_value_and_a_centroid_with_one_do_not_match():
    mind = Mind(value_dim=2, birth_threshold=9)
    mind.learn(lesson([X], values=[[1, 0]]))
    mind.learn(lesson([X]))
    assert mind.working.buffer.has_value[:2].tolist() == [True, False]
    mind.learn(lesson([X]))
    mind.learn(lesson([X], values=[[1, 0]]))
    assert mind.working.buffer.hits[:2].tolist() == [2, 2]


def test_a_concept_born_without_a_value_says_so():
    create = created(Mind(value_dim=2).learn(lesson([X])))
    assert create.values.tolist() == [[0.0, 0.0]]
    assert create.has_value.tolist() == [False]


def test_a_zero_value_is_a_value():
    create = created(Mind(value_dim=2).learn(lesson([X], values=[[0, 0]])))
    assert create.has_value.tolist() == [True]


def test_the_oldest_centroid_leaves_a_full_buffer():
    mind = Mind(buffer=2, birth_threshold=2, explanation_threshold=0.9)
    mind.learn(lesson([X, Y, Z]))  # X is pushed out
    assert len(mind.learn(lesson([Y])).born) == 1
    assert len(mind.learn(lesson([X])).born) == 0
    assert len(mind.learn(lesson([Z])).born) == 1


def test_a_later_row_is_explained_by_what_an_earlier_row_gave_birth_to():
    mind = Mind()
    got = mind.learn(lesson([X, between(X, Y, 0.7), Y]))
    assert len(got.born) == 2  # X and Y
    np.testing.assert_allclose(got.explanation, [0.0, 0.7, 0.0], atol=1e-6)
    assert got.novel.tolist() == [True, False, True]


def test_a_newborn_of_another_meaning_does_not_explain():
    mind = Mind(value_dim=2)
    got = mind.learn(lesson([X, X, X], values=[[1, 0], [0, 1], [1, 1]]))
    np.testing.assert_allclose(got.explanation, [0.0, 0.0, np.sqrt(0.5)], atol=1e-6)
    assert len(got.born) == 2


def test_a_newborn_without_a_value_says_nothing_to_a_row_with_one():
    mind = Mind(value_dim=2)
    step = Step(3, 2)
    mind.learn(lesson([X]), step=step)
    assert mind.learn(lesson([X], values=[[1, 0]]), step=step).explanation.tolist() == [0.0]
    assert mind.learn(lesson([X], values=[[0, 0]]), step=step).explanation.tolist() == [pytest.approx(1.0)]


def test_later_calls_of_a_step_consider_what_earlier_ones_gave_birth_to():
    mind, step = Mind(), Step(3, 0)
    assert len(mind.learn(lesson([X]), step=step).born) == 1
    again = mind.learn(lesson([X, Y]), step=step)
    assert again.novel.tolist() == [False, True]
    assert step.ids.tolist() == [1000, 1001]
    assert len(mind.learn(lesson([X])).born) == 1  # another step, answered by the same old memory


def test_an_explained_row_too_hears_of_what_was_born_before_it():
    got = Mind().learn(lesson([X, X], explanation=[0.0, 0.7]))
    np.testing.assert_allclose(got.explanation, [0.0, 1.0])


def test_zero_rows_are_never_stored_and_teach_nothing():
    mind = Mind()
    zero = np.zeros(3)
    got = mind.learn(lesson([zero, zero], seeds=[[1, 2], [1, 2]], strongest=[1, 1], sequence=[0, 0]), empty=True)
    assert got.operations == ()
    assert got.novel.tolist() == [False, False]
    assert not mind.working.previous
    assert len(mind.working.buffer) == len(mind.working.coactivations) == 0


@pytest.mark.parametrize("mode", [Mode.TRAIN, Mode.ONLINE])
def test_an_empty_memory_takes_its_first_query_at_once(mode):
    mind = Mind(mode=mode, birth_threshold=3)
    got = mind.learn(lesson([np.zeros(3), X, Y]), empty=True)
    np.testing.assert_allclose(created(got).keys, [X])
    assert len(mind.working.buffer) == 1  # Y waits as usual


def test_it_takes_it_even_if_nothing_counts_as_novel():
    assert len(Mind(explanation_threshold=0.0).learn(lesson([X]), empty=True).born) == 1


def test_it_takes_only_one_in_a_step():
    mind, step = Mind(birth_threshold=3), Step(3, 0)
    mind.learn(lesson([X]), step=step, empty=True)
    assert len(mind.learn(lesson([Y]), step=step, empty=True).born) == 0


def test_finetune_does_not_take_the_first_query_at_once():
    mind = Mind(mode=Mode.FINETUNE, birth_threshold=2)
    assert len(mind.learn(lesson([X]), empty=True).born) == 0
    assert len(mind.learn(lesson([X]), empty=True).born) == 1


def test_births_without_room_are_counted_and_their_centroids_wait():
    mind = Mind(birth_threshold=1)
    got = mind.learn(lesson([X, Y, Z]), room=1)
    assert (got.born.tolist(), got.blocked) == ([1000], 2)
    assert len(mind.working.buffer) == 2
    assert mind.learn(lesson([Y]), room=0).blocked == 1
    later = mind.learn(lesson([Y]), room=5)
    assert (len(later.born), later.blocked) == (1, 0)


def test_an_empty_memory_without_room_stays_empty():
    got = Mind(birth_threshold=1).learn(lesson([X]), room=0, empty=True)
    assert (len(got.born), got.blocked) == (0, 1)


def test_inference_learns_nothing_and_still_says_what_is_novel():
    mind = Mind(mode=Mode.INFERENCE, value_dim=0)
    before = mind.working.to_arrays()
    got = mind.learn(lesson([X, Y], seeds=[[1, 2], [3]], explanation=[0.1, 0.9], sequence=[0, 0]), empty=True)
    assert got.operations == ()
    assert got.novel.tolist() == [True, False]
    for name, array in mind.working.to_arrays().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_newborn_is_joined_to_the_seeds_of_its_row_by_their_cosine():
    mind = Mind()
    seeds, keys = [[7, 2000, 9, 11]], [[between(X, Y, 0.5), between(X, Z, 0.25), -X, Y]]
    got = mind.learn(lesson([X], seeds=seeds, keys=keys))
    # Lower id first; opposite and orthogonal seeds are no similarity.
    assert links(got, "SIMILARITY") == {(7, 1000): (0.5, 0), (1000, 2000): (0.25, 0)}


def test_the_similarity_is_that_of_the_new_key_not_of_the_query():
    mind = Mind(birth_threshold=2)
    a, b = between(X, Y, 0.8), between(X, -Y, 0.8)
    got = mind.learn(lesson([a, b], seeds=[[3], [7]], keys=[[X], [X]], explanation=0.0))
    assert links(got, "SIMILARITY") == {}  # 0.28 apart: two centroids
    c = between(X, -Y, 0.99)
    got = mind.learn(lesson([c], seeds=[[7]], keys=[[c]]))
    weight = links(got, "SIMILARITY")[7, 1000][0]
    mean = b + c
    assert weight == pytest.approx(mean @ c / np.linalg.norm(mean), abs=1e-6)


def test_a_newborn_follows_what_came_before_it_in_its_sequence():
    mind = Mind()
    rows = [X, Y, between(X, Y, 0.8), Z]
    got = mind.learn(lesson(rows, explanation=[0.9, 0, 0.9, 0], strongest=[5, 6, 7, 8], sequence=[1, 1, 2, 1]))
    # Y follows 5, the most active of the row before; Z follows Y, which was born, not 6 and not 7 of another sequence.
    assert links(got, "TEMPORAL") == {(5, 1000): (0.5, 0), (1000, 1001): (0.5, 0)}
    assert mind.working.previous == {1: 1001, 2: 7}


def test_a_sequence_goes_on_in_the_next_call_until_it_is_reset():
    mind = Mind()
    mind.learn(lesson([X], sequence=[0]))
    assert links(mind.learn(lesson([Y], sequence=[0])), "TEMPORAL") == {(1000, 1001): (0.5, 0)}
    mind.working.reset_sequences()
    assert links(mind.learn(lesson([Z], sequence=[0])), "TEMPORAL") == {}


def test_a_row_that_activates_nothing_leaves_its_sequence_where_it_was():
    mind = Mind(birth_threshold=2)
    mind.learn(lesson([X], explanation=0.9, strongest=[5], sequence=[0]))
    mind.learn(lesson([Y], strongest=[NO_ID], sequence=[0]))
    assert mind.working.previous == {0: 5}
    assert links(mind.learn(lesson([Y], sequence=[0])), "TEMPORAL") == {(5, 1000): (0.5, 0)}


def test_independent_rows_do_not_follow_one_another():
    assert links(Mind().learn(lesson([X, Y], strongest=[5, 6])), "TEMPORAL") == {}


def test_operations_come_in_the_order_in_which_they_can_be_carried_out():
    mind = Mind(coactivation_threshold=1)
    seeds, keys = [[5, 6], [5, 6]], np.broadcast_to(X + Y, (2, 2, 3))
    got = mind.learn(lesson([X, Y], seeds=seeds, keys=keys, sequence=[0, 0]))
    assert [type(operation) for operation in got.operations] == [Create, Link, Link, Link, Touch]
    assert [op.type for op in got.operations if isinstance(op, Link)] == ["SIMILARITY", "TEMPORAL", "ASSOCIATION"]
    assert all(op.epoch == 4 for op in got.operations)


def test_a_lesson_is_left_as_it_was_given():
    given = lesson([X, X, Y], values=[[1], [1], [1]], seeds=[[1, 2]] * 3, sequence=[0] * 3)
    copies = {name: np.array(column) for name, column in vars(given).items() if isinstance(column, np.ndarray)}
    Mind(value_dim=1).learn(given)
    for name, copy in copies.items():
        np.testing.assert_array_equal(getattr(given, name), copy)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lesson(np.eye(4)), r"queries has shape \(4, 4\), expected \(4, 3\)"),
        (lesson([X], values=[[1, 0]]), r"values has shape \(1, 2\), expected \(1, 1\)"),
        (lesson([X, Y], sequence=[0]), r"sequence has shape \(1,\), expected \(2,\)"),
        (lesson([X, Y], sources=("one",)), "1 sources, expected one for each of 2 rows"),
    ],
)
def test_a_lesson_that_does_not_fit_is_refused_before_anything_changes(given, message):
    mind = Mind(value_dim=1)
    with pytest.raises(AESGMemoryError, match=message):
        mind.learn(given, empty=True)
    assert len(mind.working.buffer) == 0


def test_opposites_that_cancel_out_are_dropped_instead_of_born():
    buffer = NoveltyBuffer(4, 3, 0)
    row = buffer.hit(X, None, -1.0)
    assert buffer.hit(-X, None, -1.0) == row
    assert buffer.take(row) is None
    assert len(buffer) == 0


def test_no_rows_teach_nothing():
    got = Mind().learn(lesson(np.empty((0, 3))), empty=True)
    assert got.operations == ()
    assert got.explanation.shape == got.novel.shape == (0,)
