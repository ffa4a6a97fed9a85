"""A classifier that is nothing but a memory: key to one-hot value, and what it reads out is the answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aesg_graph import AESGMemory, StoreSettings
from digits_demo.data import Digits, Rows, batches
from digits_demo.encoders import Encoder, LoopFeatures, sources_of
from digits_demo.networks import accuracy
from digits_demo.setting import Chosen, Setting


@dataclass(frozen=True)
class Life:
    """What became of a memory."""

    concepts: int
    edges: int
    consolidations: int
    born: int
    pruned: int


class MemoryLearner:
    """Remembers each task when it comes. With ``rekeys``, keys are made again after each pass of the encoder."""

    def __init__(
        self,
        digits: Digits,
        setting: Setting,
        seed: int,
        directory: Path,
        encoder: Encoder,
        chosen: Chosen,
        rekeys: bool = False,
        stores: StoreSettings | None = None,
    ) -> None:
        self.digits, self.setting, self.chance = digits, setting, np.random.default_rng(seed)
        self.encoder, self.rekeys = encoder, rekeys
        self.memory = AESGMemory(directory, chosen.config(encoder.width), stores=stores)
        self.begun = False

    def learn(self, rows: Rows) -> None:
        """Learn a task."""
        if not self.begun:
            self.encoder.begin(rows)
            self.begun = True
        for _ in range(self.setting.passes):
            for batch in batches(rows, self.setting.batch, self.chance):
                self.remember(batch)
            if self.rekeys and isinstance(self.encoder, LoopFeatures):
                # All at once, so that the mean is that of the whole memory.
                self.memory.rekey(self.encoder.renew, batch=self.kept)

    def remember(self, batch: Rows) -> None:
        """One training step: the encoder learns if it does; the memory learns that these keys mean these digits."""
        self.encoder.train(batch)
        keys, values = self.encoder.encode(batch), self.digits.meanings(batch)
        self.memory.retrieve(keys, value=values, sources=sources_of(batch))
        self.memory.update_topology()

    def score(self, rows: Rows) -> float:
        """Accuracy on pictures. The memory is asked, and learns nothing from it."""
        return score(self.memory, self.encoder, self.digits, rows)

    @property
    def kept(self) -> int:
        """How many concepts there are."""
        return self.memory.storage.node_count

    def life(self) -> Life:
        """What became of this memory, from its own statistics and history."""
        stats = self.memory.stats()
        events = Counter(event["type"] for event in self.memory.history())
        return Life(
            stats["concepts"], stats["edges"], stats["consolidations"], events.get("CREATE", 0), events.get("PRUNE", 0)
        )

    def close(self) -> None:
        """Write everything to disk and let go of the directory."""
        self.memory.close()


@torch.no_grad()
def score(memory: AESGMemory, encoder: Encoder, digits: Digits, rows: Rows) -> float:
    """The share of pictures for which the strongest part of what memory reads out is the right digit."""
    recalled = memory.retrieve(encoder.encode(rows), learn=False)
    return accuracy(recalled.read(), digits.labels[rows])
