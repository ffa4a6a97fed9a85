"""Freshness: what other writers did to a memory since this process last looked.

Each transaction stamps what it changes with its writer and sequence. A look reads every writer's position, then the
range of stamps after what was seen of each. Seeing sequence n proves only n - 1 whole: a commit may be seen half.

A stamp may cover another's: a concept that B changed and A changed after it carries A's stamp alone. So where anybody
else moved, this process's own range is read again too. Looks happen between this process's own transactions; otherwise
its own position could pass over what covered somebody's stamp.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Ids, distinct
from aesg_graph.stores.abc import HANDS, NO_IDS, Shared, WriterPosition


@dataclass(frozen=True, eq=False)
class News:
    """What a look found: the concepts that changed or went, and from where to where it saw.

    moved: somebody else has changed something, be it only the epoch. by_hand: a procedure or a person did, so that what
    went may have left its vector. forgotten: somebody's tombstones were dropped that this process had not seen, so that
    only reading everything anew can tell what is gone.
    """

    ids: Ids
    since: dict[int, int]
    seen: dict[int, int]
    moved: bool = False
    by_hand: bool = False
    forgotten: bool = False


class Freshness:
    """How far this process has seen what each writer did. One thread looks; any may begin anew."""

    def __init__(self, graph: Shared, seen: dict[int, int]) -> None:
        self._graph = graph
        self._lock = threading.Lock()
        self.seen = seen

    def begin(self, seen: dict[int, int]) -> None:
        """Another cache is in use, which has seen so much; a look that is under way no longer counts."""
        with self._lock:
            self.seen = seen

    def look(self, own: int | None) -> News:
        """What happened since; nothing is taken as seen before :meth:`advance`. ``own`` is this process's writer."""
        since = self.seen
        positions = self._graph.positions()
        whole = _whole(positions)
        if any(p.forgotten > since.get(p.id, 0) for p in positions):
            return News(NO_IDS, since, whole, forgotten=True)
        moved = [p for p in positions if p.content > since.get(p.id, 0)]
        if all(p.id == own for p in moved):
            return News(NO_IDS, since, whole)
        changed = [self._graph.changed(p.id, since.get(p.id, 0)) for p in moved]
        by_hand = any(p.id == HANDS for p in moved)
        return News(distinct(np.concatenate([NO_IDS, *changed])), since, whole, moved=True, by_hand=by_hand)

    def advance(self, news: News) -> None:
        """What was found has been taken over."""
        with self._lock:
            if self.seen is news.since:
                self.seen = {id: max(sequence, self.seen.get(id, 0)) for id, sequence in news.seen.items()}


def positions_now(graph: Shared) -> dict[int, int]:
    """Up to which sequence each writer's changes are in everything that is read from now on."""
    return _whole(graph.positions())


def _whole(positions: list[WriterPosition]) -> dict[int, int]:
    return {p.id: max(0, p.sequence - 1) for p in positions}
