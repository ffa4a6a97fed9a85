"""Ready-made image models with a memory."""

from aesg_graph.nn.image.classifier import AESGCNNClassifier
from aesg_graph.nn.image.pictures import AESGCNNAutoencoder, AESGColorizationNet

__all__ = ["AESGCNNAutoencoder", "AESGCNNClassifier", "AESGColorizationNet"]
