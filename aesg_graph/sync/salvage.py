"""What can still be had from a journal that is damaged as a file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch
from aesg_graph.stores.abc import GraphStore, VectorStore
from aesg_graph.sync.carrier import Carrier
from aesg_graph.sync.journal import crc_of


def salvage(path: Path, graph: GraphStore, vectors: Callable[[], VectorStore]) -> int:
    """Take the pending batches that can be read to the stores, up to the first that cannot; how many.

    They go as the writer who recorded them; if that is no longer possible, none does.
    """
    batches = _readable(path)
    try:
        if batches:
            Carrier(graph, vectors, "process").carry(batches)
    except AESGStorageError:
        return 0
    return len(batches)


def _readable(path: Path) -> list[Batch]:
    batches: list[Batch] = []
    with contextlib.ExitStack() as opened:
        opened.enter_context(contextlib.suppress(sqlite3.Error, AESGStorageError))
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        opened.callback(connection.close)
        rows = connection.execute("SELECT sequence, crc, payload FROM batches ORDER BY sequence")
        for sequence, crc, payload in rows:
            if not isinstance(payload, bytes) or crc_of(sequence, payload) != crc:
                break
            batches.append(Batch.decode(payload))
    return batches
