"""The eight models in a size for tests."""

from dataclasses import dataclass
from typing import Any

import torch

from aesg_graph import AESGConfig, AESGMemory
from aesg_graph.nn.image import AESGCNNAutoencoder, AESGCNNClassifier, AESGColorizationNet
from aesg_graph.nn.text import AESGDecoderLM, AESGGRUText, AESGLSTMText, AESGSeq2Seq, AESGTransformer

VOCABULARY, B, T = 50, 3, 6


@dataclass(frozen=True)
class Scene:
    """A model's class, what its constructor takes beside the memory, and the shapes of what goes in and out."""

    model: type
    structure: dict[str, Any]
    given: tuple[int, ...]
    made: tuple[int, ...]

    def build(self, memory, **changes):
        torch.manual_seed(0)
        return self.model(memory=memory, **{**self.structure, **changes})

    def batch(self, seed=0):
        generator = torch.Generator().manual_seed(seed)
        if len(self.given) == 2:
            return torch.randint(0, VOCABULARY, self.given, generator=generator)
        return torch.rand(self.given, generator=generator)


def _text(model, **structure):
    taken = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_layers": 2, **structure}
    return Scene(model, taken, (B, T), (B, T, VOCABULARY))


def _image(model, channels, made, **structure):
    return Scene(model, {"base_filters": 4, "num_blocks": 2, **structure}, (B, channels, 8, 12), (B, *made))


GRU, LSTM, SEQ2SEQ = _text(AESGGRUText), _text(AESGLSTMText), _text(AESGSeq2Seq)
DECODER = _text(AESGDecoderLM, nhead=2, max_seq_len=16, dropout=0.0)
TRANSFORMER = _text(AESGTransformer, nhead=2, max_seq_len=16, dropout=0.0)
CLASSIFIER = _image(AESGCNNClassifier, 3, (10,))
COLORIZATION = _image(AESGColorizationNet, 1, (3, 8, 12))
AUTOENCODER = _image(AESGCNNAutoencoder, 3, (3, 8, 12))

TEXT = [GRU, LSTM, SEQ2SEQ, DECODER, TRANSFORMER]
RECURRENT = [GRU, LSTM, SEQ2SEQ]
IMAGE = [CLASSIFIER, COLORIZATION, AUTOENCODER]
ALL = TEXT + IMAGE


def name(scene):
    return scene.model.__name__


class Counted(AESGMemory):
    """A memory that counts how often it is asked, and for how many rows; lessons are not questions."""

    def retrieve(self, query, *given, **named):
        if named.get("learn") is False:
            asked.append(query.numel() // query.shape[-1])
        else:
            taught.append(query.numel() // query.shape[-1])
        return super().retrieve(query, *given, **named)


asked: list[int] = []
taught: list[int] = []


def counting(place, **changes):
    """A small memory whose questions and lessons are counted in ``asked`` and ``taught``."""
    asked.clear()
    taught.clear()
    return Counted(place, AESGConfig(vector_dim=8, novelty_birth_threshold=1, **changes))
