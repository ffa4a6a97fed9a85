"""The sizes in which ready-made models come, and the memory that each gets."""

from __future__ import annotations

import os
from dataclasses import dataclass

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError
from aesg_graph.memory import AESGMemory
from aesg_graph.settings import StoreSettings

Place = str | os.PathLike[str] | None
PARENT = "./aesg_memory"
MAX_CONCEPTS = 100_000


@dataclass(frozen=True)
class Size:
    """What ``small()``, ``medium()`` and ``large()`` mean; a model takes what applies to it."""

    hidden_size: int
    num_layers: int
    vector_dim: int
    nhead: int
    base_filters: int
    num_blocks: int


SMALL = Size(hidden_size=128, num_layers=1, vector_dim=64, nhead=4, base_filters=32, num_blocks=3)
MEDIUM = Size(hidden_size=256, num_layers=2, vector_dim=128, nhead=8, base_filters=64, num_blocks=4)
LARGE = Size(hidden_size=512, num_layers=4, vector_dim=256, nhead=16, base_filters=128, num_blocks=5)


def memory_for(
    model: str, size: Size, storage_dir: Place, config: AESGConfig | None, stores: StoreSettings | None
) -> AESGMemory:
    """The memory of a ready-made model, in ``storage_dir`` or in a folder of its own for each model and dimension."""
    if config is None:
        config = AESGConfig(vector_dim=size.vector_dim, max_concepts=MAX_CONCEPTS)
    if not isinstance(config, AESGConfig):
        raise AESGConfigError(f"config is a {type(config).__name__}, expected an AESGConfig or None")
    place = storage_dir if storage_dir is not None else config.storage_directory
    if place is None:
        place = os.path.join(PARENT, f"{model}-{config.vector_dim}")
    return AESGMemory(place, config, stores=stores)


def counted(given: object, name: str) -> int:
    """A count of classes or tokens; AESGConfigError for anything but a whole number of at least 1."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise AESGConfigError(f"{name} must be >= 1, got {given!r}")
    return given
