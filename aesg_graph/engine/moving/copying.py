"""Copying a memory from one place to another, of the same engine or not: what ``aesg copy`` does."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from aesg_graph.engine.moving.merging import merge
from aesg_graph.engine.moving.moves import Restored, backup, restore
from aesg_graph.engine.moving.places import Place
from aesg_graph.errors import AESGStorageError
from aesg_graph.sync.backup import Archive, Progress, silent


def copy(source: Place, target: Place, into: bool = False, tell: Progress = silent) -> Restored:
    """Copy a whole memory to a place where there is none, exactly; ids are kept.

    ``into``: to a memory that is there, whose concepts stay as they are; ids that it has are renumbered, edges follow.
    It goes by way of a backup in the folder for temporary files. AESGStorageError as :func:`backup` and
    :func:`restore`.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="aesg-copy-") as folder:
            between = Path(folder) / "backup"
            backup(source, between, tell)
            return _merged(between, target, tell) if into else restore(between, target, tell=tell)
    except OSError as error:
        raise AESGStorageError(f"Cannot write a temporary file: {error.strerror or error}") from error


def _merged(path: Path, target: Place, tell: Progress) -> Restored:
    begun, archive = time.monotonic(), Archive(path)
    renumbered = merge(archive, target, tell)
    held = archive.manifest.held
    name = archive.manifest.standing.head.name
    return Restored(str(target), name, held, time.monotonic() - begun, renumbered)
