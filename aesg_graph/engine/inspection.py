"""Looking into a memory: one concept, its edges, why it was recalled, how the memory is doing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aesg_graph import aging
from aesg_graph.cache import ConceptCache
from aesg_graph.concepts import (
    NO_REGION,
    Concept,
    ConceptTable,
    Edge,
    EdgeTable,
    Floats,
    Ids,
    VectorTable,
    ids_array,
)
from aesg_graph.engine import inputs
from aesg_graph.engine.afar import explained_afar, pairs
from aesg_graph.engine.explaining import explained
from aesg_graph.engine.recall import Query
from aesg_graph.engine.rekeying import Encode, drift
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning.tuning import CROWDED, mean_cosine
from aesg_graph.operations import Batch, Create, Describe

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine

log = logging.getLogger("aesg_graph")

SAMPLE = 512
PAGE = 10_000
COLUMNS = ("created_at", "modified_at", "use_frequency", "relevance", "age", "stability", "region_id")


class Inspector:
    """Answers questions about a memory; changes nothing."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine

    # -- one concept ------------------------------------------------------------------------------------------------

    def concept(self, id: int) -> Concept:
        """One concept with its vectors, of an attached pack if the memory has none; AESGMemoryError if none has it."""
        engine = self.engine
        engine._check()
        wanted = ids_array([id])
        with engine.locked():
            residency = engine.residency
            if not len(residency.known(wanted)):
                if (packed := engine.attachments.concept(id)) is not None:
                    return packed
                raise AESGMemoryError(f"Concept {id} does not exist in the memory in {engine.directory}")
            pending = pending_texts(id, engine.recorder.unsent())  # before the store is asked: it may get there between
            stored = residency.graph.read(wanted, edges=False).concepts
            resident = residency.cache.read(wanted, edges=False).concepts
            rows = resident if len(resident) else stored
            vectors = _vectors(residency.cache, wanted) if len(resident) else residency.vectors().fetch(wanted)
            told = (
                {"name": stored.names[0], "text": stored.texts[0], "source": stored.sources[0]} if len(stored) else {}
            )
            told |= pending
            return concept_of(rows, 0, vectors, engine.recorder.epoch, engine.config.thresholds, told)

    def neighbors(self, id: int) -> list[Edge]:
        """The edges of a concept, strongest first, found as :meth:`concept` is; AESGMemoryError if none has it."""
        engine = self.engine
        engine._check()
        wanted = ids_array([id])
        with engine.locked():
            if not len(engine.residency.known(wanted)):
                if (packed := engine.attachments.neighbors(id)) is not None:
                    return packed
                raise AESGMemoryError(f"Concept {id} does not exist in the memory in {engine.directory}")
            resident = engine.residency.cache.lookup(wanted)[0] >= 0
            read = engine.residency.cache.read if resident else engine.residency.read
            table = read(wanted, True).edges
        return edges_of(table, engine.config.vocabulary.names)

    # -- why --------------------------------------------------------------------------------------------------------

    def explain(self, query: Floats, target: int, limit: int = 10) -> list[dict[str, Any]]:
        """The strongest paths by which the energy of a query [D] reaches a concept (see :func:`explained`)."""
        engine = self.engine
        engine._check()
        rows = inputs.rows(query.reshape(1, -1), engine.config.vector_dim, "query")
        with engine.locked():
            if not len(engine.residency.known(ids_array([target]))):
                raise AESGMemoryError(f"Concept {target} does not exist in the memory in {engine.directory}")
            recaller = engine.recaller
            seeds = recaller.recall(Query(rows), warm=engine._may_warm).seeds
            settled = recaller.settled()
        if settled:  # without the lock: nobody who recalls waits for a server
            lit = pairs(seeds.ids[0], seeds.cosines[0])
            told = explained_afar(engine.residency.graph, lit, target, recaller.gains, recaller.params, limit)
            if told is not None:
                return told
        with engine.locked():
            return self.explain_from(seeds.ids[0], seeds.cosines[0], target, limit)

    def explain_from(self, seed_ids: Any, energies: Any, target: int, limit: int) -> list[dict[str, Any]]:
        """As :meth:`explain`, from seeds [S] with energies [S]."""
        return explained(self.engine.recaller, seed_ids, energies, target, limit)

    # -- how it is doing --------------------------------------------------------------------------------------------

    def stats(self, encode: Encode | None = None) -> dict[str, Any]:
        """Counts, lag and warnings of a memory; with an encoder, how far keys have drifted from it."""
        engine = self.engine
        engine._check()
        recorder, cache = engine.recorder, engine.residency.cache
        batches, waiting = recorder.flusher().lag() if recorder.writing else (0, 0)
        crowding = self._crowding()
        said: dict[str, Any] = {
            "directory": str(engine.directory),
            "mode": engine.mode.value,
            "concepts": recorder.concepts,
            "edges": self.edge_count(),
            "epoch": recorder.epoch,
            "vector_dim": engine.config.vector_dim,
            "value_dim": engine.config.value_dim,
            "resident": cache.resident,
            "complete": cache.complete,
            "cache_hits": engine.recaller.hits,
            "cache_misses": engine.recaller.misses,
            "fetched": engine.residency.fetched,
            "pending_batches": batches,
            "pending_bytes": waiting,
            "refused_batches": len(engine._backend.journal.refused()),
            "voided": recorder.voided,
            "births_blocked": engine.blocked,
            "taught": engine.signs.rows,
            "taught_novel": engine.signs.novel,
            "born": engine.signs.born,
            "consolidations": engine.consolidations,
            "novelty_centroids": len(engine.working.buffer),
            "mean_cosine": crowding,
        }
        if encode is not None:
            said["drift"] = drift(engine, encode)
        said["warnings"] = self._warnings(said)
        return said

    def _warnings(self, said: dict[str, Any]) -> list[str]:
        found = []
        if said["mean_cosine"] is not None and said["mean_cosine"] > CROWDED:
            found.append(
                f"the mean cosine between concepts is {said['mean_cosine']:.2f}, above {CROWDED}: centre the queries, "
                "or cosine can hardly tell concepts apart"
            )
        if said["births_blocked"]:
            found.append(f"{said['births_blocked']} births were blocked because the memory is at max_concepts")
        if said["refused_batches"]:
            found.append(f"{said['refused_batches']} batches were refused by a store; `aesg check` lists them")
        for line in found:
            log.warning("%s: %s", self.engine.directory, line)
        engine = self.engine
        signs = engine.signs.seen(engine.recorder.concepts, engine._rules)  # logged already, when they appeared
        return [*found, *signs.values()]

    def _crowding(self) -> float | None:
        """Mean cosine between distinct concepts, on a fixed sample of those that are resident."""
        with self.engine.locked():
            cache = self.engine.residency.cache
            _, keys = cache.sample(SAMPLE)
        if len(keys) < 2:
            return None
        return mean_cosine(keys)

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Events, oldest first; with a limit the latest so many."""
        self.engine._check()
        return list(self.engine._backend.journal.events(limit))

    # -- all of them ------------------------------------------------------------------------------------------------

    def concept_count(self) -> int:
        """How many concepts there are, own lessons included."""
        self.engine._check()
        return self.engine.recorder.concepts

    def edge_count(self) -> int:
        """How many edges there are."""
        engine = self.engine
        engine._check()
        if engine.residency.cache.complete:
            return engine.residency.cache.edge_count
        if engine.recorder.writing:
            engine.flush()
        return engine.residency.graph.count().edges

    def records(self) -> npt.NDArray[Any]:
        """Every concept as one read-only structured array, by id."""
        engine = self.engine
        engine._check()
        if engine.recorder.writing:
            engine.flush()
        dim = engine.config.vector_dim
        numbers = [(name, np.float64 if name in ("relevance", "stability") else np.int64) for name in COLUMNS]
        kind = np.dtype([("id", np.int64), ("vector", np.float32, (dim,)), *numbers, ("is_active", np.uint8)])
        parts, after = [np.empty(0, kind)], -1
        while len(page := engine.residency.graph.page(after, PAGE, edges=False).concepts):
            after = int(page.ids[-1])
            parts.append(self._records(page, kind))
        records = np.concatenate(parts)
        records.setflags(write=False)
        return records

    def _records(self, page: ConceptTable, kind: np.dtype[Any]) -> npt.NDArray[Any]:
        engine = self.engine
        records = np.zeros(len(page), kind)
        records["id"] = page.ids
        vectors = engine.residency.vectors().fetch(page.ids)
        records["vector"][np.searchsorted(page.ids, vectors.ids)] = vectors.keys
        records["created_at"], records["modified_at"] = page.created_at, page.modified_at
        records["use_frequency"], records["region_id"] = page.use_frequency, page.region_id
        epoch, limits = engine.recorder.epoch, engine.config.thresholds
        records["relevance"] = np.minimum(1.0, aging.current(page.relevance, page.touched_epoch, epoch, limits))
        records["age"] = epoch - page.born_epoch
        records["stability"] = aging.stability(page.use_frequency, page.contradictions)
        records["is_active"] = 1
        return records


def _vectors(cache: ConceptCache, ids: Ids) -> VectorTable:
    """Vectors of residents, as the vector store would give them (writer and sequence are not known here)."""
    found = cache.gather(cache.lookup(ids))
    unknown = np.zeros(len(ids), np.int64)
    return VectorTable(ids, found.keys, found.values, found.has_value, unknown, unknown, unknown)


def concept_of(
    rows: ConceptTable, i: int, vectors: VectorTable, epoch: int, limits: aging.Thresholds, told: dict[str, str | None]
) -> Concept:
    """Row ``i`` of a table as a person reads it: today's relevance, age, stability."""
    uses, contradictions = int(rows.use_frequency[i]), int(rows.contradictions[i])
    relevance, touched, born = rows.relevance[i], rows.touched_epoch[i], rows.born_epoch[i]
    expires = int(aging.expires_epoch(relevance, touched, born, uses, contradictions, limits))
    here = np.flatnonzero(vectors.ids == rows.ids[i])
    key = vectors.keys[here[0]].copy() if here.size else None
    valued = here.size and vectors.values.shape[1] and vectors.has_value[here[0]]
    return Concept(
        id=int(rows.ids[i]),
        kind=rows.kinds[i],
        name=told.get("name", rows.names[i]),
        text=told.get("text", rows.texts[i]),
        source=told.get("source", rows.sources[i]),
        encoder=rows.encoders[i],
        version=int(rows.versions[i]),
        created_at=float(rows.created_at[i]),
        modified_at=float(rows.modified_at[i]),
        born_epoch=int(born),
        touched_epoch=int(touched),
        relevance=min(1.0, float(aging.current(relevance, touched, epoch, limits))),
        use_frequency=uses,
        contradictions=contradictions,
        stability=float(aging.stability(uses, contradictions)),
        age=epoch - int(born),
        region_id=None if rows.region_id[i] == NO_REGION else int(rows.region_id[i]),
        expires_epoch=None if expires == aging.NEVER else expires,
        key=key,
        value=vectors.values[here[0]].copy() if valued else None,
    )


def edges_of(table: EdgeTable, names: tuple[str, ...]) -> list[Edge]:
    """A table of edges as a person reads them, strongest first, ties by ends and type."""
    found = [
        Edge(
            int(table.sources[i]),
            int(table.targets[i]),
            names[int(table.types[i])],
            float(table.weights[i]),
            float(table.confidences[i]),
            int(table.use_counts[i]),
            float(table.created_at[i]),
            int(table.touched_epoch[i]),
        )
        for i in range(len(table))
    ]
    return sorted(found, key=lambda e: (-e.weight, e.source, e.target, e.type))


def pending_texts(id: int, unsent: list[Batch]) -> dict[str, str | None]:
    """What lessons that are not in the stores yet say of a concept's name, text and source."""
    told: dict[str, str | None] = {}
    for operation in (op for batch in unsent for op in batch.operations):
        if not isinstance(operation, Create | Describe):
            continue
        for place in np.flatnonzero(operation.ids == id):
            for column in ("name", "text", "source"):
                texts = getattr(operation, column + "s", None)
                if texts is not None:
                    told[column] = texts[place]
    return told
