"""Retrieval as one operator: compilers, fake tensors, vmap, and the checks that torch has for operators."""

import pytest
import torch
from memory_scenes import D, V, rows, uses, written
from torch import nn
from torch._subclasses import FakeTensorMode

from aesg_graph import AESGNavigationError
from aesg_graph.retrieval_op import LEARN_BY_MODE, retrieve_op

K = 10


class Model(nn.Module):
    def __init__(self, memory):
        super().__init__()
        self.before, self.memory, self.after = nn.Linear(4, D), memory, nn.Linear(V, 2)

    def forward(self, x):
        ctx = self.memory(self.before(x))
        return self.after(ctx.read()), ctx.ids, ctx.explanation


@pytest.fixture
def twins(opened):
    """Two equal models, each with a memory of its own that has learned the same."""
    torch.manual_seed(0)
    models = []
    for name in ("eager", "compiled"):
        memory = opened(name)
        memory.create(rows(6), rows(6, 1, V))
        models.append(Model(memory))
    models[1].load_state_dict(models[0].state_dict(), strict=True)
    torch._dynamo.reset()
    yield models
    torch._dynamo.reset()


def same(a, b):
    return torch.allclose(a[0], b[0], atol=1e-6) and torch.equal(a[2], b[2])


def test_a_compiled_model_answers_and_learns_as_an_eager_one(twins):
    eager, plain = twins
    # Without code generation: this is about what is traced and when it runs.
    compiled = torch.compile(plain, backend="aot_eager", fullgraph=True)
    x = torch.randn(5, 4)
    for _ in range(3):
        assert same(eager(x), compiled(x))
        assert sorted(uses(eager.memory).values()) == sorted(uses(plain.memory).values())
    for model in (eager, plain):
        model.eval()
    assert same(eager(x), compiled(x))
    assert sorted(uses(eager.memory).values()) == sorted(uses(plain.memory).values())


def test_gradients_of_a_compiled_model_are_those_of_an_eager_one(twins):
    eager, plain = twins
    compiled = torch.compile(plain, backend="aot_eager", fullgraph=True)
    x = torch.randn(5, 4)
    eager(x)[0].square().sum().backward()
    compiled(x)[0].square().sum().backward()
    assert torch.allclose(eager.before.weight.grad, plain.before.weight.grad, atol=1e-6)
    assert sorted(uses(eager.memory).values()) == sorted(uses(plain.memory).values())


def test_equal_calls_in_one_compiled_graph_learn_once_each_even_if_nobody_looks(opened):
    memory = opened()
    memory.create(rows(1), rows(1, 1, V))

    def twice(x):
        memory(x)
        memory(x)
        return x + 1

    torch._dynamo.reset()
    torch.compile(twice, backend="aot_eager", fullgraph=True)(rows(1))
    assert [used for used, _ in uses(memory).values()] == [2]


@pytest.mark.slow
def test_inductor_compiles_it(twins):
    eager, plain = twins
    compiled = torch.compile(plain, fullgraph=True)
    x = torch.randn(5, 4)
    for _ in range(2):
        assert same(eager(x), compiled(x))
    assert sorted(uses(eager.memory).values()) == sorted(uses(plain.memory).values())


def test_filters_sources_and_sequences_compile_too(opened):
    memory = opened()
    memory.create(torch.eye(D)[:3], rows(3, 1, V), kind="word")

    def ask(q):
        return memory.retrieve(q, kind="word", sources=["a", "b"]).ids

    torch._dynamo.reset()
    found = torch.compile(ask, backend="eager")(torch.eye(D)[4:6].reshape(1, 2, D))
    assert found.shape == (1, 2, K)
    assert {memory.concept(i).source for i in memory.storage.nodes["id"].tolist()} == {None, "a", "b"}


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_fake_tensors_see_shapes_and_never_learn(opened, shape):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    before = written(memory)
    with FakeTensorMode():
        ctx = memory(torch.empty(*shape, D), torch.empty(*shape, V))
        assert ctx.ids.shape == (*shape, K)
        assert ctx.vectors.shape == (*shape, K, D)
        assert ctx.read().shape == (*shape, V)
        assert ctx.aggregate().shape == (*shape, D)
        assert ctx.explanation.shape == shape
    assert written(memory) == before


def test_meta_tensors_see_shapes_and_never_learn(opened):
    memory = opened()
    before = written(memory)
    ctx = memory(torch.empty(4, D, device="meta"))
    assert ctx.ids.shape == (4, K)
    assert ctx.ids.device.type == "meta"
    assert written(memory) == before


def test_vmap_is_refused_with_what_to_do_instead(opened):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    before = written(memory)
    with pytest.raises(AESGNavigationError, match=r"vmap.*whole batch"):
        torch.vmap(lambda q: memory(q[None]).read())(rows(4))
    with pytest.raises(AESGNavigationError, match=r"vmap.*whole batch"):
        torch.vmap(memory)(rows(4))
    assert written(memory) == before


def test_functional_gradients_pass(opened):
    memory = opened().eval()
    memory.create(rows(6), rows(6, 1, V))
    query = rows(2, 1)
    gradient = torch.func.grad(lambda q: memory(q).read().sum())(query)
    leaf = query.clone().requires_grad_()
    memory(leaf).read().sum().backward()
    assert torch.allclose(gradient, leaf.grad)


@pytest.mark.parametrize("value", [None, "a value"])
def test_the_operator_is_what_torch_expects_of_one(opened, value):
    memory = opened().eval()
    memory.create(rows(6), rows(6, 1, V))
    meant = rows(4, 3, V) if value else None
    arguments = (rows(4, 2), meant, memory._clock, memory._handle, LEARN_BY_MODE, False, 0, None, None, None)
    torch.library.opcheck(retrieve_op, arguments)


def test_models_with_several_memories_compile(opened):
    memories = nn.ModuleList([opened("one"), opened("two")])
    for number, memory in enumerate(memories):
        memory.create(rows(3, number), rows(3, 9, V))

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.memories = memories

        def forward(self, x):
            return torch.stack([memory(x).read() for memory in self.memories])

    torch._dynamo.reset()
    model = Both().eval()
    x = rows(3, 0)
    assert torch.allclose(torch.compile(model, backend="aot_eager", fullgraph=True)(x), model(x), atol=1e-6)
    assert not torch.allclose(model(x)[0], model(x)[1])
