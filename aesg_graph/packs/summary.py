"""What is in a pack, for people: looked over chunk by chunk, every row of it verified."""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from aesg_graph.packs.layout import VERSION
from aesg_graph.packs.reading import PackFile


@dataclass(frozen=True)
class Named:
    """A concept that has a name."""

    id: int
    name: str
    kind: str
    uses: int
    relevance: float


@dataclass(frozen=True)
class Summary:
    """A pack. ``kinds`` and ``relations``: how many concepts and edges there are of each; ``names``: the most used."""

    path: str
    name: str
    version: int
    bytes: int
    vector_dim: int
    value_dim: int
    concepts: int
    edges: int
    with_value: int
    kinds: dict[str, int]
    relations: dict[str, int]
    provenance: dict[str, Any]
    names: tuple[Named, ...]


def summarize(path: str | os.PathLike[str], names: int = 10) -> Summary:
    """Read a pack and say what is in it, with the ``names`` most used concepts that have one (then the most relevant,
    then by id). AESGStorageError for a pack that is not sound.
    """
    with PackFile(path) as file:
        header = file.header
        kinds, types = np.zeros(len(header.kinds), np.int64), np.zeros(len(header.relations), np.int64)
        with_value, best, ids = 0, list[Named](), [np.empty(0, np.int64)]
        for part in file.concepts():
            kinds += np.bincount(part.kinds, minlength=len(kinds))
            with_value += int(part.has_value.sum())
            columns = (part.ids, part.kinds, part.uses, part.relevance)
            rows = zip(part.names, *(column.tolist() for column in columns), strict=True)
            named = (Named(i, name, header.kinds[k], u, r) for name, i, k, u, r in rows if name is not None)
            best = heapq.nsmallest(names, [*best, *named], key=lambda n: (-n.uses, -n.relevance, n.id))
            ids.append(part.ids)
        known = np.concatenate(ids)
        for links in file.edges():
            file.require_ends(links, known)
            types += np.bincount(links.types, minlength=len(types))
        return Summary(
            path=str(file.path),
            name=header.name,
            version=VERSION,
            bytes=file.bytes,
            vector_dim=header.vector_dim,
            value_dim=header.value_dim,
            concepts=header.concepts,
            edges=header.edges,
            with_value=with_value,
            kinds=dict(zip(header.kinds, kinds.tolist(), strict=True)),
            relations=dict(zip((r.name for r in header.relations), types.tolist(), strict=True)),
            provenance=dict(header.provenance),
            names=tuple(best),
        )
