"""Taking a backup of a memory while others write to it.

First everything is read as it comes, graph then vectors; then what changed meanwhile, as freshness tells, round by
round, while the rounds get shorter; at last, while every writer waits, the last changes, their vectors and every
writer's sequence. So the backup is the memory as it was at those sequences.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from aesg_graph.concepts import Ids, VectorTable, distinct
from aesg_graph.stores.abc import NO_IDS, VectorStore
from aesg_graph.stores.portable import GraphRows, Portable, RowReader, Standing
from aesg_graph.sync.backup.archive import ArchiveWriter, Part

ROWS, BYTES = 10_000, 32 << 20
"""Concepts in a part, and bytes of vectors."""
FEW = 2_000
"""So many changed concepts are read while writers wait."""
ROUNDS = 8
"""How often changes are read before writers have to wait, however many there are."""
PATIENCE, PAUSE = 5, 0.2
"""How often, and after how many seconds, a vector that is not its concept's is read again: a rekey is under way."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many concepts are done and how many there are about."""


def silent(what: str, done: int, total: int) -> None:
    """Tells nobody."""


@dataclass
class Taking:
    """One backup under way. ``others``: whether somebody else may write to the memory meanwhile."""

    graph: Portable
    vectors: VectorStore
    archive: ArchiveWriter
    others: bool
    tell: Progress = silent
    _since: dict[int, int] = field(default_factory=dict)
    _at_odds: Ids = field(default_factory=lambda: NO_IDS)
    """Concepts whose vector was absent or of another version when they were read last."""

    def take(self) -> Standing:
        """Read everything into the archive; where the memory stood. The archive is not finished yet."""
        standing = self.graph.standing()
        self._since = whole(standing)
        size = max(1, min(ROWS, BYTES // (4 * (standing.head.vector_dim + standing.head.value_dim))))
        self._read_all(size)
        if not self.others:
            return standing
        for _ in range(ROUNDS):
            standing = self.graph.standing()
            changed = self._changed(self.graph, standing)
            if len(changed) <= FEW:
                break
            for ids in _slices(changed, size):
                self.archive.add(self._read(self.graph, ids))
            self._since = whole(standing)
        return self._last()

    def _read_all(self, size: int) -> None:
        total, done, after = self.vectors.count(), 0, -1
        nothing = self.graph.removed_among(NO_IDS)
        while len((page := self.graph.page(after, size)).concepts):
            after = int(page.concepts.table.ids[-1])
            self.archive.add(Part(page.concepts, page.edges, self._vectors_of(page), nothing, NO_IDS))
            done += len(page.concepts)
            self.tell("reading", min(done, total), total)
        none, after = self.graph.touching(NO_IDS), -1
        while len(removed := self.graph.removed(after, size)):
            after = int(removed.ids[-1])
            self.archive.add(Part(none.concepts, none.edges, self.vectors.fetch(NO_IDS), removed, NO_IDS))

    def _last(self) -> Standing:
        """The last changes, while every writer waits."""
        suspects = NO_IDS
        for attempt in range(PATIENCE):
            self.tell("reading the last changes", 0, 0)
            suspects, self._at_odds = distinct(np.concatenate([suspects, self._at_odds])), NO_IDS
            standing, parts = self.graph.still(partial(self._look, suspects))
            if not self._at_odds.size or attempt == PATIENCE - 1:
                break
            time.sleep(PAUSE)
        for part in parts:
            self.archive.add(part)
        return standing

    def _look(self, suspects: Ids, graph: RowReader) -> tuple[Standing, list[Part]]:
        """Where the memory stands, and what changed since the last round; nothing is taken as seen."""
        standing = graph.standing()
        wanted = distinct(np.concatenate([self._changed(graph, standing), suspects]))
        return standing, [self._read(graph, some) for some in _slices(wanted, ROWS)]

    def _changed(self, graph: RowReader, standing: Standing) -> Ids:
        """What changed since it was last read."""
        moved = [w.id for w in standing.writers if w.content > self._since.get(w.id, 0)]
        changed = [graph.changed(writer, self._since.get(writer, 0)) for writer in moved]
        return distinct(np.concatenate([NO_IDS, *changed]))

    def _read(self, graph: RowReader, ids: Ids) -> Part:
        """All that is to be said of some ids, in place of what was said before."""
        rows = graph.touching(ids)
        return Part(rows.concepts, rows.edges, self._vectors_of(rows), graph.removed_among(ids), ids)

    def _vectors_of(self, rows: GraphRows) -> VectorTable:
        """The concepts' vectors; those that are absent or of another version than the graph says are noted."""
        table = rows.concepts.table
        found = self.vectors.fetch(table.ids)
        versions = np.full(len(table), -1, np.int64)
        versions[np.searchsorted(table.ids, found.ids)] = found.versions
        odd = table.ids[versions != table.versions]
        if odd.size:
            self._at_odds = distinct(np.concatenate([self._at_odds, odd]))
        return found


def whole(standing: Standing) -> dict[int, int]:
    """Up to which sequence each writer's changes are in everything that is read from now on."""
    return {writer.id: max(0, writer.sequence - 1) for writer in standing.writers}


def _slices(ids: Ids, size: int) -> Iterator[Ids]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
