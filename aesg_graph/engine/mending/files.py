"""Mending whole files, and what is on its way between them."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from aesg_graph.engine.mending.bench import Bench
from aesg_graph.engine.onlooking import DAMAGED, set_aside
from aesg_graph.errors import AESGStorageError
from aesg_graph.sync import Finding, Journal, Kind
from aesg_graph.sync.salvage import salvage

PAGE = 10_000


def dimensions(bench: Bench, finding: Finding) -> Finding:
    """What the graph says counts."""
    head, directory = bench.site.head, bench.directory()
    form = directory.format
    known = () if form is None else (form.memory, form.engine)
    directory.complete(head.vector_dim, head.value_dim, *known)
    return finding.done("format.json was written anew")


def journal(bench: Bench, finding: Finding) -> Finding:
    """A new journal, under a new writer's number; what was pending goes to the stores first, if it can be read."""
    site, directory = bench.site, bench.directory()
    if site.journal is not None:
        with contextlib.suppress(AESGStorageError):
            site.journal.close()
        site.journal = None
    path = directory.journal
    saved = salvage(path, site.graph, bench.vectors) if path.exists() and site.vectors is not None else 0
    old = [set_aside(file) for file in sorted(path.parent.glob(f"{path.name}*")) if not file.name.endswith(DAMAGED)]
    site.journal = Journal.create(path, directory.identity, bench.settings.durability)
    site.trouble.pop(Kind.JOURNAL, None)
    if site.vectors is not None:
        bench.take_up()
    aside = f" ({old[0].name} holds the old one)" if old else ""
    rest = f"{saved} batches that waited in it were sent" if saved else "what may have waited in it is lost"
    return finding.done(f"a new one was written{aside}, without the history; {rest}")


def vectors(bench: Bench, finding: Finding) -> Finding:
    """A new store, from a cache that is good and has everything."""
    site = bench.site
    with bench.good_cache() as cache:
        if cache is None or not cache.complete:
            return replace(finding, detail=f"{finding.detail}; there is no good cache to write it anew from")
        if site.vectors is not None:
            site.vectors.close()
            site.vectors = None
        try:
            site.vectors = site.place.new_vectors(site.head)
        except AESGStorageError as error:
            site.trouble[Kind.VECTORS] = error.message
            return finding
        site.trouble.pop(Kind.VECTORS, None)
        after = -1
        while len(ids := site.graph.page(after, PAGE, edges=False).concepts.ids):
            after = int(ids[-1])
            bench.write(cache.vectors(ids))
    return finding.done("it was written anew from the cache")


def cache(bench: Bench, finding: Finding) -> Finding:
    """It is disposable."""
    bench.drop_cache()
    return finding.done("it was deleted; the next opening builds it anew")


def batches(bench: Bench, finding: Finding) -> Finding:
    """Damaged batches go to the refused ones, the rest to the stores."""
    if bench.site.vectors is None:
        return finding
    for sequence in finding.ids.tolist():
        bench.journal().set_aside(sequence, "damaged: set aside by a repair")
    bench.take_up()
    return finding.done("they were set aside among the refused ones, and the rest was sent")


def sequences(bench: Bench, finding: Finding) -> Finding:
    """What is pending goes to the stores; a journal and a graph that are not of one day part."""
    if bench.site.vectors is None:
        return finding
    bench.take_up()
    if finding.kind is Kind.PENDING:
        return finding.done("they were sent")
    return finding.done("what was pending was sent, and a new writer's number leased")
