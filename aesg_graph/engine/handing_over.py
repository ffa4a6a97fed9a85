"""What a concept that merges leaves to the one that stays: its name and its text, where that has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aesg_graph.concepts import DERIVED, distinct
from aesg_graph.operations import Describe, Merge

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine


@dataclass(frozen=True)
class Told:
    """Names and texts of the concepts of a merge, by id, as the graph has them."""

    names: dict[int, str]
    texts: dict[int, str]

    @classmethod
    def of(cls, engine: MemoryEngine, merge: Merge) -> Told:
        """Read them; called without the engine's lock."""
        wanted = distinct(np.concatenate([merge.survivors, merge.merged]))
        rows = engine.residency.graph.read(wanted, edges=False).concepts
        ids = rows.ids.tolist()
        return cls(
            {id: name for id, name in zip(ids, rows.names, strict=True) if name},
            {id: text for id, text in zip(ids, rows.texts, strict=True) if text},
        )

    def handed_over(self, merge: Merge) -> tuple[Describe, ...]:
        """What survivors are called and said to be from then on. A given name goes before a derived one."""
        named = _heirs(merge, self.names, lambda name: not name.startswith(DERIVED))
        said = _heirs(merge, self.texts, bool)
        operations: list[Describe] = []
        if named:
            operations.append(Describe(np.fromiter(named, np.int64), tuple(named.values()), None))
        if said:
            operations.append(Describe(np.fromiter(said, np.int64), None, tuple(said.values())))
        return tuple(operations)


def _heirs(merge: Merge, known: dict[int, str], stands: Callable[[str], bool]) -> dict[int, str]:
    """What survivors get: of the first that merges into them and has something better than they have."""
    found: dict[int, str] = {}
    for survivor, merged in zip(merge.survivors.tolist(), merge.merged.tolist(), strict=True):
        own, left = found.get(survivor) or known.get(survivor), known.get(merged)
        if left and (not own or (stands(left) and not stands(own))):
            found[survivor] = left
    return dict(sorted(found.items()))
