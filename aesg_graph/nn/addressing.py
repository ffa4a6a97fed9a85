"""How a layer addresses memory: features become a learned query, and keys that hold still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from aesg_graph.context import RetrievedContext
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import MemoryMode
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.checking import check_choice, check_count, check_kind, check_memory
from aesg_graph.tensors import as_tensor, check_value

Keys = Literal["frozen", "slow", "rekey"]
MOMENTUM = 0.999
"""How much of the slow copy stays at each training call."""


class Addressing(nn.Module):
    """Turns features into queries and keys of a memory, and recalls.

    A key is a projection of the features, centred by a running mean. The query begins as the key and is learned. Both
    find each other again only while the *features* hold still: no projection makes up for an encoder below that goes on
    training (docs/layers.md has the measurement).

    Parameters
    ----------
    memory: the memory.
    features: F, the width of what memory is addressed by.
    keys: what projects keys. ``"frozen"``: the orthogonal projection with which the query began, for ever. ``"slow"``:
        a copy that follows the learned projection slowly (He et al. 2020). ``"rekey"``: the learned projection as it is
        now; what was stored before goes stale, so the memory needs :meth:`AESGMemory.rekey` now and then.
    warm_up: how many rows, seen in training, make the mean; it is frozen then. Before the first row: no centring.
    kind: of the concepts that are looked for and born; None looks for all. Layers that share a memory take one each.
    steered_by: the width S of what else may turn the query, but not the key: hidden states, trained features. It begins
        by turning nothing.

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
        steered_by: int = 0,
    ) -> None:
        super().__init__()
        self.memory = check_memory(memory)
        self.features = check_count(features, "features")
        self.keys = check_choice(keys, "keys", get_args(Keys))
        self.warm_up = check_count(warm_up, "warm_up", least=0)
        self.kind = check_kind(kind)
        weight = torch.empty(memory.vector_dim, features)
        # Always the same of a shape: a new model finds what an earlier one of its kind kept.
        nn.init.orthogonal_(weight, generator=torch.Generator().manual_seed(0))
        self.projection = nn.Parameter(weight)
        self.steering = self._turning_nothing(check_count(steered_by, "steered_by", least=0))
        self.register_buffer("still", None if keys == "rekey" else weight.detach().clone())
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def _turning_nothing(self, width: int) -> nn.Linear | None:
        if width == 0:
            return None
        steering = nn.Linear(width, self.memory.vector_dim, bias=False)
        nn.init.zeros_(steering.weight)
        return steering

    # -- queries and keys -------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, steer: Tensor | None = None) -> Tensor:
        """Queries [..., D] of features [..., F], by the learned projection, turned by ``steer`` [..., S].

        In training the mean warms up and the slow copy follows, after these queries are made: what a causal layer asks
        must not depend, through the mean, on what comes later in the same call. (While the mean warms up, queries that
        backward recomputes are centred by the later mean.)
        """
        query = self._query(x, steer)
        if self.training and not recomputing():
            self._settle(x.detach(), None)
        return query

    def _query(self, x: Tensor, steer: Tensor | None) -> Tensor:
        self._check(x, "x", self.features)
        if steer is not None:
            self._check(steer, "steer", 0 if self.steering is None else self.steering.in_features)
        query = self._projected(x, self.projection)
        if self.steering is not None and steer is not None:
            query = nn.functional.normalize(query, dim=-1) + self.steering(steer)
        return query.to(x.dtype)

    @torch.no_grad()
    def key(self, x: Tensor) -> Tensor:
        """Keys [..., D] of features [..., F], without gradient: what is stored, and what ``memory.rekey`` takes."""
        self._check(x, "x", self.features)
        return self._projected(x.detach(), self.projection if self.still is None else self.still)

    def _projected(self, x: Tensor, weight: Tensor) -> Tensor:
        """Centred and projected, in float32 or wider whatever autocast says: cosines of near neighbours need it."""
        with torch.autocast(x.device.type, enabled=False):
            wide = torch.promote_types(torch.promote_types(x.dtype, weight.dtype), torch.float32)
            return nn.functional.linear(x.to(wide) - self.mean.to(wide), weight.to(wide))

    @torch.no_grad()
    def _settle(self, x: Tensor, valid: Tensor | None) -> None:
        """Take valid, finite rows into the mean while it warms up, and let the slow copy follow."""
        rows = x.reshape(-1, self.features).to(self.mean.dtype)
        taken = rows.isfinite().all(-1)
        taken = taken if valid is None else taken & valid.reshape(-1)
        taken = taken & (taken.cumsum(0) <= self.warm_up - self.seen)
        self.seen += taken.sum()
        self.mean += torch.where(taken.unsqueeze(-1), rows - self.mean, 0).sum(0) / self.seen.clamp_min(1)
        if self.keys == "slow" and self.still is not None:
            self.still.lerp_(self.projection.to(self.still.dtype), 1 - MOMENTUM)

    # -- recall -----------------------------------------------------------------------------------------------------

    @property
    def learns(self) -> bool:
        """Whether a call teaches the memory: its mode allows it, and it is in training (or ONLINE)."""
        mode = self.memory.mode
        return mode is MemoryMode.ONLINE or (mode.creates and self.memory.training)

    def recall(
        self,
        x: Tensor,
        value: Tensor | None = None,
        *,
        steer: Tensor | None = None,
        valid: Tensor | None = None,
        sources: Sequence[str | None] | None = None,
    ) -> RetrievedContext:
        """Recall for features [B, F] or [B, T, F]; then, if the memory may learn, learn that their keys mean ``value``.

        One retrieval; two where it learns, for what is asked and what is kept are not the same. ``value`` is [B, V] or
        [B, T, V]. Rows where ``valid`` [B] or [B, T] is False recall nothing and teach nothing. ``sources``, as in
        :meth:`AESGMemory.retrieve`, is what rekeying goes by.

        Raises AESGMemoryError for shapes that do not fit.
        """
        query = _only(self._query(x, steer), valid)
        if value is not None:
            check_value(as_tensor(value, "value"), query, self.memory.config)
        context = self.memory.retrieve(query, learn=False, kind=self.kind)
        if recomputing():
            return context
        if self.training:
            self._settle(x.detach(), valid)
        if self.learns:
            self.memory.retrieve(_only(self.key(x), valid), value, kind=self.kind, sources=sources)
        return context

    def _check(self, given: Any, name: str, width: int) -> None:
        if isinstance(given, Tensor) and given.is_floating_point() and given.dim() and given.shape[-1] == width:
            return
        shown = f"{given.dtype} {list(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
        raise AESGMemoryError(f"{name} is {shown}, expected floating point features [..., {width}]")

    def extra_repr(self) -> str:
        """What ``print(model)`` says of the addressing."""
        return f"features={self.features}, keys={self.keys!r}, warm_up={self.warm_up}, kind={self.kind!r}"


def _only(queries: Tensor, valid: Tensor | None) -> Tensor:
    """Zero queries where rows are not valid: these recall nothing and teach nothing."""
    if valid is None:
        return queries
    if not isinstance(valid, Tensor) or valid.dtype is not torch.bool or valid.shape != queries.shape[:-1]:
        shown = f"{valid.dtype} {list(valid.shape)}" if isinstance(valid, Tensor) else f"a {type(valid).__name__}"
        raise AESGMemoryError(f"valid is {shown}, expected torch.bool {list(queries.shape[:-1])}")
    return queries.masked_fill(~valid.unsqueeze(-1), 0)


def recomputing() -> bool:
    """Whether autograd's backward runs: a call inside recomputes an activation, and must change nothing."""
    return bool(torch._C._current_graph_task_id() != -1)
