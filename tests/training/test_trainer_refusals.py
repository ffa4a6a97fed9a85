"""Of a batch that cannot be learned from nothing is learned, and data that is none is refused."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from training_scenes import CONFIG, Stream, contents, plain, points, same, sentences, weights

from aesg_graph import AESGMemory
from aesg_graph.errors import AESGTrainingError
from aesg_graph.training import AESGTrainer


def poisoned(at):
    """Twelve samples, three batches, of which one has a picture that is not a number."""
    pairs = [(torch.ones(WIDTH_IN) * k, torch.tensor(k % 2)) for k in range(12)]
    pairs[at] = (torch.full((WIDTH_IN,), torch.nan), pairs[at][1])
    return pairs


WIDTH_IN = 8


class Pictures(nn.Module):
    """Running means, a memory fed with something finite, and weights."""

    def __init__(self, directory):
        super().__init__()
        self.memory = AESGMemory(directory, CONFIG)
        self.norm = nn.BatchNorm1d(WIDTH_IN)
        self.out = nn.Linear(WIDTH_IN, 2)

    def forward(self, x):
        self.memory.retrieve(torch.nan_to_num(x) + torch.eye(len(x), WIDTH_IN), learn=self.training)
        return self.out(self.norm(x))


def test_of_a_batch_whose_loss_is_not_a_number_nothing_is_learned(place):
    torch.manual_seed(0)
    model = Pictures(place / "m")
    trainer = AESGTrainer(model, quiet=True)
    trainer.fit(poisoned(0)[4:], 2, shuffle=False)  # two good batches, twice
    before, known, calls = weights(model), contents(model.memory), model.memory.engine.working.calls
    buffer = model.memory.engine.working.to_arrays()
    moments = [state["exp_avg"].clone() for state in trainer.optimizer.state.values()]
    with pytest.raises(
        AESGTrainingError, match=r"loss became nan in epoch 2, batch 0 .* learned nothing of that batch"
    ):
        trainer.fit(poisoned(1), 1, shuffle=False)
    assert same(before, weights(model))
    assert contents(model.memory) == known
    assert model.memory.engine.working.calls == calls
    after = model.memory.engine.working.to_arrays()
    assert all((buffer[name] == after[name]).all() for name in buffer)
    assert all(torch.equal(a, s["exp_avg"]) for a, s in zip(moments, trainer.optimizer.state.values(), strict=True))
    assert all(p.grad is None for p in model.parameters())
    model.memory.close()


def test_the_batches_before_a_bad_one_stay_learned(place):
    torch.manual_seed(0)
    model = Pictures(place / "m")
    trainer = AESGTrainer(model, quiet=True)
    with pytest.raises(AESGTrainingError, match=r"epoch 0, batch 2"):
        trainer.fit(poisoned(9), 3, shuffle=False)
    assert (trainer.state.epoch, trainer.state.global_step) == (0, 2)
    assert model.memory.engine.working.calls == 2
    model.memory.close()


def test_of_a_gradient_that_is_not_a_number_nothing_is_learned():
    trainer = plain(criterion=lambda output, target: torch.sqrt(output.sum() * 0))
    before = weights(trainer.model)
    with pytest.raises(AESGTrainingError, match=r"gradient became nan in epoch 0, batch 0"):
        trainer.fit(points(), 1)
    assert same(before, weights(trainer.model))


def test_of_a_batch_that_raises_nothing_is_learned(trained):
    model, trainer = trained(criterion=lambda output, target: 1 / 0)
    before = weights(model)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(sentences(), 1)
    assert same(before, weights(model))
    assert model.memory.storage.node_count == 0
    assert len(model.memory.engine.working.buffer.hits.nonzero()[0]) == 0


@pytest.mark.parametrize("data", [[], (), TensorDataset(torch.empty(0, 3)), Stream([])])
def test_an_empty_dataset_is_refused(data):
    trainer = plain()
    for work in (lambda: trainer.fit(data, 1), lambda: trainer.evaluate(data)):
        with pytest.raises(AESGTrainingError) as error:
            work()
        assert error.value.message == "Empty dataset provided. Training requires at least one sample."
        assert error.value.subsystem == "trainer"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "a NoneType, expected a DataLoader, a Dataset, or a list"),
        ({"x": 1}, "a dict, expected"),
        ([1, 2], "Item 0 of the list is a int"),
        ([(torch.ones(3), torch.tensor(1)), (torch.ones(3),)], "Item 1 of the list has 1 parts"),
        ([(torch.ones(3), torch.tensor(1)), (torch.ones(4), torch.tensor(1))], "do not make a batch"),
        (TensorDataset(torch.ones(4, 3)), "Batch 0 is 1 parts"),
        (DataLoader([torch.ones(3)] * 3, batch_size=3), "Batch 0 is a Tensor"),
    ],
)
def test_data_of_another_form_is_refused(data, said):
    trainer = plain()
    before = weights(trainer.model)
    with pytest.raises(AESGTrainingError, match=said):
        trainer.fit(data, 1)
    assert same(before, weights(trainer.model))
