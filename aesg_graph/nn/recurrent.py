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

LEAK = 0.5
"""The share of the echo that a new cue takes the place of."""


@dataclass
class SequenceState:
    """What a cell keeps of one batch of sequences beside its hidden state: make one for each, give it to each call.

    echo [B, F]: a fading trace of the cues so far. said [B, W]: the last read-out. calls: how many there were.
    """

    echo: Tensor | None = None
    said: Tensor | None = None
    calls: int = 0


class Recollection(nn.Module):
    """What the cells share: by what they address memory, and how often.

    Memory is addressed by the cue of this step and the fading trace of those before it, an echo, which no training
    moves. The hidden state, which training moves, only steers the query.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory: AESGMemory,
        query_every: int,
        keys: Keys,
        kind: str | None,
        cue_size: int | None,
    ) -> None:
        super().__init__()
        self.input_size = check_count(input_size, "input_size")
        self.hidden_size = check_count(hidden_size, "hidden_size")
        self.query_every = check_count(query_every, "query_every")
        self.cue_size = None if cue_size is None else check_count(cue_size, "cue_size")
        features = 2 * (self.cue_size or input_size)
        self.addressing = Addressing(memory, features, keys=keys, kind=kind, steered_by=hidden_size)
        self.width = read_width(self.addressing.memory)

    def forward(
        self, x: Tensor, h: Tensor, state: SequenceState | None, value: Tensor | None, cue: Tensor | None
    ) -> Tensor:
        """What memory says at this step, [B, W]; between queries what it said last."""
        cue = self._cue(x, cue)
        state = self._state(state)
        echo = torch.zeros_like(cue) if state.echo is None else state.echo
        if echo.shape != cue.shape:
            raise AESGMemoryError(f"state is of cues {list(echo.shape)}, expected {list(cue.shape)} as now")
        if state.said is None or state.calls % self.query_every == 0:
            read = self.addressing.recall(torch.cat([cue, echo], -1), value, steer=h).read()
            state.said = read.to(x.dtype)
        state.echo = echo + LEAK * (cue.detach() - echo)
        state.calls += 1
        return state.said

    def _cue(self, x: Tensor, cue: Tensor | None) -> Tensor:
        if self.cue_size is not None:
            return check_input(cue, "cue", len(x), self.cue_size)
        if cue is not None:
            raise AESGMemoryError("A cue was given to a cell without cue_size, expected none")
        return x

    def _state(self, state: SequenceState | None) -> SequenceState:
        if state is None and self.query_every > 1:
            raise AESGMemoryError(
                f"No state was given with query_every={self.query_every}, expected the sequence's SequenceState"
            )
        if state is not None and not isinstance(state, SequenceState):
            raise AESGMemoryError(f"state is a {type(state).__name__}, expected a SequenceState or None")
        return state if state is not None else SequenceState()


class MemoryGRUCell(nn.Module):
    """A GRU cell (Cho et al. 2014) whose input is joined by what each row recalls.

    Parameters
    ----------
    input_size, hidden_size: I and H.
    memory: what it recalls from. Values are read out where it holds values, else keys.
    query_every: memory is asked at every so-many-th call of a sequence; in between the last read-out stays.
    keys, kind: see :class:`Addressing`.
    cue_size: F, where ``forward`` is given cues to address memory by; None: inputs are the cues.

    Raises AESGConfigError for what it cannot be made of.
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
        cue_size: int | None = None,
    ) -> None:
        super().__init__()
        self.recollection = Recollection(input_size, hidden_size, memory, query_every, keys, kind, cue_size)
        self.cell = nn.GRUCell(input_size + self.recollection.width, hidden_size)

    def forward(
        self,
        x: Tensor,
        h: Tensor | None = None,
        state: SequenceState | None = None,
        *,
        value: Tensor | None = None,
        cue: Tensor | None = None,
    ) -> Tensor:
        """One step: the next hidden state [B, H] of x [B, I] and h [B, H] (None: zeros).

        ``state`` is the sequence's; without one each call begins a sequence, and ``query_every`` must be 1. ``value``
        [B, V] is what the step means, ``cue`` [B, F] what memory is addressed by.

        Raises AESGMemoryError for shapes that do not fit, and for a cue where none is expected or the reverse.
        """
        x, h = _checked(x, h, "h", self.recollection)
        said = self.recollection(x, h, state, value, cue)
        new: Tensor = self.cell(torch.cat([x, said], -1), h)
        return new


class MemoryLSTMCell(nn.Module):
    """An LSTM cell (Hochreiter and Schmidhuber 1997) whose input is joined by what each row recalls.

    Parameters and errors are those of :class:`MemoryGRUCell`.
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
        cue_size: int | None = None,
    ) -> None:
        super().__init__()
        self.recollection = Recollection(input_size, hidden_size, memory, query_every, keys, kind, cue_size)
        self.cell = nn.LSTMCell(input_size + self.recollection.width, hidden_size)

    def forward(
        self,
        x: Tensor,
        hx: tuple[Tensor, Tensor] | None = None,
        state: SequenceState | None = None,
        *,
        value: Tensor | None = None,
        cue: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step: the next (h, c), each [B, H], of x [B, I] and (h, c) (None: zeros); the rest as in the GRU cell."""
        if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise AESGMemoryError(f"hx is a {type(hx).__name__}, expected (h, c) or None")
        given_h, given_c = (None, None) if hx is None else hx
        x, h = _checked(x, given_h, "h", self.recollection)
        x, c = _checked(x, given_c, "c", self.recollection)
        said = self.recollection(x, h, state, value, cue)
        new: tuple[Tensor, Tensor] = self.cell(torch.cat([x, said], -1), (h, c))
        return new


def _checked(x: Tensor, hidden: Tensor | None, name: str, sizes: Recollection) -> tuple[Tensor, Tensor]:
    """The input, and a hidden state that fits it."""
    check_input(x, "x", "B", sizes.input_size)
    if hidden is None:
        return x, x.new_zeros(len(x), sizes.hidden_size)
    return x, check_input(hidden, name, len(x), sizes.hidden_size)


AESG_GRU = MemoryGRUCell
"""The name that users of ``aesg`` know."""
AESG_LSTM = MemoryLSTMCell
"""The name that users of ``aesg`` know."""
