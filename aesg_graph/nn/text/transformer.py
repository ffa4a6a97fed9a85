"""A Transformer encoder whose layers attend to memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from aesg_graph.errors import AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.attention import MemoryTransformerLayer
from aesg_graph.nn.checking import check_count
from aesg_graph.nn.sizes import Size
from aesg_graph.nn.text.model import TextModel


class TransformerText(TextModel):
    """Embeddings of tokens and positions, layers that attend to memory, a last norm, logits."""

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        num_layers: int,
        nhead: int,
        memory: AESGMemory,
        max_seq_len: int,
        *,
        dropout: float,
        causal: bool,
        per_position: bool,
        keys: Keys,
    ) -> None:
        super().__init__(vocab_size, hidden_size, num_layers, memory)
        self.max_seq_len = check_count(max_seq_len, "max_seq_len")
        self.positions = nn.Embedding(max_seq_len, hidden_size)
        # On a small text these scales overfit less than larger and smaller ones.
        nn.init.normal_(self.embedding.weight, std=0.3)
        nn.init.normal_(self.positions.weight, std=0.05)
        self.layers = nn.ModuleList(
            MemoryTransformerLayer(
                hidden_size,
                nhead,
                memory,
                dropout=dropout,
                causal=causal,
                per_position=per_position,
                keys=keys,
                cue_size=2 * self.cues.width,
                # Layers speak of different things: each looks among what it has learned itself.
                kind=f"layer {place + 1}" if num_layers > 1 else None,
            )
            for place in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size)

    @classmethod
    def _structure(cls, size: Size) -> dict[str, Any]:
        return super()._structure(size) | {"nhead": size.nhead}

    def tokens(self, given: Any, name: str = "x") -> Tensor:
        """As in :class:`TextModel`; AESGMemoryError too for more than ``max_seq_len`` tokens."""
        tokens = super().tokens(given, name)
        if tokens.shape[1] > self.max_seq_len:
            raise AESGMemoryError(
                f"{name} has {tokens.shape[1]} tokens a row, expected at most max_seq_len={self.max_seq_len}"
            )
        return tokens

    def embedded(self, tokens: Tensor, first: int = 0) -> Tensor:
        """Embeddings [B, T, E] of token ids [B, T], the first of which stands at position ``first``."""
        places = torch.arange(first, first + tokens.shape[1], device=tokens.device)
        embedded: Tensor = self.embedding(tokens) + self.positions(places)
        return embedded

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocab_size] of what the last layer says [..., E]."""
        logits: Tensor = self.output(self.norm(hidden))
        return logits


class AESGTransformer(TransformerText):
    """A Transformer encoder; each layer attends to its row, then to the concepts that the row recalls.

    Parameters
    ----------
    vocab_size: how many tokens there are.
    hidden_size, nhead: E, the width of embeddings and layers, and how many heads divide it.
    num_layers: each asks memory once a call; several layers learn concepts of a kind of their own.
    memory: what it recalls from; the model has it as ``memory``.
    max_seq_len: how many tokens a row may have.
    dropout: in [0, 1).
    per_position: each position recalls for itself, instead of once a row.
    keys: what keys are made by, see :class:`~aesg_graph.nn.Addressing`.
    """

    folder = "transformer"

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        num_layers: int,
        nhead: int,
        memory: AESGMemory,
        max_seq_len: int = 512,
        *,
        dropout: float = 0.1,
        per_position: bool = False,
        keys: Keys = "frozen",
    ) -> None:
        super().__init__(
            vocab_size,
            hidden_size,
            num_layers,
            nhead,
            memory,
            max_seq_len,
            dropout=dropout,
            causal=False,
            per_position=per_position,
            keys=keys,
        )
        self.per_position = per_position

    def forward(self, x: Tensor, *, key_padding_mask: Tensor | None = None, value: Tensor | None = None) -> Tensor:
        """Logits [B, T, vocab_size] of token ids [B, T]; ``key_padding_mask`` [B, T] bool is True at padding.

        ``value`` is what rows mean, [B, V], or with ``per_position`` what positions mean, [B, T, V]. Raises
        AESGMemoryError for ids outside of the vocabulary or more than ``max_seq_len`` tokens.
        """
        tokens = self.tokens(x)
        hidden, cue = self.embedded(tokens), self.cues.in_context(tokens)
        if not self.per_position:
            cue = pooled(cue, key_padding_mask)
        for layer in self.layers:
            hidden = layer(hidden, key_padding_mask=key_padding_mask, value=value, cue=cue)
        return self.logits(hidden)


def pooled(cue: Tensor, padding: Tensor | None) -> Tensor:
    """The mean of a row's cues [B, T, F] without those at padding, [B, F]; zeros for a row of padding alone."""
    if padding is None:
        return cue.mean(1)
    if not isinstance(padding, Tensor) or padding.dtype is not torch.bool or padding.shape != cue.shape[:2]:
        shown = f"{padding.dtype} {list(padding.shape)}" if isinstance(padding, Tensor) else repr(padding)
        raise AESGMemoryError(f"key_padding_mask is {shown}, expected torch.bool {list(cue.shape[:2])}")
    kept = (~padding).unsqueeze(-1).to(cue.dtype)
    return (cue * kept).sum(1) / kept.sum(1).clamp_min(1)
