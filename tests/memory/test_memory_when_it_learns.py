"""When a call learns: mode, module.training, learn=, and never inside backward."""

import pytest
import torch
from memory_scenes import D, V, axis, rows, uses, written
from torch import nn
from torch.utils.checkpoint import checkpoint

from aesg_graph import AESGMemoryError


@pytest.mark.parametrize(
    ("mode", "training", "learn", "learns"),
    [
        ("TRAIN", True, None, True),
        ("TRAIN", False, None, False),
        ("FINETUNE", True, None, True),
        ("FINETUNE", False, None, False),
        ("ONLINE", True, None, True),
        ("ONLINE", False, None, True),
        ("INFERENCE", True, None, False),
        ("INFERENCE", False, None, False),
        ("TRAIN", False, True, True),
        ("TRAIN", True, False, False),
        ("FINETUNE", False, True, True),
        ("FINETUNE", True, False, False),
        ("ONLINE", False, False, False),
        ("INFERENCE", True, True, False),
    ],
)
def test_who_learns(opened, mode, training, learn, learns):
    memory = opened()
    memory.create(rows(3), rows(3, 1, V))
    memory.set_mode(mode)
    memory.train(training)
    before = written(memory)
    memory.retrieve(rows(3), learn=learn)
    assert (written(memory) != before) == learns
    assert (sum(used for used, _ in uses(memory).values()) > 0) == learns


@pytest.mark.parametrize("still", [torch.no_grad, torch.inference_mode])
def test_without_gradients_it_learns_all_the_same(opened, still):
    memory = opened()
    with still():
        memory(rows(2), rows(2, 1, V))
        ctx = memory(rows(2))
    assert memory.storage.node_count == 2
    assert ctx.mask.any()
    memory(rows(2).requires_grad_()).read().sum().backward()


def test_a_module_made_or_copied_in_inference_mode_works_outside_of_it(opened):
    with torch.inference_mode():
        memory = opened()
    assert memory(rows(2), rows(2, 1, V)).ids.shape == (2, 10)


def test_eval_of_a_model_does_not_learn(opened):
    model = nn.Sequential(nn.Linear(4, D), opened())
    model.eval()
    model(torch.randn(3, 4))
    assert model[1].storage.node_count == 0
    model.train()
    model(torch.randn(3, 4))
    assert model[1].storage.node_count > 0


class Recalling(nn.Module):
    """A layer with memory in the middle, recomputed in backward or not."""

    def __init__(self, memory, reentrant=None):
        super().__init__()
        self.before, self.memory, self.after = nn.Linear(4, D), memory, nn.Linear(V, 2)
        self.reentrant = reentrant
        self.calls = 0

    def inner(self, x):
        self.calls += 1
        return self.after(self.memory(self.before(x)).read())

    def forward(self, x):
        if self.reentrant is None:
            return self.inner(x)
        return checkpoint(self.inner, x, use_reentrant=self.reentrant)


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputation_in_backward_does_not_learn_again(opened, reentrant):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    torch.manual_seed(0)
    model = Recalling(memory, reentrant)
    x = torch.randn(5, 4, requires_grad=True)
    with memory.step():
        loss = model(x).square().sum()
        loss.backward()
    once = uses(memory)
    assert model.calls == 2, "the scene must recompute"
    gradient = x.grad.clone()

    plain = Recalling(opened("plain"))
    plain.load_state_dict(model.state_dict())
    plain.memory.create(rows(6), rows(6, 1, V))
    x.grad = None
    plain(x).square().sum().backward()
    assert sorted(once.values()) == sorted(uses(plain.memory).values())
    assert torch.allclose(gradient, x.grad, atol=1e-6)


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputation_refuses_a_memory_that_has_changed_since(opened, reentrant):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    model = Recalling(memory, reentrant)
    loss = model(torch.randn(5, 4, requires_grad=True)).sum()
    with pytest.raises(AESGMemoryError, match=r"changed between the forward pass.*memory.step"):
        loss.backward()


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputation_of_a_memory_that_holds_still_is_fine(opened, reentrant):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    before = written(memory)
    model = Recalling(memory, reentrant).eval()
    model(torch.randn(5, 4, requires_grad=True)).sum().backward()
    assert model.calls == 2
    assert written(memory) == before


def test_two_forwards_of_which_the_first_is_recomputed(opened):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    model = Recalling(memory, False)
    with memory.step():
        first = model(torch.randn(5, 4, requires_grad=True)).sum()
        model(torch.randn(5, 4))
        first.backward()
    assert model.calls == 3


def test_a_skipped_optimizer_step_learns_nothing(opened):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    model = Recalling(memory)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=1)
    before = written(memory)
    for _ in range(2):
        with memory.step() as step:
            loss = model(torch.randn(5, 4)).sum() * 1e6
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() < scale:  # infinite gradients: this step did not count
                step.discard()
    assert scaler.get_scale() < 2.0**127, "the scene must skip"
    assert written(memory) == before


def test_gradient_hooks_that_recall_do_not_learn(opened):
    memory = opened()
    memory.create(rows(6), rows(6, 1, V))
    x = rows(2, 3).requires_grad_()
    memory.eval()
    loss = (x * 2).sum()
    memory.train()
    seen = []
    x.register_hook(lambda g: seen.append(memory(rows(2))))
    before = written(memory)
    loss.backward()
    assert len(seen) == 1
    assert seen[0].mask.any()
    assert written(memory) == before


def test_finetune_gives_birth_at_a_tenth_of_the_rate(opened):
    memory = opened(novelty_birth_threshold=2)
    memory.set_mode("FINETUNE")
    for _ in range(19):
        memory(axis(0))
    assert memory.storage.node_count == 0
    memory(axis(0))
    assert memory.storage.node_count == 1


def test_the_first_query_of_an_empty_memory_is_its_first_concept_in_train_and_online_only(opened):
    for mode, count in (("TRAIN", 1), ("ONLINE", 1), ("FINETUNE", 0)):
        memory = opened(mode, novelty_birth_threshold=3)
        memory.set_mode(mode)
        memory(axis(0))
        assert memory.storage.node_count == count, mode


def test_a_seed_whose_value_disagrees_is_contradicted_and_others_are_used(opened):
    memory = opened()
    ids = memory.create(torch.stack([axis(0), axis(0) + axis(1), axis(5)]), torch.eye(3)).tolist()
    memory.retrieve(axis(0), value=torch.tensor([1.0, 0.0, 0.0]))
    assert uses(memory) == {ids[0]: (1, 0), ids[1]: (0, 1), ids[2]: (0, 0)}
    assert memory.concept(ids[0]).stability == pytest.approx(2 / 3)
    assert memory.concept(ids[1]).stability == pytest.approx(1 / 3)


def test_only_seeds_are_touched_and_not_what_energy_reaches(opened):
    memory = opened()
    ids = memory.create(torch.stack([axis(0), axis(5)]), torch.eye(3)[:2])
    memory.link(ids[:1], ids[1:], "CAUSAL", 1.0)
    ctx = memory(axis(0))
    assert len(ctx) == 2
    assert uses(memory) == {int(ids[0]): (1, 0), int(ids[1]): (0, 0)}


def test_sources_are_kept_by_what_is_born_of_each_row(opened):
    memory = opened()
    memory.retrieve(rows(3), rows(3, 1, V), sources=["a", None, "c"])
    found = {memory.concept(i).source for i in memory.storage.nodes["id"].tolist()}
    assert found == {"a", None, "c"}
    memory.retrieve(rows(2, 7).reshape(1, 2, D), rows(2, 8, V).reshape(1, 2, V), sources=["x", "y"])
    assert {"x", "y"} <= {memory.concept(i).source for i in memory.storage.nodes["id"].tolist()}
