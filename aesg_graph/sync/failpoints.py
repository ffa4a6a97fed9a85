"""The named steps of a write, where a crash test can end the process.

An acknowledged batch passes them in this order: journalled, cache applied, vectors upserted, graph committed, vectors
deleted, dropped (from the journal). Without a hook a step costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable

JOURNALLED = "journalled"
CACHE_APPLIED = "cache applied"
VECTORS_UPSERTED = "vectors upserted"
GRAPH_COMMITTED = "graph committed"
VECTORS_DELETED = "vectors deleted"
DROPPED = "dropped"

STEPS = (JOURNALLED, CACHE_APPLIED, VECTORS_UPSERTED, GRAPH_COMMITTED, VECTORS_DELETED, DROPPED)

_hook: Callable[[str], None] | None = None


def install(hook: Callable[[str], None]) -> None:
    """Call ``hook`` with the step's name whenever a write reaches one, on the thread that reaches it."""
    global _hook
    _hook = hook


def clear() -> None:
    """Call no hook any more."""
    global _hook
    _hook = None


def reach(step: str) -> None:
    """A write has done ``step``."""
    if _hook is not None:
        _hook(step)
