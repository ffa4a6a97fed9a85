"""Copying a memory from one place to another, of the same engine or not: what ``aesg copy`` does."""

from __future__ import annotations

import tempfile
from pathlib import Path

from aesg_graph.engine.moving.moves import Restored, backup, restore
from aesg_graph.engine.moving.places import Place
from aesg_graph.errors import AESGStorageError
from aesg_graph.sync.backup import Progress, silent


def copy(source: Place, target: Place, tell: Progress = silent) -> Restored:
    """Copy a whole memory to a place where there is none, exactly; ids are kept.

    It goes by way of a backup in the folder for temporary files. AESGStorageError as :func:`backup` and
    :func:`restore`.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="aesg-copy-") as folder:
            between = Path(folder) / "backup"
            backup(source, between, tell)
            return restore(between, target, tell=tell)
    except OSError as error:
        raise AESGStorageError(f"Cannot write a temporary file: {error.strerror or error}") from error
