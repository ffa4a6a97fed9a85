"""Caches that tests open in a directory of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_memory import LAYOUT, LIMITS, ROOMY, STAMP, Opener

from aesg_graph.cache import ConceptCache


@pytest.fixture
def open_cache(tmp_path: Path) -> Iterator[Opener]:
    """Opens the cache of this test; keywords replace the usual layout, capacity, stamp, limits and mode."""
    opened: list[ConceptCache] = []

    def opener(**given: Any) -> ConceptCache:
        wanted: dict[str, Any] = {"layout": LAYOUT, "capacity_bytes": ROOMY, "expected": STAMP, "limits": LIMITS}
        cache = ConceptCache.open(tmp_path / "cache", **(wanted | given))
        opened.append(cache)
        return cache

    yield opener
    for cache in opened:
        cache.close(STAMP, clean=False)
