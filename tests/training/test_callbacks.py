"""Callbacks are called in order, at the right time, and what goes wrong in one is not hidden."""

import sys
import time

import pytest
import torch
from torch import nn
from training_scenes import sentences, weights

from aesg_graph.errors import AESGConfigError, AESGTrainingError
from aesg_graph.training import AESGTrainer, Callback, Checkpoint, EarlyStopping, TensorBoardCallback, WandBCallback

pytestmark = pytest.mark.filterwarnings("ignore:The model has no AESGMemory")


def points(count=8):
    chance = torch.Generator().manual_seed(0)
    return [(row, (row.sum() > 0).long()) for row in torch.randn(count, 3, generator=chance)]


def plain(*callbacks, **options):
    torch.manual_seed(0)
    return AESGTrainer(nn.Linear(3, 2), callbacks=callbacks, quiet=True, batch_size=4, **options)


class Says(Callback):
    """Notes everything that it is told."""

    def __init__(self, name, told):
        self.name, self.told = name, told

    def on_train_start(self, logs):
        self.told.append((self.name, "train start", logs["epoch"], logs["epochs"], logs["trainer"] is self.trainer))

    def on_train_end(self, logs):
        self.told.append((self.name, "train end", len(logs["losses"]), logs["trainer"] is self.trainer))

    def on_epoch_start(self, epoch, logs):
        self.told.append((self.name, "epoch start", epoch, sorted(logs)))

    def on_epoch_end(self, epoch, logs):
        self.told.append((self.name, "epoch end", epoch, sorted(logs)))

    def on_batch_start(self, batch, logs):
        self.told.append((self.name, "batch start", batch, sorted(logs)))

    def on_batch_end(self, batch, logs):
        self.told.append((self.name, "batch end", batch, sorted(logs)))

    def close(self):
        self.told.append((self.name, "close"))


class Metric(Callback):
    """Adds values to the logs of epochs, one after another."""

    def __init__(self, values, name="score"):
        self.values, self.name = iter(values), name

    def on_epoch_end(self, epoch, logs):
        logs[self.name] = next(self.values)


def test_every_hook_is_called_in_its_place():
    told = []
    plain(Says("a", told)).fit(points(), 1, validation=points())
    batches = [
        ("a", "batch start", 0, []),
        ("a", "batch end", 0, ["loss"]),
        ("a", "batch start", 1, []),
        ("a", "batch end", 1, ["loss"]),
    ]
    assert told == [
        ("a", "train start", 0, 1, True),
        ("a", "epoch start", 0, []),
        *batches,
        ("a", "epoch end", 0, ["learning_rate", "loss", "val_loss"]),
        ("a", "train end", 1, True),
        ("a", "close"),
    ]


def test_callbacks_are_called_in_the_order_of_the_list():
    told = []
    plain(Says("a", told), Says("b", told)).fit(points(), 1)
    starts = [name for name, what, *_ in told if what == "epoch start"]
    assert starts == ["a", "b"]


def test_epochs_go_on_counting_in_a_second_fit():
    told = []
    trainer = plain(Says("a", told))
    trainer.fit(points(), 2)
    trainer.fit(points(), 1)
    assert [epoch for _, what, epoch, *_ in (t for t in told if len(t) > 2) if what == "epoch end"] == [0, 1, 2]


def test_the_base_does_nothing():
    assert plain(Callback()).fit(points(), 2) == plain().fit(points(), 2)


@pytest.mark.parametrize("hook", [name for name in vars(Callback) if name.startswith("on_")])
def test_an_exception_in_a_hook_reaches_the_caller_and_everything_is_closed(hook):
    class Fails(Callback):
        pass

    def fail(self, *about):
        raise LookupError(hook)

    setattr(Fails, hook, fail)
    told = []
    with pytest.raises(LookupError, match=hook):
        plain(Fails(), Says("b", told)).fit(points(), 1)
    assert told[-1] == ("b", "close")


def test_training_stops_when_nothing_gets_better():
    stopping = EarlyStopping(patience=2, monitor="score")
    trainer = plain(Metric([5.0, 4.0, 4.0, 4.5, 3.0]), stopping)
    assert len(trainer.fit(points(), 5)) == 4
    assert (stopping.best, stopping.stopped_epoch) == (4.0, 3)


def test_small_gains_do_not_count_and_more_can_be_better():
    small = EarlyStopping(patience=1, monitor="score", min_delta=0.5)
    assert len(plain(Metric([5.0, 4.4, 4.0]), small).fit(points(), 3)) == 3
    more = EarlyStopping(patience=1, monitor="score", mode="max")
    assert len(plain(Metric([1.0, 2.0, 1.5, 3.0]), more).fit(points(), 4)) == 3


def test_a_value_that_is_not_a_number_is_no_improvement():
    stopping = EarlyStopping(patience=2, monitor="score")
    assert len(plain(Metric([float("nan")] * 5), stopping).fit(points(), 5)) == 2


def test_stopping_watches_the_loss_by_itself_and_that_of_validation_on_demand():
    assert len(plain(EarlyStopping(), learning_rate=0.1).fit(points(), 3)) == 3
    wrong = [(-x, y) for x, y in points()]
    assert (
        len(plain(EarlyStopping(patience=1, monitor="val_loss"), learning_rate=0.5).fit(points(), 9, validation=wrong))
        < 9
    )


def test_an_unknown_monitor_is_an_error_that_names_the_known_ones(place):
    for callback in (EarlyStopping(monitor="accuracy"), Checkpoint(path=place, best="accuracy")):
        with pytest.raises(AESGTrainingError, match=r"monitor='accuracy' .* expected one of learning_rate, loss"):
            plain(callback).fit(points(), 2)
    with pytest.raises(AESGTrainingError, match=r"fit\(validation=...\)"):
        plain(EarlyStopping(monitor="val_loss")).fit(points(), 1)


def test_stopped_training_can_go_on():
    trainer = plain(Metric([1.0] * 9), EarlyStopping(patience=1, monitor="score"))
    assert len(trainer.fit(points(), 5)) == 2
    assert len(trainer.fit(points(), 5)) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping(patience=0),
        lambda: EarlyStopping(min_delta=-1),
        lambda: EarlyStopping(mode="less"),
        lambda: Checkpoint(save_every=0),
        lambda: Checkpoint(keep_last=0),
        lambda: Checkpoint(best="loss", mode="less"),
    ],
)
def test_bad_parameters_of_callbacks_are_refused(make):
    with pytest.raises(AESGConfigError, match="expected"):
        make()


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_checkpoints_are_named_by_completed_epochs(place):
    trainer = plain(Checkpoint(save_every=2, path=place / "c"))
    trainer.fit(points(), 5)
    assert names(place / "c") == ["epoch_2", "epoch_4"]
    trainer.fit(points(), 1)
    assert names(place / "c") == ["epoch_2", "epoch_4", "epoch_6"]
    assert plain().resume(place / "c" / "epoch_4") == 4


def test_only_the_last_checkpoints_are_kept_and_nothing_else_is_touched(place):
    (place / "c").mkdir()
    (place / "c" / "epoch_0").mkdir()
    (place / "c" / "epoch_0" / "notes.txt").write_text("mine")
    plain(Checkpoint(path=place / "c", keep_last=2)).fit(points(), 12)
    assert names(place / "c") == ["epoch_0", "epoch_11", "epoch_12"]


def test_the_best_checkpoint_is_the_one_of_the_best_epoch(place):
    scores = Metric([3.0, 1.0, 2.0, 1.5])
    trainer = plain(scores, Checkpoint(save_every=9, path=place / "c", best="score"))
    kept = []
    trainer.callbacks.append(
        type("Keep", (Callback,), {"on_epoch_end": lambda s, e, logs: kept.append(weights(trainer.model))})()
    )
    trainer.fit(points(), 4)
    assert names(place / "c") == ["best"]
    other = plain()
    assert other.resume(place / "c" / "best") == 2
    assert all(torch.equal(kept[1][name], value) for name, value in weights(other.model).items())


def test_a_checkpoint_knows_how_long_has_been_waited(place):
    scores = [3.0, 3.0, 3.0, 3.0, 3.0]
    # It comes before the one whose state it saves, and saves that of the same epoch all the same.
    trainer = plain(Checkpoint(path=place / "c"), Metric(scores), EarlyStopping(patience=3, monitor="score"))
    trainer.fit(points(), 2)
    stopping = EarlyStopping(patience=3, monitor="score")
    other = plain(Metric(scores), stopping)
    other.resume(place / "c" / "epoch_2")
    assert (stopping.best, stopping.waited) == (3.0, 1)
    assert len(other.fit(points(), 5)) == 2


def test_tensorboard_has_every_number(trained, place):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, trainer = trained(callbacks=[TensorBoardCallback(place / "runs")])
    losses = trainer.fit(sentences(), 2, validation=sentences(4))
    read = EventAccumulator(str(place / "runs")).Reload()
    assert set(read.Tags()["scalars"]) == {
        "batch/loss",
        "epoch/loss",
        "epoch/val_loss",
        "epoch/learning_rate",
        "epoch/concepts",
    }
    assert [(event.step, event.value) for event in read.Scalars("epoch/loss")] == [
        (1, pytest.approx(losses[0])),
        (2, pytest.approx(losses[1])),
    ]
    assert [event.step for event in read.Scalars("batch/loss")] == list(range(1, 13))


def test_weights_and_biases_has_every_number_without_a_network(place, monkeypatch):
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(place / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(place / "config"))
    trainer = plain(WandBCallback("project", "a run of three epochs", directory=place))
    trainer.fit(points(), 3, validation=points(4))
    (written,) = (place / "wandb").glob("offline-run-*/*.wandb")
    wanted = (b"a run of three epochs", b"val_loss", b"learning_rate", b"epoch")
    patience = time.monotonic() + 30  # wandb's own process writes, a little later
    while not all(said in written.read_bytes() for said in wanted):
        assert time.monotonic() < patience
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        ("torch.utils.tensorboard", TensorBoardCallback, "tensorboard"),
        ("wandb", WandBCallback, "wandb"),
    ],
)
def test_what_is_not_installed_says_how_to_install_it(monkeypatch, module, make, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AESGConfigError, match=rf"pip install 'aesg-graph\[{extra}\]'"):
        make()
