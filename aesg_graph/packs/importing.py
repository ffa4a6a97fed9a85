"""Taking a pack's concepts into a memory for good."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from aesg_graph.engine.authoring import BATCH
from aesg_graph.engine.elsewhere import opened
from aesg_graph.interchange.arriving import (
    Arrived,
    ArrivingConcepts,
    ArrivingEdges,
    Progress,
    arrive,
    require_relations,
)
from aesg_graph.learning import Mode
from aesg_graph.packs.layout import Header, PackedConcepts, PackedEdges
from aesg_graph.packs.pack import MemoryPack, require_fitting, slices
from aesg_graph.packs.reading import PackFile

if TYPE_CHECKING:
    from aesg_graph.engine import MemoryEngine


def import_pack(
    engine: MemoryEngine, pack: MemoryPack | str | os.PathLike[str], progress: Progress | None = None
) -> Arrived:
    """Write a pack's concepts and edges into a memory, under new ids; a file is read chunk by chunk, never as a whole.

    Keys, values, kinds, names, texts, sources, encoders, uses, contradictions, and the edges with weights and uses are
    kept; regions, relevance, ages and confidence are not: they are a memory's own. The mode's rules are those of
    ``create``: nothing arrives in INFERENCE, or where there is no room for all.

    AESGStorageError for a damaged file or other dimensions, AESGMemoryError for types of edges that the memory does not
    declare, all of it before anything is written. What was written before a store failed stays.
    """
    if isinstance(pack, MemoryPack):
        return _import(engine, pack.header, pack.path, lambda: slices(pack, BATCH), lambda: [pack.links], progress)
    with PackFile(pack) as file:
        file.examine()
        return _import(engine, file.header, file.path, file.concepts, file.edges, progress)


def open_and_import(place: str | None, pack: str | os.PathLike[str], progress: Progress | None = None) -> Arrived:
    """:func:`import_pack` into a memory in a directory that nobody has open, or one on servers, through to its stores.

    ``place`` is a directory, or ``served:NAME``; None is the memory here, or the one that the environment names.
    AESGStorageError where there is none, or somebody has the directory open.
    """
    with opened(place) as engine:
        if not engine.mode.creates:
            engine.set_mode(Mode.ONLINE)
        return import_pack(engine, pack, progress)


def _import(
    engine: MemoryEngine,
    header: Header,
    path: str | os.PathLike[str],
    concepts: Callable[[], Iterable[PackedConcepts]],
    edges: Callable[[], Iterable[PackedEdges]],
    progress: Progress | None,
) -> Arrived:
    require_fitting(header, path, engine.config.vector_dim, engine.config.value_dim)
    require_relations(engine, (relation.name for relation in header.relations))
    arriving = (_concepts(part, header) for part in concepts())
    return arrive(engine, header.concepts, arriving, _edges(edges(), header), progress)


def _concepts(part: PackedConcepts, header: Header) -> ArrivingConcepts:
    return ArrivingConcepts(
        old_ids=part.ids,
        keys=part.keys,
        values=part.values,
        has_value=part.has_value,
        kinds=tuple(header.kinds[code] for code in part.kinds.tolist()),
        names=part.names,
        texts=part.texts,
        sources=part.sources,
        encoders=tuple(header.encoders[code] for code in part.encoders.tolist()),
        uses=part.uses,
        contradictions=part.contradictions,
    )


def _edges(parts: Iterable[PackedEdges], header: Header) -> Iterator[ArrivingEdges]:
    """Edges of one type at a time."""
    for part in parts:
        for code in np.unique(part.types).tolist():
            of = part.types == code
            columns = (part.sources[of], part.targets[of], part.weights[of], part.uses[of])
            yield ArrivingEdges(header.relations[code].name, *columns)
