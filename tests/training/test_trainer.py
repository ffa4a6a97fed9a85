"""The trainer trains weights and memory together, and leaves everything as it was when it is done."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from training_scenes import CONFIG, Recaller, Stream, Watching, contents, plain, points, same, sentences, weights

from aesg_graph import AESGMemory
from aesg_graph.training import AESGTrainer, Callback


def test_weights_and_memory_learn_and_the_mean_losses_come_back(trained):
    model, trainer = trained()
    before = weights(model)
    losses = trainer.fit(sentences(), epochs=4)
    assert len(losses) == 4
    assert losses[-1] < losses[0]
    assert not same(before, weights(model))
    assert model.memory.storage.node_count > 0
    assert (trainer.state.epoch, trainer.state.global_step) == (4, 4 * 6)


@pytest.mark.parametrize(
    "form",
    [
        lambda pairs: pairs,
        tuple,
        lambda pairs: TensorDataset(torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs])),
        Stream,
        lambda pairs: DataLoader(pairs, batch_size=4),
    ],
    ids=["list", "tuple", "dataset", "iterable dataset", "loader"],
)
def test_every_form_of_the_same_data_gives_the_same_losses(form):
    expected = plain(batch_size=4).fit(points(), 2, shuffle=False)
    assert plain(batch_size=4).fit(form(points()), 2, shuffle=False) == expected


def test_a_list_is_shuffled_each_epoch_and_the_same_way_for_the_same_seed():
    seen = []

    class Ordered(nn.Linear):
        def forward(self, x):
            seen.append(x[:, 0].tolist())
            return super().forward(x)

    for _ in range(2):
        torch.manual_seed(5)
        with pytest.warns(UserWarning, match="no AESGMemory"):
            AESGTrainer(Ordered(3, 2), quiet=True).fit(points(), 2)
    first, second, again, _ = seen
    assert first != second
    assert sorted(first) == sorted(second)
    assert first == again


def test_the_mean_loss_counts_samples_not_batches():
    trainer = plain(batch_size=4, learning_rate=1e-12)  # 4, 4 and 2 samples
    x, y = torch.stack([x for x, _ in points()]), torch.stack([y for _, y in points()])
    expected = nn.functional.cross_entropy(trainer.model(x), y).item()
    assert trainer.fit(points(), 1) == [pytest.approx(expected, rel=1e-5)]
    assert trainer.evaluate(points()) == {"loss": pytest.approx(expected, rel=1e-5)}


def test_modes_and_flags_are_as_they_were_after_training_evaluating_and_predicting(trained):
    model, trainer = trained()
    model.memory.set_mode("ONLINE")
    model.eval()
    model.norm.train()
    flags = {name: module.training for name, module in model.named_modules()}
    for work in (
        lambda: trainer.fit(sentences(), 1, validation=sentences(4)),
        lambda: trainer.evaluate(sentences()),
        lambda: trainer.predict(sentences()[0][0][None]),
    ):
        work()
        assert {name: module.training for name, module in model.named_modules()} == flags
        assert model.memory.mode.value == "ONLINE"


def test_modes_and_flags_are_as_they_were_after_an_exception(trained):
    class Fails(Callback):
        def on_batch_end(self, batch, logs):
            raise ZeroDivisionError

    model, trainer = trained(callbacks=[Fails()])
    model.memory.set_mode("FINETUNE")
    model.eval()
    with pytest.raises(ZeroDivisionError):
        trainer.fit(sentences(), 1)
    assert not any(module.training for module in model.modules())
    assert model.memory.mode.value == "FINETUNE"
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("mode", ["TRAIN", "FINETUNE", "ONLINE", "INFERENCE"])
def test_memory_is_in_the_mode_that_was_asked_for_while_training(trained, mode):
    model, trainer = trained()
    watching = Watching(lambda: (model.memory.mode.value, model.training))
    trainer.callbacks.append(watching)
    trainer.fit(sentences(8), 2, mode=mode)
    assert set(watching.seen) == {(mode, True)}
    if mode == "INFERENCE":
        assert model.memory.storage.node_count == 0


def test_evaluating_and_predicting_change_nothing(trained):
    model, trainer = trained()
    trainer.fit(sentences(), 2)
    kept, known, chance = weights(model), contents(model.memory), torch.get_rng_state()
    once = trainer.evaluate(sentences(seed=7))
    assert trainer.evaluate(sentences(seed=7)) == once
    output = trainer.predict(torch.stack([x for x, _ in sentences(3)]))
    assert output.shape == (3, 4)
    assert not output.requires_grad
    assert same(kept, weights(model))
    assert contents(model.memory) == known
    assert torch.equal(torch.get_rng_state(), chance)


def test_each_batch_is_one_step_and_one_update_of_the_topology(trained):
    model, trainer = trained()
    engine = model.memory.engine
    watching = Watching(lambda: (engine.working.calls, engine.in_step))
    trainer.callbacks.append(watching)
    trainer.fit(sentences(12), 1)
    assert watching.seen == [(1, None), (2, None), (3, None)]


def test_several_inputs_are_several_arguments():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, one, other):
            return self.layer(one) - self.layer(other)

    pairs = [((x, 2 * x), y) for x, y in points()]
    named = [({"one": x, "other": 2 * x}, y) for x, y in points()]
    losses = []
    for data in (pairs, named):
        torch.manual_seed(0)
        with pytest.warns(UserWarning, match="no AESGMemory"):
            losses.append(AESGTrainer(Sum(), quiet=True).fit(data, 2))
    assert losses[0] == losses[1]


def test_accumulated_batches_learn_what_one_large_batch_does(place):
    class Calm(Recaller):
        def __init__(self, directory):
            super().__init__(directory)
            self.norm, self.drop = nn.Identity(), nn.Identity()

    ends = []
    for name, options in (("one", {"batch_size": 12}), ("many", {"batch_size": 4, "gradient_accumulation_steps": 3})):
        torch.manual_seed(0)
        model = Calm(place / name)
        trainer = AESGTrainer(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), quiet=True, **options)
        losses = trainer.fit(sentences(22), 2, shuffle=False)  # the last step has fewer batches, and a smaller one
        ends.append((losses, weights(model), model.memory.engine.working.calls, model.memory.storage.node_count))
        model.memory.close()
    (losses, one, calls, nodes), (others, many, *rest) = ends
    assert losses == pytest.approx(others, rel=1e-5)
    assert all(torch.allclose(one[name], many[name], atol=1e-6) for name in one)
    assert calls == 4
    assert nodes > 0
    assert rest == [calls, nodes]


def test_progress_is_shown_where_it_is_asked_for(capsys):
    trainer = plain()
    trainer.fit(points(), 2)
    assert capsys.readouterr().out == ""
    trainer.quiet = False
    trainer.fit(points(), 1, validation=points())
    shown = capsys.readouterr().out
    assert "epoch 3 of 3" in shown
    assert "val_loss" in shown


def test_one_warning_says_that_there_is_no_memory():
    with pytest.warns(UserWarning, match="no AESGMemory") as warned:
        trainer = AESGTrainer(nn.Linear(3, 2), quiet=True)
    assert len(warned) == 1
    trainer.fit(points(), 1)  # another warning would be an error
    trainer.evaluate(points())


def test_a_memory_in_two_places_of_a_model_is_stepped_once(place):
    class Twice(Recaller):
        def __init__(self, directory):
            super().__init__(directory)
            self.again = AESGMemory(directory, CONFIG)

    torch.manual_seed(0)
    model = Twice(place / "m")
    trainer = AESGTrainer(model, quiet=True)
    trainer.fit(sentences(12), 1)
    assert model.memory.engine.working.calls == 3
    model.memory.close()
    model.again.close()
