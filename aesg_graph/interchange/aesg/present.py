"""What a memory has already of the concepts that are to come: those that say the same old id, and have the same key.

So an import that was cut short can be run again, and one of a directory that has grown brings what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from aesg_graph.concepts import NO_ID, Flags, Floats, Ids, Ints, VectorTable, among
from aesg_graph.engine.moving.sources import Source
from aesg_graph.interchange.aesg.nodes import OldIds

OLD_ID = "aesg id "
"""A concept's text is this and the id that it had."""
SAME = 1e-5
"""How far numbers of a key may be apart; stores scale them anew."""
PAGE = 10_000


@dataclass(frozen=True)
class Present:
    """``named``: ids of concepts by the old id that they say. ``fetch``: reads their vectors.

    ``ends`` (ascending) are all of those ids; ``pairs`` the edges between them, as places in ``ends`` (see _pair).
    """

    named: dict[int, list[int]] = field(default_factory=dict)
    ends: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    pairs: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    fetch: Callable[[Ids], VectorTable] | None = None

    @classmethod
    def of(cls, source: Source, old: OldIds, relation: str) -> Present:
        """What an open memory has of the concepts that were called ``old``, and their edges of one type."""
        wanted, code = set(old.tolist()), source.config.vocabulary.code(relation)
        named: dict[int, list[int]] = {}
        lower, higher, after = [np.empty(0, np.int64)], [np.empty(0, np.int64)], -1
        while len((page := source.graph.page(after, PAGE)).concepts):
            table, edges = page.concepts.table, page.edges
            after = int(table.ids[-1])
            for id, text in zip(table.ids.tolist(), table.texts, strict=True):
                if (said := _old_id(text)) in wanted:
                    named.setdefault(said, []).append(id)
            lower.append(edges.sources[edges.types == code])
            higher.append(edges.targets[edges.types == code])
        ends = np.sort(np.array([id for ids in named.values() for id in ids], np.int64))
        low, high = np.concatenate(lower), np.concatenate(higher)
        inside = among(low, ends) & among(high, ends)
        pairs = np.sort(_pair(ends, low[inside], high[inside]))
        return cls(named, ends, pairs, source.vectors.fetch)

    def known(self, old: OldIds, keys: Floats) -> Ids:
        """[n] the ids that concepts with these old ids and keys [n, D] have here, ``NO_ID`` for those that are new."""
        found = np.full(len(old), NO_ID, np.int64)
        said = set(old.tolist()) & self.named.keys()
        if not said or self.fetch is None:
            return found
        vectors = self.fetch(np.sort(np.array([id for one in said for id in self.named[one]], np.int64)))
        theirs = {one: _of(vectors, self.named[one]) for one in said}
        for row, one in enumerate(old.tolist()):
            if one in theirs:
                found[row] = _alike(*theirs[one], keys[row])
        return found

    def linked(self, low: Ids, high: Ids) -> Flags:
        """[n] which pairs of ids are joined already."""
        both = among(low, self.ends) & among(high, self.ends)
        found = np.zeros(len(low), np.bool_)
        found[both] = among(_pair(self.ends, low[both], high[both]), self.pairs)
        return found


def _of(vectors: VectorTable, ids: list[int]) -> tuple[Ids, Floats]:
    """Those of ``ids`` that have a vector, and their keys."""
    wanted = np.array(ids, np.int64)
    places = np.searchsorted(vectors.ids, wanted)
    inside = places < len(vectors)
    places = places[inside][vectors.ids[places[inside]] == wanted[inside]]
    return vectors.ids[places], vectors.keys[places]


def _alike(ids: Ids, theirs: Floats, key: Floats) -> int:
    """The one of ``ids`` whose key is ``key``, ``NO_ID`` for none."""
    if not len(ids):
        return NO_ID
    cosines = theirs @ key
    near = np.flatnonzero(cosines >= cosines.max() - SAME)
    apart = np.abs(theirs[near] - key).max(axis=1)
    return int(ids[near[apart.argmin()]]) if apart.min() <= SAME else NO_ID


def _old_id(text: str | None) -> int:
    """The id that a text says, -1 for none."""
    said = (text or "").removeprefix(OLD_ID)
    return int(said) if said != text and said.isdecimal() and said.isascii() and len(said) <= 20 else NO_ID


def _pair(ends: Ids, low: Ids, high: Ids) -> Ints:
    """Pairs of ids that are in ``ends`` as numbers."""
    return np.asarray(np.searchsorted(ends, low) * len(ends) + np.searchsorted(ends, high))
