"""Use, contradiction and association by hand."""

import numpy as np
from scenarios import Counter, lesson, links, only, rules, touched

from aesg_graph.learning import Step, WorkingMemory, learn
from aesg_graph.learning.coactivation import CoActivations
from aesg_graph.operations import Touch

X, Y = np.eye(2)


def teach(given, working=None, **changes):
    working = WorkingMemory(2, 0, 8) if working is None else working
    return learn(given, working, rules(**changes), Step(2, 0), Counter(1000), epoch=9, room=None, empty=False)


def test_every_row_uses_all_its_seeds_in_one_touch():
    got = teach(lesson([X, Y, X], seeds=[[3, 1], [3], [2, 3]], explanation=0.9))
    assert touched(got) == {1: (1, 0), 2: (1, 0), 3: (3, 0)}
    touch = only(got.operations, Touch)
    assert touch.epoch == 9
    assert touch.uses.dtype == touch.contradictions.dtype == touch.ids.dtype == np.int64


def test_novel_rows_use_their_seeds_too():
    assert touched(teach(lesson([X], seeds=[[3]], explanation=0.1), birth_threshold=5)) == {3: (1, 0)}


def test_a_seed_that_disagrees_is_contradicted_instead_of_used():
    given = lesson([X, Y], seeds=[[3, 4], [3, 4]], agreement=[[0.49, 0.5], [0.9, -1.0]], explanation=0.9)
    assert touched(teach(given, agreement=0.5)) == {3: (1, 1), 4: (1, 1)}


def test_a_seed_without_a_value_never_contradicts():
    assert touched(teach(lesson([X], seeds=[[3]], agreement=[[np.nan]], explanation=0.9))) == {3: (1, 0)}


def test_a_newborn_is_not_touched_as_a_seed():
    got = teach(lesson([X, X]))
    assert len(got.born) == 1
    assert touched(got) == {}


def test_seeds_retrieved_together_often_enough_are_associated_from_the_lower_id():
    working = WorkingMemory(2, 0, 8)
    given = lesson([X, Y], seeds=[[9, 4, 6], [4, 9]], explanation=0.9)
    assert links(teach(given, working, coactivation_threshold=3), "ASSOCIATION") == {}
    assert links(teach(given, working, coactivation_threshold=3), "ASSOCIATION") == {(4, 9): (0.5, 0)}
    pairs, counts = working.coactivations.table()
    # (4, 9) was counted four times: one is left over.
    assert dict(zip(map(tuple, pairs.tolist()), counts.tolist(), strict=True)) == {(4, 9): 1, (6, 9): 2, (4, 6): 2}


def test_each_further_threshold_full_is_one_more_use():
    given = lesson([X] * 7, seeds=[[1, 2]] * 7, explanation=0.9)
    assert links(teach(given, coactivation_threshold=2), "ASSOCIATION") == {(1, 2): (0.5, 2)}


def test_a_concept_is_not_associated_with_itself():
    assert links(teach(lesson([X], seeds=[[5, 5]], explanation=0.9), coactivation_threshold=1), "ASSOCIATION") == {}


def test_huge_ids_are_counted_exactly():
    counts = CoActivations()
    near = (1 << 63) - 1
    seeds = np.array([[near, near - 1], [near - 1, near - 2]], np.int64)
    low, high, times = counts.count(seeds, 1)
    assert list(zip(low.tolist(), high.tolist(), times.tolist(), strict=True)) == [
        (near - 1, near, 1),
        (near - 2, near - 1, 1),
    ]


def test_when_there_are_too_many_pairs_the_least_counted_half_leaves():
    counts = CoActivations(limit=4)
    for pair, times in {(1, 2): 1, (3, 4): 3, (5, 6): 2, (7, 8): 1}.items():
        counts.count(np.array([pair] * times, np.int64), 50)
    assert len(counts) == 4
    counts.count(np.array([[9, 10]], np.int64), 50)
    pairs, left = counts.table()
    assert pairs.tolist() == [[3, 4], [5, 6]]
    assert left.tolist() == [3, 2]


def test_of_equally_counted_pairs_the_younger_stay():
    counts = CoActivations(limit=2)
    for pair in [(1, 2), (3, 4), (5, 6)]:
        counts.count(np.array([pair], np.int64), 50)
    assert counts.table()[0].tolist() == [[5, 6]]
