"""What batches name, by what must be known of it before they can be carried out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Ids, Ints, distinct, without
from aesg_graph.operations import (
    Advance,
    Batch,
    Describe,
    Link,
    Merge,
    Operation,
    Prune,
    Regions,
    Rekey,
    Remove,
    Split,
    Touch,
    born_ids,
)
from aesg_graph.stores.abc import NO_IDS


@dataclass(frozen=True)
class Named:
    """Ids that batches name, ascending and once each in every group.

    born: those that come into being. lives: those whose rows are read or rewritten. described: those that get names and
    texts. ends: those that edges shall join; all that is asked of them is whether they exist. whole: those that may
    lose edges to others, so that all their edges must be known. pairs [M, 2]: what edges shall join.
    head: whether the memory's own row changes.
    """

    born: Ids
    lives: Ids
    described: Ids
    ends: Ids
    whole: Ids
    pairs: Ints
    head: bool

    def existing(self, taken: Ids) -> Ids:
        """All that may exist: everything named but the newborn, and those of the newborn whose ids are taken."""
        named = distinct(np.concatenate([self.lives, self.ends, self.whole]))
        return distinct(np.concatenate([without(named, self.born), taken]))


def named_by(batches: Sequence[Batch]) -> Named:
    """What these batches name."""
    operations = [operation for batch in batches for operation in batch.operations]
    links = [operation for operation in operations if isinstance(operation, Link)]
    # A Link whose columns differ in length will be refused; until then it names what it can.
    sizes = [min(len(link.sources), len(link.targets)) for link in links]
    pairs = [np.stack([o.sources[:n], o.targets[:n]], axis=1) for o, n in zip(links, sizes, strict=True)]
    joined = np.concatenate([np.empty((0, 2), np.int64), *pairs])
    return Named(
        born=_all(born_ids(operation) for operation in operations),
        lives=_all(_lives(operation) for operation in operations),
        described=_all(o.ids for o in operations if isinstance(o, Describe)),
        ends=distinct(joined.reshape(-1)),
        whole=_all(_whole(operation) for operation in operations),
        pairs=joined,
        head=any(isinstance(operation, Advance | Rekey) for operation in operations),
    )


def _all(groups: Iterable[Ids]) -> Ids:
    return distinct(np.concatenate([NO_IDS, *groups]))


def _lives(operation: Operation) -> Ids:
    match operation:
        case Touch() | Describe() | Prune() | Regions() | Rekey():
            return operation.ids
        case Merge():
            return np.concatenate([operation.survivors, operation.merged])
        case Split():
            return np.array([operation.source], np.int64)
        case _:
            return NO_IDS


def _whole(operation: Operation) -> Ids:
    match operation:
        case Remove() | Prune():
            return operation.ids
        case Merge() | Split():
            return _lives(operation)
        case _:
            return NO_IDS


def ranges(ids: Ids) -> list[list[int]]:
    """Ascending ids as runs [first, last] without gaps."""
    if not len(ids):
        return []
    gap = np.flatnonzero(ids[1:] - ids[:-1] != 1)
    first, last = np.concatenate([[0], gap + 1]), np.concatenate([gap, [len(ids) - 1]])
    return [[int(low), int(high)] for low, high in zip(ids[first], ids[last], strict=True)]
