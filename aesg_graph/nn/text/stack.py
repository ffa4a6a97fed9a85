"""Recurrent layers, of which the lowest recalls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.recurrent import MemoryGRUCell, MemoryLSTMCell, SequenceState

Hidden = Tensor | tuple[Tensor, Tensor]


@dataclass
class StackState:
    """Where a batch of sequences stands: the memory cell's hidden state [B, H], the upper layers' [L - 1, B, H].

    An LSTM has pairs of them.
    """

    lowest: Hidden | None = None
    upper: Hidden | None = None
    recalled: SequenceState = field(default_factory=SequenceState)


class MemoryStack(nn.Module):
    """``num_layers`` GRU or LSTM layers of one width; the lowest is a memory cell, the others are torch's own.

    So memory is asked once a step for the whole batch, whatever the number of layers, and only the lowest layer loops
    over time.
    """

    def __init__(
        self,
        cell: Literal["gru", "lstm"],
        width: int,
        num_layers: int,
        memory: AESGMemory,
        *,
        cue_size: int,
        query_every: int,
        keys: Keys,
    ) -> None:
        super().__init__()
        make = MemoryGRUCell if cell == "gru" else MemoryLSTMCell
        self.cell: MemoryGRUCell | MemoryLSTMCell = make(
            width, width, memory, query_every=query_every, keys=keys, cue_size=cue_size
        )
        plain = nn.GRU if cell == "gru" else nn.LSTM
        self.upper = plain(width, width, num_layers - 1, batch_first=True) if num_layers > 1 else None

    def forward(self, x: Tensor, cue: Tensor, state: StackState, value: Tensor | None = None) -> Tensor:
        """Outputs [B, T, H] of inputs [B, T, H]; ``state`` goes on by T steps.

        ``cue`` [B, T, C] is what memory is addressed by, ``value`` [B, T, V] what each step means.
        """
        meant = [None] * x.shape[1] if value is None else value.unbind(1)
        steps = zip(x.unbind(1), cue.unbind(1), meant, strict=True)
        out = torch.stack([self._step(*step, state) for step in steps], 1)
        if self.upper is not None:
            out, state.upper = self.upper(out, state.upper)
        return out

    def _step(self, x: Tensor, cue: Tensor, value: Tensor | None, state: StackState) -> Tensor:
        state.lowest = self.cell(x, state.lowest, state.recalled, value=value, cue=cue)
        hidden: Tensor = state.lowest if isinstance(state.lowest, Tensor) else state.lowest[0]
        return hidden
