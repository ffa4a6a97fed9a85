"""WordNet into a memory, with the time that each part took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aesg_graph import AESGMemory, StoreSettings
from wordnet_demo.keys import Keys
from wordnet_demo.tables import WordNet

AT_ONCE = 8192
"""Concepts or edges in one call."""
SOURCE = "wordnet/"
Tell = Callable[[str, int, int], None]
"""Told of what is being done, how much of it is done, and how much there is."""


def embedded() -> StoreSettings:
    """Settings of a memory in its own directory, whatever servers the environment names."""
    return StoreSettings(graph="embedded", vectors="embedded")


@dataclass
class Loaded:
    """What is in the memory, and how many seconds each part took."""

    ids: npt.NDArray[np.int64]
    """[N] the concept of each synset."""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add what happens inside to a part's seconds."""
        begun = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - begun


def load(memory: AESGMemory, wordnet: WordNet, keys: Keys, tell: Tell) -> Loaded:
    """A concept for each synset and an edge for each relation; back when both stores have them all."""
    loaded = Loaded(np.full(len(wordnet), -1, np.int64))
    with loaded.timed("concepts recorded"):
        _create(memory, wordnet, keys, loaded.ids, tell)
    with loaded.timed("edges recorded"):
        _link(memory, wordnet, keys, loaded.ids, tell)
    tell("stores catching up", 0, 0)
    with loaded.timed("until the stores had all"):
        memory.flush(timeout=3600)
    return loaded


def _create(memory: AESGMemory, wordnet: WordNet, keys: Keys, ids: npt.NDArray[np.int64], tell: Tell) -> None:
    done, kinds = 0, np.array(wordnet.kinds)
    for kind in sorted(set(wordnet.kinds)):
        of_kind = np.flatnonzero(kinds == kind)
        for start in range(0, len(of_kind), AT_ONCE):
            some = of_kind[start : start + AT_ONCE]
            ids[some] = memory.create(
                keys[some],
                names=[wordnet.words[i] for i in some],
                texts=[f"{wordnet.lemmas[i]}: {wordnet.glosses[i]}" for i in some],
                sources=[SOURCE + wordnet.synsets[i] for i in some],
                kind=kind,
            )
            done += len(some)
            tell("concepts", done, len(wordnet))


def _link(memory: AESGMemory, wordnet: WordNet, keys: Keys, ids: npt.NDArray[np.int64], tell: Tell) -> None:
    done = 0
    for name, ends in wordnet.edges.items():
        for start in range(0, len(ends), AT_ONCE):
            some = ends[start : start + AT_ONCE]
            weights = np.clip(0.5 + np.einsum("ij,ij->i", keys[some[:, 0]], keys[some[:, 1]]) / 2, 0, 1)
            memory.link(ids[some[:, 0]], ids[some[:, 1]], name, weights)
            done += len(some)
            tell("edges", done, wordnet.edge_count)
