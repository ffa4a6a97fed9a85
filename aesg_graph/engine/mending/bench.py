"""What mending works with: the parts of a memory that this process has locked, and ways to write into it."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import COUNTER_BITS, Ids, VectorTable
from aesg_graph.engine.checking import Site
from aesg_graph.engine.outlook import NOWHERE, open_cache, remembered_cache
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Operation
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import Outcome, Points
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.sync import Event, Flusher, Journal, Kind, take_up_writing
from aesg_graph.sync.comparison import rows_of

DAMAGED = ".damaged"


class Bench:
    """A locked memory under repair."""

    def __init__(self, site: Site, settings: StoreSettings) -> None:
        self.site, self.settings = site, settings

    # -- parts ------------------------------------------------------------------------------------------------------

    def vectors(self) -> EdgeVectorStore:
        """The vector store. AESGStorageError if it cannot be opened."""
        if self.site.vectors is None:
            raise AESGStorageError(self.site.trouble[Kind.VECTORS])
        return self.site.vectors

    def journal(self) -> Journal:
        """The journal. AESGStorageError if it cannot be opened."""
        if self.site.journal is None:
            raise AESGStorageError(self.site.trouble[Kind.JOURNAL])
        return self.site.journal

    @contextlib.contextmanager
    def good_cache(self) -> Iterator[ConceptCache | None]:
        """The cache, if its vectors can be trusted: it was closed at the journal's sequence, or at the graph's."""
        site = self.site
        cache = None if site.journal is None else open_cache(site.directory, site.journal, site.head, site.config)
        cache = cache or remembered_cache(site.directory, site.graph, site.config)
        try:
            yield cache
        finally:
            if cache is not None:
                cache.close(NOWHERE, clean=False)

    def remembered(self, ids: Ids) -> VectorTable:
        """The vectors of those of ``ids`` that a good cache holds."""
        with self.good_cache() as cache:
            if cache is not None:
                return cache.vectors(ids)
        none, head = np.empty(0, np.int64), self.site.head
        keys, values = np.empty((0, head.vector_dim), np.float32), np.empty((0, head.value_dim), np.float32)
        return VectorTable(none, keys, values, np.empty(0, np.bool_), none, none, none)

    def drop_cache(self) -> None:
        """Delete the cache: the next opening builds it anew."""
        cache = self.site.directory.cache
        (cache / "header.bin").unlink(missing_ok=True)  # first of all: nobody trusts the rest without it
        shutil.rmtree(cache, ignore_errors=True)

    # -- writing ----------------------------------------------------------------------------------------------------

    def take_up(self) -> None:
        """Become the directory's writer, which sends everything that is pending."""
        take_up_writing(self.journal(), self.site.graph, self.site.directory.identity, self._recover)

    def _recover(self) -> list[Outcome]:
        outcomes = Flusher(self.journal(), self.site.graph, self.vectors).recover()
        if any(outcome.status == "refused" or outcome.declined.size for outcome in outcomes):
            self.drop_cache()  # what it applied is not what the stores carried out
        return outcomes

    def record(self, operation: Operation, events: Sequence[Event]) -> None:
        """Carry an operation out as a batch like any other: journal, then both stores."""
        self.take_up()
        self.journal().append([operation], time.time(), events)
        self._recover()

    def write(self, table: VectorTable) -> None:
        """Write vectors as the graph describes their concepts; rows that it lacks are left out."""
        rows = self.site.graph.read(table.ids, edges=False).concepts
        table = rows_of(table, np.isin(table.ids, rows.ids))
        kinds = dict(zip(rows.ids.tolist(), rows.kinds, strict=True))
        # A cache does not know who wrote a vector: whoever made the id, before all else.
        writers = table.writers if table.writers.any() else table.ids >> COUNTER_BITS
        for writer in np.unique(writers).tolist():
            own = rows_of(table, writers == writer)
            named = tuple(kinds[id] for id in own.ids.tolist())
            self.vectors().upsert(
                Points(own.ids, own.keys, own.values, own.has_value, named, writer, own.sequences, own.versions)
            )
        self.vectors().label(rows.ids, rows.region_id)


def set_aside(path: Path) -> Path:
    """Give a damaged file or folder another name, in place of what was set aside before."""
    aside = path.with_name(path.name + DAMAGED)
    if aside.is_dir():
        shutil.rmtree(aside)
    path.replace(aside)
    return aside
