"""What a recurrent cell should address memory by: texts come two at a time, all are asked for at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from aesg_graph import AESGConfig, AESGMemory
from aesg_graph.nn import Addressing
from aesg_graph.nn.recurrent import LEAK

VOCABULARY, TEXTS, LENGTH = 12, 4, 32
WINDOW, BATCH = 12, 8
WIDTH, HIDDEN = 16, 32
CONTEXT = 4
"""So many tokens are read before the first that is asked for."""


@dataclass(frozen=True)
class Way:
    """What memory is addressed by. ``still``: of fixed codes of tokens, not of embeddings that are trained."""

    name: str
    parts: tuple[str, ...]
    still: bool = True


WAYS = (
    Way("no memory", ()),
    Way("the hidden state", ("hidden",), still=False),
    Way("the embedding and its echo", ("token", "echo"), still=False),
    Way("a fixed code of the token", ("token",)),
    Way("a fixed code of the token and its echo", ("token", "echo")),
)


class Reader(nn.Module):
    """Predicts the next token: a GRU cell whose input and whose logits are joined by what memory says."""

    def __init__(self, directory: Path, way: Way) -> None:
        super().__init__()
        self.way = way
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.register_buffer("codes", torch.randn(VOCABULARY, WIDTH))
        self.cell = nn.GRUCell(WIDTH + VOCABULARY, HIDDEN)
        self.head = nn.Linear(HIDDEN, VOCABULARY)
        self.trust = nn.Parameter(torch.tensor(10.0))
        self.memory = self.addressing = None
        if way.parts:
            config = AESGConfig(vector_dim=32, value_dim=VOCABULARY, novelty_birth_threshold=1)
            self.memory = AESGMemory(directory, config)
            features = sum(HIDDEN if part == "hidden" else WIDTH for part in way.parts)
            self.addressing = Addressing(self.memory, features, steered_by=HIDDEN)

    def forward(self, tokens: Tensor, following: Tensor | None = None) -> Tensor:
        """Logits [B, T, vocabulary] of what follows tokens [B, T]."""
        cues = self.codes[tokens] if self.way.still else self.embedding(tokens)
        hidden, echo = torch.zeros(len(tokens), HIDDEN), torch.zeros(len(tokens), WIDTH)
        logits = []
        for t, x in enumerate(self.embedding(tokens).unbind(1)):
            said = torch.zeros(len(tokens), VOCABULARY)
            if self.addressing is not None:
                parts = {"hidden": hidden, "token": cues[:, t], "echo": echo}
                features = torch.cat([parts[part] for part in self.way.parts], -1)
                meaning = None if following is None else torch.eye(VOCABULARY)[following[:, t]]
                said = self.addressing.recall(features, meaning, steer=hidden).read()
            hidden = self.cell(torch.cat([x, said], -1), hidden)
            echo = echo + LEAK * (cues[:, t].detach() - echo)
            logits.append(self.head(hidden) + self.trust * said)
        return torch.stack(logits, 1)


def run(way: Way, seed: int, steps: int, directory: Path) -> tuple[float, int]:
    """The share of next tokens, of all texts, that is told rightly at the end, and how many concepts there are."""
    torch.manual_seed(seed)
    texts = torch.randint(VOCABULARY, (TEXTS, LENGTH))
    reader = Reader(directory, way)
    optimizer = torch.optim.Adam(reader.parameters(), lr=3e-3)
    for first in range(0, TEXTS, 2):
        for _ in range(steps):
            tokens, following = windows(texts[first : first + 2])
            learn(reader, optimizer, tokens, following)
    reader.eval()
    with torch.no_grad():
        right = reader(texts[:, :-1]).argmax(-1) == texts[:, 1:]
    share = float(right[:, CONTEXT:].double().mean())
    if reader.memory is None:
        return share, 0
    concepts = int(reader.memory.storage.node_count)
    reader.memory.close()
    return share, concepts


def windows(texts: Tensor) -> tuple[Tensor, Tensor]:
    """Random pieces of the texts, and what follows each token."""
    rows = torch.randint(len(texts), (BATCH,)).unsqueeze(1)
    places = torch.randint(LENGTH - WINDOW, (BATCH, 1)) + torch.arange(WINDOW)
    return texts[rows, places], texts[rows, places + 1]


def learn(reader: Reader, optimizer: torch.optim.Optimizer, tokens: Tensor, following: Tensor) -> None:
    """One step: lessons are taken after it."""
    optimizer.zero_grad()
    if reader.memory is None:
        nn.functional.cross_entropy(reader(tokens).flatten(0, 1), following.flatten()).backward()
        optimizer.step()
        return
    with reader.memory.step(), reader.memory.sequence():
        logits = reader(tokens, following)
        nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten()).backward()
        optimizer.step()
    reader.memory.update_topology()
