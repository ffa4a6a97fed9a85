"""Characters: the text that the language model is trained on, and the texts that are streamed past it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
from wordnet_demo.tables import folder

Codes = npt.NDArray[np.int64]
Stream = Callable[[int, bool, int], Codes]
"""The stream of a seed, from the part that validates or the part that tests, so many characters long."""

SYMBOLS = "\n" + "".join(map(chr, range(32, 127)))
"""The characters that are told apart; all others count as one."""
OTHER = len(SYMBOLS)
ALPHABET = len(SYMBOLS) + 1
TRAINED, VALIDATED = 0.55, 0.7
"""Of Shakespeare the model is trained on what lies before the first, validated up to the second, tested behind it."""


def encoded(text: str) -> Codes:
    """Codes [N] of a text's characters."""
    place = {symbol: code for code, symbol in enumerate(SYMBOLS)}
    return np.fromiter((place.get(symbol, OTHER) for symbol in text), np.int64, len(text))


def shakespeare() -> Codes:
    """tinyshakespeare (Karpathy 2015), all of it."""
    source = folder().parent / "tinyshakespeare" / "input.txt.gz"
    return encoded(gzip.decompress(source.read_bytes()).decode("utf-8"))


def trained_on() -> Codes:
    """The part of Shakespeare that the model is trained on."""
    whole = shakespeare()
    return whole[: int(TRAINED * len(whole))]


def more_shakespeare(seed: int, validate: bool, length: int) -> Codes:
    """Other Shakespeare than the model was trained on."""
    whole = shakespeare()
    middle = int(VALIDATED * len(whole))
    part = whole[int(TRAINED * len(whole)) : middle] if validate else whole[middle:]
    begin = int(np.random.default_rng(seed).integers(0, len(part) - length))
    return part[begin : begin + length]


def glosses(seed: int, validate: bool, length: int) -> Codes:
    """WordNet's words and what they mean."""
    with gzip.open(folder() / "synsets.tsv.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        rows = (line.rstrip("\n").split("\t") for line in lines)
        return drawn(
            [f"{row[2].replace('_', ' ').replace('|', ', ')}: {row[3]}" for row in rows], seed, validate, length
        )


def passages(seed: int, validate: bool, length: int) -> Codes:
    """Passages of Wikipedia: the corpus of MuSiQue (Trivedi et al. 2022)."""
    source = folder().parent / "musique" / "musique_train_corpus.json.gz"
    found = json.loads(gzip.decompress(source.read_bytes()))
    return drawn([f"{passage['title']}\n{passage['text']}\n" for passage in found], seed, validate, length)


def drawn(texts: Iterable[str], seed: int, validate: bool, length: int) -> Codes:
    """Texts in random order, a line each: of a quarter, always the same, to validate, and else of the rest."""
    texts = list(texts)
    order = np.random.default_rng(0).permutation(len(texts))
    part = order[: len(order) // 4] if validate else order[len(order) // 4 :]
    chosen = np.random.default_rng(seed).permutation(part)
    # Twenty characters at least are in any of them.
    return encoded("\n".join(texts[i] for i in chosen[: length // 20 + 1]))[:length]
