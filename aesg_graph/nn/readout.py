"""What a layer reads out of what was recalled: values where the memory holds values, else keys."""

from __future__ import annotations

import torch
from torch import Tensor

from aesg_graph.context import RetrievedContext
from aesg_graph.memory import AESGMemory


def read_width(memory: AESGMemory) -> int:
    """The width of what is read out: ``value_dim``, or ``vector_dim`` where the memory holds no values."""
    return memory.config.value_dim or memory.config.vector_dim


def said(context: RetrievedContext) -> tuple[Tensor, Tensor]:
    """What each concept says [..., K, W], and which concepts say something [..., K]."""
    if context.values is None:
        return context.vectors, context.mask
    return context.values, context.mask & context.has_value


def nearness(context: RetrievedContext) -> Tensor:
    """The cosine of each query with its concepts' keys, [..., K]; differentiable in the query."""
    query = torch.nn.functional.normalize(context.query.float(), dim=-1)
    return (context.vectors.float() * query.unsqueeze(-2)).sum(-1)
