"""A checkpoint is whole or it is none; whatever is wrong with it is said before anything is changed."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_scenes import CONFIG, Recaller, contents, made, sentences, weights

from aesg_graph import AESGConfig, AESGMemory, StoreSettings
from aesg_graph.errors import AESGMemoryError, AESGStorageError, AESGTrainingError
from aesg_graph.training import AESGTrainer, Callback
from aesg_graph.training.checkpoints import folder
from aesg_graph.training.checkpoints.tree import load_tree, save_tree


def equal(one, other):
    """Whether two states are the same, types of containers included."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


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


def test_what_only_a_pickle_could_hold_is_refused_and_nothing_is_left(place):
    class Odd(nn.Linear):
        def get_extra_state(self):
            return object()

        def set_extra_state(self, state):
            pass

    with pytest.warns(UserWarning, match="no AESGMemory"):
        trainer = AESGTrainer(Odd(3, 2), quiet=True)
    with pytest.raises(AESGTrainingError, match="the model has a object at _extra_state"):
        trainer.save(place / "c")
    assert list(place.iterdir()) == []


def test_weights_can_be_read_by_anyone_and_hold_no_memory(trained, place):
    model, trainer = trained()
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")
    read = load_file(place / "c" / "model.safetensors")
    assert read.keys() == weights(model).keys()
    assert all(torch.equal(read[name], value) for name, value in weights(model).items())


def test_a_checkpoint_says_in_json_what_it_is(trained, place):
    model, trainer = trained()
    losses = trainer.fit(sentences(), 2)
    trainer.save(place / "c")
    state = json.loads((place / "c" / "training_state.json").read_text())
    assert (state["epoch"], state["global_step"], state["losses"]) == (2, 12, losses)
    assert state["best_loss"] == min(losses)
    config = json.loads((place / "c" / "config.json").read_text())
    assert (config["model"], config["optimizer"], config["processes"]) == ("Recaller", "Adam", 1)
    assert AESGConfig.from_json(json.dumps(config["memories"][0]["config"])) == model.memory.config


def test_a_checkpoint_takes_the_place_of_an_older_one(trained, place):
    _, trainer = trained()
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")
    assert sorted(entry.name for entry in place.iterdir()) == ["a", "c"]
    assert trainer.resume(place / "c") == 2


def test_a_kill_between_the_two_renames_leaves_the_older_one_to_be_read(trained, place):
    _, trainer = trained()
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")
    os.rename(place / "c", folder.older_of(place / "c"))
    assert trainer.resume(place / "c") == 1
    trainer.save(place / "c")
    assert sorted(entry.name for entry in place.iterdir()) == ["a", "c"]


def test_what_is_no_checkpoint_is_never_replaced(trained, place):
    _, trainer = trained()
    (place / "mine").mkdir()
    (place / "mine" / "thesis.tex").write_text("x")
    (place / "file").write_text("x")
    for path in (place / "mine", place / "file"):
        with pytest.raises(AESGStorageError, match="no checkpoint"):
            trainer.save(path)
    assert (place / "mine" / "thesis.tex").read_text() == "x"


def test_a_backup_is_not_taken_for_a_checkpoint(trained, place):
    model, trainer = trained()
    model.memory.backup(place / "backup")
    before = sorted(entry.name for entry in (place / "backup").iterdir())
    with pytest.raises(AESGStorageError, match="no checkpoint"):
        trainer.save(place / "backup")
    assert sorted(entry.name for entry in (place / "backup").iterdir()) == before


def test_a_checkpoint_inside_the_memory_is_refused_since_it_would_be_replaced_with_it(saved, trained):
    model, trainer = trained()
    inside = model.memory.engine.directory / "c"
    with pytest.raises(AESGStorageError, match="inside the memory's own directory"):
        trainer.save(inside)
    shutil.copytree(saved, inside)
    with pytest.raises(AESGStorageError, match="inside the memory's own directory"):
        trainer.resume(inside)
    assert inside.exists()


def test_a_snapshot_inside_a_step_is_refused(trained, place):
    model, trainer = trained()
    with model.memory.step(), pytest.raises(AESGMemoryError, match="inside a step"):
        trainer.save(place / "c")
    assert not (place / "c").exists()


def files_of(path):
    return sorted(entry for entry in path.rglob("*") if entry.is_file())


def state_of(model, trainer):
    """All that loading a checkpoint may change."""
    return [
        weights(model),
        trainer.optimizer.state_dict(),
        torch.get_rng_state(),
        trainer.state.to_json(),
        contents(model.memory),
        model.memory.engine.directory.stat().st_ino,
    ]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint to be damaged: copies of it are."""
    place = tmp_path_factory.mktemp("saved")
    model, trainer = made(place / "a")
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")
    model.memory.close()
    return place / "c"


@pytest.fixture
def other(trained):
    """A trainer that has been elsewhere, and how to see that nothing was changed."""
    model, trainer = trained("b")
    trainer.fit(sentences(8, seed=3), 1)
    before = state_of(model, trainer)

    def unchanged():
        assert equal(state_of(model, trainer), before)

    return trainer, unchanged


DAMAGED = [
    "config.json",
    "manifest.json",
    "memory/cache/arcs.bin",
    "memory/position.json",
    "memory/stores/manifest.json",
    "memory/stores/part-000000.npz",
    "memory/working.npz",
    "model.safetensors",
    "optimizer.safetensors",
    "random-0.safetensors",
    "training_state.json",
]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_flipped_bit_is_found_before_anything_is_changed(saved, place, other, name):
    shutil.copytree(saved, place / "c")
    data = bytearray((place / "c" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (place / "c" / name).write_bytes(data)
    trainer, unchanged = other
    for take in (trainer.resume, trainer.load):
        with pytest.raises(AESGStorageError, match=r"damaged"):
            take(place / "c")
    unchanged()


def test_every_file_is_watched_over(saved):
    assert {str(f.relative_to(saved)) for f in files_of(saved)} >= set(DAMAGED)
    listed = json.loads((saved / "manifest.json").read_text())["checkpoint"]["files"]
    assert {*listed, "manifest.json"} == {f.relative_to(saved).as_posix() for f in files_of(saved)}


@pytest.mark.parametrize("gone", ["manifest.json", "model.safetensors", "memory", "half a file", "everything"])
def test_half_a_checkpoint_is_none(saved, place, other, gone):
    trainer, unchanged = other
    if gone != "everything":
        shutil.copytree(saved, place / "c")
    if gone == "memory":
        shutil.rmtree(place / "c" / gone)
    elif gone == "half a file":
        with open(place / "c" / "model.safetensors", "r+b") as file:
            file.truncate(100)
    elif gone != "everything":
        (place / "c" / gone).unlink()
    with pytest.raises(AESGStorageError, match=r"checkpoint"):
        trainer.resume(place / "c")
    unchanged()


def test_a_checkpoint_of_another_format_is_refused(saved, place, other):
    shutil.copytree(saved, place / "c")
    said = json.loads((place / "c" / "manifest.json").read_text())
    said["checkpoint"]["format"] = 99
    (place / "c" / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(AESGStorageError, match="has format 99, and this version reads format 1"):
        other[0].load(place / "c")


class Renamed(Recaller):
    pass


@pytest.mark.filterwarnings("ignore:The model has no AESGMemory")
@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda d: nn.Linear(3, 2), AESGTrainingError, "has the model Recaller, expected Linear"),
        (lambda d: Renamed(d), AESGTrainingError, "has the model Recaller, expected Renamed"),
        (lambda d: Recaller(d, classes=5), AESGTrainingError, r"out.bias is \[4\] in it, expected \[5\]"),
        (
            lambda d: Recaller(d, config=replace(CONFIG, vector_dim=9)),
            AESGStorageError,
            "vector_dim=8 and value_dim=4.* has vector_dim=9",
        ),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(saved, place, make, error, said):
    model = make(place / "b")
    trainer = AESGTrainer(model, quiet=True)
    before = weights(model)
    with pytest.raises(error, match=said):
        trainer.resume(saved)
    assert equal(weights(model), before)
    if hasattr(model, "memory"):
        assert model.memory.storage.node_count == 0
        model.memory.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheduler": lambda o: torch.optim.lr_scheduler.StepLR(o, 1)}, "has the scheduler None, expected StepLR"),
        ({"optimizer": torch.optim.SGD}, "has the optimizer Adam, expected SGD"),
    ],
)
def test_a_checkpoint_of_another_optimizer_is_refused_unless_weights_alone_are_wanted(saved, place, options, said):
    torch.manual_seed(1)
    model = Recaller(place / "b")
    if "optimizer" in options:
        options = {"optimizer": options["optimizer"](model.parameters(), lr=0.1)}
    trainer = AESGTrainer(model, quiet=True, **options)
    before = weights(model)
    with pytest.raises(AESGTrainingError, match=said):
        trainer.load(saved)
    assert equal(weights(model), before)
    assert model.memory.storage.node_count == 0
    trainer.load(saved, weights_only=True)
    assert torch.equal(model.out.weight, load_file(saved / "model.safetensors")["out.weight"])
    assert model.memory.storage.node_count > 0
    model.memory.close()


def test_a_memory_of_another_run_is_not_replaced_unless_that_is_said(saved, other, place):
    trainer, unchanged = other
    with pytest.raises(AESGStorageError, match=r"did not grow out of .* replace=True"):
        trainer.load(saved)
    unchanged()
    trainer.load(saved, replace=True)
    assert trainer.model.memory.engine.writer == json.loads((saved / "memory" / "position.json").read_text())["writer"]
    assert sorted(entry.name for entry in trainer.model.memory.engine.directory.parent.iterdir()) == ["b"]


def test_loading_leaves_the_count_of_epochs_and_resuming_does_not(saved, trained):
    _, trainer = trained("fresh")
    trainer.load(saved)
    assert trainer.state.epoch == 0
    assert len(trainer.optimizer.state_dict()["state"]) > 0
    assert trainer.resume(saved) == 1
    assert len(trainer.fit(sentences(), 3)) == 3
    assert trainer.state.epoch == 4


def test_whoever_shares_the_memory_goes_on_with_the_restored_one(saved, trained):
    model, trainer = trained("fresh")
    beside = AESGMemory(model.memory.directory)
    trainer.load(saved)
    assert beside.storage.node_count == model.memory.storage.node_count > 0
    assert (beside(torch.ones(8)).ids == model.memory(torch.ones(8)).ids).all()
    assert beside.mode.value == "TRAIN"
    beside.close()


def test_a_memory_that_answers_only_is_saved_too(trained, place):
    model, trainer = trained()
    trainer.fit(sentences(), 1)
    model.memory.set_mode("INFERENCE")
    trainer.save(place / "c")
    known = contents(model.memory)
    trainer.load(place / "c")
    assert model.memory.mode.value == "INFERENCE"
    assert contents(model.memory) == known


def test_a_memory_opened_for_answering_is_saved_too(saved, place):
    torch.manual_seed(0)
    model = Recaller(place / "b")
    AESGTrainer(model, quiet=True).load(saved)
    known = contents(model.memory)
    model.memory.close()
    again = Recaller(place / "b", config=replace(CONFIG, memory_mode="INFERENCE"))
    trainer = AESGTrainer(again, quiet=True)
    trainer.save(place / "d")
    trainer.load(place / "d")
    assert contents(again.memory) == known
    again.memory.close()


def test_a_full_disk_leaves_the_older_checkpoint(trained, place, monkeypatch):
    _, trainer = trained()
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")

    def full(path, *given, **named):
        raise OSError(28, "No space left on device")

    trainer.fit(sentences(), 1)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(AESGStorageError, match="No space left"):
        trainer.save(place / "c")
    monkeypatch.undo()
    assert sorted(entry.name for entry in place.iterdir()) == ["a", "c"]
    assert trainer.resume(place / "c") == 1


def test_a_kill_while_a_memory_is_put_back_leaves_both(saved, place):
    (place / "b").mkdir()
    torch.manual_seed(0)
    model = Recaller(place / "b" / "m")
    AESGTrainer(model, quiet=True).load(saved)
    known = contents(model.memory)
    model.memory.close()
    os.rename(place / "b" / "m", place / "b" / ".m.before")  # as after the first of the two renames
    again = Recaller(place / "b" / "m")
    assert again.memory.storage.node_count == 0
    AESGTrainer(again, quiet=True).load(saved)
    assert [c.id for c in contents(again.memory)[0]] == [c.id for c in known[0]]
    assert [entry.name for entry in (place / "b").iterdir()] == ["m"]
    again.memory.close()


def test_a_memory_that_its_cache_cannot_hold_is_restored_too(place):
    torch.manual_seed(0)
    model = Recaller(place / "a")
    model.memory.create(torch.randn(200, 8), torch.randn(200, 4))
    model.memory.close()
    shutil.rmtree(place / "a" / "cache")
    model.memory = AESGMemory(place / "a", CONFIG, stores=StoreSettings(cache_bytes=4096))
    trainer = AESGTrainer(model, quiet=True)
    trainer.save(place / "c")
    assert not (place / "c" / "memory" / "cache").exists()
    known = contents(model.memory)
    model.memory.remove([c.id for c in known[0][:50]])
    trainer.load(place / "c")
    assert contents(model.memory) == known
    model.memory.close()


def test_other_rules_of_learning_are_told(saved, place, caplog):
    torch.manual_seed(0)
    model = Recaller(place / "b", config=replace(CONFIG, novelty_birth_threshold=7, batch_size=9))
    AESGTrainer(model, quiet=True).load(saved)
    assert "novelty_birth_threshold=2 (here 7)" in caplog.text
    assert "batch_size" not in caplog.text
    model.memory.close()
