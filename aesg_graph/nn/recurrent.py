"""Recurrent cells that recall at each step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aesg_graph.errors import AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Addressing, Keys
from aesg_graph.nn.checking import check_count, check_input
from aesg_graph.nn.readout import read_width


@dataclass
class SequenceState:
    """What a cell keeps of one batch of sequences beside its hidden state: make one for each, pass it to each call.

    echo [B, I]: a fading trace of the inputs. said [B, W]: the last read-out. calls: how many there were.
    """

    echo: Tensor | None = None
    said: Tensor | None = None
    calls: int = 0


class Recalling(nn.Module):
    """What cells share: what they ask memory by, and how often.

    Memory is asked by the input and a fading trace of the inputs before it, which no training moves; the hidden state
    steers the query.
    """

    LEAK = 0.5

    def __init__(
        self, input_size: int, hidden_size: int, memory: AESGMemory, query_every: int, keys: Keys, kind: str | None
    ) -> None:
        super().__init__()
        self.input_size = check_count(input_size, "input_size")
        self.hidden_size = check_count(hidden_size, "hidden_size")
        self.query_every = check_count(query_every, "query_every")
        self.addressing = Addressing(memory, 2 * input_size, keys=keys, kind=kind)
        self.steer = nn.Linear(hidden_size, memory.vector_dim, bias=False)
        nn.init.zeros_(self.steer.weight)
        self.width = read_width(memory)

    def forward(self, x: Tensor, h: Tensor, state: SequenceState | None, value: Tensor | None) -> Tensor:
        """What memory says to inputs [B, I] and hidden states [B, H]: [B, W]."""
        if state is None:
            if self.query_every > 1:
                raise AESGMemoryError(
                    f"query_every={self.query_every} but no state was given, expected the SequenceState of the sequence"
                )
            state = SequenceState()
        before = state.echo if state.echo is not None else torch.zeros_like(x)
        if before.shape != x.shape:
            raise AESGMemoryError(f"state is of a batch {list(before.shape)}, expected that of x {list(x.shape)}")
        due = state.said is None or state.calls % self.query_every == 0
        if due:
            features = torch.cat([x, before], -1)
            state.said = self.addressing.recall(features, value, steer=self.steer(h)).read().to(x.dtype)
        state.echo = before + self.LEAK * (x.detach() - before)
        state.calls += 1
        assert state.said is not None
        return state.said


class MemoryGRUCell(nn.Module):
    """A GRU cell (Cho et al. 2014) whose input is joined by what each row recalls.

    Parameters
    ----------
    input_size, hidden_size: I and H.
    memory: what it recalls from; what is read out are values where it holds values, else keys.
    query_every: memory is asked at every so-many-th call of a sequence; between, the last read-out stays.
    keys, kind: see :class:`Addressing`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory: AESGMemory,
        *,
        query_every: int = 1,
        keys: Keys = "frozen",
        kind: str | None = None,
    ) -> None:
        super().__init__()
        self.recalling = Recalling(input_size, hidden_size, memory, query_every, keys, kind)
        self.cell = nn.GRUCell(input_size + self.recalling.width, hidden_size)

    def forward(
        self, x: Tensor, h: Tensor | None = None, state: SequenceState | None = None, *, value: Tensor | None = None
    ) -> Tensor:
        """One step: x [B, I] and h [B, H] (None: zeros) give the next h [B, H].

        ``state`` is the sequence's, needed for ``query_every`` above 1. ``value`` [B, V] is what the step means.
        """
        check_input(x, "x", ("B", "I"), {"I": self.recalling.input_size})
        h = _hidden(h, "h", x, self.recalling.hidden_size)
        said = self.recalling(x, h, state, value)
        new: Tensor = self.cell(torch.cat([x, said], -1), h)
        return new


class MemoryLSTMCell(nn.Module):
    """An LSTM cell (Hochreiter and Schmidhuber 1997) whose input is joined by what each row recalls.

    Parameters are those of :class:`MemoryGRUCell`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory: AESGMemory,
        *,
        query_every: int = 1,
        keys: Keys = "frozen",
        kind: str | None = None,
    ) -> None:
        super().__init__()
        self.recalling = Recalling(input_size, hidden_size, memory, query_every, keys, kind)
        self.cell = nn.LSTMCell(input_size + self.recalling.width, hidden_size)

    def forward(
        self,
        x: Tensor,
        hx: tuple[Tensor, Tensor] | None = None,
        state: SequenceState | None = None,
        *,
        value: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step: x [B, I] and (h, c), each [B, H] (None: zeros), give the next (h, c)."""
        check_input(x, "x", ("B", "I"), {"I": self.recalling.input_size})
        h, c = hx if hx is not None else (None, None)
        h = _hidden(h, "h", x, self.recalling.hidden_size)
        c = _hidden(c, "c", x, self.recalling.hidden_size)
        said = self.recalling(x, h, state, value)
        new: tuple[Tensor, Tensor] = self.cell(torch.cat([x, said], -1), (h, c))
        return new


def _hidden(given: Tensor | None, name: str, x: Tensor, hidden_size: int) -> Tensor:
    if given is None:
        return x.new_zeros(len(x), hidden_size)
    return check_input(given, name, ("B", "H"), {"B": len(x), "H": hidden_size})


AESG_GRU = MemoryGRUCell
AESG_LSTM = MemoryLSTMCell
