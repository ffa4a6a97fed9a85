"""Where a pack says that it comes from: each field that an export writes, and what it can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

LATEST = 1 << 37
"""Seconds since 1970 that any calendar can show, some 4,000 years."""

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < LATEST


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


FILTERS: dict[str, tuple[Check, str]] = {
    "min_relevance": (_is_share, "a number in [0, 1]"),
    "region_id": (_is_count, "an integer of at least 0"),
    "kind": (_is_text, "a text"),
    "where": (_is_text, "a text"),
}
FIELDS: dict[str, tuple[Check, str]] = {
    "memory": (_is_text, "a text"),
    "incarnation": (_is_count, "an integer of at least 0"),
    "epoch": (_is_count, "an integer of at least 0"),
    "package": (_is_text, "a text"),
    "exported_at": (_is_time, "seconds since 1970"),
    "filters": (lambda value: isinstance(value, dict), "an object"),
}


def check_provenance(provenance: object) -> None:
    """ValueError for a known field or filter that no export writes. Any may be absent, and there may be others."""
    if not isinstance(provenance, dict):
        raise ValueError("its header has a provenance that is no object")
    _check(provenance, FIELDS)
    _check(provenance.get("filters", {}), FILTERS)


def _check(given: Mapping[str, Any], known: Mapping[str, tuple[Check, str]]) -> None:
    for name, (right, expected) in known.items():
        if name in given and not right(given[name]):
            raise ValueError(f"its provenance says {name}={str(given[name])[:40]!r}, expected {expected}")
