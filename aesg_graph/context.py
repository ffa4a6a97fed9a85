"""What a retrieval gives back, and its read-outs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from aesg_graph.config import AESGConfig

TINY = 1e-12


@dataclass(frozen=True, eq=False)
class RetrievedContext:
    """What memory recalled for a batch of queries: K concepts a row, strongest first, padded to ``top_k``.

    Shapes are given for queries [B, D]; for [B, T, D] each has T after B, and for one query [D] there is no B and no
    padding.

    ids [B, K] int64 (-1 pads); energies [B, K]; mask [B, K] bool; vectors [B, K, D] and values [B, K, V] (None without
    ``value_dim``), zero where padded; has_value [B, K]; stability [B, K]; explanation [B] in [0, 1]; novel [B]; cut_off
    [B] bool, rows that were answered while a server did not answer (see :attr:`degraded`).
    """

    query: Tensor = field(repr=False)
    ids: Tensor
    energies: Tensor
    mask: Tensor
    vectors: Tensor = field(repr=False)
    values: Tensor | None = field(repr=False)
    has_value: Tensor = field(repr=False)
    stability: Tensor = field(repr=False)
    explanation: Tensor
    novel: Tensor
    cut_off: Tensor = field(repr=False)
    read_temperature: float = 0.05
    seed_threshold: float = 0.1

    @classmethod
    def of(cls, query: Tensor, found: Sequence[Tensor], config: AESGConfig) -> RetrievedContext:
        """What the retrieval operator ``found`` for the flat form of ``query``, in the query's shape."""
        shape = query.shape[:-1]
        laid = found if len(shape) == 1 else [tensor.reshape((*shape, *tensor.shape[1:])) for tensor in found]
        ids, energies, vectors, values, has_value, stability, explanation, novel, cut_off = laid
        context = cls(
            query=query,
            ids=ids,
            energies=energies,
            mask=ids >= 0,
            vectors=vectors,
            values=values if config.value_dim else None,
            has_value=has_value,
            stability=stability,
            explanation=explanation,
            novel=novel,
            cut_off=cut_off,
            read_temperature=config.read_temperature,
            seed_threshold=config.seed_threshold,
        )
        return context.trimmed() if query.dim() == 1 else context

    @property
    def degraded(self) -> bool:
        """Whether a server did not answer: what is not in the cache is missing, and what other processes did may be."""
        return bool(self.cut_off.any())

    def read(self) -> Tensor:
        """Attention over the retrieved concepts with one null slot: [B, V], or [B, D] where the memory holds no values.

        ``sum(s exp(c/t) v) / (exp(seed_threshold/t) + sum(s exp(c/t)))``: s a concept's stability, c the cosine of
        query and key, t ``read_temperature``, v its value (its key without ``value_dim``). The null slot lets one
        concept give a gradient; with none the answer is zeros, still connected to the query. Differentiable in the
        query. Computed in float32 (float64 for a float64 query), returned in the query's dtype. Attention after
        Bahdanau et al. 2015.
        """
        wide = torch.float64 if self.query.dtype == torch.float64 else torch.float32
        with torch.autocast(self.query.device.type, enabled=False):
            query = _direction(self.query.to(wide))
            cosines = (self.vectors.to(wide) * query.unsqueeze(-2)).sum(-1)
            logits = cosines / self.read_temperature + self.stability.to(wide).clamp_min(TINY).log()
            taking_part = self.mask if self.values is None else self.mask & self.has_value
            logits = logits.masked_fill(~taking_part, -torch.inf)
            null = torch.full_like(logits[..., :1], self.seed_threshold / self.read_temperature)
            weights = torch.softmax(torch.cat([null, logits], -1), -1)[..., 1:]
            said = self.vectors if self.values is None else self.values
            read = (weights.unsqueeze(-1) * said.to(wide)).sum(-2)
            # Zeros in value, but part of the graph even where no concept was retrieved (K = 0 included).
            read = read + (0.0 * query).sum(-1, keepdim=True)
        return read.to(self.query.dtype)

    def aggregate(self) -> Tensor:
        """The energy-weighted mean of the retrieved keys, [B, D]; zeros where nothing was retrieved."""
        energies = (self.energies * self.mask).to(self.vectors.dtype).unsqueeze(-1)
        return ((energies * self.vectors).sum(-2) / energies.sum(-2).clamp_min(TINY)).to(self.query.dtype)

    def trimmed(self) -> RetrievedContext:
        """The form for one query: as many concepts as there are, no padding."""
        taken = self.mask
        return RetrievedContext(
            query=self.query,
            ids=self.ids[taken],
            energies=self.energies[taken],
            mask=self.mask[taken],
            vectors=self.vectors[taken],
            values=None if self.values is None else self.values[taken],
            has_value=self.has_value[taken],
            stability=self.stability[taken],
            explanation=self.explanation,
            novel=self.novel,
            cut_off=self.cut_off,
            read_temperature=self.read_temperature,
            seed_threshold=self.seed_threshold,
        )

    # -- names that AESG users know ---------------------------------------------------------------------------------

    @property
    def concept_vectors(self) -> Tensor | None:
        """The keys of everything that the call retrieved, row after row, [N, D]; None for nothing."""
        return self.vectors[self.mask] if bool(self.mask.any()) else None

    @property
    def activated_nodes(self) -> list[int]:
        """The ids of everything that the call retrieved, row after row, as in ``concept_vectors``."""
        nodes: list[int] = self.ids[self.mask].tolist()
        return nodes

    @property
    def weights(self) -> Tensor:
        """The energies."""
        return self.energies

    def __len__(self) -> int:
        """How many concepts the call retrieved in all."""
        return int(self.mask.sum())


def _direction(query: Tensor) -> Tensor:
    """Rows scaled to length 1 (first by the largest entry: squares of tiny numbers vanish); zero rows stay zero."""
    scale = query.detach().abs().amax(-1, keepdim=True)
    zero = scale == 0
    scaled = query / scale.masked_fill(zero, 1.0)
    return scaled / (scaled.square().sum(-1, keepdim=True) + zero).sqrt()
