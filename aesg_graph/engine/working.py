"""The working memory on disk: written whole and checksummed by ``save()`` and ``close()``, never pickled."""

from __future__ import annotations

import io
import logging
import os
import zlib
from pathlib import Path

import numpy as np

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGStorageError
from aesg_graph.learning import WorkingMemory

log = logging.getLogger("aesg_graph")

MAGIC = b"AESGWRK1"


def save_working(path: Path, working: WorkingMemory) -> None:
    """Replace the file at once: after a kill it holds the old state or the new one."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **working.to_arrays())
    body = buffer.getvalue()
    content = MAGIC + zlib.crc32(body).to_bytes(4, "little") + body
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise AESGStorageError(f"The working memory cannot be written to {path}: {error.strerror or error}") from error


def load_working(path: Path, config: AESGConfig) -> WorkingMemory:
    """What was saved, or an empty working memory. A damaged file is set aside: it holds no lesson."""
    fresh = WorkingMemory(config.vector_dim, config.value_dim, config.novelty_buffer)
    if not path.exists():
        return fresh
    content = path.read_bytes()
    body = content[len(MAGIC) + 4 :]
    if content[: len(MAGIC)] != MAGIC or content[len(MAGIC) : len(MAGIC) + 4] != zlib.crc32(body).to_bytes(4, "little"):
        log.warning("%s is damaged; working memory begins anew (no lesson is lost by this)", path)
        return fresh
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in arrays.files}
        return WorkingMemory.from_arrays(columns, config.vector_dim, config.value_dim, config.novelty_buffer)
    except (AESGStorageError, ValueError) as error:
        log.warning("%s does not fit this configuration (%s); working memory begins anew", path, error)
        return fresh
