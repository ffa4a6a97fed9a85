"""A Transformer layer that attends to what its rows, or positions, recall."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aesg_graph.context import RetrievedContext
from aesg_graph.errors import AESGConfigError, AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Addressing, Keys
from aesg_graph.nn.checking import check_count, check_input
from aesg_graph.nn.readout import nearness, read_width, said


class ConceptAttention(nn.Module):
    """Attention of several heads over retrieved concepts and one null slot, which says nothing.

    A concept's logit is the product of query and key, plus what :meth:`RetrievedContext.read` goes by, the concept's
    cosine with what memory was asked, times a learned factor: so the addressing learns what the attention needs.
    """

    def __init__(self, d_model: int, nhead: int, memory: AESGMemory) -> None:
        super().__init__()
        self.nhead = nhead
        width = read_width(memory)
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(width, d_model, bias=False)
        self.value = nn.Linear(width, d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)
        self.sharpness = nn.Parameter(torch.full((nhead, 1, 1), 1 / memory.config.read_temperature))
        self.threshold = memory.config.seed_threshold

    def forward(self, x: Tensor, context: RetrievedContext) -> Tensor:
        """[B, T, E] for positions x [B, T, E], with concepts [B, K] for the row or [B, T, K] for each position."""
        rows, steps, width = x.shape
        concepts, there = said(context)
        near = (nearness(context) - self.threshold).to(x.dtype)
        if there.dim() == 3:  # each position is a row of its own
            x, concepts = x.reshape(-1, 1, width), concepts.flatten(0, 1)
            there, near = there.flatten(0, 1), near.flatten(0, 1)
        q = self._heads(self.query(x))
        k, v = self._heads(self.key(concepts.to(x.dtype))), self._heads(self.value(concepts.to(x.dtype)))
        logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + self.sharpness * near[:, None, None]
        logits = logits.masked_fill(~there[:, None, None], -torch.inf)
        weights = torch.softmax(nn.functional.pad(logits, (1, 0)), -1)[..., 1:]
        read = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(rows, steps, width)
        out: Tensor = self.out(read)
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], self.nhead, -1).transpose(1, 2)


@dataclass
class LayerState:
    """What a causal layer keeps of one batch of sequences: make one for each, pass it to each call.

    seen [B, P, E]: what later positions attend to.
    """

    seen: Tensor | None = None

    def joined(self, x: Tensor) -> Tensor:
        """What was seen, with [B, T, E] behind it."""
        self.seen = x if self.seen is None else torch.cat([self.seen, x], 1)
        return self.seen


class MemoryTransformerLayer(nn.Module):
    """A pre-norm Transformer layer (Vaswani et al. 2017; Xiong et al. 2020) with attention to memory.

    Parameters
    ----------
    d_model, nhead: E, and how many heads divide it.
    memory: what it recalls from.
    dim_feedforward: None for 4 E.
    dropout: in [0, 1).
    causal: positions see only what comes before them; they then recall each for itself.
    per_position: each position recalls for itself; False: a row recalls once, by the mean of its positions. None: as
        ``causal``.
    keys, kind: see :class:`Addressing`.

    Raises AESGConfigError for what it cannot be made of; for ``causal`` with ``per_position=False`` too, since a mean
    over all positions would show each what comes after it.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        memory: AESGMemory,
        *,
        dim_feedforward: int | None = None,
        dropout: float = 0.1,
        causal: bool = False,
        per_position: bool | None = None,
        keys: Keys = "frozen",
        kind: str | None = None,
    ) -> None:
        super().__init__()
        self.d_model = check_count(d_model, "d_model")
        if d_model % check_count(nhead, "nhead"):
            raise AESGConfigError(f"nhead is {nhead}, expected a divisor of d_model={d_model}")
        if causal and per_position is False:
            raise AESGConfigError("per_position is False in a causal layer, expected True (or None)")
        inner = 4 * d_model if dim_feedforward is None else check_count(dim_feedforward, "dim_feedforward")
        self.causal = causal
        self.per_position = causal if per_position is None else per_position
        self.addressing = Addressing(memory, d_model, keys=keys, kind=kind)
        self.attention = nn.MultiheadAttention(d_model, nhead, dropout, batch_first=True)
        self.recollection = ConceptAttention(d_model, nhead, memory)
        self.feedforward = nn.Sequential(
            nn.Linear(d_model, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, d_model)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        src: Tensor,
        *,
        key_padding_mask: Tensor | None = None,
        value: Tensor | None = None,
        state: LayerState | None = None,
    ) -> Tensor:
        """[B, T, E] of [B, T, E]; ``key_padding_mask`` [B, T] bool is True where a position is padding.

        ``value`` is what rows mean, [B, V], or, per position, [B, T, V]. With ``state`` these positions follow those of
        the calls before, which they see; only in a causal layer, and without padding.
        """
        check_input(src, "src", ("B", "T", "E"), {"E": self.d_model})
        padding = self._padding(key_padding_mask, src)
        if state is not None and (padding is not None or not self.causal):
            raise AESGMemoryError("A state was given, expected one only in a causal layer without key_padding_mask")
        x = src + self.dropout(self._attended(self.norms[0](src), padding, state))
        context = self._recall(src, padding, value)
        x = x + self.dropout(self.recollection(self.norms[1](x), context))
        out: Tensor = x + self.dropout(self.feedforward(self.norms[2](x)))
        return out

    def _attended(self, x: Tensor, padding: Tensor | None, state: LayerState | None) -> Tensor:
        seen = x if state is None else state.joined(x)
        future = None
        if self.causal:
            before = seen.shape[1] - x.shape[1]
            future = torch.ones(x.shape[1], seen.shape[1], dtype=torch.bool, device=x.device).triu(1 + before)
        attended: Tensor = self.attention(
            x, seen, seen, key_padding_mask=padding, attn_mask=future, need_weights=False
        )[0]
        return attended

    def _recall(self, src: Tensor, padding: Tensor | None, value: Tensor | None) -> RetrievedContext:
        if self.per_position:
            return self.addressing.recall(src, value, valid=None if padding is None else ~padding)
        if padding is None:
            return self.addressing.recall(src.mean(1), value)
        kept = (~padding).unsqueeze(-1).to(src.dtype)
        pooled = (src * kept).sum(1) / kept.sum(1).clamp_min(1)
        return self.addressing.recall(pooled, value, valid=(~padding).any(1))

    @staticmethod
    def _padding(given: Tensor | None, src: Tensor) -> Tensor | None:
        if given is None:
            return None
        if not isinstance(given, Tensor) or given.dtype is not torch.bool or given.shape != src.shape[:2]:
            shown = f"{given.dtype} {list(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
            raise AESGMemoryError(f"key_padding_mask is {shown}, expected bool {list(src.shape[:2])}")
        return given


AESG_TransformerLayer = MemoryTransformerLayer
