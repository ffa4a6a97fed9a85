"""Which engine opens a memory: chosen by the addresses in the settings, here and nowhere else."""

from __future__ import annotations

from pathlib import Path

from aesg_graph.config import AESGConfig
from aesg_graph.engine.backend import Backend
from aesg_graph.settings import StoreSettings


def open_backend(path: Path, config: AESGConfig | None, settings: StoreSettings) -> Backend:
    """Open or create a memory, whose own directory is ``path``. With ``config`` None an existing one keeps its own."""
    if settings.engine == "served":
        from aesg_graph.engine.served import open_served  # its drivers take half a second to import

        return open_served(path, config, settings)
    from aesg_graph.engine.embedded import open_embedded

    return open_embedded(path, config, settings)
