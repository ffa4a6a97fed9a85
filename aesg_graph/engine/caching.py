"""The cache of one memory: taken over when it is good, built from the stores when it is not."""

from __future__ import annotations

from typing import Literal

from aesg_graph.cache import CacheLayout, CacheStamp, ConceptCache
from aesg_graph.engine.embedded import Backend
from aesg_graph.engine.residency import Residency

NEVER = -1
"""In a stamp: no cache was ever closed at it."""


def open_residency(backend: Backend, private: bool) -> Residency:
    """A cache that agrees with journal and stores. ``private`` maps a good one copy-on-write (INFERENCE).

    Lessons that the journal still holds are carried into the stores first: the cache is built on what the stores say.
    """
    stamp = _stamp(backend)
    if not backend.in_order():
        backend.take_up_writing()
        stamp = CacheStamp(NEVER, NEVER, NEVER)  # what the cache applied may not be what the stores carried out
    cache = _open(backend, stamp, "private" if private else "write")
    if cache.reused and not cache.complete and _has_room_for_all(cache, backend):
        cache.close(stamp, clean=False)  # it was closed with less room: now everything fits
        cache = _open(backend, CacheStamp(NEVER, NEVER, NEVER), "private" if private else "write")
    residency = Residency(cache, backend.graph, backend.vectors, private)
    if not cache.reused:
        residency.build()
    return residency


def _has_room_for_all(cache: ConceptCache, backend: Backend) -> bool:
    total = backend.graph.count()
    return cache.fits(total.concepts, total.edges)


def make_writable(backend: Backend, residency: Residency) -> None:
    """A private mapping becomes a shared one: the memory is about to learn."""
    if residency.private:
        stamp = _stamp(backend)
        residency.cache.close(stamp, clean=False)
        fresh = Residency(_open(backend, stamp, "write"), backend.graph, backend.vectors)
        if not fresh.cache.reused:
            fresh.build()
        residency.cache, residency.private = fresh.cache, False


def close_residency(backend: Backend, residency: Residency, clean: bool) -> None:
    """Close the cache; if ``clean``, it is good for an opening at the journal's last sequence."""
    residency.cache.close(_stamp(backend), clean=clean)


def _stamp(backend: Backend) -> CacheStamp:
    journal = backend.journal
    writer = NEVER if journal.writer is None else journal.writer
    return CacheStamp(backend.graph.head().incarnation, writer, journal.last_sequence)


def _open(backend: Backend, stamp: CacheStamp, mode: Literal["write", "private"]) -> ConceptCache:
    config = backend.config
    layout = CacheLayout.of(config.vector_dim, config.value_dim, config.vocabulary)
    return ConceptCache.open(
        backend.directory.cache, layout, backend.settings.cache_bytes, stamp, config.thresholds, mode
    )
