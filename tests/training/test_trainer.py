"""The trainer trains weights and memory together, and leaves everything as it was when it is done."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from training_scenes import CONFIG, Recaller, contents, sentences, weights

from aesg_graph import AESGMemory
from aesg_graph.errors import AESGConfigError, AESGTrainingError
from aesg_graph.training import AESGTrainer, Callback, sequence_cross_entropy


def plain(**options):
    """A trainer of a model without a memory."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    with pytest.warns(UserWarning, match="no AESGMemory"):
        return AESGTrainer(model, quiet=True, **options)


def points(count=10):
    chance = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, generator=chance)
    return [(row, (row.sum() > 0).long()) for row in x]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Stream(IterableDataset):
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


class Watching(Callback):
    def __init__(self, look):
        self.look, self.seen = look, []

    def on_batch_end(self, batch, logs):
        self.seen.append(self.look())


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


def test_the_default_criterion_takes_sequences():
    chance = torch.Generator().manual_seed(0)
    logits, classes = torch.randn(3, 6, 5, generator=chance), torch.randint(0, 5, (3, 6), generator=chance)
    expected = nn.functional.cross_entropy(logits.reshape(-1, 5), classes.reshape(-1))
    assert torch.equal(sequence_cross_entropy(logits, classes), expected)
    assert torch.equal(sequence_cross_entropy(logits.transpose(1, 2), classes), expected)
    shares = nn.functional.one_hot(classes, 5).float()
    assert torch.allclose(sequence_cross_entropy(logits, shares), expected)
    one = sequence_cross_entropy(logits[:, 0], classes[:, 0].to(torch.int32))
    assert torch.equal(one, nn.functional.cross_entropy(logits[:, 0], classes[:, 0]))


@pytest.mark.parametrize(
    ("output", "target"),
    [
        (torch.ones(3, 5), torch.ones(4, dtype=torch.int64)),
        (torch.ones(3, 6, 5), torch.ones(3, dtype=torch.int64)),
        (torch.ones(2, 3, 4, 4), torch.ones(2, 1, 4, 4)),
        ((torch.ones(3, 5), None), torch.ones(3, dtype=torch.int64)),
    ],
)
def test_the_default_criterion_says_what_it_expects(output, target):
    with pytest.raises(AESGTrainingError, match="criterion"):
        sequence_cross_entropy(output, target)


def test_a_criterion_of_ones_own_gets_output_and_target_as_they_are():
    seen = []

    def criterion(output, target):
        seen.append((tuple(output.shape), tuple(target.shape), target.dtype))
        return output.mean()

    plain(criterion=criterion, batch_size=5).fit(points(), 1)
    assert seen == [((5, 2), (5,), torch.int64)] * 2


def test_a_criterion_that_gives_no_single_number_is_refused():
    for wrong in (nn.CrossEntropyLoss(reduction="none"), lambda output, target: 1.0):
        with pytest.raises(AESGTrainingError, match="expected a tensor with one number"):
            plain(criterion=wrong).fit(points(), 1)


def test_a_loss_that_depends_on_no_weight_is_refused():
    trainer = plain(criterion=lambda output, target: torch.zeros((), requires_grad=True) * 1)
    with pytest.raises(AESGTrainingError, match="No parameter has a gradient"):
        trainer.fit(points(), 1)


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


def test_a_large_gradient_is_scaled_down():
    trainer = plain(criterion=lambda output, target: 1000 * output.sum(), max_grad_norm=0.5, batch_size=10)
    before = weights(trainer.model)
    trainer.optimizer.param_groups[0]["lr"] = 0.0
    norms = []
    trainer.optimizer.register_step_pre_hook(
        lambda optimizer, *_: norms.append(
            torch.stack([p.grad.norm() for group in optimizer.param_groups for p in group["params"]]).norm().item()
        )
    )
    trainer.fit(points(), 1)
    assert norms == [pytest.approx(0.5, rel=1e-3)]
    assert same(before, weights(trainer.model))


@pytest.mark.filterwarnings("ignore:The model has no AESGMemory")
def test_sparse_gradients_are_learned_from():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 4, sparse=True), nn.Flatten())
    trainer = AESGTrainer(model, optimizer=torch.optim.SparseAdam(model.parameters(), lr=0.1), quiet=True)
    losses = trainer.fit([(torch.tensor([k]), torch.tensor(k % 4)) for k in range(5)], 3)
    assert losses[-1] < losses[0]


def test_schedulers_step_once_an_epoch_or_once_a_batch():
    def halving(optimizer):
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    for every, steps in (("epoch", 3), ("batch", 9)):
        trainer = plain(scheduler=halving, scheduler_every=every, batch_size=4, learning_rate=1.0)
        trainer.fit(points(), 3)
        assert trainer.optimizer.param_groups[0]["lr"] == 0.5**steps


def test_a_plateau_is_seen_in_the_validation_loss():
    def patient(optimizer):
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.1)

    trainer = plain(scheduler=patient, learning_rate=0.5, batch_size=10)
    worse = [(-x, y) for x, y in points()]  # what is learned from the one is wrong for the other
    trainer.fit(points(), 3, validation=worse)
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.005)


def test_mixed_precision_computes_in_half_and_keeps_weights_whole():
    seen = []
    trainer = plain(mixed_precision="bf16", criterion=lambda o, t: (seen.append(o.dtype), o.float().square().mean())[1])
    assert trainer.fit(points(), 3)[-1] < trainer.state.losses[0]
    assert set(seen) == {torch.bfloat16}
    assert trainer.predict(torch.ones(2, 3)).dtype == torch.bfloat16
    assert all(p.dtype == torch.float32 for p in trainer.model.parameters())


def test_trainers_of_different_precision_live_in_one_process():
    whole, half = plain(), plain(mixed_precision="bf16")
    again = plain()
    assert whole.fit(points(), 2) == again.fit(points(), 2)
    assert half.predict(torch.ones(2, 3)).dtype == torch.bfloat16
    assert whole.predict(torch.ones(2, 3)).dtype == torch.float32


def test_progress_is_shown_where_it_is_asked_for(capsys):
    trainer = plain()
    trainer.fit(points(), 2)
    assert capsys.readouterr().out == ""
    trainer.quiet = False
    trainer.fit(points(), 1, validation=points())
    shown = capsys.readouterr().out
    assert "epoch 3 of 3" in shown
    assert "val_loss" in shown


def test_defaults_come_from_the_memory(place):
    from dataclasses import replace

    torch.manual_seed(0)
    model = Recaller(place / "m", config=replace(CONFIG, batch_size=7, learning_rate=0.25))
    trainer = AESGTrainer(model)
    assert (trainer.batch_size, trainer.learning_rate) == (7, 0.25)
    assert trainer.optimizer.param_groups[0]["lr"] == 0.25
    assert AESGTrainer(model, batch_size=3).batch_size == 3
    model.memory.close()


def test_one_warning_says_that_there_is_no_memory():
    with pytest.warns(UserWarning, match="no AESGMemory") as warned:
        trainer = AESGTrainer(nn.Linear(3, 2), quiet=True)
    assert len(warned) == 1
    trainer.fit(points(), 1)  # another warning would be an error
    trainer.evaluate(points())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "model"}, "model is a str"),
        ({"optimizer": "adam"}, "optimizer is a str"),
        ({"optimizer": torch.optim.LBFGS(nn.Linear(3, 2).parameters())}, "optimizer is LBFGS"),
        ({"criterion": 3}, "criterion is a int"),
        ({"callbacks": [print]}, "callbacks has a builtin_function_or_method"),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"device": "cuda:99"}, "device is 'cuda:99'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"scheduler": "cosine"}, "scheduler is a str"),
        ({"scheduler": lambda optimizer: None}, "scheduler is a NoneType"),
        ({"scheduler_every": "week"}, "scheduler_every is 'week'"),
        ({"mixed_precision": "fp8"}, "mixed_precision is 'fp8'"),
        ({"mixed_precision": "fp16"}, "needs a CUDA device"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps is 0"),
        ({"max_grad_norm": float("nan")}, "max_grad_norm is nan"),
    ],
)
@pytest.mark.filterwarnings("ignore:The model has no AESGMemory")
def test_bad_parameters_are_named(options, said):
    with pytest.raises(AESGConfigError, match=said):
        AESGTrainer(**({"model": nn.Linear(3, 2)} | options))


@pytest.mark.filterwarnings("ignore:The model has no AESGMemory")
def test_a_scheduler_of_another_optimizer_is_refused():
    other = torch.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1)
    with pytest.raises(AESGConfigError, match="belongs to another optimizer"):
        AESGTrainer(nn.Linear(3, 2), scheduler=torch.optim.lr_scheduler.StepLR(other, 1))


@pytest.mark.filterwarnings("ignore:The model has no AESGMemory")
def test_a_model_without_weights_is_refused():
    with pytest.raises(AESGTrainingError, match="no parameter that requires a gradient"):
        AESGTrainer(nn.Identity())


@pytest.mark.parametrize(("epochs", "mode"), [(-1, "TRAIN"), (1.5, "TRAIN"), (1, "SLEEP")])
def test_bad_arguments_of_fit_are_refused(epochs, mode):
    with pytest.raises((AESGTrainingError, AESGConfigError), match="is"):
        plain().fit(points(), epochs, mode=mode)


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
