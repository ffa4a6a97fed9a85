"""Cosine, explanation and read-out, each against its formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesg_graph.learning.explaining import cosine, explanation, read_out


def test_cosine_is_that_of_the_angle():
    assert cosine([1.0, 0.0], [1.0, 1.0]) == pytest.approx(np.sqrt(0.5))
    assert cosine([2.0, 0.0], [-5.0, 0.0]) == -1.0


def test_the_cosine_with_a_zero_vector_is_zero_and_of_two_one():
    zero, one = np.zeros(3), np.ones(3)
    assert cosine([zero, one, zero], [one, zero, zero]).tolist() == [0.0, 0.0, 1.0]


def test_cosines_broadcast():
    a, b = np.random.default_rng(0).normal(size=(2, 4, 1, 3))
    got = cosine(a, b[:, 0])
    assert got.shape == (4, 4)
    x, y = a[1, 0], b[2, 0]
    assert got[1, 2] == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1e20, 3e38])
def test_tiny_and_huge_float32_vectors_have_cosines(scale):
    a = np.array([scale, scale], np.float32)
    assert cosine(a, [1.0, 0.0]) == pytest.approx(np.sqrt(0.5))


@given(st.integers(0, 2**32))
def test_a_cosine_never_leaves_its_range(seed):
    a = np.random.default_rng(seed).normal(size=(20, 7)).astype(np.float32)
    got = cosine(a, a)
    assert (got <= 1.0).all()
    np.testing.assert_allclose(got, 1.0)


def test_explanation_is_the_highest_seed_cosine_floored_at_zero():
    assert explanation([[0.3, 0.8], [-0.5, -0.2], [np.nan, 0.1]], None, None).tolist() == [0.8, 0.0, 0.1]


def test_without_seeds_nothing_is_explained():
    assert explanation(np.empty((2, 0)), None, None).tolist() == [0.0, 0.0]
    assert explanation([[np.nan]], None, None).tolist() == [0.0]


def test_a_surprising_value_lowers_the_explanation():
    values = np.array([[1.0, 0.0]] * 5 + [[0.0, 0.0]])
    said = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    got = explanation([[0.9]] * 6, values, said)
    np.testing.assert_allclose(got, [0.9, np.sqrt(0.5), 0.0, 0.0, 0.0, 0.9])


def literal(queries, keys, values, takes_part, stability, t, seed_threshold):
    """The formula of the design, term by term."""
    out = np.zeros((len(queries), values.shape[2]))
    for b in range(len(queries)):
        total = np.exp(seed_threshold / t)
        for k in range(keys.shape[1]):
            if takes_part[b, k]:
                x, y = queries[b].astype(float), keys[b, k].astype(float)
                weight = stability[b, k] * np.exp(x @ y / np.linalg.norm(x) / np.linalg.norm(y) / t)
                out[b] += weight * values[b, k]
                total += weight
        out[b] /= total
    return out


def scene(seed=0, B=5, K=4, D=6, V=3):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(B, D)).astype(np.float32),
        rng.normal(size=(B, K, D)).astype(np.float32),
        rng.normal(size=(B, K, V)).astype(np.float32),
        rng.random((B, K)) < 0.7,
        rng.random((B, K)) < 0.7,
        rng.uniform(0.1, 0.9, (B, K)),
    )


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_the_read_out_is_attention_with_a_null_slot(temperature):
    queries, keys, values, mask, has_value, stability = scene()
    got = read_out(queries, keys, values, mask, has_value, stability, temperature, 0.1)
    want = literal(queries, keys, values, mask & has_value, stability, temperature, 0.1)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)


def test_a_memory_without_values_reads_out_its_keys():
    queries, keys, _, mask, _, stability = scene()
    silent = np.zeros_like(mask)
    want = literal(queries, keys, keys, mask, stability, 0.05, 0.1)
    for values in (None, np.empty((5, 4, 0), np.float32)):
        got = read_out(queries, keys, values, mask, silent, stability, 0.05, 0.1)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)


def test_nothing_retrieved_reads_out_zeros():
    queries, keys, values, mask, has_value, stability = scene()
    none = np.zeros_like(mask)
    assert not read_out(queries, keys, values, none, has_value, stability, 0.05, 0.1).any()
    assert not read_out(queries, keys, values, mask, none, stability, 0.05, 0.1).any()
    empty = read_out(queries, keys[:, :0], values[:, :0], mask[:, :0], none[:, :0], stability[:, :0], 0.05, 0.1)
    assert empty.shape == (5, 3)
    assert not empty.any()


@pytest.mark.parametrize("temperature", [1e-6, 1e6])
def test_extreme_temperatures_stay_finite(temperature):
    queries, keys, values, mask, has_value, stability = scene()
    got = read_out(queries, keys, values, mask, has_value, stability, temperature, 0.1)
    assert np.isfinite(got).all()


def test_a_cold_read_out_is_the_nearest_concepts_value_or_nothing():
    query = np.array([[1.0, 0.0]], np.float32)
    keys = np.array([[[1.0, 0.1], [1.0, 0.5]]], np.float32)
    values = np.array([[[3.0], [7.0]]], np.float32)
    yes, half = np.ones((1, 2), bool), np.full((1, 2), 0.5)
    assert read_out(query, keys, values, yes, yes, half, 1e-6, 0.1).tolist() == [[3.0]]
    assert read_out(-query, keys, values, yes, yes, half, 1e-6, 0.1).tolist() == [[0.0]]


def test_the_stabler_of_two_equal_concepts_is_heard_more():
    query, key = np.array([[1.0, 0.0]], np.float32), np.array([[[1.0, 0.0]] * 2], np.float32)
    values, yes = np.array([[[1.0], [-1.0]]], np.float32), np.ones((1, 2), bool)
    assert read_out(query, key, values, yes, yes, np.array([[0.8, 0.2]]), 0.05, 0.1)[0, 0] == pytest.approx(0.6)
