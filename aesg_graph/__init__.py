"""aesg-graph: external memory for neural networks and agents that people can look into.

The public names below are loaded when they are first used, so that importing the package imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aesg_graph.concepts import Concept, Edge, RelationType
    from aesg_graph.config import AESGConfig
    from aesg_graph.context import RetrievedContext
    from aesg_graph.engine import MemoryEngine
    from aesg_graph.engine.tuning import fit_config
    from aesg_graph.engine.tuning_report import Fit
    from aesg_graph.errors import (
        AESGConfigError,
        AESGError,
        AESGMemoryError,
        AESGNavigationError,
        AESGStorageError,
        AESGTrainingError,
    )
    from aesg_graph.learning import MemoryMode
    from aesg_graph.memory import AESGMemory
    from aesg_graph.nn.image import AESGCNNAutoencoder, AESGCNNClassifier, AESGColorizationNet
    from aesg_graph.nn.text import AESGDecoderLM, AESGGRUText, AESGLSTMText, AESGSeq2Seq, AESGTransformer
    from aesg_graph.packs import MemoryPack, PackManager
    from aesg_graph.settings import StoreSettings
    from aesg_graph.training import (
        AESGTrainer,
        Callback,
        Checkpoint,
        EarlyStopping,
        TensorBoardCallback,
        WandBCallback,
        adapt_data,
    )
    from aesg_graph.training.colorization import BenchmarkResult, ColorizationBenchmark
    from aesg_graph.training.evaluation import Evaluator

__version__ = "0.1.0"

_PLACES = {
    "AESGCNNAutoencoder": "nn.image",
    "AESGCNNClassifier": "nn.image",
    "AESGColorizationNet": "nn.image",
    "AESGConfig": "config",
    "AESGConfigError": "errors",
    "AESGDecoderLM": "nn.text",
    "AESGError": "errors",
    "AESGGRUText": "nn.text",
    "AESGLSTMText": "nn.text",
    "AESGMemory": "memory",
    "AESGMemoryError": "errors",
    "AESGNavigationError": "errors",
    "AESGSeq2Seq": "nn.text",
    "AESGStorageError": "errors",
    "AESGTrainer": "training",
    "AESGTrainingError": "errors",
    "AESGTransformer": "nn.text",
    "BenchmarkResult": "training.colorization",
    "Callback": "training",
    "Checkpoint": "training",
    "ColorizationBenchmark": "training.colorization",
    "Concept": "concepts",
    "EarlyStopping": "training",
    "Edge": "concepts",
    "Evaluator": "training.evaluation",
    "Fit": "engine.tuning_report",
    "MemoryEngine": "engine",
    "MemoryMode": "learning",
    "MemoryPack": "packs",
    "PackManager": "packs",
    "RelationType": "concepts",
    "RetrievedContext": "context",
    "StoreSettings": "settings",
    "TensorBoardCallback": "training",
    "WandBCallback": "training",
    "adapt_data": "training",
    "fit_config": "engine.tuning",
}

__all__ = [
    "AESGCNNAutoencoder",
    "AESGCNNClassifier",
    "AESGColorizationNet",
    "AESGConfig",
    "AESGConfigError",
    "AESGDecoderLM",
    "AESGError",
    "AESGGRUText",
    "AESGLSTMText",
    "AESGMemory",
    "AESGMemoryError",
    "AESGNavigationError",
    "AESGSeq2Seq",
    "AESGStorageError",
    "AESGTrainer",
    "AESGTrainingError",
    "AESGTransformer",
    "BenchmarkResult",
    "Callback",
    "Checkpoint",
    "ColorizationBenchmark",
    "Concept",
    "EarlyStopping",
    "Edge",
    "Evaluator",
    "Fit",
    "MemoryEngine",
    "MemoryMode",
    "MemoryPack",
    "PackManager",
    "RelationType",
    "RetrievedContext",
    "StoreSettings",
    "TensorBoardCallback",
    "WandBCallback",
    "adapt_data",
    "fit_config",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
