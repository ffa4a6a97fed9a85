"""Trains the small model: ``run_training.py FOLDER EPOCHS [--resume CHECKPOINT] [--kill EPOCH]``.

Saves a checkpoint after every epoch, and prints what came of it as JSON. ``--kill`` ends the process by SIGKILL in the
middle of an epoch (counted from 0), when a batch of it has been learned.
"""

import argparse
import hashlib
import json
import os
import signal
from pathlib import Path

import torch
from training_scenes import contents, made, sentences, weights

from aesg_graph.training import Callback, Checkpoint


class Killed(Callback):
    def __init__(self, epoch):
        self.epoch, self.now = epoch, -1

    def on_epoch_start(self, epoch, logs):
        self.now = epoch

    def on_batch_end(self, batch, logs):
        if (self.now, batch) == (self.epoch, 2):
            os.kill(os.getpid(), signal.SIGKILL)


def fingerprint(model):
    """Of every weight and of all that the memory knows, but for times and the writer's number."""
    concepts, edges = contents(model.memory)
    nodes = model.memory.storage.nodes
    keys = {int(n["id"]): n["vector"].tobytes().hex() for n in nodes}
    lives = [
        (
            c.id & ((1 << 43) - 1),
            keys[c.id],
            c.born_epoch,
            c.touched_epoch,
            c.relevance,
            c.use_frequency,
            c.contradictions,
        )
        for c in concepts
    ]
    low = (1 << 43) - 1
    ends = [sorted((s & low, t & low, kind, w) for s, t, kind, w in row) for row in edges]
    values = {name: value.numpy().tobytes().hex() for name, value in weights(model).items()}
    return hashlib.sha256(json.dumps([lives, ends, values]).encode()).hexdigest()


def train(folder, epochs, resume=None, kill=None):
    """What came of it."""
    model, trainer = made(folder / "memory")
    if kill is not None:
        trainer.callbacks.append(Killed(kill))
    trainer.callbacks.append(Checkpoint(path=folder / "checkpoints"))
    begun = None if resume is None else trainer.resume(resume)
    losses = trainer.fit(sentences(), epochs, validation=sentences(6, seed=9))
    found = fingerprint(model)
    model.memory.close()
    return {"begun": begun, "losses": losses, "found": found}


if __name__ == "__main__":
    torch.set_num_threads(1)  # as in the tests: the last bit of a sum depends on it
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("epochs", type=int)
    options.add_argument("--resume", type=Path)
    options.add_argument("--kill", type=int)
    print(json.dumps(train(**vars(options.parse_args()))))
