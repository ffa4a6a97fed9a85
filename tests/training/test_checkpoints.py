"""A checkpoint is whole or it is none, takes the place of an older one, and takes its memory along."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_scenes import CONFIG, Recaller, contents, sentences, weights

from aesg_graph import AESGConfig, AESGMemory, StoreSettings
from aesg_graph.errors import AESGMemoryError, AESGStorageError, AESGTrainingError
from aesg_graph.training import AESGTrainer
from aesg_graph.training.checkpoints import folder


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
