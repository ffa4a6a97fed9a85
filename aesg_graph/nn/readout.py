"""What a layer reads out of what was recalled: values where the memory holds values, else keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aesg_graph.context import TINY, RetrievedContext
from aesg_graph.memory import AESGMemory


def read_width(memory: AESGMemory) -> int:
    """W, the width of what is read out: ``value_dim``, or ``vector_dim`` where the memory holds no values."""
    return memory.config.value_dim or memory.config.vector_dim


def said(context: RetrievedContext) -> tuple[Tensor, Tensor]:
    """What each concept says [..., K, W], and which concepts say something [..., K]."""
    if context.values is None:
        return context.vectors, context.mask
    return context.values, context.mask & context.has_value


def nearness(context: RetrievedContext) -> Tensor:
    """The logits by which :meth:`RetrievedContext.read` weighs concepts, less its null slot's: float32 [..., K].

    Differentiable in the query; 0 is as good as nothing.
    """
    query = nn.functional.normalize(context.query.float(), dim=-1)
    cosines = (context.vectors.float() * query.unsqueeze(-2)).sum(-1)
    stability = context.stability.float().clamp_min(TINY).log()
    return (cosines - context.seed_threshold) / context.read_temperature + stability


class ConceptAttention(nn.Module):
    """Attention of several heads over retrieved concepts, with a null slot that says nothing.

    A concept's logit is the product of what a position asks and what the concept is, plus, by a factor that each head
    learns, how near the concept is to what memory was asked: so the addressing learns what the attention needs. Each
    head begins as :meth:`RetrievedContext.read`. Where nothing was recalled the answer is zeros.
    """

    def __init__(self, d_model: int, nhead: int, width: int) -> None:
        super().__init__()
        self.nhead = nhead
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(width, d_model, bias=False)
        self.value = nn.Linear(width, d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)
        self.trust = nn.Parameter(torch.ones(nhead, 1, 1))

    def forward(self, x: Tensor, context: RetrievedContext) -> Tensor:
        """[B, T, E] for positions x [B, T, E], with concepts [B, K] for each row or [B, T, K] for each position."""
        shape = x.shape
        concepts, there = said(context)
        near = nearness(context)
        if there.dim() == 3:  # each position is a row of its own
            x, concepts = x.flatten(0, 1).unsqueeze(1), concepts.flatten(0, 1)
            there, near = there.flatten(0, 1), near.flatten(0, 1)
        q, k, v = self._heads(self.query(x)), self._of(concepts, self.key), self._of(concepts, self.value)
        logits = (q @ k.transpose(-1, -2)).float() / q.shape[-1] ** 0.5 + self.trust * near[:, None, None]
        logits = logits.masked_fill(~there[:, None, None], -torch.inf)
        weights = torch.softmax(nn.functional.pad(logits, (1, 0)), -1)[..., 1:]
        read = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(shape)
        out: Tensor = self.out(read)
        return out

    def _of(self, concepts: Tensor, layer: nn.Linear) -> Tensor:
        return self._heads(layer(concepts.to(layer.weight.dtype)))

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], self.nhead, -1).transpose(1, 2)
