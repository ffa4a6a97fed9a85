"""Training models together with their memory: trainer, callbacks, checkpoints."""

from aesg_graph.training.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    TensorBoardCallback,
    WandBCallback,
)
from aesg_graph.training.checkpoints.state import TrainingState
from aesg_graph.training.criterion import sequence_cross_entropy
from aesg_graph.training.data import adapt_data
from aesg_graph.training.trainer import AESGTrainer

__all__ = [
    "AESGTrainer",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "TensorBoardCallback",
    "TrainingState",
    "WandBCallback",
    "adapt_data",
    "sequence_cross_entropy",
]
