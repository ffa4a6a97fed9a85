"""Whether journal, graph, vectors and cache of a memory agree: what ``aesg check`` finds.

Looking changes nothing (though after a kill Edge replays its own log when the shard is opened). Beside a running owner
a vector shard, which only one process can open, and the cache, which moves, are not looked at; the findings say so.
Stores on servers are looked at while any number of processes write to them: nothing is told of that has not been seen
twice. :mod:`aesg_graph.engine.mending` mends what is found.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Ids
from aesg_graph.config import AESGConfig
from aesg_graph.engine.cache_comparison import mirror_of
from aesg_graph.engine.onlooking import Place, find
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import NO_IDS, GraphStore, MemoryHead, Shared, VectorStore
from aesg_graph.stores.edge import BusyShardError
from aesg_graph.sync import (
    Comparison,
    Finding,
    Holder,
    Journal,
    Kind,
    MemoryDirectory,
    Progress,
    SecondLook,
    look_at_graph,
    look_at_journal,
    look_at_tombstones,
    second_look,
    windows,
)
from aesg_graph.sync.lock import DirectoryLock

UNREADABLE = (Kind.GRAPH, Kind.MALFORMED)
"""What of a graph keeps everything else from being looked at."""
PAGE = 10_000


@dataclass(frozen=True)
class Report:
    """What was found in a memory, and how much was looked at. ``directory``: None where only servers are known."""

    directory: str | None
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

    place: Place
    head: MemoryHead
    config: AESGConfig
    graph: GraphStore
    journal: Journal | None
    vectors: VectorStore | None
    owner: Holder | None
    trouble: dict[Kind, str]

    @property
    def directory(self) -> MemoryDirectory | None:
        """The memory's own files, None where only servers are known."""
        return self.place.directory

    @property
    def ours(self) -> MemoryDirectory | None:
        """Its directory, if nobody else has it open."""
        return self.directory if self.owner is None else None

    def second_look(self) -> SecondLook:
        """Graph and vectors, to be asked again. AESGStorageError where there are no vectors to look at."""
        if self.vectors is None:
            raise AESGStorageError(self.trouble[Kind.VECTORS])
        return second_look(self.graph, self.vectors, self.journal)

    def close(self) -> None:
        """Release everything but the directory."""
        for part in (self.vectors, self.journal, self.graph):
            if part is not None:
                part.close()


def check(
    directory: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    settings: StoreSettings | None = None,
) -> Report:
    """Look a memory over, beside its owner or alone. A closed memory's directory stays locked meanwhile.

    Without a directory it is the one here or, if there is none, the one on the servers that the settings name.
    AESGStorageError for a directory that holds no memory, or whose graph is missing or cannot be opened: there is
    nothing to compare the rest with.
    """
    place = find(directory, settings, repair=True)
    where = place.directory
    owner = None if where is None else where.holder()
    with contextlib.ExitStack() as opened:
        if where is not None and owner is None and os.access(where.path, os.W_OK):
            opened.callback(DirectoryLock(where.path / "lock").release)
        site = open_site(place, owner)
        opened.callback(site.close)
        return report(site, look(site, progress))


def report(site: Site, findings: list[Finding]) -> Report:
    """Findings, with what they were found in."""
    path = None if site.directory is None else str(site.directory.path)
    with contextlib.suppress(AESGStorageError):
        counts = site.graph.count()
        owner = None if site.owner is None else str(site.owner)
        return Report(path, owner, counts.concepts, counts.edges, tuple(findings))
    return Report(path, None, 0, 0, tuple(findings))  # the graph is too damaged to be counted


def open_site(place: Place, owner: Holder | None, settings: StoreSettings | None = None) -> Site:
    """Open what can be opened: to look at, or with ``settings`` to write."""
    head = place.head()
    config = AESGConfig.from_json(head.config)
    writing = settings is not None
    durability = settings.durability if settings is not None else "process"
    site = Site(place, head, config, place.open_graph(config.vocabulary, writing), None, None, owner, {})
    with contextlib.ExitStack() as undo:
        undo.callback(site.close)
        if site.directory is not None:
            read_only = not writing or owner is not None
            try:
                site.journal = Journal.open(site.directory.journal, durability, read_only=read_only)
            except AESGStorageError as error:
                site.trouble[Kind.JOURNAL] = error.message
        if owner is None or place.seen_beside:
            try:
                site.vectors = place.open_vectors(head, writing)
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
    found = look_at_graph(site.graph, progress)
    if any(finding.kind in UNREADABLE for finding in found):
        return found
    files = _files(site)
    found += files
    named = NO_IDS
    if site.journal is not None and not any(finding.kind is Kind.JOURNAL for finding in files):
        said, named = look_at_journal(site.journal, site.graph, beside_owner=site.owner is not None)
        found += said
    if site.owner is not None:
        what = "the cache is" if site.vectors is not None else "vectors and cache are"
        found.append(Finding(Kind.SKIPPED, 1, f"{what} in use by {site.owner}"))
    if site.vectors is not None:
        try:
            nowhere = np.concatenate([NO_IDS, *(f.ids for f in found if f.kind is Kind.DANGLING)])
            found += _compare(site, site.vectors, named, nowhere, progress)
        except AESGStorageError as error:  # the graph is whole, so it is the vector store that cannot be read
            found.append(Finding(Kind.VECTORS, 1, error.message))
    return found


def _compare(
    site: Site, vectors: VectorStore, on_their_way: Ids, nowhere: Ids, progress: Progress | None
) -> list[Finding]:
    """Graph against vectors and, where nothing is on its way, a good cache against both."""
    total, done = site.graph.count().concepts, 0
    stores = Comparison(site.graph, vectors, site.journal, on_their_way)
    with mirror_of(site.ours, site.journal, site.graph, site.head, site.config, nowhere) as mirror:
        for window in windows(site.graph, vectors, PAGE, whole=mirror is not None):
            stores.look(window)
            if mirror is not None:
                mirror.look(window)
            done += len(window.concepts)
            if progress is not None:
                progress("comparing", min(done, total), total)
        found = stores.findings() + ([] if mirror is None else mirror.findings())
    return found + (look_at_tombstones(site.graph) if isinstance(site.graph, Shared) else [])


def _files(site: Site) -> list[Finding]:
    """Parts that are missing or cannot be opened, and dimensions."""
    found = [Finding(kind, 1, why) for kind, why in site.trouble.items()]
    if site.journal is not None and (faults := site.journal.faults()):
        found.append(Finding(Kind.JOURNAL, len(faults), f"{site.journal.path} is damaged: {faults[0]}"))
    form, head = None if site.directory is None else site.directory.format, site.head
    if form is not None and (form.vector_dim, form.value_dim) != (head.vector_dim, head.value_dim):
        detail = (
            f"format.json says vector_dim={form.vector_dim} and value_dim={form.value_dim}, the graph "
            f"vector_dim={head.vector_dim} and value_dim={head.value_dim}"
        )
        found.append(Finding(Kind.DIMENSIONS, 1, detail))
    return found
