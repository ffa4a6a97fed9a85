"""One of several processes that train one model, each with a memory of its own: ``run_rank.py FOLDER``.

Prints as JSON what came of it. Every process does the same; only in the last part does one of them meet a bad batch.
"""

import json
import os
import sys
from pathlib import Path

import torch
from run_training import fingerprint
from torch import nn
from training_scenes import Recaller, contents, sentences, weights

from aesg_graph.errors import AESGTrainingError
from aesg_graph.training import AESGTrainer, Callback, Checkpoint, EarlyStopping


class Uneven(Recaller):
    """One process has a parameter that its loss does not depend on."""

    def __init__(self, directory, rank):
        super().__init__(directory)
        self.rank, self.extra = rank, nn.Linear(4, 4)

    def forward(self, tokens):
        output = super().forward(tokens)
        return output + self.extra(output) if self.rank else output


class Mine(Callback):
    """A figure that gets better in the main process and worse in the other: the main one's word must count."""

    def __init__(self, rank):
        self.rank = rank

    def on_epoch_end(self, epoch, logs):
        logs["mine"] = float(epoch if self.rank else -epoch)


class Poisoned(nn.Module):
    """The loss of one process is not a number, when it is told."""

    def __init__(self, rank):
        super().__init__()
        self.rank, self.now = rank, False

    def forward(self, output, target):
        loss = nn.functional.cross_entropy(output, target)
        return loss * torch.nan if self.now and self.rank == 1 else loss


def main():
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, criterion = Uneven(folder / f"rank-{rank}", rank), Poisoned(rank)
    callbacks = [Checkpoint(path=folder / "checkpoints", keep_last=1, best="mine"), EarlyStopping(1, monitor="mine")]
    callbacks.insert(0, Mine(rank))
    trainer = AESGTrainer(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        criterion,
        callbacks,
        gradient_accumulation_steps=2,
        quiet=True,
    )
    said = {"main": trainer.is_main_process, "losses": trainer.fit(sentences(), 2)}
    said["loss"] = trainer.evaluate(sentences(8, seed=5))["loss"]
    trainer.callbacks.clear()
    said["after"], said["found"] = trainer.fit(sentences(), 1), fingerprint(model)
    said["epoch"] = trainer.resume(folder / "checkpoints" / "epoch_2")
    said["again"], said["found again"] = trainer.fit(sentences(), 1), fingerprint(model)
    before, known = weights(model), contents(model.memory)
    criterion.now = True
    try:
        trainer.fit(sentences(), 1)
    except AESGTrainingError as error:
        said["refused"] = error.message
    said["kept"] = all(torch.equal(before[n], w) for n, w in weights(model).items()) and contents(model.memory) == known
    said["weights"] = {n: p.tolist() for n, p in model.named_parameters()}
    said["concepts"] = len(known[0])
    print(json.dumps(said))
    model.memory.close()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
