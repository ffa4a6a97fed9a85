"""An encoder and a decoder that recalls."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aesg_graph.errors import AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.addressing import Keys
from aesg_graph.nn.checking import check_count
from aesg_graph.nn.text.model import TextModel
from aesg_graph.nn.text.sampling import Ending, Sampling, generating
from aesg_graph.nn.text.stack import MemoryStack, StackState


@dataclass
class Decoding:
    """Where a batch of targets stands, and a fixed code of what its sources are about [B, C]."""

    state: StackState
    about: Tensor


class AESGSeq2Seq(TextModel):
    """A GRU encoder, and a GRU decoder that recalls at each step (Sutskever et al. 2014; Cho et al. 2014).

    The decoder begins with the encoder's last states and a learned start, so no token id is set apart for it. It
    addresses memory by the codes of the tokens it was fed and of all those in the source.

    Parameters
    ----------
    vocab_size: how many tokens there are, for source and target alike.
    hidden_size: H, the width of embeddings and layers.
    num_layers: of the encoder and of the decoder each; the decoder's lowest layer recalls.
    memory: what it recalls from; the model has it as ``memory``.
    query_every: memory is asked at every so-many-th step of the decoder; between, the last answer stays.
    keys: what keys are made by, see :class:`~aesg_graph.nn.Addressing`.
    """

    folder = "seq2seq"

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
        self.encoder = nn.GRU(hidden_size, hidden_size, num_layers, batch_first=True)
        self.decoder = MemoryStack(
            "gru",
            hidden_size,
            num_layers,
            memory,
            cue_size=2 * self.cues.width,
            query_every=query_every,
            keys=keys,
        )
        self.start = nn.Parameter(torch.randn(hidden_size))

    def forward(self, src: Tensor, tgt: Tensor | None = None, *, value: Tensor | None = None) -> Tensor:
        """Logits over what comes next in the target.

        With ``tgt`` [B, T'] each step is fed the target's token before it (teacher forcing; Williams and Zipser 1989):
        logits [B, T', vocab_size], those at t to be compared with ``tgt[:, t]``. Without it each step is fed the token
        that the step before found likeliest, for as many steps as ``src`` [B, T] has: [B, T, vocab_size].

        ``value`` [B, T', V] is what the decoder's steps mean, for a memory with values. Raises AESGMemoryError for ids
        outside of the vocabulary, or another number of rows in ``tgt``.
        """
        source = self.tokens(src, "src")
        target = None if tgt is None else self.tokens(tgt, "tgt")
        if target is not None and len(target) != len(source):
            raise AESGMemoryError(f"tgt has {len(target)} rows, expected {len(source)}, as many as src")
        with self.memory.sequence():
            decoding = self._encoded(source)
            if target is None:
                return self._free_running(decoding, source.shape[1], value)
            return self._said(decoding, target[:, :-1], value, first=True)

    def generate(
        self,
        src: Tensor,
        max_length: int,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop_token: int | None = None,
        pad_token: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Target ids [B, L] of ``src`` [B, T], L at most ``max_length``: less where all rows reach their stop token.

        A row keeps its stop token; behind it stands ``pad_token`` (by default the stop token again). The likeliest
        token is taken, or with a temperature above 0 one is drawn, among the ``top_k`` likeliest and those that
        together have the probability ``top_p``. Nothing is learned, unless the memory's mode is ONLINE.
        """
        source = self.tokens(src, "src")
        check_count(max_length, "max_length")
        sampling = Sampling(temperature, top_k, top_p)
        ending = Ending(stop_token, pad_token, self.vocab_size)
        written: list[Tensor] = []
        with generating(self), self.memory.sequence():
            decoding, fed = self._encoded(source), source[:, :0]
            while len(written) < max_length and not ending.all:
                logits = self._said(decoding, fed, None, first=not written).squeeze(1)
                written.append(ending.after(sampling.choose(logits, generator)))
                fed = written[-1].unsqueeze(1)
        return torch.stack(written, 1)

    def _encoded(self, source: Tensor) -> Decoding:
        """Where decoding begins: layer by layer at the encoder's last states."""
        _, last = self.encoder(self.embedding(source))
        about = nn.functional.normalize(self.cues(source).mean(1), dim=-1)
        return Decoding(StackState(last[0], last[1:].contiguous() if self.num_layers > 1 else None), about)

    def _said(self, decoding: Decoding, fed: Tensor, value: Tensor | None, *, first: bool) -> Tensor:
        """Logits [B, T, vocab_size] of the steps that are fed the tokens [B, T], after the start if it is the first."""
        inputs, cues = self.embedding(fed), self.cues(fed)
        if first:
            inputs = torch.cat([self.start.expand(len(fed), 1, -1), inputs], 1)
            cues = nn.functional.pad(cues, (0, 0, 1, 0))
        cues = torch.cat([cues, decoding.about.unsqueeze(1).expand_as(cues)], -1)
        logits: Tensor = self.output(self.decoder(inputs, cues, decoding.state, value))
        return logits

    def _free_running(self, decoding: Decoding, steps: int, value: Tensor | None) -> Tensor:
        said: list[Tensor] = []
        for t in range(steps):
            fed = said[-1].argmax(-1) if said else decoding.about.new_zeros(len(decoding.about), 0, dtype=torch.int64)
            meant = None if value is None else value[:, t : t + 1]
            said.append(self._said(decoding, fed, meant, first=not said))
        return torch.cat(said, 1)
