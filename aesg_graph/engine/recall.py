"""Answering: seeds, spread, gather. One query from top to bottom, a batch at a time.

:func:`recall` finds the seeds (by the exact scan of the cache while the memory is resident, by the vector store's index
otherwise), spreads their energy along edges, loading what is missing pulse by pulse, and gathers what was activated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aesg_graph.activation import Adjacency, SpreadParams, Workspaces, spread
from aesg_graph.cache import Product, numpy_product
from aesg_graph.concepts import NO_ID, Doubles, Flags, Floats, Ids, VectorTable, without
from aesg_graph.config import AESGConfig
from aesg_graph.engine.afar import mostly_absent, spread_afar
from aesg_graph.engine.cold import ColdGraph
from aesg_graph.engine.inputs import unit_rows
from aesg_graph.engine.residency import Residency
from aesg_graph.errors import AESGStorageError
from aesg_graph.learning.explaining import cosine, explanation, read_out

log = logging.getLogger("aesg_graph")

OVERFETCH = 8
"""Candidates asked of the vector store beyond the seeds: some may be gone from the graph."""
GROWTH = 4
"""How many times more are asked for when so many were gone that a seed may be missing."""
AVOIDED = 2.0
"""Seconds for which servers that did not answer are not asked again."""
NOISE = 1e-6
"""How far a store's cosine may be off."""


@dataclass(frozen=True, eq=False)
class Query:
    """What is asked: [B, D] queries, optionally what they mean [B, V], and filters on what may be found."""

    vectors: Floats
    values: Floats | None = None
    kind: str | None = None
    region: int | None = None


@dataclass(frozen=True, eq=False)
class Seeds:
    """The seeds of B queries, S at most: what they are, how near, and what they hold. ``NO_ID`` pads."""

    ids: Ids
    cosines: Doubles
    keys: Floats
    values: Floats
    has_value: Flags


@dataclass(frozen=True, eq=False)
class Recall:
    """What a batch of queries recalled: B rows of K concepts in falling activation, padded.

    ids [B, K] int64 (``NO_ID`` pads); energies [B, K] float64; keys [B, K, D] and values [B, K, V] float32; has_value
    and mask [B, K]; stability [B, K]; explanation [B] in [0, 1]; novel [B]; queries [B, D] of unit length (zero rows
    stay zero).
    """

    queries: Floats
    ids: Ids
    energies: Doubles
    keys: Floats
    values: Floats
    has_value: Flags
    stability: Doubles
    explanation: Doubles
    novel: Flags
    seeds: Seeds
    degraded: bool = False
    """Whether a server did not answer: what is not in the cache is missing, and what others did may be."""

    @property
    def mask(self) -> Flags:
        """[B, K]: which places are taken."""
        return np.asarray(self.ids != NO_ID)

    @property
    def strongest(self) -> Ids:
        """[B]: the most active concept of each row, ``NO_ID`` for none."""
        return self.ids[:, 0].copy()


def spread_params(config: AESGConfig) -> SpreadParams:
    """What a configuration says of spreading."""
    return SpreadParams(
        steps=config.spreading_activation_steps,
        decay=config.spreading_activation_decay,
        fan=config.fan,
        min_energy=config.min_energy,
        max_fanout=config.max_fanout,
        region_multiplier=config.region_facilitation_multiplier,
        top_k=config.top_k,
    )


class Recaller:
    """Answers queries from a memory's cache and stores. Runs under the engine's lock."""

    def __init__(self, residency: Residency, config: AESGConfig) -> None:
        self.residency = residency
        self.config = config
        self.params = spread_params(config)
        self.gains = config.vocabulary.gains
        self.workspaces = Workspaces()
        self.product: Product = numpy_product
        """What multiplies keys and queries; the torch module puts its own here."""
        self.hits = 0
        """Rows answered from the cache alone."""
        self.misses = 0
        self.remote = False
        """Whether the stores are servers, which come and go: then the cache answers alone where they do not."""
        self.settled: Callable[[], bool] = lambda: False
        """Whether the stores have all that this process recorded, so that they may answer by themselves."""
        self._avoided_until = 0.0

    def recall(self, query: Query, warm: bool) -> Recall:
        """Answer a batch. With ``warm``, what had to be read from the stores stays in the cache."""
        unit, _ = unit_rows(query.vectors)
        cache = self.residency.cache
        if cache.complete and not self._prefers_index():
            allowed = self.allowed(query)
            slots, cosines = cache.seeds(unit, self.config.seeds, self.config.seed_threshold, allowed, self.product)
            found = self._spread(cache.adjacency(), slots, cosines, allowed)
            if found is not None:
                self.hits += len(unit)
                cache.touch_used(slots, warm)
                return self._answer(query, unit, slots, cosines, *found)
        self.misses += len(unit)
        if self.remote and time.monotonic() < self._avoided_until:
            return self._resident_only(query, unit)
        try:
            return self._cold(query, unit, warm)
        except AESGStorageError as error:
            if not self.remote:
                raise
            self._avoided_until = time.monotonic() + AVOIDED
            log.warning("answering from the cache alone: %s", error.message)
            return self._resident_only(query, unit)

    def _resident_only(self, query: Query, unit: Floats) -> Recall:
        """What the cache alone can say: energy goes no further than to what is resident."""
        graph = ColdGraph(self.residency, self.gains, self.params, reach=False)
        cache = self.residency.cache
        slots, cosines = cache.seeds(
            unit, self.config.seeds, self.config.seed_threshold, self.allowed(query), self.product
        )
        seed_ids = cache.gather(slots).ids
        ids, energies = graph.spread(seed_ids, cosines, query.kind, query.region)
        rows = graph.gather(ids, seed_ids)
        sown = Seeds(seed_ids, cosines, *rows.at(seed_ids)[:3])
        return replace(self._explained(query, unit, ids, energies, *rows.at(ids), sown), degraded=True)

    def _spread(
        self,
        adjacency: Adjacency,
        slots: npt.NDArray[np.int32],
        cosines: Doubles,
        allowed: npt.NDArray[np.uint8] | None,
    ) -> tuple[npt.NDArray[np.int32], Doubles] | None:
        result = spread(adjacency, slots, cosines, self.gains, self.params, allowed, self.workspaces)
        return (result.slots, result.energies) if result.complete.all() else None

    def _answer(
        self,
        query: Query,
        unit: Floats,
        seed_slots: npt.NDArray[np.int32],
        cosines: Doubles,
        slots: npt.NDArray[np.int32],
        energies: Doubles,
    ) -> Recall:
        cache = self.residency.cache
        found, seeds = cache.gather(slots), cache.gather(seed_slots)
        sown = Seeds(seeds.ids, cosines, seeds.keys, seeds.values, seeds.has_value)
        return self._explained(
            query, unit, found.ids, energies, found.keys, found.values, found.has_value, found.stability, sown
        )

    def _explained(
        self,
        query: Query,
        unit: Floats,
        ids: Ids,
        energies: Doubles,
        keys: Floats,
        values: Floats,
        has_value: Flags,
        stability: Doubles,
        seeds: Seeds,
    ) -> Recall:
        config = self.config
        read = None
        if query.values is not None:
            read = read_out(
                unit, keys, values, ids != NO_ID, has_value, stability, config.read_temperature, config.seed_threshold
            )
        best = np.where(seeds.ids != NO_ID, seeds.cosines, 0.0)
        explained = explanation(best, query.values, read)
        novel = explained < config.novelty_explanation_threshold
        return Recall(unit, ids, energies, keys, values, has_value, stability, explained, novel, seeds)

    # -- filters ----------------------------------------------------------------------------------------------------

    def allowed(self, query: Query) -> npt.NDArray[np.uint8] | None:
        """Which slots may be seeds and results; energy flows through the others all the same."""
        if query.kind is None and query.region is None:
            return None
        return self.residency.cache.mask(query.kind, query.region)

    def _prefers_index(self) -> bool:
        cache = self.residency.cache
        return cache.resident > self.config.scan_limit and self.residency.indexed()

    # -- cold -------------------------------------------------------------------------------------------------------

    def _cold(self, query: Query, unit: Floats, warm: bool) -> Recall:
        seed_ids, cosines = self.cold_seeds(query, unit)
        graph = ColdGraph(self.residency, self.gains, self.params)
        found = self._afar(graph, query, seed_ids, cosines, warm)
        ids, energies = found or graph.spread(seed_ids, cosines, query.kind, query.region)
        rows = graph.gather(ids, seed_ids)
        if warm:
            graph.keep(seed_ids, ids)
        sown = Seeds(seed_ids, cosines, *rows.at(seed_ids)[:3])
        return self._explained(query, unit, ids, energies, *rows.at(ids), sown)

    def _afar(
        self, graph: ColdGraph, query: Query, seed_ids: Ids, cosines: Doubles, warm: bool
    ) -> tuple[Ids, Doubles] | None:
        """What the graph store recalls by itself, loaded; None where it must be done here, pulse by pulse."""
        filtered = query.kind is not None or query.region is not None
        if filtered or not self.settled() or not mostly_absent(self.residency, seed_ids):
            return None
        found = spread_afar(self.residency.graph, seed_ids, cosines, self.gains, self.params)
        if found is None:
            return None
        graph.load(np.concatenate([seed_ids.ravel(), found[0].ravel()]), edges=warm)
        here = (found[0] == NO_ID) | np.isin(found[0], graph.ids)
        return found if here.all() else None  # some went between the two questions

    def cold_seeds(self, query: Query, unit: Floats) -> tuple[Ids, Doubles]:
        """Seeds by the vector store's index, joined with an exact scan of what is resident (own lessons are).

        Returns ids [B, S] and float64 cosines, in falling order, ties by id.
        """
        count, threshold = self.config.seeds, self.config.seed_threshold
        cache = self.residency.cache
        slots, near = cache.seeds(unit, count, threshold, self.allowed(query), self.product)
        resident = cache.gather(slots).ids
        near = np.where(resident == NO_ID, -2.0, near)
        limit = count + OVERFETCH
        while True:
            stored, scores = self.residency.vectors().search(unit, limit, query.kind, query.region)
            table = self._cold_candidates(stored)
            all_ids = np.concatenate([resident, np.broadcast_to(table.ids, (len(unit), len(table)))], axis=1)
            exact = np.concatenate([near, exact_cosines(unit, table.keys)], axis=1)
            ids, cosines = strongest_first(all_ids, exact, count, threshold)
            # Whatever was not given is no nearer than the last that was: it must not belong among the seeds.
            beyond = np.where(stored[:, -1] == NO_ID, -2.0, scores[:, -1])
            if (beyond <= np.maximum(cosines[:, -1], threshold) + NOISE).all():
                return ids, cosines
            limit *= GROWTH

    def _cold_candidates(self, stored: Ids) -> VectorTable:
        """The vectors of those that still exist and are not resident, of what is resident being ahead of the store."""
        candidates = without(stored, np.array([NO_ID]))
        candidates = candidates[self.residency.cache.lookup(candidates) < 0]
        return self.residency.vectors().fetch(self.residency.known(candidates))


def exact_cosines(unit: Floats, keys: Floats) -> Doubles:
    """[B, N] cosines of unit rows [B, D] and keys [N, D] in float64, to the last bit as the cache's scan has them."""
    cosines = np.zeros((len(unit), len(keys)))
    for d in range(keys.shape[1]):  # one dimension after the other, as the scan adds: the order decides the last bit
        cosines += np.multiply.outer(unit[:, d].astype(np.float64), keys[:, d].astype(np.float64))
    return cosines


def strongest_first(ids: Ids, scores: Doubles, count: int, threshold: float) -> tuple[Ids, Doubles]:
    """The ``count`` highest scores above ``threshold`` of each row, falling, ties by id; ``NO_ID`` and 0 pad."""
    rows = len(ids)
    chosen, cosines = np.full((rows, count), NO_ID, np.int64), np.zeros((rows, count))
    for b in range(rows):
        order = np.lexsort((ids[b], -scores[b]))
        order = order[scores[b][order] > threshold][:count]
        chosen[b, : len(order)], cosines[b, : len(order)] = ids[b][order], scores[b][order]
    return chosen, cosines


def agreement(seeds: Seeds, values: Floats | None) -> Doubles:
    """[B, S] cosine between a seed's own value and the lesson's; NaN where either has none."""
    if values is None:
        return np.full(seeds.ids.shape, np.nan)
    return np.where(seeds.has_value, cosine(seeds.values, values[:, None, :]), np.nan)
