"""Memories that last as long as a trial."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aesg_graph import AESGConfig, AESGMemory, StoreSettings

EMBEDDED = StoreSettings(graph="embedded", vectors="embedded")
IN_MEMORY = Path("/dev/shm")
"""Where files are kept in memory, if the machine has that: no disk is waited for."""
SPARE = 1 << 30
"""Bytes that must be left there."""


@contextmanager
def passing_memory(config: AESGConfig) -> Iterator[AESGMemory]:
    """A new embedded memory in a folder that is removed."""
    roomy = os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > SPARE
    with (
        tempfile.TemporaryDirectory(prefix="aesg-helps-", dir=IN_MEMORY if roomy else None) as folder,
        AESGMemory(Path(folder) / "memory", config, stores=EMBEDDED) as memory,
    ):
        yield memory
