"""States of models, optimizers and schedulers come back from a checkpoint as they were."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_scenes import equal

from aesg_graph.training import AESGTrainer, Callback
from aesg_graph.training.checkpoints.tree import load_tree, save_tree


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, amsgrad=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.Adagrad(p),
        lambda p: torch.optim.RMSprop(p, centered=True),
        lambda p: torch.optim.LBFGS(p, max_iter=3),
        lambda p: torch.optim.NAdam([{"params": p[:1], "lr": 0.5}, {"params": p[1:]}]),
    ],
)
def test_states_of_optimizers_come_back_as_they_were(place, make):
    layer = nn.Linear(3, 2)
    optimizer = make(list(layer.parameters()))

    def loss():
        optimizer.zero_grad()
        value = layer(torch.ones(4, 3)).square().mean()
        value.backward()
        return value

    optimizer.step(loss)
    save_tree(place / "state.safetensors", optimizer.state_dict(), "the optimizer")
    assert equal(load_tree(place / "state.safetensors"), optimizer.state_dict())


@pytest.mark.parametrize(
    "make",
    [
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 2, 5]),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=9),
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o, [torch.optim.lr_scheduler.ConstantLR(o), torch.optim.lr_scheduler.ExponentialLR(o, 0.5)], [2]
        ),
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
    ],
)
@pytest.mark.filterwarnings("ignore:The model has no AESGMemory")
def test_schedulers_go_on_where_they_were(place, make):
    def trainer():
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        return AESGTrainer(model, torch.optim.SGD(model.parameters(), lr=0.5), scheduler=make, quiet=True)

    def rates(one, epochs):
        seen = []
        note = type("Note", (Callback,), {"on_epoch_end": lambda self, epoch, logs: seen.append(logs["learning_rate"])})
        one.callbacks.append(note())
        one.fit([(torch.ones(3), torch.tensor(1))], epochs)
        return seen

    expected = rates(trainer(), 6)
    first = trainer()
    begun = rates(first, 3)
    first.save(place / "c")
    second = trainer()
    second.resume(place / "c")
    assert begun + rates(second, 3) == expected


def test_tied_weights_are_written_once_and_stay_tied(place):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
            self.out.weight = self.embedding.weight

    torch.manual_seed(0)
    model = Tied()
    save_tree(place / "m.safetensors", model.state_dict(), "the model")
    assert list(load_file(place / "m.safetensors")) == ["embedding.weight"]
    other = Tied()
    other.load_state_dict(load_tree(place / "m.safetensors"))
    assert torch.equal(other.out.weight, model.embedding.weight)
    assert other.out.weight is other.embedding.weight


def test_views_of_one_storage_come_back_apart(place):
    whole = torch.arange(12.0).reshape(3, 4)
    state = {
        "row": whole[0],
        "column": whole[:, 1],
        "again": whole[0],
        "none": torch.empty(0),
        "scalar": torch.tensor(3),
    }
    save_tree(place / "v.safetensors", state, "views")
    assert equal(dict(load_tree(place / "v.safetensors")), state)


def test_names_that_coincide_are_kept_apart(place):
    state = {"a.b": torch.tensor(1), "a": {"b": torch.tensor(2)}, "n": [float("inf"), -0.0, None, True, (1, "x")]}
    save_tree(place / "n.safetensors", state, "names")
    assert equal(dict(load_tree(place / "n.safetensors")), state | {"a": state["a"]})
