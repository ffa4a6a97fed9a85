"""What a retrieval gives back: shapes, padding, rows, filters, what kinds of numbers it takes."""

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, rows, unit, uses

K = 10


def test_one_query_gives_the_unbatched_form_without_padding(opened):
    memory = opened()
    ids = memory.create(rows(3), rows(3, 1, V))
    ctx = memory.retrieve(rows(3)[1], learn=False)
    found = len(ctx)
    assert 1 <= found <= 3
    assert ctx.ids.shape == ctx.energies.shape == ctx.mask.shape == (found,)
    assert ctx.vectors.shape == (found, D)
    assert ctx.values.shape == (found, V)
    assert ctx.explanation.shape == ctx.novel.shape == ()
    assert ctx.read().shape == (V,)
    assert ctx.aggregate().shape == (D,)
    assert ctx.mask.all()
    assert ctx.ids[0] == ids[1]


def test_one_query_that_finds_nothing_gives_an_empty_context(opened):
    memory = opened()
    ctx = memory.retrieve(rows(1)[0], learn=False)
    assert ctx.ids.shape == (0,)
    assert ctx.vectors.shape == (0, D)
    assert ctx.values.shape == (0, V)
    assert ctx.read().tolist() == [0.0] * V
    assert ctx.aggregate().tolist() == [0.0] * D
    assert ctx.explanation == 0
    assert ctx.novel
    assert ctx.concept_vectors is None
    assert ctx.activated_nodes == []


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 1), (1,)])
def test_batches_are_padded_to_top_k(opened, shape):
    memory = opened()
    memory.create(rows(5), rows(5, 1, V))
    query = rows(int(np.prod(shape)), 2).reshape(*shape, D)
    ctx = memory.retrieve(query, learn=False)
    assert ctx.ids.shape == ctx.energies.shape == ctx.mask.shape == ctx.has_value.shape == (*shape, K)
    assert ctx.vectors.shape == (*shape, K, D)
    assert ctx.values.shape == (*shape, K, V)
    assert ctx.explanation.shape == ctx.novel.shape == shape
    assert ctx.read().shape == (*shape, V)
    assert ctx.aggregate().shape == (*shape, D)
    assert ctx.ids.dtype == torch.int64
    assert ctx.mask.dtype == ctx.novel.dtype == torch.bool
    assert ctx.energies.dtype == ctx.explanation.dtype == torch.float32


def test_padding_has_no_id_no_energy_and_no_vector(opened):
    memory = opened()
    memory.create(rows(2), rows(2, 1, V))
    ctx = memory.retrieve(rows(3, 2), learn=False)
    padded = ~ctx.mask
    assert padded.any(), "the scene must leave room"
    assert torch.equal(ctx.ids == -1, padded)
    assert (ctx.energies[padded] == 0).all()
    assert (ctx.vectors[padded] == 0).all()
    assert (ctx.values[padded] == 0).all()
    assert not ctx.has_value[padded].any()
    assert (ctx.energies[ctx.mask] > 0).all()


def test_a_row_is_answered_alike_alone_in_a_batch_and_in_a_sequence(opened):
    memory = opened()
    ids = memory.create(rows(40), rows(40, 1, V))
    memory.link(ids[:-1], ids[1:], "CAUSAL", 0.8)
    queries = rows(6, 2)
    together = memory.retrieve(queries, learn=False)
    in_time = memory.retrieve(queries.reshape(2, 3, D), learn=False)
    for row, query in enumerate(queries):
        alone = memory.retrieve(query[None], learn=False)
        for ctx, place in ((together, row), (in_time, divmod(row, 3))):
            assert torch.equal(alone.ids[0], ctx.ids[place])
            assert torch.equal(alone.energies[0], ctx.energies[place])
            assert torch.equal(alone.explanation[0], ctx.explanation[place])


def test_answers_come_in_falling_energy_ties_by_id(opened):
    memory = opened(seeds=4)
    # Three at the same angle to the query.
    keys = torch.stack([axis(0) + axis(1), axis(0) - axis(1), axis(0) + axis(2), axis(0)])
    ids = memory.create(keys, torch.ones(4, V))
    ctx = memory.retrieve(axis(0), learn=False)
    assert ctx.ids.tolist() == [ids[3].item(), *sorted(ids[:3].tolist())]
    assert (ctx.energies.diff() <= 0).all()


def test_all_rows_are_answered_from_the_memory_as_it_was_then_lessons_are_taken_in_order(opened):
    memory = opened()
    first, second = axis(0), axis(1)
    ctx = memory.retrieve(torch.stack([first, first, second, second]), torch.eye(3)[[0, 0, 1, 1]])
    assert not ctx.mask.any(), "no row may see what another one of the call taught"
    assert ctx.novel.all()
    nodes = memory.storage.nodes
    # The second row of each was explained by what the first gave birth to.
    assert np.allclose(nodes["vector"], np.stack([first, second]))
    assert [event["type"] for event in memory.history()] == ["CREATE", "CREATE"]


def test_answers_come_first_and_know_nothing_of_their_own_value(opened):
    memory = opened()
    key = axis(0)
    memory.create(key[None], torch.tensor([[1.0, 0.0, 0.0]]))
    ctx = memory.retrieve(key, value=torch.tensor([0.0, 1.0, 0.0]))
    assert ctx.read().argmax() == 0
    assert ctx.novel


def test_explanation_is_the_highest_seed_cosine(opened):
    memory = opened()
    keys = rows(6)
    memory.create(keys, rows(6, 1, V))
    queries = rows(20, 3)
    ctx = memory.retrieve(queries, learn=False)
    cosines = (unit(queries) @ unit(keys).T).max(axis=1)
    # Only what lies above the seed threshold is a seed.
    expected = np.where(cosines > memory.config.seed_threshold, cosines, 0.0)
    assert np.allclose(ctx.explanation, expected, atol=1e-6)
    assert torch.equal(ctx.novel, ctx.explanation < 0.6)


def test_with_a_value_the_explanation_is_the_lesser_of_cosine_and_value_agreement(opened):
    memory = opened()
    key, value = axis(0), torch.tensor([1.0, 0.0, 0.0])
    memory.create(key[None], value[None])
    agrees = memory.retrieve(key, value=2 * value, learn=False)
    half = memory.retrieve(key, value=torch.tensor([1.0, 1.0, 0.0]), learn=False)
    against = memory.retrieve(key, value=-value, learn=False)
    assert agrees.explanation == pytest.approx(1.0)
    assert half.explanation == pytest.approx(2**-0.5, rel=1e-5)
    assert against.explanation == 0.0
    near = memory.retrieve(axis(0) + axis(1), value=value, learn=False)
    assert near.explanation == pytest.approx(2**-0.5, rel=1e-5), "the lesser one is the cosine of the key"


def test_the_value_is_compared_with_what_memory_reads_out(opened):
    memory = opened(seeds=5)
    memory.create(rows(30), rows(30, 1, V))
    queries, values = rows(10, 4), rows(10, 5, V)
    ctx = memory.retrieve(queries, values, learn=False)
    plain = memory.retrieve(queries, learn=False)
    read = unit(plain.read())
    expected = np.minimum(plain.explanation.numpy(), np.maximum((read * unit(values)).sum(axis=1), 0))
    assert np.allclose(ctx.explanation, expected, atol=1e-5)


def test_a_kind_is_a_filter_on_seeds_and_results_while_energy_flows_through_others(opened):
    memory = opened()
    wanted = memory.create(torch.stack([axis(0), axis(5)]), kind="word")
    other = memory.create(axis(1)[None], kind="image")
    memory.link([wanted[0]], [other[0]], "CAUSAL", 1.0)
    memory.link([other[0]], [wanted[1]], "CAUSAL", 1.0)
    ctx = memory.retrieve(axis(0), kind="word", learn=False)
    assert ctx.ids.tolist() == wanted.tolist()
    assert ctx.energies[1] == pytest.approx(0.64), "it came through the image"
    assert memory.retrieve(axis(0), kind="image", learn=False).ids.tolist() == []
    assert memory.retrieve(axis(0), kind="unheard of", learn=False).ids.tolist() == []


def test_a_region_is_a_filter_too(opened):
    memory = opened()
    memory.create(rows(4), rows(4, 1, V))
    assert memory.retrieve(rows(4), region=3, learn=False).mask.sum() == 0


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(lambda q: q.to(torch.float64), id="float64"),
        pytest.param(lambda q: q.to(torch.float16), id="float16"),
        pytest.param(lambda q: q.to(torch.bfloat16), id="bfloat16"),
        pytest.param(lambda q: q.to(torch.int64), id="int64"),
        pytest.param(lambda q: q.to(torch.uint8), id="uint8"),
        pytest.param(lambda q: q.to(torch.bool), id="bool"),
        pytest.param(lambda q: q.t().contiguous().t(), id="non-contiguous"),
        pytest.param(lambda q: q.repeat_interleave(2, 1)[:, ::2], id="strided"),
        pytest.param(lambda q: q.clone().requires_grad_(), id="requires grad"),
        pytest.param(lambda q: q.numpy(), id="numpy"),
        pytest.param(lambda q: q.numpy()[:, ::-1][:, ::-1], id="numpy, backwards twice"),
        pytest.param(lambda q: np.asarray(q.numpy(), ">f8"), id="numpy, big-endian"),
        pytest.param(lambda q: q.numpy().astype(np.int32), id="numpy int32"),
        pytest.param(lambda q: q.tolist(), id="list"),
        pytest.param(lambda q: list(q.numpy()), id="list of arrays"),
        pytest.param(lambda q: list(q), id="list of tensors"),
    ],
)
def test_any_real_numbers_are_a_query(opened, convert):
    memory = opened()
    # Numbers that every type can hold.
    keys = torch.eye(D)[:4]
    memory.create(keys, torch.eye(4)[:, :V])
    plain = memory.retrieve(keys, learn=False)
    ctx = memory.retrieve(convert(keys), learn=False)
    assert torch.equal(ctx.ids, plain.ids)
    assert ctx.read().shape == (4, V)


def test_a_read_only_array_is_a_query_and_stays_as_it_was(opened):
    memory = opened()
    query = rows(2).numpy()
    query.setflags(write=False)
    memory.retrieve(query, value=np.ones((2, V)))
    assert not query.flags.writeable


def test_queries_as_long_and_as_short_as_floats_can_be_find_the_same(opened):
    memory = opened()
    memory.create(rows(5), rows(5, 1, V))
    plain = memory.retrieve(rows(2, 2), learn=False)
    for scale in (1e-30, 1e30):
        ctx = memory.retrieve(rows(2, 2) * scale, learn=False)
        assert torch.equal(ctx.ids, plain.ids)
        assert torch.allclose(ctx.energies, plain.energies, rtol=1e-5)
        assert torch.allclose(ctx.read(), plain.read(), rtol=1e-4)


def test_a_zero_query_has_an_empty_context_and_is_never_stored(opened):
    memory = opened()
    ctx = memory.retrieve(torch.zeros(2, D), torch.ones(2, V))
    assert not ctx.mask.any()
    assert memory.storage.node_count == 0
    memory.retrieve(torch.stack([torch.zeros(D), axis(0)]), torch.ones(2, V))
    assert memory.storage.node_count == 1, "the other row was learned"
    before = uses(memory)
    ctx = memory.retrieve(torch.zeros(1, D))
    assert not ctx.mask.any()
    assert ctx.explanation == 0
    assert uses(memory) == before


def test_what_was_recorded_is_not_changed_by_writing_to_what_was_given(opened):
    memory = opened()
    keys, values, weights = rows(2).numpy(), np.ones((2, V), np.float32), np.full(1, 0.5, np.float32)
    ids = memory.create(keys, values)
    kept = ids.clone()
    memory.link(ids[:1], ids[1:], "CAUSAL", weights)
    for given in (keys, values, weights, ids.numpy()):
        given[:] = -7
    memory.flush()
    assert [memory.concept(i).value.tolist() for i in kept.tolist()] == [[1.0] * V] * 2
    table = memory.engine.residency.vectors().fetch(kept.numpy())
    assert np.allclose(table.values, 1)
    assert memory.neighbors(int(kept[0]))[0].weight == 0.5


def test_a_context_stays_as_it_is_while_the_memory_goes_on(opened):
    memory = opened()
    memory.create(rows(5), rows(5, 1, V))
    ctx = memory.retrieve(rows(3, 2), learn=False)
    before = ctx.vectors.clone(), ctx.ids.clone()
    memory.create(rows(200, 3), rows(200, 4, V))
    memory.remove(ctx.ids[0][ctx.mask[0]])
    assert torch.equal(ctx.vectors, before[0])
    assert torch.equal(ctx.ids, before[1])


def test_a_memory_without_values_reads_out_keys(opened):
    memory = opened(value_dim=0)
    memory.create(rows(5))
    ctx = memory.retrieve(rows(5), learn=False)
    assert ctx.values is None
    assert ctx.read().shape == (5, D)
    assert torch.nn.functional.cosine_similarity(ctx.read(), rows(5)).min() > 0.8
    assert memory.retrieve(rows(5)[0], learn=False).values is None
