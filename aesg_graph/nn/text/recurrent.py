"""Recurrent text models: GRU and LSTM."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.text.model import TextModel
from aesg_graph.nn.text.stack import MemoryStack, StackState


class RecurrentText(TextModel):
    """Embeddings, recurrent layers of which the lowest recalls at each step, logits."""

    cell: ClassVar[Literal["gru", "lstm"]]

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        num_layers: int,
        memory: AESGMemory,
        *,
        query_every: int = 1,
        keys: Keys = "frozen",
    ) -> None:
        super().__init__(vocab_size, hidden_size, num_layers, memory)
        self.layers = MemoryStack(
            self.cell,
            hidden_size,
            num_layers,
            memory,
            cue_size=self.cues.width,
            query_every=query_every,
            keys=keys,
        )

    def forward(self, x: Tensor, *, value: Tensor | None = None) -> Tensor:
        """Logits [B, T, vocab_size] of token ids [B, T]; those at t depend on tokens up to t alone.

        ``value`` [B, T, V] is what each step means, for a memory with values. Raises AESGMemoryError for ids outside of
        the vocabulary.
        """
        tokens = self.tokens(x)
        with self.memory.sequence():
            hidden = self.layers(self.embedding(tokens), self.cues(tokens), StackState(), value)
        logits: Tensor = self.output(hidden)
        return logits


class AESGGRUText(RecurrentText):
    """A GRU language model that recalls at each step (GRU: Cho et al. 2014).

    Parameters
    ----------
    vocab_size: how many tokens there are.
    hidden_size: H, the width of embeddings and layers.
    num_layers: the lowest layer recalls, the others are plain GRU layers.
    memory: what it recalls from; the model has it as ``memory``.
    query_every: memory is asked at every so-many-th step; between, the last answer stays.
    keys: what keys are made by, see :class:`~aesg_graph.nn.Addressing`.
    """

    cell = "gru"
    folder = "gru-text"


class AESGLSTMText(RecurrentText):
    """An LSTM language model that recalls at each step (LSTM: Hochreiter and Schmidhuber 1997).

    Parameters are those of :class:`AESGGRUText`.
    """

    cell = "lstm"
    folder = "lstm-text"
