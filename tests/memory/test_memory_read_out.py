"""The read-out: attention with a null slot, its gradients, its precision; and the energy-weighted mean."""

import math

import pytest
import torch
from memory_scenes import D, V, axis, rows
from torch.autograd import gradcheck

from aesg_graph.learning.explaining import read_out


def by_hand(memory, query, ctx):
    """DESIGN section 5, one query at a time."""
    t, null = memory.config.read_temperature, memory.config.seed_threshold
    said = [0.0] * V
    weights = [math.exp(null / t)]
    for k, concept in enumerate(ctx.ids.tolist()):
        known = memory.concept(concept)
        if known.value is None:
            continue
        cosine = torch.nn.functional.cosine_similarity(query.double(), torch.from_numpy(known.key).double(), dim=0)
        weights.append(known.stability * math.exp(float(cosine) / t))
        said = [s + weights[-1] * float(v) for s, v in zip(said, ctx.values[k], strict=True)]
    return torch.tensor([s / sum(weights) for s in said])


def test_the_read_out_is_attention_weighted_by_stability_with_one_null_slot(opened):
    memory = opened(seeds=4, read_temperature=0.3)
    memory.create(rows(6), rows(6, 1, V))
    memory.create(rows(3, 2))  # these have no value, and take no part
    for row in (0, 0, 3):  # some are used, some contradicted
        memory.retrieve(rows(6)[row], value=rows(6, 1, V)[row] * (-1 if row else 1))
    for query in rows(4, 3):
        ctx = memory.retrieve(query, learn=False)
        assert torch.allclose(ctx.read(), by_hand(memory, query, ctx), atol=1e-5)


def test_the_engine_reads_out_what_the_context_does(opened):
    memory = opened()
    memory.create(rows(20), rows(20, 1, V))
    memory.create(rows(5, 2))
    query = rows(6, 3)
    ctx = memory.retrieve(query, learn=False)
    parts = [t.numpy() for t in (query, ctx.vectors, ctx.values, ctx.mask, ctx.has_value, ctx.stability)]
    config = memory.config
    engines = read_out(*parts, config.read_temperature, config.seed_threshold)
    assert torch.allclose(ctx.read(), torch.from_numpy(engines), atol=1e-5)


def test_one_concept_far_away_says_little_and_one_that_is_near_says_nearly_all(opened):
    memory = opened(seed_threshold=0.1)
    memory.create(axis(0)[None], torch.ones(1, V))
    near = memory.retrieve(axis(0), learn=False).read()
    far = memory.retrieve(axis(0) * 0.11 + axis(1), learn=False).read()
    assert near.min() > 0.99
    assert far.max() < 0.5


@pytest.mark.parametrize(("concepts", "top_k"), [(1, 1), (30, 10), (3, 10), (0, 10), (0, 1)])
@pytest.mark.parametrize("shape", [(), (2,), (1, 2)])
def test_gradients_flow_through_the_read_out(opened, concepts, top_k, shape):
    memory = opened(top_k=top_k, seeds=3, read_temperature=0.5)
    if concepts:
        memory.create(rows(concepts), rows(concepts, 1, V))
    memory.eval()
    count = math.prod(shape)
    query = (rows(max(1, concepts))[:1] + 0.3 * rows(count, 2)).reshape(*shape, D).double().requires_grad_()

    def read(query):
        ctx = memory(query)
        assert len(ctx) > 0 or not concepts
        return ctx.read()

    assert gradcheck(read, query)
    (gradient,) = torch.autograd.grad(read(query).sum(), query)
    assert gradient.isfinite().all()
    assert bool(gradient.abs().sum() > 0) == (concepts > 0)


def test_one_concept_gives_a_gradient(opened):
    memory = opened(top_k=1).eval()
    memory.create(axis(0)[None], torch.ones(1, V))
    query = (0.2 * axis(0) + axis(1)).requires_grad_()
    memory(query).read().sum().backward()
    assert query.grad.abs().sum() > 0.01


def test_nothing_retrieved_gives_zeros_that_belong_to_the_graph(opened):
    memory = opened().eval()
    query = rows(2).requires_grad_()
    read = memory(query).read()
    assert torch.equal(read, torch.zeros(2, V))
    read.sum().backward()
    assert torch.equal(query.grad, torch.zeros(2, D))


@pytest.mark.parametrize("scale", [0.0, 1e-37, 1.0, 3e37])
def test_gradients_are_finite_for_queries_of_any_length(opened, scale):
    memory = opened().eval()
    memory.create(rows(5), rows(5, 1, V))
    query = (rows(2, 1) / rows(2, 1).abs().max() * scale).requires_grad_()
    read = memory(query).read()
    read.sum().backward()
    assert read.isfinite().all()
    assert query.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_read_out_comes_in_the_dtype_of_the_query(opened, dtype):
    memory = opened().eval()
    memory.create(rows(5), rows(5, 1, V))
    query = rows(2, 1).to(dtype).requires_grad_()
    ctx = memory(query)
    assert ctx.read().dtype == ctx.aggregate().dtype == dtype
    ctx.read().sum().backward()
    assert query.grad.dtype == dtype
    exact = memory(query.detach().double()).read()
    # What is computed in float32 errs by one rounding at the end, not by one at each step.
    assert torch.allclose(ctx.read().double(), exact, atol=torch.finfo(dtype).eps * exact.abs().max() + 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_leaves_the_read_out_in_float32_and_gives_it_in_the_dtype_of_the_query(opened, dtype):
    memory = opened().eval()
    memory.create(rows(5), rows(5, 1, V))
    query = rows(2, 1).to(dtype)
    plain = memory(query).read()
    with torch.autocast("cpu", torch.bfloat16):
        cast = memory(query).read()
        mixed = memory(torch.nn.functional.linear(query.float(), torch.eye(D)))
    assert cast.dtype == dtype
    assert torch.equal(cast, plain)
    assert mixed.query.dtype == mixed.read().dtype == torch.bfloat16


def test_aggregate_is_the_energy_weighted_mean_of_the_keys(opened):
    memory = opened()
    memory.create(rows(5), rows(5, 1, V))
    ctx = memory.retrieve(rows(3, 2), learn=False)
    for b in range(3):
        energies = ctx.energies[b][ctx.mask[b]]
        expected = (energies[:, None] * ctx.vectors[b][ctx.mask[b]]).sum(0) / energies.sum()
        assert torch.allclose(ctx.aggregate()[b], expected, atol=1e-6)


def test_concepts_are_data_and_not_parameters(opened):
    memory = opened()
    memory.create(rows(3), rows(3, 1, V))
    assert list(memory.parameters()) == []
    ctx = memory(rows(3).requires_grad_())
    assert not ctx.vectors.requires_grad
    assert not ctx.values.requires_grad


def test_relevance_does_not_weigh_in_the_read_out(opened):
    memory = opened()
    memory.create(torch.stack([axis(0) + axis(1), axis(0) - axis(1)]), torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
    before = memory.retrieve(axis(0), learn=False).read()
    memory.retrieve(axis(0) + axis(1), learn=True)
    for _ in range(3):
        memory.cognitive_engine.consolidate()
    concepts = memory.retrieve(axis(0), learn=False)
    faded = [memory.concept(i) for i in concepts.ids.tolist()]
    assert faded[0].relevance != faded[1].relevance
    used = torch.tensor([c.stability for c in faded])
    assert torch.allclose(concepts.stability, used.float())
    assert before[0] == pytest.approx(before[1])
