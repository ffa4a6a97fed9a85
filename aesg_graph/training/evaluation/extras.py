"""Libraries that only evaluation and the benchmark need, loaded when they are used."""

from __future__ import annotations

import importlib
from typing import Any

from aesg_graph.errors import AESGTrainingError


def extra(module: str) -> Any:
    """A module of the extra ``train``; AESGTrainingError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise AESGTrainingError(
            f"{name} could not be imported ({error}), expected it to be installed: pip install 'aesg-graph[train]'"
        ) from error
