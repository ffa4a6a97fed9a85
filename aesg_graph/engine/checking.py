"""Whether journal, graph, vectors and cache of a memory agree: what ``aesg check`` finds.

Looking changes nothing (though after a kill Edge replays its own log when the shard is opened). Beside a running owner
the vector shard, which only one process can open, and the cache, which moves, are not looked at; the findings say so.
:mod:`aesg_graph.engine.mending` mends what is found.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aesg_graph.concepts import Ids
from aesg_graph.config import AESGConfig
from aesg_graph.engine.cache_comparison import CacheComparison
from aesg_graph.engine.outlook import NOWHERE, open_cache
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import NO_IDS, MemoryHead
from aesg_graph.stores.edge import BusyShardError, EdgeVectorStore
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.sync import (
    Comparison,
    Finding,
    Holder,
    Journal,
    Kind,
    MemoryDirectory,
    look_at_graph,
    look_at_journal,
    windows,
)
from aesg_graph.sync.lock import DirectoryLock

PAGE = 10_000

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many concepts are done and how many there are."""


@dataclass(frozen=True)
class Report:
    """What was found in a memory, and how much was looked at."""

    directory: str
    owner: str | None
    concepts: int
    edges: int
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether everything that could be looked at agrees, or agrees now."""
        return all(finding.note or finding.mended for finding in self.findings)


@dataclass
class Site:
    """A memory's parts, as far as they can be opened; what cannot is None, and ``trouble`` says why."""

    directory: MemoryDirectory
    head: MemoryHead
    config: AESGConfig
    graph: SqliteGraphStore
    journal: Journal | None
    vectors: EdgeVectorStore | None
    owner: Holder | None
    trouble: dict[Kind, str]

    def close(self) -> None:
        """Release everything but the directory."""
        for part in (self.vectors, self.journal, self.graph):
            if part is not None:
                part.close()


def check(directory: str | os.PathLike[str], progress: Progress | None = None) -> Report:
    """Look a memory over, beside its owner or alone. A closed memory stays locked meanwhile.

    AESGStorageError for a directory that holds no memory, or whose graph is missing or cannot be opened: there is
    nothing to compare the rest with.
    """
    where = MemoryDirectory.create_or_open(Path(directory).expanduser(), read_only=True, repair=True)
    owner = where.holder()
    with contextlib.ExitStack() as opened:
        if owner is None and os.access(where.path, os.W_OK):
            opened.callback(DirectoryLock(where.path / "lock").release)
        site = open_site(where, owner)
        opened.callback(site.close)
        return report(site, look(site, progress))


def report(site: Site, findings: list[Finding]) -> Report:
    """Findings, with what they were found in."""
    with contextlib.suppress(AESGStorageError):
        counts = site.graph.count()
        owner = None if site.owner is None else str(site.owner)
        return Report(str(site.directory.path), owner, counts.concepts, counts.edges, tuple(findings))
    return Report(str(site.directory.path), None, 0, 0, tuple(findings))  # the graph is too damaged to be counted


def open_site(directory: MemoryDirectory, owner: Holder | None, settings: StoreSettings | None = None) -> Site:
    """Open what can be opened: to look at, or with ``settings`` to write."""
    head = SqliteGraphStore.peek(directory.graph)
    config = AESGConfig.from_json(head.config)
    writing = settings is not None
    durability = settings.durability if settings is not None else "process"
    graph = SqliteGraphStore.open(directory.graph, config.vocabulary, read_only=not writing, durability=durability)
    site = Site(directory, head, config, graph, None, None, owner, {})
    with contextlib.ExitStack() as undo:
        undo.callback(site.close)
        try:
            site.journal = Journal.open(directory.journal, durability, read_only=not writing)
        except AESGStorageError as error:
            site.trouble[Kind.JOURNAL] = error.message
        if owner is None:
            try:
                site.vectors = EdgeVectorStore.open(directory.vectors, head.vector_dim, head.value_dim, durability)
            except BusyShardError as error:
                if writing:
                    raise
                site.trouble[Kind.SKIPPED] = error.message
            except AESGStorageError as error:
                site.trouble[Kind.VECTORS] = error.message
        undo.pop_all()
    return site


# -- looking ---------------------------------------------------------------------------------------------------------


def look(site: Site, progress: Progress | None = None) -> list[Finding]:
    """Everything that is to be said of a memory; of one whose graph is damaged only that."""
    found = look_at_graph(site.graph)
    if any(finding.kind is Kind.GRAPH for finding in found):
        return found
    files = _files(site)
    found += files
    named = NO_IDS
    if site.journal is not None and not any(finding.kind is Kind.JOURNAL for finding in files):
        said, named = look_at_journal(site.journal, site.graph, beside_owner=site.owner is not None)
        found += said
    if site.owner is not None:
        found.append(Finding(Kind.SKIPPED, 1, f"vectors and cache are in use by {site.owner}"))
    elif site.vectors is not None:
        try:
            nowhere = np.concatenate([NO_IDS, *(f.ids for f in found if f.kind is Kind.DANGLING)])
            found += _compare(site, site.vectors, named, nowhere, progress)
        except AESGStorageError as error:  # the graph is whole, so it is the shard that cannot be read
            found.append(Finding(Kind.VECTORS, 1, error.message))
    return found


def _compare(
    site: Site, vectors: EdgeVectorStore, on_their_way: Ids, nowhere: Ids, progress: Progress | None
) -> list[Finding]:
    """Graph against vectors and, where nothing is on its way, a good cache against both."""
    total, done = site.graph.count().concepts, 0
    stores = Comparison(site.graph, vectors, site.journal, on_their_way)
    cache = None
    if site.journal is not None and not site.journal.pending():
        cache = open_cache(site.directory, site.journal, site.head, site.config)
    mirror = None if cache is None else CacheComparison(cache, nowhere)
    try:
        for window in windows(site.graph, vectors, PAGE, whole=mirror is not None):
            stores.look(window)
            if mirror is not None:
                mirror.look(window)
            done += len(window.concepts)
            if progress is not None:
                progress("comparing", min(done, total), total)
        return stores.findings() + ([] if mirror is None else mirror.findings())
    finally:
        if cache is not None:
            cache.close(NOWHERE, clean=False)


def _files(site: Site) -> list[Finding]:
    """Parts that are missing or cannot be opened, and dimensions."""
    found = [Finding(kind, 1, why) for kind, why in site.trouble.items()]
    if site.journal is not None and (faults := site.journal.faults()):
        found.append(Finding(Kind.JOURNAL, len(faults), f"{site.journal.path} is damaged: {faults[0]}"))
    form, head = site.directory.format, site.head
    if form is not None and (form.vector_dim, form.value_dim) != (head.vector_dim, head.value_dim):
        detail = (
            f"format.json says vector_dim={form.vector_dim} and value_dim={form.value_dim}, the graph "
            f"vector_dim={head.vector_dim} and value_dim={head.value_dim}"
        )
        found.append(Finding(Kind.DIMENSIONS, 1, detail))
    return found
