"""What a trainer may be told: criterion, clipping, schedulers, precision; and what it may not."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from training_scenes import CONFIG, Recaller, plain, points, same, weights

from aesg_graph.errors import AESGConfigError, AESGTrainingError
from aesg_graph.training import AESGTrainer, sequence_cross_entropy


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


def test_defaults_come_from_the_memory(place):
    torch.manual_seed(0)
    model = Recaller(place / "m", config=replace(CONFIG, batch_size=7, learning_rate=0.25))
    trainer = AESGTrainer(model)
    assert (trainer.batch_size, trainer.learning_rate) == (7, 0.25)
    assert trainer.optimizer.param_groups[0]["lr"] == 0.25
    assert AESGTrainer(model, batch_size=3).batch_size == 3
    model.memory.close()


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
