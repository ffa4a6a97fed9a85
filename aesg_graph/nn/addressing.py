"""How a layer addresses memory: features become a learned query, and keys that hold still."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from aesg_graph.context import RetrievedContext
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import MemoryMode
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.checking import check_choice, check_count, check_memory

Keys = Literal["frozen", "slow", "rekey"]
MOMENTUM = 0.999
"""How much of the slow copy stays at each training call."""


class Addressing(nn.Module):
    """Turns features into queries and keys of a memory, and recalls.

    Parameters
    ----------
    memory: the memory.
    features: F, the width of what is given.
    keys: what keys are made by. ``"frozen"``: the projection with which the query began, for ever. ``"slow"``: a copy
        that follows the learned projection slowly. ``"rekey"``: the learned projection as it is now; what was stored
        before goes stale, so the memory needs :meth:`AESGMemory.rekey` now and then.
    warm_up: how many rows, seen in training, make the mean by which features are centred.
    kind: of the concepts that are looked for and learned; None for all. Layers that share a memory have one each.

    Raises AESGConfigError for what it cannot be made of.
    """

    mean: Tensor
    seen: Tensor
    still: Tensor | None

    def __init__(
        self,
        memory: AESGMemory,
        features: int,
        *,
        keys: Keys = "frozen",
        warm_up: int = 1000,
        kind: str | None = None,
    ) -> None:
        super().__init__()
        self.memory = check_memory(memory)
        self.features = check_count(features, "features")
        self.keys = check_choice(keys, "keys", get_args(Keys))
        self.warm_up = check_count(warm_up, "warm_up", least=0)
        self.kind = kind
        weight = torch.empty(memory.vector_dim, features)
        nn.init.orthogonal_(weight)
        self.projection = nn.Parameter(weight)
        self.register_buffer("still", None if keys == "rekey" else weight.detach().clone())
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Queries [..., D] of features [..., F], through the learned projection."""
        self._check(x)
        if self.training and not recomputing():
            self._settle(x.detach())
        return self._projected(x, self.projection)

    @torch.no_grad()
    def key(self, x: Tensor) -> Tensor:
        """Keys [..., D] of features [..., F]: what is stored, without gradient."""
        self._check(x)
        return self._projected(x.detach(), self.projection if self.still is None else self.still).float()

    def recall(
        self, x: Tensor, value: Tensor | None = None, *, valid: Tensor | None = None, steer: Tensor | None = None
    ) -> RetrievedContext:
        """Recall for features [B, F] or [B, T, F]; then, if the memory may learn, learn that their keys mean ``value``.

        Rows where ``valid`` [B] or [B, T] is False recall and teach nothing. ``steer`` [..., D] is added to the query.
        """
        query = self(x)
        if steer is not None:
            query = query + steer
        context = self.memory.retrieve(_only(query, valid), learn=False, kind=self.kind)
        if self.learns and not recomputing():
            self.memory.retrieve(_only(self.key(x), valid), value, kind=self.kind)
        return context

    @property
    def learns(self) -> bool:
        """Whether a call teaches the memory something: its mode allows it, and it is training (or ONLINE)."""
        mode = self.memory.mode
        return mode is MemoryMode.ONLINE or (mode.touches and self.memory.training)

    def _projected(self, x: Tensor, weight: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            wide = torch.promote_types(torch.promote_types(x.dtype, weight.dtype), torch.float32)
            return nn.functional.linear(x.to(wide) - self.mean.to(wide), weight.to(wide)).to(x.dtype)

    @torch.no_grad()
    def _settle(self, x: Tensor) -> None:
        """Take rows into the mean while it warms up, and let the slow copy follow."""
        rows = x.reshape(-1, self.features).to(self.mean.dtype)
        room = (self.warm_up - self.seen).clamp(0, len(rows))
        taken = (torch.arange(len(rows), device=rows.device) < room).to(rows.dtype)
        total = (self.seen + room).clamp_min(1)
        self.mean += ((rows - self.mean) * taken.unsqueeze(-1)).sum(0) / total
        self.seen += room
        if self.keys == "slow" and self.still is not None:
            self.still.lerp_(self.projection.to(self.still.dtype), 1 - MOMENTUM)

    def _check(self, x: Any) -> None:
        if not isinstance(x, Tensor) or not x.is_floating_point() or x.dim() < 1 or x.shape[-1] != self.features:
            given = f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise AESGMemoryError(f"x is {given}, expected floating point features [..., {self.features}]")

    def extra_repr(self) -> str:
        """What ``print(model)`` says of the addressing."""
        return f"features={self.features}, keys={self.keys!r}, kind={self.kind!r}"


def _only(queries: Tensor, valid: Tensor | None) -> Tensor:
    """Zero queries where rows are not valid: these recall nothing and teach nothing."""
    return queries if valid is None else queries.masked_fill(~valid.unsqueeze(-1), 0)


def recomputing() -> bool:
    """Whether autograd's backward runs: a call inside recomputes an activation, and must change nothing."""
    return bool(torch._C._current_graph_task_id() != -1)
