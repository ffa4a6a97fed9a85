"""What spreading recalls that similarity does not: for some descriptions, and counted over a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from aesg_graph import AESGConfig, AESGMemory
from wordnet_demo.keys import Keys
from wordnet_demo.loading import embedded
from wordnet_demo.tables import WordNet

ASKED = (
    "he hit the ball over the net with a racket",
    "a young dog",
    "a doctor who treats the teeth",
    "a musical instrument with strings that is played with a bow",
)
HELD_OUT = (
    *("PERTAINYM", "VERB_GROUP", "DERIVATIONALLY_RELATED", "SIMILAR_TO", "DOMAIN_TOPIC"),
    *("ANTONYM", "HYPERNYM", "PART_HOLONYM", "MEMBER_HOLONYM"),
)
TOP = 10
ROWS = 32


@dataclass(frozen=True)
class Answer:
    """One description, and what it recalls: the nearest ten, and the ten that energy reached most."""

    asked: str
    nearest: list[str]
    spread: list[str]
    """Those that are not among the nearest, with the strongest path that led there."""


def ask(memory: AESGMemory, ids: npt.NDArray[np.int64], keys: Keys, asked: str, key: Keys) -> Answer:
    """Recall for one description with key [D], by cosine and by spreading."""
    nearest = ids[np.argsort(-(keys @ key), kind="stable")[:TOP]]
    recalled = memory.retrieve(torch.from_numpy(key), learn=False).ids.tolist()[:TOP]
    news = [id for id in recalled if id not in nearest]
    return Answer(asked, [_name(memory, int(id)) for id in nearest], [_told(memory, key, id) for id in news])


def _name(memory: AESGMemory, id: int) -> str:
    return memory.concept(id).name or str(id)


def _told(memory: AESGMemory, key: Keys, id: int) -> str:
    """A concept and the strongest path to it: ``lens <-PART_HOLONYM- telescope``."""
    path: dict[str, Any] = memory.explain(torch.from_numpy(key), id, limit=1)[0]
    told = _name(memory, path["ids"][0])
    for type, then in zip(path["types"], path["ids"][1:], strict=True):
        arrow = f" <-{type[1:]}- " if type.startswith("<") else f" -{type}-> "
        told += arrow + _name(memory, then)
    return told


@dataclass(frozen=True)
class HeldOut:
    """How much of a relation is recalled when no energy flows along it: mean recall at 10, over a sample."""

    relation: str
    sample: int
    cosine: float
    spreading: float


def hold_out(
    directory: Path, config: AESGConfig, wordnet: WordNet, keys: Keys, ids: Any, relation: str, sample: int
) -> HeldOut:
    """Ask for synsets that have the relation by their own keys: how many of its other ends are among the ten answers?

    The relation's gains are 0 meanwhile, so its edges carry nothing; what is counted is found along all the others.
    The synset itself is no answer.
    """
    others = [replace(t, forward=0.0, backward=0.0) if t.name == relation else t for t in config.relations]
    without = replace(config, relations=others, memory_mode="INFERENCE")
    ends = wordnet.edges[relation]
    asked = np.random.default_rng(0).permutation(np.unique(ends[:, 0]))[:sample]
    sought = {int(start): set(ends[ends[:, 0] == start, 1].tolist()) for start in asked}
    places = {int(id): place for place, id in enumerate(ids)}
    near, reached = [], []
    with AESGMemory(directory, without, stores=embedded()) as memory:
        for start in range(0, len(asked), ROWS):
            some = asked[start : start + ROWS]
            recalled = memory.retrieve(torch.from_numpy(keys[some]), learn=False).ids.tolist()
            cosines = keys[some] @ keys.T
            for place, row, likeness in zip(some.tolist(), recalled, cosines, strict=True):
                near.append(_recall(np.argpartition(-likeness, TOP)[: TOP + 1], likeness, place, sought[place]))
                found = [places[id] for id in row if id in places and places[id] != place][:TOP]
                reached.append(len(sought[place] & set(found)) / min(TOP, len(sought[place])))
    return HeldOut(relation, len(asked), float(np.mean(near)), float(np.mean(reached)))


def _recall(candidates: npt.NDArray[np.int64], likeness: Keys, itself: int, sought: set[int]) -> float:
    """Recall among the ten nearest."""
    ordered = candidates[np.argsort(-likeness[candidates], kind="stable")].tolist()
    found = [place for place in ordered if place != itself][:TOP]
    return len(sought & set(found)) / min(TOP, len(sought))
