"""Callbacks: what may be done at each stage of training."""

from aesg_graph.training.callbacks.base import Callback, Callbacks, Monitor
from aesg_graph.training.callbacks.saving import Checkpoint
from aesg_graph.training.callbacks.stopping import EarlyStopping
from aesg_graph.training.callbacks.tensorboard import TensorBoardCallback
from aesg_graph.training.callbacks.wandb import WandBCallback

__all__ = [
    "Callback",
    "Callbacks",
    "Checkpoint",
    "EarlyStopping",
    "Monitor",
    "TensorBoardCallback",
    "WandBCallback",
]
