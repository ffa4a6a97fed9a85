"""A Transformer layer that attends to what its rows, or positions, recall."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aesg_graph.context import RetrievedContext
from aesg_graph.errors import AESGConfigError, AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Addressing, Keys
from aesg_graph.nn.checking import check_count, check_input, check_share
from aesg_graph.nn.readout import ConceptAttention, read_width


@dataclass
class LayerState:
    """What a causal layer keeps of one batch of rows, so that later positions see it: make one, pass it to each call.

    keys, values [B, heads, P, E / heads]: of the positions so far.
    """

    keys: Tensor | None = None
    values: Tensor | None = None

    def joined(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values so far, these at the end."""
        if self.keys is not None and self.keys.shape[:2] != keys.shape[:2]:
            raise AESGMemoryError(f"state is of {len(self.keys)} rows, expected {len(keys)} as in src")
        self.keys = keys if self.keys is None else torch.cat([self.keys, keys], 2)
        self.values = values if self.values is None else torch.cat([self.values, values], 2)
        return self.keys, self.values


class MemoryTransformerLayer(nn.Module):
    """A pre-norm Transformer layer (Vaswani et al. 2017; Xiong et al. 2020) that attends to retrieved concepts.

    Parameters
    ----------
    d_model, nhead: E, and how many heads divide it.
    memory: what it recalls from.
    dim_feedforward: the width inside; None for 4 E.
    dropout: in [0, 1).
    causal: a position sees itself and what comes before it, and recalls for itself.
    per_position: each position recalls for itself; False: a row recalls once, by the mean of its positions, and all its
        positions attend to that. None: as ``causal``.
    keys, kind: see :class:`Addressing`.
    cue_size: F, where ``forward`` is given cues to address memory by; None: memory is addressed by ``src`` itself.

    Raises AESGConfigError for what it cannot be made of, ``causal`` with ``per_position=False`` included: a mean over
    all positions would tell each what comes after it.
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
        cue_size: int | None = None,
    ) -> None:
        super().__init__()
        self.d_model = check_count(d_model, "d_model")
        if d_model % check_count(nhead, "nhead"):
            raise AESGConfigError(f"nhead is {nhead}, expected a divisor of d_model={d_model}")
        if causal and per_position is False:
            raise AESGConfigError("per_position is False in a causal layer, expected True or None")
        inner = 4 * d_model if dim_feedforward is None else check_count(dim_feedforward, "dim_feedforward")
        dropout = check_share(dropout, "dropout")
        self.per_position = causal if per_position is None else per_position
        self.cue_size = None if cue_size is None else check_count(cue_size, "cue_size")
        steered_by = 0 if cue_size is None else d_model
        self.addressing = Addressing(memory, cue_size or d_model, keys=keys, kind=kind, steered_by=steered_by)
        self.attention = SelfAttention(d_model, nhead, dropout, causal)
        self.recollection = ConceptAttention(d_model, nhead, read_width(self.addressing.memory))
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
        cue: Tensor | None = None,
        state: LayerState | None = None,
    ) -> Tensor:
        """[B, T, E] of [B, T, E].

        ``key_padding_mask`` [B, T] bool is True at padding, which nothing attends to and which recalls nothing.
        ``value`` is what rows mean, [B, V], or, per position, positions, [B, T, V]. ``cue`` [B, F], or [B, T, F] per
        position: what memory is addressed by. With ``state`` these positions follow those of the calls before it was
        given to, and see them: in a causal layer, without padding.

        Raises AESGMemoryError for shapes that do not fit, and for a cue where none is expected or the reverse.
        """
        check_input(src, "src", "B", "T", self.d_model)
        real = _real(key_padding_mask, src)
        if state is not None and (real is not None or not self.attention.causal):
            raise AESGMemoryError("A state was given, expected one only in a causal layer and without key_padding_mask")
        x = src + self.dropout(self.attention(self.norms[0](src), real, state))
        context = self._recall(src, real, value, cue)
        x = x + self.dropout(self.recollection(self.norms[1](x), context))
        out: Tensor = x + self.dropout(self.feedforward(self.norms[2](x)))
        return out

    def _recall(self, src: Tensor, real: Tensor | None, value: Tensor | None, cue: Tensor | None) -> RetrievedContext:
        own, valid = src, real
        if not self.per_position:
            own, valid = _pooled(src, real), None if real is None else real.any(1)
        if self.cue_size is None:
            if cue is not None:
                raise AESGMemoryError("A cue was given to a layer without cue_size, expected none")
            return self.addressing.recall(own, value, valid=valid)
        cue = check_input(cue, "cue", *own.shape[:-1], self.cue_size)
        return self.addressing.recall(cue, value, steer=own, valid=valid)


class SelfAttention(nn.Module):
    """Attention of several heads among the positions of a row, each of which always sees itself."""

    def __init__(self, d_model: int, nhead: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.nhead, self.share, self.causal = nhead, dropout, causal
        self.joint = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor, real: Tensor | None, state: LayerState | None = None) -> Tensor:
        """[B, T, E] of [B, T, E]; ``real`` [B, T] is False at padding; ``state`` holds positions before these."""
        rows, steps, width = x.shape
        q, k, v = self.joint(x).reshape(rows, steps, 3, self.nhead, -1).permute(2, 0, 3, 1, 4)
        if state is not None:
            k, v = state.joined(k, v)
        share = self.share if self.training else 0.0
        seen = self._seen(x, real, k.shape[2])
        read = nn.functional.scaled_dot_product_attention(q, k, v, seen, dropout_p=share)
        out: Tensor = self.out(read.transpose(1, 2).reshape(rows, steps, width))
        return out

    def _seen(self, x: Tensor, real: Tensor | None, total: int) -> Tensor | None:
        """Which positions see which of ``total``, the last of which they are, [B or 1, 1, T, total]; None for all."""
        if real is None and not self.causal:
            return None
        seen = torch.ones(1, 1, x.shape[1], total, dtype=torch.bool, device=x.device)
        seen = seen.tril(total - x.shape[1]) if self.causal else seen
        itself = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        return seen if real is None else seen & real[:, None, None] | itself


def _real(padding: Tensor | None, src: Tensor) -> Tensor | None:
    if padding is None:
        return None
    if not isinstance(padding, Tensor) or padding.dtype is not torch.bool or padding.shape != src.shape[:2]:
        shown = f"{padding.dtype} {list(padding.shape)}" if isinstance(padding, Tensor) else repr(padding)
        raise AESGMemoryError(f"key_padding_mask is {shown}, expected torch.bool {list(src.shape[:2])}")
    return ~padding


def _pooled(src: Tensor, real: Tensor | None) -> Tensor:
    """The mean of each row's real positions, [B, E]; zeros where there are none."""
    if real is None:
        return src.mean(1)
    kept = real.unsqueeze(-1).to(src.dtype)
    return (src * kept).sum(1) / kept.sum(1).clamp_min(1)


AESG_TransformerLayer = MemoryTransformerLayer
"""The name that users of ``aesg`` know."""
