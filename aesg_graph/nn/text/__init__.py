"""Ready-made text models with a memory."""

from aesg_graph.nn.text.decoder import AESGDecoderLM
from aesg_graph.nn.text.recurrent import AESGGRUText, AESGLSTMText
from aesg_graph.nn.text.seq2seq import AESGSeq2Seq
from aesg_graph.nn.text.transformer import AESGTransformer

__all__ = ["AESGDecoderLM", "AESGGRUText", "AESGLSTMText", "AESGSeq2Seq", "AESGTransformer"]
