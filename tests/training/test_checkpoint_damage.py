"""Whatever is wrong with a checkpoint is said before anything is changed."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_scenes import CONFIG, Recaller, equal, weights

from aesg_graph.errors import AESGStorageError, AESGTrainingError
from aesg_graph.training import AESGTrainer


def files_of(path):
    return sorted(entry for entry in path.rglob("*") if entry.is_file())


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
