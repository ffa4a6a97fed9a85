"""The cache of one memory: taken over when it is good, built from the stores when it is not."""

from __future__ import annotations

import contextlib
import json
from dataclasses import astuple
from pathlib import Path
from typing import Literal

from aesg_graph.cache import CacheLayout, CacheStamp, ConceptCache
from aesg_graph.engine.backend import Backend
from aesg_graph.engine.residency import Residency

NEVER = -1
"""In a stamp: no cache was ever closed at it."""
NOWHEN = CacheStamp(NEVER, NEVER, NEVER)
SEEN = "seen.json"
"""In the cache: how far it had seen what each writer did, and at which stamp it was closed."""


def open_residency(backend: Backend, private: bool) -> Residency:
    """A cache that agrees with journal and stores. ``private`` maps a good one copy-on-write (INFERENCE).

    Lessons that the journal still holds are carried into the stores first: the cache is built on what the stores say.
    """
    stamp = _stamp(backend)
    if not backend.in_order():
        backend.take_up_writing()
        stamp = NOWHEN  # what the cache applied may not be what the stores carried out
    mode: Literal["write", "private"] = "private" if private else "write"
    cache = _open(backend, stamp, mode)
    seen = seen_at(backend.directory.cache, stamp) if cache.reused else None
    if cache.reused and backend.shared is not None and seen is None:
        cache.close(stamp, clean=False)  # nobody knows how far it had seen what other processes did
        cache = _open(backend, NOWHEN, mode)
    if cache.reused and not cache.complete and _has_room_for_all(cache, backend):
        cache.close(stamp, clean=False)  # it was closed with less room: now everything fits
        cache = _open(backend, NOWHEN, mode)
    residency = Residency(cache, backend.graph, backend.vectors, private)
    residency.seen = seen or {}
    if not cache.reused:
        residency.build()
    return residency


def _has_room_for_all(cache: ConceptCache, backend: Backend) -> bool:
    total = backend.graph.count()
    return cache.fits(total.concepts, total.edges)


def make_writable(backend: Backend, residency: Residency) -> None:
    """A private mapping becomes a shared one: the memory is about to learn."""
    if residency.private:
        residency.cache.close(_stamp(backend), clean=False)
        fresh = open_residency(backend, private=False)
        residency.cache, residency.private, residency.seen = fresh.cache, False, fresh.seen


def close_residency(backend: Backend, residency: Residency, incarnation: int, clean: bool) -> None:
    """Close the cache; if ``clean``, it is good for an opening at the journal's last sequence.

    ``incarnation`` is the memory's as it was last known: at closing, no server need answer.
    """
    stamp = _stamp_at(backend, incarnation)
    if clean and backend.shared is not None and not residency.private:
        _save_seen(backend, stamp, residency.seen)
    residency.cache.close(stamp, clean=clean)


def seal_residency(backend: Backend, residency: Residency, incarnation: int) -> CacheStamp | None:
    """Write the cache out while it is in use; the stamp at which a copy of its files can be taken up.

    None where it is mapped privately, or does not hold the whole memory.
    """
    if residency.private or not residency.cache.complete:
        return None
    stamp = _stamp_at(backend, incarnation)
    residency.cache.checkpoint(stamp)
    return stamp


def _save_seen(backend: Backend, stamp: CacheStamp, seen: dict[int, int]) -> None:
    known = {"stamp": astuple(stamp), "seen": {str(writer): sequence for writer, sequence in seen.items()}}
    with contextlib.suppress(OSError):  # without it the cache is built anew
        (backend.directory.cache / SEEN).write_text(json.dumps(known), encoding="utf-8")


def seen_at(cache: Path, stamp: CacheStamp) -> dict[int, int] | None:
    """How far the cache in a folder had seen when it was closed at ``stamp``; None if that is not known."""
    try:
        known = json.loads((cache / SEEN).read_text(encoding="utf-8"))
        seen = {int(writer): int(sequence) for writer, sequence in known["seen"].items()}
        return seen if tuple(known["stamp"]) == astuple(stamp) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _stamp(backend: Backend) -> CacheStamp:
    return _stamp_at(backend, backend.graph.head().incarnation)


def _stamp_at(backend: Backend, incarnation: int) -> CacheStamp:
    journal = backend.journal
    writer = NEVER if journal.writer is None else journal.writer
    return CacheStamp(incarnation, writer, journal.last_sequence)


def _open(backend: Backend, stamp: CacheStamp, mode: Literal["write", "private"]) -> ConceptCache:
    config = backend.config
    layout = CacheLayout.of(config.vector_dim, config.value_dim, config.vocabulary)
    return ConceptCache.open(
        backend.directory.cache, layout, backend.settings.cache_bytes, stamp, config.thresholds, mode
    )
