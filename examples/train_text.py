"""Trains a language model with a memory, is interrupted, and goes on as if it had not been.

    python examples/train_text.py ./counting

The language is small: counting in words, "forty one forty two forty three". The model is trained on counting up from
most numbers, and asked to go on from the others. It takes half a minute.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from aesg_graph import AESGConfig
from aesg_graph.nn.text import AESGDecoderLM
from aesg_graph.training import AESGTrainer, Checkpoint, EarlyStopping

UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()  # noqa: SIM905  # thirty quoted words are harder to read
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
WORDS = [*UNITS, *TENS]
CODES = {word: code for code, word in enumerate(WORDS)}
LENGTH, GIVEN = 8, 4  # words in a text, and those of them that are given when the rest is asked for

Pair = tuple[Tensor, Tensor]


def spoken(number: int) -> list[str]:
    """A number below a hundred in words."""
    if number < 20:
        return [UNITS[number]]
    return [TENS[number // 10 - 2], *([UNITS[number % 10]] if number % 10 else [])]


def texts() -> Tensor:
    """Counting up from every number, [N, LENGTH] codes of words."""
    counted = [[word for number in range(n, 100) for word in spoken(number)] for n in range(94)]
    return torch.tensor([[CODES[word] for word in words[:LENGTH]] for words in counted])


def split() -> tuple[Tensor, Tensor]:
    """Texts to learn from, and every eighth to ask for."""
    order = torch.randperm(len(texts()), generator=torch.Generator().manual_seed(0))
    return texts()[order[12:]], texts()[order[:12]]


def as_pairs(rows: Tensor) -> list[Pair]:
    """(input, target): after each word the next one is to be found."""
    return [(row[:-1], row[1:]) for row in rows]


def prepared(folder: Path, patience: int) -> AESGTrainer:
    """A model and its trainer, made anew as another process would make them."""
    torch.manual_seed(0)
    config = AESGConfig(vector_dim=32, batch_size=16, learning_rate=3e-3)
    model = AESGDecoderLM.small(len(WORDS), storage_dir=folder / "memory", config=config)
    callbacks = [EarlyStopping(patience, monitor="val_loss"), Checkpoint(5, folder / "checkpoints", keep_last=1)]
    return AESGTrainer(model, callbacks=callbacks, max_grad_norm=1.0)


def main(folder: Path, epochs: int = 20) -> dict[str, float]:
    """Train for half of the epochs, throw everything away but the checkpoint, and train for the other half."""
    known, unknown = split()
    trainer = prepared(folder, patience=epochs)
    trainer.fit(as_pairs(known), epochs // 2, validation=as_pairs(unknown))
    trainer.save(folder / "halfway")
    trainer.model.memory.close()

    trainer = prepared(folder, patience=epochs)
    done = trainer.resume(folder / "halfway")
    losses = trainer.fit(as_pairs(known), epochs - done, validation=as_pairs(unknown))

    written = trainer.model.generate(unknown[:, :GIVEN], LENGTH - GIVEN, temperature=0)
    said = {
        "epochs": trainer.state.epoch,
        "loss": losses[-1],
        "loss on unseen texts": trainer.evaluate(as_pairs(unknown))["loss"],
        "words of unseen texts that were right": float((written == unknown)[:, GIVEN:].double().mean()),
        "concepts": trainer.model.memory.stats()["concepts"],
    }
    print(" ".join(WORDS[code] for code in unknown[0, :GIVEN]), "...", *(WORDS[code] for code in written[0, GIVEN:]))
    trainer.model.memory.close()
    return said


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path, nargs="?")
    chosen = options.parse_args().folder
    with tempfile.TemporaryDirectory() as temporary:
        for name, value in main(chosen or Path(temporary)).items():
            print(f"{name}: {value:.4g}")
