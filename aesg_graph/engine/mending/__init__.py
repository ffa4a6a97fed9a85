"""Mending what :mod:`aesg_graph.engine.checking` finds: what ``aesg check --repair`` does.

It takes the memory's lock, mends, and looks again until nothing more can be mended. The graph says which concepts there
are; vectors that are lost come back from a cache that is good, or their concepts go. Whatever leaves the journal or the
vector store because it is damaged is kept beside it, under a name that ends in ``.damaged``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from aesg_graph.engine.checking import Progress, Report, look, open_site, report
from aesg_graph.engine.mending import files, rows
from aesg_graph.engine.mending.bench import Bench
from aesg_graph.settings import StoreSettings
from aesg_graph.sync import Finding, Kind, MemoryDirectory

__all__ = ["repair"]

ROUNDS = 5
"""Mending one thing may bring up another, which a look at the whole then finds."""
SWEEP = 1000

WAYS: dict[Kind, Callable[[Bench, Finding], Finding]] = {
    Kind.DIMENSIONS: files.dimensions,
    Kind.JOURNAL: files.journal,
    Kind.VECTORS: files.vectors,
    Kind.BATCH: files.batches,
    Kind.BEHIND: files.sequences,
    Kind.PENDING: files.sequences,
    Kind.LOST: rows.lost,
    Kind.VERSION: rows.versions,
    Kind.PAYLOAD: rows.payload,
    Kind.REMAINS: rows.superfluous,
    Kind.ORPHANS: rows.superfluous,
    Kind.COUNTS: rows.counts,
    Kind.DANGLING: rows.dangling,
    Kind.CACHE: files.cache,
}
"""How each kind is mended, in this order: files, then what is on its way, then rows, while a good cache can help."""


def repair(
    directory: str | os.PathLike[str], settings: StoreSettings | None = None, progress: Progress | None = None
) -> Report:
    """Look a memory over and mend what can be mended; the report tells both.

    AESGStorageError if another process has the memory open, if there is none, or if its graph cannot be opened.
    """
    path, settings = Path(directory).expanduser(), settings or StoreSettings()
    MemoryDirectory.create_or_open(path, read_only=True, repair=True)  # there is a memory: nothing will be created
    with contextlib.ExitStack() as opened:
        where = MemoryDirectory.create_or_open(path, repair=True)
        opened.callback(where.close)
        bench = Bench(open_site(where, None, settings), settings)
        opened.callback(bench.site.close)
        mended: list[Finding] = []
        left: list[Finding] = []
        for _ in range(ROUNDS):
            tried = _mend(bench, look(bench.site, progress))
            mended += [finding for finding in tried if finding.mended]
            left = [finding for finding in tried if not finding.mended]
            if len(left) == len(tried):
                break
        if not any(finding.kind is Kind.GRAPH for finding in left):
            _sweep(bench)
        return report(bench.site, mended + left)


def _mend(bench: Bench, found: list[Finding]) -> list[Finding]:
    """Each finding as it is now: mended, or as it was where nothing can be done. A damaged graph stops everything."""
    if any(finding.kind is Kind.GRAPH for finding in found):
        return found
    order = list(WAYS)
    known = sorted((f for f in found if f.kind in WAYS), key=lambda f: order.index(f.kind))
    return [WAYS[f.kind](bench, f) for f in known] + [f for f in found if f.kind not in WAYS]


def _sweep(bench: Bench) -> None:
    """Tombstones learn that their vectors are gone, so that they can be forgotten in time."""
    graph = bench.site.graph
    while bench.site.vectors is not None and (ids := graph.unswept(SWEEP)).size:
        bench.site.vectors.delete(ids)
        graph.apply([], ids)
