"""By what text models address memory: tokens themselves, which no training moves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aesg_graph.nn.recurrent import LEAK


@dataclass
class Trace:
    """How far a batch of rows has been read: make one for each, give it to each call.

    echo [B, C]: of the codes so far.
    """

    echo: Tensor | None = None


class TokenCues(nn.Module):
    """A fixed random code for each token, the same in every model of that vocabulary and width.

    Embeddings are trained, so what was stored under one is not found under it later. Codes hold still; unlike a learned
    code they say nothing of likeness between tokens. They are no part of ``state_dict()``.
    """

    codes: Tensor

    def __init__(self, vocab_size: int, width: int) -> None:
        super().__init__()
        codes = torch.randn(vocab_size, width, generator=torch.Generator().manual_seed(0), device="cpu")
        codes = nn.functional.normalize(codes, dim=-1).to(torch.get_default_device())
        self.register_buffer("codes", codes, persistent=False)

    @property
    def width(self) -> int:
        """C, of one code."""
        return self.codes.shape[1]

    def forward(self, tokens: Tensor) -> Tensor:
        """Codes [..., C] of token ids [...]."""
        return self.codes[tokens]

    def in_context(self, tokens: Tensor, trace: Trace | None = None) -> Tensor:
        """Codes and echoes of what came before, [B, T, 2 C], of token ids [B, T]; causal.

        An echo is a fading trace, as the memory cells keep one: half of it is the code before, a quarter the one before
        that. ``trace`` holds what was read before these tokens, and goes on by them.
        """
        codes, steps = self(tokens), tokens.shape[1]
        before = torch.zeros_like(codes[:, 0]) if trace is None or trace.echo is None else trace.echo
        ago = torch.arange(steps + 1, device=tokens.device)
        faded = (1 - LEAK) ** ago.to(codes.dtype)
        distance = ago.unsqueeze(1) - 1 - ago[:-1]  # of each echo, the last one included, to each token before it
        weights = LEAK * (1 - LEAK) ** distance.clamp_min(0).to(codes.dtype) * (distance >= 0)
        echoes = weights @ codes + faded.unsqueeze(1) * before.unsqueeze(1)
        if trace is not None:
            trace.echo = echoes[:, -1]
        return torch.cat([codes, echoes[:, :-1]], -1)
