"""Putting a backup back: concepts with their vectors first, then edges, then head and writers."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from aesg_graph.concepts import COUNTER_BITS, NO_REGION
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import Points, VectorStore, WriterPosition
from aesg_graph.stores.portable import RowWriter, Standing
from aesg_graph.sync.backup.archive import Archive, Held, Part
from aesg_graph.sync.backup.taking import Progress

RETIRED = 0
"""The incarnation of a writer that nobody will be again."""


@dataclass(frozen=True)
class Target:
    """Where a backup is put: stores of a memory that nobody can open yet."""

    graph: RowWriter
    vectors: VectorStore


def put_back(archive: Archive, target: Target, name: str, tell: Progress) -> Standing:
    """Fill the target with a backup that was verified; as what it now stands.

    Memory and writers get incarnations that they have never had: whoever still writes as one of them is refused, and
    every cache of the memory is built anew.
    """
    held, done = archive.manifest.held, np.zeros(4, np.int64)
    numbers: set[int] = set()
    for part in archive.parts():
        _put_vectors(part, target.vectors)
        target.graph.create_concepts(part.concepts)
        target.graph.bury(part.tombstones)
        numbers.update(np.unique(part.concepts.table.ids >> COUNTER_BITS).tolist())
        numbers.update(np.unique(part.tombstones.ids >> COUNTER_BITS).tolist())
        done += len(part.concepts), 0, len(part.vectors), len(part.tombstones)
        tell("concepts", int(done[0]), held.concepts)
    for part in archive.parts():
        target.graph.link(part.edges)
        done[1] += len(part.edges)
        tell("edges", int(done[1]), held.edges)
    if Held(*done.tolist()) != held:
        raise AESGStorageError(f"The backup {archive.path} holds {Held(*done.tolist())}, its manifest says {held}")
    standing = renewed(archive.manifest.standing, name, numbers)
    target.vectors.sync()
    target.graph.finish(standing)
    return standing


def _put_vectors(part: Part, store: VectorStore) -> None:
    table, found = part.concepts.table, part.vectors
    rows = np.searchsorted(table.ids, found.ids)
    for writer in np.unique(found.writers).tolist():
        own = np.flatnonzero(found.writers == writer)
        kinds = tuple(table.kinds[row] for row in rows[own].tolist())
        columns = (found.ids[own], found.keys[own], found.values[own], found.has_value[own])
        store.upsert(Points(*columns, kinds, writer, found.sequences[own], found.versions[own]))
    regions = table.region_id[rows]
    labelled = regions != NO_REGION
    if labelled.any():
        store.label(found.ids[labelled], regions[labelled])


def renewed(standing: Standing, name: str, numbers: set[int]) -> Standing:
    """The same memory under incarnations that nobody can have, with a writer for every number that is in an id.

    Milliseconds since 1970 are more than any count of openings, and others at every restore. Nothing is news: whoever
    opens the memory from now on reads it as it is.
    """
    now = int(time.time() * 1000)
    head = replace(standing.head, name=name, incarnation=max(now, standing.head.incarnation + 1))
    writers = {w.id: _renewed(w, now) for w in standing.writers}
    for number in sorted(numbers - writers.keys()):
        writers[number] = WriterPosition(number, now, 0, 0, 0)
    return Standing(head, standing.limits, tuple(writers[number] for number in sorted(writers)))


def _renewed(writer: WriterPosition, now: int) -> WriterPosition:
    incarnation = RETIRED if writer.incarnation == RETIRED else max(now, writer.incarnation + 1)
    return replace(writer, incarnation=incarnation, content=0)
