"""Layers with a memory, each usable alone in any model."""

from aesg_graph.nn.addressing import Addressing
from aesg_graph.nn.attention import AESG_TransformerLayer, LayerState, MemoryTransformerLayer
from aesg_graph.nn.convolution import AESG_CNNLayer, MemoryConvLayer
from aesg_graph.nn.recurrent import AESG_GRU, AESG_LSTM, MemoryGRUCell, MemoryLSTMCell, SequenceState

__all__ = [
    "AESG_GRU",
    "AESG_LSTM",
    "AESG_CNNLayer",
    "AESG_TransformerLayer",
    "Addressing",
    "LayerState",
    "MemoryConvLayer",
    "MemoryGRUCell",
    "MemoryLSTMCell",
    "MemoryTransformerLayer",
    "SequenceState",
]
