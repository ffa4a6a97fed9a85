"""Training that was interrupted and resumed is, to the last bit, training that was not."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from run_training import fingerprint, train
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler
from training_scenes import contents, sentences, weights

from aesg_graph.training import Callback, Checkpoint

HERE = Path(__file__).parent


def trained_alone(folder, epochs, *options):
    """What a process of its own says; None if it was killed."""
    command = [sys.executable, str(HERE / "run_training.py"), str(folder), str(epochs), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == -9:
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_a_kill_interrupted_another_process_ends_as_if_nothing_had_been(place):
    whole = train(place / "whole", 6)
    assert trained_alone(place / "killed", 6, "--kill", 3) is None  # three batches of the fourth epoch were learned
    rest = trained_alone(place / "killed", 3, "--resume", place / "killed" / "checkpoints" / "epoch_3")
    assert rest["begun"] == 3
    assert rest["losses"] == whole["losses"][3:]
    assert rest["found"] == whole["found"]


def test_new_objects_go_on_as_the_old_ones_would_have(trained, place):
    model, trainer = trained("whole")
    losses = trainer.fit(sentences(), 3)
    trainer.save(place / "c")
    losses += trainer.fit(sentences(), 3)
    other, resumed = trained("other")
    torch.randn(7), np.random.rand(3)  # whatever was drawn before resuming makes no difference
    assert resumed.resume(place / "c") == 3
    assert resumed.fit(sentences(), 3) == losses[3:]
    assert resumed.state.losses == losses
    assert fingerprint(other) == fingerprint(model)


def test_the_same_objects_can_go_back(trained, place):
    model, trainer = trained()
    trainer.fit(sentences(), 2)
    trainer.save(place / "c")
    first = trainer.fit(sentences(), 2)
    found = fingerprint(model)
    trainer.fit(sentences(), 1)
    assert trainer.resume(place / "c") == 2
    assert trainer.fit(sentences(), 2) == first
    assert fingerprint(model) == found


def test_resuming_restores_what_is_between_lessons(trained, place):
    """The novelty buffer, co-activations, the count of calls, ids that were given out: none is a lesson yet."""
    model, trainer = trained()
    trainer.fit(sentences(), 1)
    engine = model.memory.engine
    working, counter, writer = engine.working.to_arrays(), engine.recorder.counter, engine.writer
    assert len(working["buffer_hits"])
    assert len(working["pair_counts"])
    known = contents(model.memory)
    trainer.save(place / "c")
    other, resumed = trained("other")
    resumed.resume(place / "c")
    after = other.memory.engine.working.to_arrays()
    assert all(np.array_equal(working[name], after[name]) for name in working)
    made_here = other.memory.create(torch.eye(8)[:1])
    assert int(made_here[0]) == (writer << 43) + counter + 1
    other.memory.remove(made_here)
    assert [c.id for c in contents(other.memory)[0]] == [c.id for c in known[0]]


LOADERS = {
    "shuffled by torch's own generator": lambda pairs: DataLoader(pairs, batch_size=4, shuffle=True),
    "with a generator": lambda pairs: DataLoader(
        pairs, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(3)
    ),
    "with a sampler's generator": lambda pairs: DataLoader(
        pairs, batch_size=4, sampler=RandomSampler(pairs, generator=torch.Generator().manual_seed(3))
    ),
    "with a batch sampler's": lambda pairs: DataLoader(
        pairs,
        batch_sampler=BatchSampler(RandomSampler(pairs, generator=torch.Generator().manual_seed(3)), 4, drop_last=True),
    ),
}


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS.keys())
def test_a_loader_of_ones_own_goes_on_in_its_order(trained, place, make):
    _, trainer = trained("whole")
    loader = make(sentences())
    losses = trainer.fit(loader, 2)
    trainer.save(place / "c")
    losses += trainer.fit(loader, 2)
    _, resumed = trained("other")
    resumed.resume(place / "c")
    assert resumed.fit(make(sentences()), 2) == losses[2:]


def test_a_loader_of_another_kind_is_said_to_have_its_own_order(trained, place, caplog):
    _, trainer = trained("whole")
    trainer.fit(LOADERS["with a generator"](sentences()), 1)
    trainer.save(place / "c")
    trainer.resume(place / "c")
    trainer.fit(sentences(), 1)
    assert "its order is its own" in caplog.text


def test_another_number_of_threads_is_told(trained, place, caplog):
    _, trainer = trained()
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        trainer.resume(place / "c")
    finally:
        torch.set_num_threads(threads)
    assert f"saved with {threads} threads of torch, here are {threads + 1}" in caplog.text


def test_schedulers_and_clipping_go_on(trained, place):
    options = {
        "scheduler": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=40),
        "scheduler_every": "batch",
        "max_grad_norm": 0.1,
        "gradient_accumulation_steps": 2,
        "mixed_precision": "bf16",
    }
    _, trainer = trained("whole", **options)
    losses = trainer.fit(sentences(), 2)
    trainer.save(place / "c")
    losses += trainer.fit(sentences(), 2)
    _, resumed = trained("other", **options)
    resumed.resume(place / "c")
    assert resumed.fit(sentences(), 2) == losses[2:]


def test_every_epoch_of_a_run_can_be_gone_back_to(trained, place):
    model, trainer = trained(callbacks=[Checkpoint(path=place / "c")])
    losses = trainer.fit(sentences(), 4)
    found = fingerprint(model)
    for epoch in (3, 1, 2):
        assert trainer.resume(place / "c" / f"epoch_{epoch}") == epoch
        assert trainer.state.losses == losses[:epoch]
        assert trainer.fit(sentences(), 4 - epoch) == losses[epoch:]
        assert fingerprint(model) == found


def test_a_checkpoint_from_within_an_epoch_restores_what_was_learned_by_then(trained, place):
    seen = {}

    class Within(Callback):
        def on_batch_end(self, batch, logs):
            if batch == 3 and not seen:
                seen.update(weights=weights(self.trainer.model), known=contents(self.trainer.model.memory))
                self.trainer.save(place / "c")

    model, trainer = trained(callbacks=[Within()])
    trainer.fit(sentences(), 2)
    assert trainer.resume(place / "c") == 0  # no epoch was completed
    assert trainer.state.global_step == 4
    assert contents(model.memory) == seen["known"]
    assert all(torch.equal(seen["weights"][name], value) for name, value in weights(model).items())


@pytest.mark.filterwarnings("ignore:The model has no AESGMemory")
def test_a_model_without_memory_goes_on_too(place):
    from aesg_graph.training import AESGTrainer

    def trainer():
        torch.manual_seed(0)
        return AESGTrainer(nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 2)), quiet=True, batch_size=4)

    pairs = [(torch.randn(3, generator=torch.Generator().manual_seed(k)), torch.tensor(k % 2)) for k in range(10)]
    whole = trainer()
    losses = whole.fit(pairs, 3)
    whole.save(place / "c")
    losses += whole.fit(pairs, 3)
    resumed = trainer()
    assert resumed.resume(place / "c") == 3
    assert resumed.fit(pairs, 3) == losses[3:]
