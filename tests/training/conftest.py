"""A place for memories and checkpoints where syncing a file costs nothing."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def place(tmp_path):
    """A directory of the test's own, in memory where the machine has such a file system."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="aesg-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def trained(place):
    """Makes models with their trainers, each in ``place / name``; their memories are closed at the end."""
    from training_scenes import made

    models = []

    def make(name="a", **options):
        model, trainer = made(place / name, **options)
        models.append(model)
        return model, trainer

    yield make
    for model in models:
        model.memory.close()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint to be damaged: copies of it are."""
    place = tmp_path_factory.mktemp("saved")
    from training_scenes import made, sentences

    model, trainer = made(place / "a")
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")
    model.memory.close()
    return place / "c"


@pytest.fixture
def other(trained):
    """A trainer that has been elsewhere, and how to see that nothing was changed."""
    from training_scenes import equal, sentences, state_of

    model, trainer = trained("b")
    trainer.fit(sentences(8, seed=3), 1)
    before = state_of(model, trainer)

    def unchanged():
        assert equal(state_of(model, trainer), before)

    return trainer, unchanged
