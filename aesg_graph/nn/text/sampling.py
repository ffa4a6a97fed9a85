"""How the next token is chosen, and when a row is at its end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aesg_graph.errors import AESGConfigError


@dataclass(frozen=True)
class Sampling:
    """How to choose from logits.

    temperature: 0 takes the likeliest. top_k: only so many of the likeliest (Fan et al. 2018). top_p: only the
    likeliest that together have this probability (Holtzman et al. 2020). Raises AESGConfigError for what is out of
    range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise AESGConfigError(f"temperature is {self.temperature!r}, expected a finite number of at least 0")
        if self.top_k is not None and (isinstance(self.top_k, bool) or int(self.top_k) != self.top_k or self.top_k < 1):
            raise AESGConfigError(f"top_k is {self.top_k!r}, expected a whole number of at least 1, or None")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise AESGConfigError(f"top_p is {self.top_p!r}, expected a number above 0 and up to 1, or None")

    def choose(self, logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Ids [B] from logits [B, N]."""
        if self.temperature == 0:
            return logits.argmax(-1)
        # The largest is taken off first: tiny temperatures would otherwise make infinities.
        scaled = (logits.float() - logits.float().amax(-1, keepdim=True)) / self.temperature
        likeliest, order = torch.sort(scaled, dim=-1, descending=True, stable=True)
        kept = torch.ones_like(scaled, dtype=torch.bool)
        if self.top_k is not None:
            kept[..., int(self.top_k) :] = False
        if self.top_p is not None:
            shares = torch.softmax(likeliest.masked_fill(~kept, -torch.inf), -1)
            kept &= shares.cumsum(-1) - shares < self.top_p
        kept[..., 0] = True
        shares = torch.softmax(likeliest.masked_fill(~kept, -torch.inf), -1)
        drawn = torch.multinomial(shares, 1, generator=generator)
        return order.gather(-1, drawn).squeeze(-1)


class Ending:
    """Which rows have reached their stop token; from then on they are padded."""

    def __init__(self, stop_token: int | None, pad_token: int | None, vocab_size: int) -> None:
        for name, token in (("stop_token", stop_token), ("pad_token", pad_token)):
            if token is not None and not 0 <= token < vocab_size:
                raise AESGConfigError(f"{name} is {token!r}, expected a token id from 0 to {vocab_size - 1}, or None")
        self.stop = stop_token
        self.pad = pad_token if pad_token is not None else stop_token
        self.ended: Tensor | None = None

    def after(self, chosen: Tensor) -> Tensor:
        """What is written for ``chosen`` ids [B]: padding in rows that ended before."""
        if self.stop is None:
            return chosen
        assert self.pad is not None
        written = chosen if self.ended is None else chosen.masked_fill(self.ended, self.pad)
        reached = chosen == self.stop
        self.ended = reached if self.ended is None else self.ended | reached
        return written

    @property
    def all(self) -> bool:
        """Whether every row is at its end."""
        return self.ended is not None and bool(self.ended.all())


@contextmanager
def generating(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients, so that only a memory in ONLINE mode learns; each module's mode comes back."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in before.items():
            module.training = training
