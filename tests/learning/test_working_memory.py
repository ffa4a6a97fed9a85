"""Working memory is saved and read back whole, or refused."""

import io

import numpy as np
import pytest
from scenarios import Counter, random_lesson, rules

from aesg_graph.errors import AESGStorageError
from aesg_graph.learning import Step, WorkingMemory, learn


def busy(calls=12) -> WorkingMemory:
    rng = np.random.default_rng(3)
    themes = rng.normal(size=(9, 4))
    working = WorkingMemory(4, 2, 6)
    for _ in range(calls):
        given = random_lesson(rng, themes, 2)
        chosen = rules(birth_threshold=4, coactivation_threshold=5)
        learn(given, working, chosen, Step(4, 2), Counter(1000), epoch=0, room=None, empty=False)
        working.calls += 1
    return working


def through_a_file(arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        return dict(saved)


def assert_equal(a: WorkingMemory, b: WorkingMemory):
    mine, other = a.to_arrays(), b.to_arrays()
    assert mine.keys() == other.keys()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, other[name])
        assert array.dtype == other[name].dtype


def test_it_survives_a_file_without_pickling():
    working = busy()
    assert len(working.buffer) == 6
    assert len(working.coactivations) > 12
    assert working.previous
    read = WorkingMemory.from_arrays(through_a_file(working.to_arrays()), 4, 2, 6)
    assert_equal(working, read)
    assert read.calls == 12


def test_what_was_read_back_learns_on_as_if_nothing_had_happened():
    kept = busy()
    read = WorkingMemory.from_arrays(through_a_file(kept.to_arrays()), 4, 2, 6)
    rng = np.random.default_rng(4)
    themes, ids, chosen = rng.normal(size=(9, 4)), (Counter(5000), Counter(5000)), rules(birth_threshold=2)
    for _ in range(10):
        given = random_lesson(rng, themes, 2)
        for working, allocate in zip((kept, read), ids, strict=True):
            learn(given, working, chosen, Step(4, 2), allocate, epoch=0, room=None, empty=False)
        assert_equal(kept, read)


def test_an_empty_one_survives_too():
    working = WorkingMemory(4, 0, 6)
    assert_equal(working, WorkingMemory.from_arrays(through_a_file(working.to_arrays()), 4, 0, 6))


def test_a_smaller_buffer_keeps_the_youngest_centroids():
    working = busy()
    read = WorkingMemory.from_arrays(working.to_arrays(), 4, 2, 2)
    np.testing.assert_array_equal(read.to_arrays()["buffer_keys"], working.to_arrays()["buffer_keys"][-2:])


def test_a_smaller_pair_limit_keeps_the_most_counted():
    working = busy()
    read = WorkingMemory.from_arrays(working.to_arrays(), 4, 2, 6, pair_limit=10)
    counts = np.sort(working.to_arrays()["pair_counts"])
    assert sorted(read.to_arrays()["pair_counts"].tolist()) == counts[-5:].tolist()


def test_reset_ends_sequences_and_leaves_the_rest():
    working = busy()
    before = working.to_arrays()
    working.reset_sequences()
    after = working.to_arrays()
    assert not working.previous
    for name in ("buffer_keys", "buffer_hits", "pairs", "pair_counts", "calls"):
        np.testing.assert_array_equal(before[name], after[name])


def test_some_sequences_can_end_alone():
    working = WorkingMemory(4, 0, 6)
    working.previous = {0: 5, 1: 6, 2: 7}
    working.end_sequences(np.array([0, 2, 99]))
    assert working.previous == {1: 6}


def test_clear_forgets_everything():
    working = busy()
    working.clear()
    assert_equal(working, WorkingMemory(4, 2, 6))


def spoiled(name, change):
    arrays = dict(busy().to_arrays())
    arrays[name] = change(arrays[name].copy())
    return arrays


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("format", lambda a: a + 1, "its format is 2, expected 1"),
        ("calls", lambda a: a - 100, "call count is -88"),
        ("calls", lambda a: a.astype(float), "'calls' is float64"),
        ("buffer_keys", lambda a: a[:, :3], r"'buffer_keys' has shape \(6, 3\), expected \(6, 4\)"),
        ("buffer_keys", put((0, 0), np.nan), "not finite"),
        ("buffer_keys", put((0, 0), np.inf), "not finite"),
        ("buffer_values", lambda a: a[:-1], r"'buffer_values' has shape \(5, 2\), expected \(6, 2\)"),
        ("buffer_values", lambda a: a.ravel(), "1 dimensions"),
        ("buffer_has_value", lambda a: a.astype(int), "'buffer_has_value' is int64"),
        ("buffer_hits", put(0, 0), "fewer than 1 hit"),
        ("pairs", lambda a: a[:, ::-1], "lower to a higher id"),
        ("pairs", put((0, 0), -1), "lower to a higher id"),
        ("pair_counts", put(0, 0), "count below 1"),
        ("pair_counts", lambda a: a[1:], "'pairs' has shape"),
        ("sequence_concepts", lambda a: a[1:], "'sequence_concepts' has shape"),
        ("sequence_concepts", put(0, -1), "id below 0"),
        ("sequence_tags", lambda a: np.array(["a"] * len(a)), "'sequence_tags' is <U1"),
    ],
)
def test_bad_content_is_refused(name, change, message):
    with pytest.raises(AESGStorageError, match=message):
        WorkingMemory.from_arrays(spoiled(name, change), 4, 2, 6)


def test_a_missing_column_is_refused():
    arrays = busy().to_arrays()
    del arrays["pairs"]
    with pytest.raises(AESGStorageError, match="'pairs' is missing"):
        WorkingMemory.from_arrays(arrays, 4, 2, 6)


def test_another_memorys_dimensions_are_refused():
    with pytest.raises(AESGStorageError, match=r"\(6, 4\), expected \(6, 5\)"):
        WorkingMemory.from_arrays(busy().to_arrays(), 5, 2, 6)
    with pytest.raises(AESGStorageError, match=r"\(6, 2\), expected \(6, 0\)"):
        WorkingMemory.from_arrays(busy().to_arrays(), 4, 0, 6)
