"""Bad input: the right error, what was given and what is expected, and nothing is written."""

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, rows, written

from aesg_graph import AESGError, AESGMemoryError, AESGNavigationError

NAN, INF = float("nan"), float("inf")


def filled(value, *shape):
    return torch.full(shape, value)


def one_bad(value, *shape):
    tensor = torch.ones(shape)
    tensor.view(-1)[-1] = value
    return tensor


BAD_QUERIES = [
    (one_bad(NAN, 2, D), rf"holds nan at \[1, {D - 1}\].*expected finite"),
    (one_bad(INF, 2, D), r"holds inf at .*expected finite"),
    (one_bad(-INF, 2, 3, D), r"holds -inf at .*expected finite"),
    (torch.full((2, D), 1e300, dtype=torch.float64), r"\(as float32\), expected finite"),
    (rows(2, width=D + 1), rf"shape \[2, {D + 1}\], expected \[{D}\], \[B, {D}\] or \[B, T, {D}\] \(vector_dim={D}\)"),
    (torch.ones(D - 1), rf"shape \[{D - 1}\], expected \[{D}\]"),
    (torch.tensor(1.0), rf"shape \[\], expected \[{D}\]"),
    (5, r"shape \[\], expected"),
    (torch.ones(1, 1, 1, D), rf"shape \[1, 1, 1, {D}\], expected"),
    (torch.empty(0, D), rf"empty batch of shape \[0, {D}\], expected at least one row"),
    (torch.empty(0, 3, D), "empty batch"),
    (torch.empty(3, 0, D), "empty batch"),
    ([], r"shape \[0\], expected"),
    (torch.ones(2, D, dtype=torch.complex64), "complex64, expected real numbers"),
    (np.ones((2, D), np.complex128), "complex128, expected real numbers"),
    (torch.ones(2, D).to_sparse(), "sparse.*expected a dense tensor"),
    (None, "query is None, expected a tensor, an array or a list"),
    ("a query", "query is 'a query', expected a tensor"),
    (b"bytes", "query is b'bytes', expected a tensor"),
    ({"a": 1}, "expected real numbers"),
    (object(), "expected real numbers"),
    ([[1.0] * D, [1.0]], r"query is a list that is no array \(.*expected numbers"),
    (np.array(["a"] * D), "expected real numbers"),
    (np.array([None] * D), "expected real numbers"),
    (np.zeros(D, "datetime64[s]"), "expected real numbers"),
]


@pytest.fixture
def memory(opened):
    memory = opened()
    memory.ids = memory.create(rows(3), rows(3, 1, V)).tolist()
    return memory


def name(case):
    given = case[0] if isinstance(case, tuple) else case
    shape = list(getattr(given, "shape", ()))
    return f"{type(given).__name__}{shape}" if not isinstance(given, str) else given


def refused(memory, call, error, match):
    before = written(memory)
    centroids = len(memory.engine.working.buffer)
    with pytest.raises(error, match=match) as caught:
        call()
    assert type(caught.value) is error
    assert issubclass(error, AESGError)
    assert caught.value.message == str(caught.value)
    assert written(memory) == before, "nothing may be written"
    assert len(memory.engine.working.buffer) == centroids
    assert memory.retrieve(rows(1), learn=False).mask.any(), "and the memory goes on"


@pytest.mark.parametrize(("query", "match"), BAD_QUERIES, ids=map(name, BAD_QUERIES))
def test_bad_queries_are_refused_before_anything_is_learned(memory, query, match):
    refused(memory, lambda: memory(query), AESGMemoryError, match)


@pytest.mark.parametrize(("query", "match"), BAD_QUERIES[:2], ids=map(name, BAD_QUERIES[:2]))
def test_bad_queries_are_refused_in_a_step_too_and_the_rest_of_it_counts(memory, query, match):
    with memory.step():
        memory(axis(0) * 9)
        with pytest.raises(AESGMemoryError, match=match):
            memory(query)
    assert memory.engine.changes == 2


BAD_VALUES = [
    (rows(2, 1, V + 1), rf"value has shape \[2, {V + 1}\], expected \[2, {V}\] for a query of \[2, {D}\]"),
    (rows(3, 1, V), rf"value has shape \[3, {V}\], expected \[2, {V}\]"),
    (torch.ones(V), rf"value has shape \[{V}\], expected \[2, {V}\]"),
    (torch.ones(1, 2, V), r"value has shape"),
    (one_bad(NAN, 2, V), rf"value holds nan at \[1, {V - 1}\].*expected finite"),
    (one_bad(INF, 2, V), "value holds inf"),
    (torch.ones(2, V, dtype=torch.complex64), "value has dtype torch.complex64, expected real numbers"),
    ("a value", "value is 'a value', expected"),
    (5, r"value has shape \[\]"),
    ([[1.0]], r"value has shape \[1, 1\]"),
]


@pytest.mark.parametrize(("value", "match"), BAD_VALUES, ids=map(name, BAD_VALUES))
def test_bad_values_are_refused_before_anything_is_learned(memory, value, match):
    refused(memory, lambda: memory(rows(2, 5), value), AESGMemoryError, match)


def test_a_value_where_memory_has_none_is_refused(opened):
    memory = opened(value_dim=0)
    memory.create(rows(3))
    for call in (lambda: memory(rows(2), rows(2, 1, V)), lambda: memory.create(rows(2), rows(2, 1, V))):
        refused(memory, call, AESGMemoryError, "value_dim=0: expected no value")


@pytest.mark.parametrize(
    ("how", "error", "match"),
    [
        ({"kind": ""}, AESGMemoryError, "kind is '', expected a string of 1 to 128 characters"),
        ({"kind": 5}, AESGMemoryError, "kind is 5, expected a string"),
        ({"kind": "x" * 129}, AESGMemoryError, "expected a string of 1 to 128"),
        ({"kind": "\ud800"}, AESGMemoryError, "valid Unicode"),
        ({"region": -1}, AESGNavigationError, "region is -1, expected an integer of at least 0, or None"),
        ({"region": "north"}, AESGNavigationError, "region is 'north', expected an integer"),
        ({"region": 1.5}, AESGNavigationError, "region is 1.5, expected an integer"),
        ({"region": True}, AESGNavigationError, "region is True, expected an integer"),
        ({"region": 2**63}, AESGNavigationError, "expected an integer"),
        ({"sources": ["a"]}, AESGMemoryError, "sources has 1 entries, expected 2, one for each row"),
        ({"sources": ["a", 5]}, AESGMemoryError, "sources holds int, expected strings"),
        ({"sources": 5}, AESGMemoryError, "sources is a int, expected a list of strings"),
        ({"sources": ["a", "\ud800"]}, AESGMemoryError, "valid Unicode"),
    ],
)
def test_bad_filters_and_sources_are_refused(memory, how, error, match):
    refused(memory, lambda: memory.retrieve(rows(2, 5), **how), error, match)


BAD_KEYS = [
    (one_bad(NAN, 2, D), "keys holds nan"),
    (one_bad(INF, 2, D), "keys holds inf"),
    (torch.stack([axis(0), torch.zeros(D)]), "keys row 1 is a zero vector, expected keys with a direction"),
    (rows(2, width=D + 1), rf"keys has shape \[2, {D + 1}\], expected \[N, {D}\]"),
    (torch.ones(D), rf"keys has shape \[{D}\], expected \[N, {D}\]"),
    (torch.empty(0, D), "keys is an empty batch"),
    (torch.ones(2, D, dtype=torch.complex64), "complex"),
    (torch.ones(2, D).to_sparse(), "sparse"),
    (None, "keys is None"),
    ("keys", "keys is 'keys'"),
    ([[1.0] * D, [1.0]], "keys is not a regular array"),
    ([torch.ones(D, requires_grad=True)], "keys is not a regular array"),
]


@pytest.mark.parametrize(("keys", "match"), BAD_KEYS, ids=map(name, BAD_KEYS))
def test_bad_keys_are_refused(memory, keys, match):
    refused(memory, lambda: memory.create(keys), AESGMemoryError, match)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"values": rows(1, 1, V)}, "values has 1 rows, expected 2"),
        ({"values": rows(2, 1, V + 1)}, rf"values has shape \[2, {V + 1}\], expected \[N, {V}\]"),
        ({"values": one_bad(NAN, 2, V)}, "values holds nan"),
        ({"names": ["a"]}, "names has 1 entries, expected 2, one for each concept"),
        ({"texts": ["a", 5]}, "texts holds int, expected strings"),
        ({"texts": ["a", "x" * 70_000]}, "a string of 70000 characters, expected strings of at most"),
        ({"sources": "abc"}, "sources has 1 entries, expected 2"),
        ({"sources": 5}, "sources is a int"),
        ({"kind": None}, "kind is None"),
        ({"kind": ""}, "kind is ''"),
    ],
)
def test_bad_company_of_keys_is_refused(memory, how, match):
    refused(memory, lambda: memory.create(rows(2, 5), **how), AESGMemoryError, match)


@pytest.mark.parametrize(
    ("link", "match"),
    [
        (
            lambda m: m.link(m.ids[:1], m.ids[1:2], "RHYMES"),
            "Unknown relation type 'RHYMES': expected one of SIMILARITY",
        ),
        (lambda m: m.link(m.ids[:1], m.ids[1:2], 5), "Unknown relation type 5"),
        (lambda m: m.link(m.ids[:1], m.ids[1:2], ["CAUSAL"]), "Unknown relation type"),
        (lambda m: m.link(m.ids[:1], m.ids[1:2], "CAUSAL", 1.5), r"weights holds 1.5, expected numbers in \[0, 1\]"),
        (lambda m: m.link(m.ids[:2], m.ids[1:], "CAUSAL", [0.5, -0.1]), r"weights holds -0.1\d*, expected"),
        (lambda m: m.link(m.ids[:1], m.ids[1:2], "CAUSAL", NAN), "weights holds nan"),
        (lambda m: m.link(m.ids[:2], m.ids[1:], "CAUSAL", [0.5]), r"weights has shape \[1\], expected \[2\]"),
        (lambda m: m.link(m.ids[:1], m.ids[1:2], "CAUSAL", "0.5"), "weights is '0.5', expected numbers"),
        (lambda m: m.link([1], m.ids[:1]), r"Concept 1 does not exist, expected ids of concepts in this memory"),
        (lambda m: m.link(m.ids[:1] * 3, [5, 6, 7]), "Concept 5 and 2 more does not exist"),
        (lambda m: m.link(m.ids[:1], m.ids[:2]), "sources has 1 ids and targets 2, expected as many"),
        (lambda m: m.link(m.ids[:1], m.ids[:1]), r"Concept \d+ was to be linked to itself, expected two concepts"),
        (lambda m: m.link([0.5], m.ids[:1]), "sources has dtype float64, expected integers"),
        (lambda m: m.link([-5], m.ids[:1]), "sources holds -5, expected ids of at least 0"),
        (lambda m: m.link([2**70], m.ids[:1]), "sources has dtype object"),
        (lambda m: m.link(np.array([2**63], np.uint64), m.ids[:1]), r"expected ids below 2\^63"),
        (lambda m: m.link(None, m.ids[:1]), "sources is None, expected ids"),
        (lambda m: m.link("ab", m.ids[:1]), "sources is 'ab', expected ids"),
        (lambda m: m.link([[m.ids[0]]], [[m.ids[1]]]), r"sources has shape \[1, 1\], expected \[N\]"),
        (lambda m: m.link([True], m.ids[:1]), "sources has dtype bool"),
    ],
)
def test_bad_links_are_refused(memory, link, match):
    refused(memory, lambda: link(memory), AESGMemoryError, match)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m: m.remove([12345]), "Concept 12345 does not exist"),
        (lambda m: m.remove([*m.ids, 12345]), "Concept 12345 does not exist"),
        (lambda m: m.remove(m.ids[:1] * 2), "more than once, expected distinct ids"),
        (lambda m: m.remove("all"), "ids is 'all'"),
        (lambda m: m.annotate([12345], ["name"]), "Concept 12345 does not exist"),
        (lambda m: m.annotate(m.ids[:1], ["a", "b"]), "names has 2 entries, expected 1"),
        (lambda m: m.annotate(m.ids[:1], [5]), "names holds int"),
        (lambda m: m.annotate(m.ids[:1], ["\ud800"]), "valid Unicode"),
        (lambda m: m.concept(12345), "Concept 12345 does not exist"),
        (lambda m: m.concept(-1), "id holds -1"),
        (lambda m: m.concept(2**70), "id has dtype object"),
        (lambda m: m.concept("x"), "id is 'x'"),
        (lambda m: m.concept(1.5), "id has dtype float64"),
        (lambda m: m.concept(None), "id is None"),
        (lambda m: m.concept([1, 2]), "id holds 2 ids, expected one"),
        (lambda m: m.neighbors(12345), "Concept 12345 does not exist"),
        (lambda m: m.explain(rows(1)[0], 12345), "Concept 12345 does not exist"),
        (lambda m: m.explain(rows(2), m.ids[0]), rf"query has shape \[2, {D}\], expected \[{D}\]"),
        (lambda m: m.explain(rows(4, width=D // 2)[:2], m.ids[0]), r"query has shape"),
        (lambda m: m.explain(one_bad(NAN, D), m.ids[0]), "query holds nan"),
        (lambda m: m.explain(None, m.ids[0]), "query is None"),
        (lambda m: m.set_mode("SLEEP"), "Invalid memory mode 'SLEEP'. Valid modes:"),
        (lambda m: m.history(-1), "limit must be at least 0"),
        (lambda m: m.cognitive_engine.create_sensory_concept(torch.zeros(D)), "zero vector"),
        (lambda m: m.cognitive_engine.create_sensory_concept(torch.ones(D + 1)), "shape"),
        (lambda m: m.cognitive_engine.create_sensory_concept(None), "None"),
        (lambda m: m.cognitive_engine.create_sensory_concept("x"), "'x'"),
    ],
)
def test_other_bad_calls_are_refused(memory, call, match):
    refused(memory, lambda: call(memory), AESGMemoryError, match)


def test_no_ids_are_nothing_to_do(memory):
    before = written(memory)
    memory.remove([])
    memory.annotate([], names=[])
    memory.link([], [])
    assert written(memory) == before


def test_concepts_without_a_value_never_contradict(memory):
    (bare,) = memory.create(3 * axis(7)[None]).tolist()
    memory(axis(7), torch.ones(V))
    assert memory.concept(bare).contradictions == 0
    assert memory.concept(bare).use_frequency == 1
