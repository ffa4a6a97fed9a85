"""Mending what :mod:`aesg_graph.engine.checking` finds: what ``aesg check --repair`` does.

It takes the memory's lock, mends, and looks again until nothing more can be mended. The graph says which concepts there
are; vectors that are lost come back from a cache that is good, or their concepts go. Whatever leaves the journal or the
vector store because it is damaged is kept beside it, under a name that ends in ``.damaged``.

Stores on servers are mended beside their living writers, whose journals and caches are left alone. What is written goes
under a writer's number of the repair's own, so that others hear of it; that number is retired at the end, which is to
say that it has an incarnation which no journal can have.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from aesg_graph.engine.checking import UNREADABLE, Report, look, open_site, report
from aesg_graph.engine.mending import files, rows
from aesg_graph.engine.mending.bench import Bench
from aesg_graph.engine.onlooking import find
from aesg_graph.settings import StoreSettings
from aesg_graph.sync import Finding, Kind, Progress

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
    Kind.MALFORMED: rows.malformed,
    Kind.EDGES: rows.edges,
    Kind.EXPIRY: rows.expiry,
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
OWN = frozenset({Kind.DIMENSIONS, Kind.JOURNAL, Kind.BATCH, Kind.BEHIND, Kind.PENDING, Kind.CACHE})
"""What can be mended in a directory alone that no other process has open."""


def repair(
    directory: str | os.PathLike[str] | None = None,
    settings: StoreSettings | None = None,
    progress: Progress | None = None,
) -> Report:
    """Look a memory over and mend what can be mended; the report tells both.

    Without a directory it is the memory here or, if there is none, the one on the servers that the settings name.
    AESGStorageError if another process has a memory of the embedded engine open, if there is none, or if its graph
    cannot be opened.
    """
    place = find(directory, settings, repair=True)
    settings = settings or StoreSettings()
    with contextlib.ExitStack() as opened:
        owner = place.claim(settings)
        if place.directory is not None:
            opened.callback(place.directory.close)
        site = open_site(place, owner, settings)
        opened.callback(site.close)
        bench = Bench(site, settings)
        opened.callback(bench.close)
        bench.lease.hold()
        mended: list[Finding] = []
        left: list[Finding] = []
        for _ in range(ROUNDS):
            tried = _mend(bench, look(site, progress))
            mended += [finding for finding in tried if finding.mended]
            left = [finding for finding in tried if not finding.mended]
            if len(left) == len(tried):
                break
        if not any(finding.kind in UNREADABLE for finding in left):
            _sweep(bench)
        return report(site, mended + [finding for finding in left if finding.kind is not Kind.UNSWEPT])


def _mend(bench: Bench, found: list[Finding]) -> list[Finding]:
    """Each finding as it is now: mended, or as it was where nothing can be done. A damaged graph stops everything."""
    if any(finding.kind is Kind.GRAPH for finding in found):
        return found
    order = [kind for kind in WAYS if kind not in OWN or bench.site.ours is not None]
    known = sorted((f for f in found if f.kind in order), key=lambda f: order.index(f.kind))
    return [WAYS[f.kind](bench, f) for f in known] + [f for f in found if f.kind not in order]


def _sweep(bench: Bench) -> None:
    """Tombstones learn that their vectors are gone, so that they can be forgotten in time."""
    graph = bench.site.graph
    for _ in range(graph.count().tombstones // SWEEP + 1):  # no more than there were, for others go on removing
        ids = graph.unswept(SWEEP)
        if bench.site.vectors is None or not ids.size:
            break
        bench.site.vectors.delete(ids)
        graph.apply([], ids)
