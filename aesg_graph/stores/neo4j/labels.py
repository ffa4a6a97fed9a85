"""The label that a concept has beside :Concept, by its kind, so that Neo4j Browser can colour kinds.

For people alone: no query of the package depends on it.
"""

from __future__ import annotations

import re

SPEAKABLE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[ _-]+[A-Za-z0-9]+)*")
"""Kinds that are words of plain letters and digits."""
OURS = frozenset({"Concept", "Memory", "Writer", "Removed", "Lease", "Consolidation", "AESGMigration"})
"""Labels that mean something else to the package."""


def labels_of(kind: str) -> list[str]:
    """``word sense`` -> [``WordSense``]; nothing for a kind that makes no plain label, or one of the package's own."""
    if not SPEAKABLE.fullmatch(kind):
        return []
    label = "".join(word[0].upper() + word[1:] for word in re.split("[ _-]+", kind))
    return [] if label in OURS else [label]
