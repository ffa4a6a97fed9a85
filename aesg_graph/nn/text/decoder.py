"""A causal language model."""

from __future__ import annotations

import torch
from torch import Tensor

from aesg_graph.errors import AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.attention import LayerState
from aesg_graph.nn.checking import check_count
from aesg_graph.nn.text.cues import Trace
from aesg_graph.nn.text.sampling import Ending, Sampling, generating
from aesg_graph.nn.text.transformer import TransformerText

HEAD_WIDTH = 32


class AESGDecoderLM(TransformerText):
    """A decoder-only Transformer (Radford et al. 2018); each position recalls for itself and sees none after it.

    Parameters
    ----------
    vocab_size: how many tokens there are.
    hidden_size: E, the width of embeddings and layers.
    num_layers: each asks memory once a call; several layers learn concepts of a kind of their own.
    memory: what it recalls from; the model has it as ``memory``.
    nhead: how many heads divide E; None takes heads of width 32 where that divides E, one head otherwise.
    max_seq_len: how many tokens a row may have, prompt and continuation together.
    dropout: in [0, 1).
    keys: what keys are made by, see :class:`~aesg_graph.nn.Addressing`.
    """

    folder = "decoder-lm"

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        num_layers: int,
        memory: AESGMemory,
        *,
        nhead: int | None = None,
        max_seq_len: int = 512,
        dropout: float = 0.1,
        keys: Keys = "frozen",
    ) -> None:
        check_count(hidden_size, "hidden_size")
        if nhead is None:
            nhead = hidden_size // HEAD_WIDTH if hidden_size % HEAD_WIDTH == 0 else 1
        super().__init__(
            vocab_size,
            hidden_size,
            num_layers,
            nhead,
            memory,
            max_seq_len,
            dropout=dropout,
            causal=True,
            per_position=True,
            keys=keys,
        )

    def forward(self, x: Tensor, *, value: Tensor | None = None) -> Tensor:
        """Logits [B, T, vocab_size] of token ids [B, T]; those at t depend on tokens up to t alone.

        ``value`` [B, T, V] is what each position means, for a memory with values.
        Raises AESGMemoryError for ids outside of the vocabulary or more than ``max_seq_len`` tokens.
        """
        tokens = self.tokens(x)
        hidden, cue = self.embedded(tokens), self.cues.in_context(tokens)
        for layer in self.layers:
            hidden = layer(hidden, value=value, cue=cue)
        return self.logits(hidden)

    def generate(
        self,
        prompt: Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop_token: int | None = None,
        pad_token: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """``prompt`` [B, T] and what follows it, [B, T + L], L at most ``max_new_tokens``.

        It ends where all rows have reached their stop token; a row keeps its own, and behind it stands ``pad_token``
        (by default the stop token again). A token is drawn at ``temperature``, among the ``top_k`` likeliest and those
        that together have the probability ``top_p``; temperature 0 takes the likeliest. Each token passes the layers
        once. Nothing is learned, unless the memory's mode is ONLINE.

        Raises AESGMemoryError if prompt and continuation are longer than ``max_seq_len``.
        """
        written = self.tokens(prompt, "prompt")
        check_count(max_new_tokens, "max_new_tokens")
        self._check_room(written.shape[1], max_new_tokens)
        sampling = Sampling(temperature, top_k, top_p)
        ending = Ending(stop_token, pad_token, self.vocab_size)
        trace, states = Trace(), [LayerState() for _ in self.layers]
        with generating(self), self.memory.sequence():
            fed = written
            for _ in range(max_new_tokens):
                hidden, cue = self.embedded(fed, written.shape[1] - fed.shape[1]), self.cues.in_context(fed, trace)
                for layer, state in zip(self.layers, states, strict=True):
                    hidden = layer(hidden, cue=cue, state=state)
                chosen = ending.after(sampling.choose(self.logits(hidden[:, -1]), generator))
                fed = chosen.unsqueeze(1)
                written = torch.cat([written, fed], 1)
                if ending.all:
                    break
        return written

    def _check_room(self, given: int, asked: int) -> None:
        if given + asked > self.max_seq_len:
            raise AESGMemoryError(
                f"The prompt has {given} tokens and max_new_tokens is {asked}, expected at most "
                f"max_seq_len={self.max_seq_len} together"
            )
