"""A small language model over characters: an embedding, a GRU (Cho et al. 2014), a linear layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from helps.streams import ALPHABET, Codes

EMBEDDED, HIDDEN = 48, 128
ROWS, LENGTH = 16, 64
"""A training step sees so many stretches of text, so long."""
RATE = 4e-3
CLIP = 1.0


class CharacterModel(nn.Module):
    """Codes [B, T] to hidden states [B, T, 128]; of these, logits [B, T, alphabet]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(ALPHABET, EMBEDDED)
        self.recurrent = nn.GRU(EMBEDDED, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, ALPHABET)

    def states(self, codes: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Hidden states [B, T, 128] and the last one [1, B, 128]."""
        states, last = self.recurrent(self.embedding(codes), before)
        return states, last

    def loss(self, codes: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What each next character of codes [B, T + 1] costs, in nats [B, T], and the last state."""
        states, last = self.states(codes[:, :-1], before)
        costs = nn.functional.cross_entropy(self.head(states).transpose(1, 2), codes[:, 1:], reduction="none")
        return costs, last


def trained(text: Codes, passes: float, seed: int) -> CharacterModel:
    """A model trained on a text: parallel stretches of it, each from its own place onwards."""
    torch.manual_seed(seed)
    model = CharacterModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    steps = int(passes * len(text) / (ROWS * LENGTH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(steps, 10))
    starts = torch.tensor(np.random.default_rng(seed).integers(0, len(text), ROWS))
    whole, last = torch.tensor(text), None
    for step in range(steps):
        places = (starts[:, None] + step * LENGTH + torch.arange(LENGTH + 1)) % len(whole)
        costs, last = model.loss(whole[places], last)
        optimizer.zero_grad()
        costs.mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        last = last.detach()
    return model.eval()


def kept(text: Codes, passes: float, seed: int, scratch: Path) -> CharacterModel:
    """A trained model, trained once and then read from ``scratch``."""
    file = scratch / f"characters-{len(text)}-{passes:g}-{HIDDEN}-{seed}.pt"
    if file.exists():
        model = CharacterModel()
        model.load_state_dict(torch.load(file, weights_only=True))
        return model.eval()
    model = trained(text, passes, seed)
    scratch.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), file)
    return model
