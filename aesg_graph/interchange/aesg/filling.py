"""What was read of `aesg` as a backup of ours, which `engine.moving` puts anywhere: a new memory, or one that is there.

So everything comes that both know: relevance, uses, ages, times, confidences. A concept's old id is its text.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aesg_graph.aging import RELEVANCE_FLOOR
from aesg_graph.concepts import COUNTER_BITS, NO_REGION, ConceptTable, Floats, Ids, Ints, VectorTable
from aesg_graph.config import AESGConfig
from aesg_graph.engine.names import names_at_birth
from aesg_graph.interchange.aesg.edges import Edges
from aesg_graph.interchange.aesg.nodes import Nodes
from aesg_graph.interchange.aesg.present import OLD_ID, Present
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.portable import ConceptRows, EdgeRows, Standing, TombstoneRows
from aesg_graph.sync.backup import ArchiveWriter, Part, Progress

ASSOCIATION = "ASSOCIATION"
EDGES = 50_000
"""In one part."""
OLDEST = 10_000_000
"""An age above this is none: it counts calls of a training loop."""


@dataclass
class Filling:
    """One import on its way into a backup.

    ``ids`` [N]: what each concept of the source is called from now on. ``born``: how many are not there yet.
    """

    nodes: Nodes
    edges: Edges
    config: AESGConfig
    kind: str
    writer: int
    ids: Ids = field(init=False)
    born: int = 0

    def __post_init__(self) -> None:
        self.ids = np.full(len(self.nodes), -1, np.int64)
        # What makes no sense as an age would make everything else as old.
        self._ages = np.where(self.nodes.ages < OLDEST, self.nodes.ages, 0)
        self._epoch = int(self._ages.max(initial=0))

    def write(self, folder: Path, present: Present, tell: Progress) -> int:
        """Write a backup of what is not ``present``; how many edges are in it."""
        archive = ArchiveWriter(folder)
        try:
            for some, keys in self.nodes.unit_keys():
                self._add_concepts(archive, some, keys, present)
                tell("reading", some.stop, len(self.nodes))
            edges = self._add_edges(archive, present)
            archive.finish("embedded", self._standing(), self.config.vocabulary.names, time.time())
        finally:
            archive.abandon()
        return edges

    def _add_concepts(self, archive: ArchiveWriter, some: slice, keys: Floats, present: Present) -> None:
        found = present.known(self.nodes.ids[some], keys)
        new = np.flatnonzero(found < 0)
        found[new] = (self.writer << COUNTER_BITS) + 1 + self.born + np.arange(len(new))
        self.ids[some] = found
        self.born += len(new)
        if len(new):
            places = new + some.start
            table = self._table(found[new], places)
            archive.add(_part(self._rows(table), _no_edges(), self._vectors(table, keys[new])))

    def _table(self, ids: Ids, places: Ints) -> ConceptTable:
        nodes, count = self.nodes, len(places)
        texts = tuple(f"{OLD_ID}{id}" for id in nodes.ids[places].tolist())
        regions = nodes.regions[places]
        return ConceptTable(
            ids=ids,
            kinds=(self.kind,) * count,
            names=names_at_birth(None, texts) or (None,) * count,
            texts=texts,
            sources=(None,) * count,
            encoders=("",) * count,
            versions=np.zeros(count, np.int64),
            created_at=nodes.created[places],
            modified_at=nodes.modified[places],
            born_epoch=self._epoch - self._ages[places],
            touched_epoch=np.full(count, self._epoch),
            relevance=np.maximum(nodes.relevance[places], RELEVANCE_FLOOR),
            use_frequency=nodes.uses[places],
            contradictions=np.zeros(count, np.int64),
            region_id=np.where(regions == 0, NO_REGION, regions),
        )

    def _rows(self, table: ConceptTable) -> ConceptRows:
        return ConceptRows(table, np.full(len(table), self.writer), np.ones(len(table), np.int64))

    def _vectors(self, table: ConceptTable, keys: Floats) -> VectorTable:
        count = len(table)
        values = np.zeros((count, self.config.value_dim), np.float32)
        stamp = table.versions, np.full(count, self.writer), np.ones(count, np.int64)
        return VectorTable(table.ids, keys, values, np.zeros(count, np.bool_), *stamp)

    def _add_edges(self, archive: ArchiveWriter, present: Present) -> int:
        edges, written, now = self.edges, 0, time.time()
        code = self.config.vocabulary.code(ASSOCIATION)
        none = self._table(np.empty(0, np.int64), np.empty(0, np.int64))
        nothing = self._rows(none), self._vectors(none, np.empty((0, self.config.vector_dim), np.float32))
        for start in range(0, len(edges), EDGES):
            part = slice(start, start + EDGES)
            ends = self.ids[edges.lower[part]], self.ids[edges.higher[part]]
            low, high = np.minimum(*ends), np.maximum(*ends)
            new = ~present.linked(low, high)
            count = int(new.sum())
            columns = (edges.weights[part][new], edges.confidences[part][new], edges.uses[part][new])
            stamp = np.full(count, now), np.full(count, self._epoch)
            rows = EdgeRows(low[new], high[new], np.full(count, code, np.int16), *columns, *stamp)
            if count:
                archive.add(_part(nothing[0], rows, nothing[1]))
            written += count
        return written

    def _standing(self) -> Standing:
        config = self.config
        dims = config.vector_dim, config.value_dim
        head = MemoryHead("aesg", 1, self._epoch, 0, *dims, config.to_json())
        return Standing(head, config.thresholds, ())


def _part(concepts: ConceptRows, edges: EdgeRows, vectors: VectorTable) -> Part:
    none = np.empty(0, np.int64)
    return Part(concepts, edges, vectors, TombstoneRows(none, none, none, none, np.empty(0)), none)


def _no_edges() -> EdgeRows:
    none, no = np.empty(0, np.int64), np.empty(0, np.float64)
    return EdgeRows(none, none, np.empty(0, np.int16), no, no, none, no, none)
