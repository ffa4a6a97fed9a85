"""Aging: relevance rises, fades and expires as the design says, to the epoch."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aesg_graph import aging
from aesg_graph.aging import NEVER, RELEVANCE_FLOOR, Thresholds

THRESHOLDS = Thresholds(0.1, 0.95, 0.05, 5, 5)
DECAYS = st.floats(0.01, 0.9999)


def thresholds(**changes):
    return dataclasses.replace(THRESHOLDS, **changes)


touches = st.tuples(st.integers(0, 20), st.integers(0, 400))


@given(
    st.floats(RELEVANCE_FLOOR, 1e3), st.integers(0, 400), st.permutations(range(3)), st.tuples(*[touches] * 3), DECAYS
)
def test_touches_commute(relevance, epoch, order, uses_and_epochs, decay):
    limits = thresholds(relevance_decay=decay)

    def after(touches_in_order):
        value, touched = np.float64(relevance), np.int64(epoch)
        for uses, at in touches_in_order:
            value, touched = aging.touch(value, touched, uses, at, limits)
        return value, touched

    value, touched = after(uses_and_epochs)
    other_value, other_touched = after([uses_and_epochs[i] for i in order])
    assert touched == other_touched
    assert value == pytest.approx(other_value, rel=1e-9, abs=1e-290)


@given(st.floats(1e-6, 10), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8), DECAYS)
def test_lazy_aging_equals_aging_every_epoch(relevance, history, decay):
    limits = thresholds(relevance_decay=decay)
    eager = stored = np.float64(relevance)
    touched, epoch = np.int64(0), 0
    for passed, uses in history:
        for _ in range(passed):
            eager = eager * decay
        epoch += passed
        eager = eager + uses * limits.relevance_boost
        stored, touched = aging.touch(stored, touched, uses, epoch, limits)
        assert aging.current(stored, touched, epoch, limits) == pytest.approx(eager, rel=1e-9)


def test_relevance_never_reaches_zero():
    value, touched = aging.touch(1.0, 0, 0, 10**6, THRESHOLDS)
    assert (value, touched) == (RELEVANCE_FLOOR, 10**6)
    assert np.isfinite(aging.fades_at(value, touched, THRESHOLDS))


@given(st.floats(1e-6, 1e3), st.integers(0, 1000), DECAYS)
def test_fades_at_is_when_relevance_is_one(relevance, touched, decay):
    limits = thresholds(relevance_decay=decay)
    at = float(aging.fades_at(relevance, touched, limits))
    assert relevance * decay ** (at - touched) == pytest.approx(1.0, rel=1e-6)


def may_be_pruned(epoch, relevance, touched, born, uses, contradictions, limits):
    """The predicate in DESIGN's words."""
    older = epoch - born > limits.survival_min_age
    with np.errstate(over="ignore"):  # long before it was touched
        faded = aging.current(relevance, touched, epoch, limits) < limits.survival_threshold_relevance
    return older and faded and uses - contradictions < limits.survival_threshold_frequency


def assert_first_epoch(relevance, touched, born, uses, contradictions, limits):
    found = int(aging.expires_epoch(relevance, touched, born, uses, contradictions, limits))
    state = (relevance, touched, born, uses, contradictions, limits)
    if found == NEVER:
        assert not any(may_be_pruned(epoch, *state) for epoch in (*range(0, 2000, 7), 10**9))
        return
    assert may_be_pruned(found, *state)
    assert not any(may_be_pruned(epoch, *state) for epoch in range(max(0, found - 200), found))
    assert not any(may_be_pruned(epoch, *state) for epoch in range(0, found, 97))


@given(
    st.floats(RELEVANCE_FLOOR, 1e6),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 8),
    st.integers(0, 8),
    st.floats(0.01, 0.9999),
    st.sampled_from([0.0, 1e-9, 0.05, 0.5, 1.0]),
    st.integers(0, 8),
    st.integers(0, 60),
)
@example(1.0, 3, 0, 0, 0, 0.5, 0.25, 5, 0)  # exactly at the cut after two epochs: not below it yet
@example(0.001, 40, 0, 0, 0, 0.95, 0.05, 5, 5)  # faded before it was last touched
def test_expires_epoch_is_the_first_at_which_a_concept_may_be_pruned(
    relevance, touched, age, uses, contradictions, decay, threshold, frequency, min_age
):
    limits = Thresholds(0.1, decay, threshold, frequency, min_age)
    assert_first_epoch(relevance, touched, max(0, touched - age), uses, contradictions, limits)


@given(DECAYS, st.floats(0.001, 1), st.integers(0, 300))
def test_expires_epoch_is_exact_right_at_the_cut(decay, threshold, waits):
    limits = Thresholds(0.1, decay, threshold, 5, 0)
    waits = min(waits, int(500 / limits.rate))  # as far as a float can say
    for relevance in (threshold / decay**waits, threshold * decay**-waits):
        assert_first_epoch(relevance, 10, 0, 0, 0, limits)


def test_expires_epoch_stays_a_number_when_fading_takes_forever_or_no_time():
    slowly = thresholds(relevance_decay=float(np.nextafter(1.0, 0)), survival_threshold_relevance=5e-324)
    assert aging.expires_epoch(1e308, 0, 0, 0, 0, slowly) > 2**59
    at_once = thresholds(relevance_decay=5e-324, survival_threshold_relevance=1.0)
    assert aging.expires_epoch(RELEVANCE_FLOOR, 50, 0, 0, 0, at_once) == 50
    assert aging.expires_epoch(1.0, 50, 0, 0, 0, at_once) == 51


def test_expires_epoch_works_by_columns():
    born, uses = np.array([0, 10, 0]), np.array([0, 0, 9])
    found = aging.expires_epoch(np.ones(3), np.array([0, 10, 0]), born, uses, np.zeros(3, np.int64), THRESHOLDS)
    assert found.dtype == np.int64
    assert found.tolist() == [59, 69, NEVER]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_stability_rises_with_use_and_falls_with_contradiction(uses, contradictions):
    stability = aging.stability(uses, contradictions)
    assert 0 < stability < 1
    assert aging.stability(uses + 1, contradictions) > stability > aging.stability(uses, contradictions + 1)


def test_stability_is_one_half_at_birth_and_by_columns():
    np.testing.assert_allclose(aging.stability([0, 3, 0], [0, 0, 2]), [1 / 2, 4 / 5, 1 / 4])
