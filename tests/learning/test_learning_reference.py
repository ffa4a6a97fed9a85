"""The vectorised rule is the plain row loop."""

import numpy as np
import pytest
import reference_learning as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scenarios import Counter, created, links, random_lesson, rows_of, rules, touched

from aesg_graph.learning import Mode, Step, WorkingMemory, learn


def assert_same_outcome(got, want):
    np.testing.assert_allclose(got.explanation, want.explanation, atol=2e-6)
    assert got.novel.tolist() == want.novel
    assert got.blocked == want.blocked
    assert got.born.tolist() == [concept.id for concept in want.born]
    create = created(got)
    if create is not None:
        assert create.ids.tolist() == got.born.tolist()
        np.testing.assert_allclose(create.keys, [concept.key for concept in want.born], atol=2e-6)
        assert create.has_value.tolist() == [concept.value is not None for concept in want.born]
        width = create.values.shape[1]
        values = [concept.value if concept.value is not None else [0.0] * width for concept in want.born]
        np.testing.assert_allclose(create.values, np.reshape(values, (len(values), width)), atol=2e-6)
        if create.sources is not None:
            assert create.sources == tuple(concept.source for concept in want.born)
    else:
        assert not want.born
    similar = links(got, "SIMILARITY")
    assert similar.keys() == want.similar.keys()
    assert all(abs(similar[ends][0] - want.similar[ends]) < 2e-6 for ends in similar)
    assert links(got, "TEMPORAL") == {ends: (0.5, 0) for ends in want.temporal}
    assert links(got, "ASSOCIATION") == {ends: (0.5, times - 1) for ends, times in want.associations.items()}
    ids = want.uses.keys() | want.contradictions.keys()
    assert touched(got) == {i: (want.uses.get(i, 0), want.contradictions.get(i, 0)) for i in ids}


def assert_same_working_memory(working: WorkingMemory, memory: reference.Memory):
    arrays = working.to_arrays()
    assert arrays["buffer_hits"].tolist() == [c.hits for c in memory.centroids]
    assert arrays["buffer_has_value"].tolist() == [c.value is not None for c in memory.centroids]
    for row, centroid in enumerate(memory.centroids):
        np.testing.assert_allclose(arrays["buffer_keys"][row], centroid.key, atol=1e-9)
        if centroid.value is not None:
            np.testing.assert_allclose(arrays["buffer_values"][row], centroid.value, atol=1e-9)
    pairs = zip(map(tuple, arrays["pairs"].tolist()), arrays["pair_counts"].tolist(), strict=True)
    assert dict(pairs) == memory.pairs
    assert working.previous == memory.previous


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    mode=st.sampled_from([Mode.TRAIN, Mode.FINETUNE, Mode.ONLINE]),
    value_dim=st.sampled_from([0, 2, 3]),
    threshold=st.sampled_from([0.35, 0.61, 0.83, 0.97]),
    birth=st.integers(1, 4),
    capacity=st.integers(1, 6),
    coactivation=st.integers(1, 4),
    pair_limit=st.sampled_from([2, 5, 1000]),
)
def test_vectorised_learning_equals_the_plain_row_loop(
    seed, mode, value_dim, threshold, birth, capacity, coactivation, pair_limit
):
    rng = np.random.default_rng(seed)
    dim = 4
    themes = rng.normal(size=(5, dim))
    chosen = rules(
        mode=mode, explanation_threshold=threshold, birth_threshold=birth, coactivation_threshold=coactivation
    )
    plain = reference.Rules(threshold, birth, 0.5, coactivation, mode is not Mode.FINETUNE)
    working = WorkingMemory(dim, value_dim, capacity, pair_limit)
    memory = reference.Memory(capacity, pair_limit)
    ids, plain_ids = Counter(111, 2), Counter(111, 2)
    empty = bool(rng.integers(2))
    for _ in range(3):  # steps
        step, newborns = Step(dim, value_dim), []
        for _ in range(int(rng.integers(1, 4))):  # calls of the step
            lesson = random_lesson(rng, themes, value_dim)
            room = [None, None, 0, 1, 3][rng.integers(5)]
            got = learn(lesson, working, chosen, step, ids, epoch=7, room=room, empty=empty)
            want = reference.learn(rows_of(lesson), memory, plain, newborns, lambda: int(plain_ids(1)[0]), room, empty)
            assert_same_outcome(got, want)
            assert_same_working_memory(working, memory)
            assert step.ids.tolist() == [concept.id for concept in newborns]
        empty = False


@pytest.mark.parametrize("seed", range(8))
def test_a_call_teaches_what_its_rows_one_by_one_would_teach_in_one_step(seed):
    rng = np.random.default_rng(seed)
    themes = rng.normal(size=(4, 4))
    whole = random_lesson(rng, themes, 2)
    chosen = rules(birth_threshold=2, coactivation_threshold=3)
    together, apart = WorkingMemory(4, 2, 8), WorkingMemory(4, 2, 8)
    once = learn(whole, together, chosen, Step(4, 2), Counter(1), epoch=0, room=None, empty=True)
    step, ids, explanation, uses = Step(4, 2), Counter(1), [], {}
    for row in range(len(whole)):
        part = type(whole)(**{name: _row(column, row) for name, column in vars(whole).items()})
        got = learn(part, apart, chosen, step, ids, epoch=0, room=None, empty=True)
        explanation += got.explanation.tolist()
        for concept, counts in touched(got).items():
            uses[concept] = tuple(np.add(uses.get(concept, (0, 0)), counts).tolist())
    np.testing.assert_allclose(once.explanation, explanation, atol=1e-9)
    assert once.born.tolist() == step.ids.tolist()
    assert touched(once) == uses
    for name, array in together.to_arrays().items():
        other = apart.to_arrays()[name]
        if name in ("pairs", "pair_counts"):  # in no particular order
            array, other = np.sort(array, axis=0), np.sort(other, axis=0)
        np.testing.assert_array_equal(array, other)


def _row(column, row):
    return None if column is None else column[row : row + 1]


def test_a_long_run_of_calls_equals_the_plain_row_loop():
    rng = np.random.default_rng(5)
    themes = rng.normal(size=(12, 4))
    chosen, plain = rules(birth_threshold=3, coactivation_threshold=3), reference.Rules(0.6, 3, 0.5, 3, True)
    working, memory = WorkingMemory(4, 3, 10, 40), reference.Memory(10, 40)
    ids, plain_ids = Counter(111, 2), Counter(111, 2)
    born = associated = 0
    for call in range(120):
        lesson = random_lesson(rng, themes, 3)
        got = learn(lesson, working, chosen, Step(4, 3), ids, epoch=call, room=None, empty=call == 0)
        want = reference.learn(rows_of(lesson), memory, plain, [], lambda: int(plain_ids(1)[0]), None, call == 0)
        assert_same_outcome(got, want)
        assert_same_working_memory(working, memory)
        born, associated = born + len(got.born), associated + len(links(got, "ASSOCIATION"))
    assert born > 50  # the run was worth the name
    assert associated > 10
