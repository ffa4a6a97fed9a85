"""What the graph store's conformance suite is written with: a writer, operations made short, rows made readable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import COUNTER_BITS, Ids, Relations, RelationType, ids_array
from aesg_graph.operations import Batch, Create, Describe, Link, Operation, Prune, Regions, Rekey, Remove, Touch
from aesg_graph.stores.abc import NO_IDS, GraphStore, MemoryHead, Outcome

RELATIONS = Relations([RelationType("RHYMES_WITH", 0.5, 0.5, symmetric=True), RelationType("PRECEDES", 0.7, 0.2)])
"""What a store under test must be opened with: the built-in types, a symmetric and a directed one."""
LIMITS = Thresholds(0.1, 0.9, 0.05, 5, 3)
HEAD = MemoryHead("conformance", 1, 0, 0, 2, 0, '{"of": "the suite"}')
BIRTHDAY = 1_000_000.0

Reopen = Callable[[GraphStore], GraphStore]


class Row(NamedTuple):
    """One concept as a store holds it."""

    kind: str
    name: str | None
    text: str | None
    source: str | None
    encoder: str
    version: int
    created_at: float
    modified_at: float
    born_epoch: int
    touched_epoch: int
    relevance: float
    use_frequency: int
    contradictions: int
    region: int


class EdgeRow(NamedTuple):
    """One edge as a store holds it."""

    weight: float
    confidence: float
    use_count: int
    created_at: float
    touched_epoch: int


EdgeKey = tuple[int, int, str]


class Scribe:
    """A writer that numbers its batches and its concepts. Each batch is dated a second after the one before."""

    def __init__(self, store: GraphStore, number: int | None = None) -> None:
        self.store = store
        self.state = store.lease(number)
        self.sequence = 0
        self.born = 0

    def fresh(self, count: int) -> Ids:
        """Ids that nobody has used."""
        first = (self.state.id << COUNTER_BITS) + self.born
        self.born += count
        return np.arange(first, first + count, dtype=np.int64)

    def batch(self, *operations: Operation) -> Batch:
        """The next batch, not yet written."""
        self.sequence += 1
        at = BIRTHDAY + self.sequence
        return Batch(self.state.id, self.state.incarnation, self.sequence, at, operations)

    def try_write(self, *operations: Operation, vectors_removed: Ids = NO_IDS) -> Outcome:
        """Write the next batch; what became of it."""
        (outcome,) = self.store.apply([self.batch(*operations)], vectors_removed)
        return outcome

    def write(self, *operations: Operation, vectors_removed: Ids = NO_IDS) -> Outcome:
        """Write the next batch, which must be applied."""
        outcome = self.try_write(*operations, vectors_removed=vectors_removed)
        assert outcome.status == "applied", outcome
        return outcome

    def create(self, count: int, kind: str = "concept", epoch: int = 0) -> Ids:
        """Write a batch in which so many concepts are born."""
        ids = self.fresh(count)
        self.write(create(ids, kind, epoch))
        return ids


def create(
    ids: npt.ArrayLike, kind: str = "concept", epoch: int = 0, names: Sequence[str | None] | None = None
) -> Create:
    """Concepts of two dimensions and no value, perhaps with names."""
    ids = ids_array(ids)
    keys = np.tile(np.array([[1.0, 0.0]], np.float32), (len(ids), 1))
    values, has_value = np.zeros((len(ids), 0), np.float32), np.zeros(len(ids), np.bool_)
    return Create(ids, keys, values, has_value, kind, epoch, names=None if names is None else tuple(names))


def link(
    pairs: Iterable[tuple[int, int]],
    weights: float | Sequence[float] = 0.5,
    uses: int | Sequence[int] = 0,
    type: str = "CAUSAL",
    epoch: int = 0,
) -> Link:
    """Edges of one type."""
    ends = np.array(list(pairs), np.int64).reshape(-1, 2)
    count = len(ends)
    return Link(
        type,
        ends[:, 0].copy(),
        ends[:, 1].copy(),
        np.broadcast_to(np.asarray(weights, np.float32), (count,)).copy(),
        np.broadcast_to(np.asarray(uses, np.int64), (count,)).copy(),
        epoch,
    )


def touch(
    ids: npt.ArrayLike, uses: int | Sequence[int] = 1, contradictions: int | Sequence[int] = 0, epoch: int = 0
) -> Touch:
    """Uses of concepts."""
    ids = ids_array(ids)
    spread = [np.broadcast_to(np.asarray(column, np.int64), ids.shape).copy() for column in (uses, contradictions)]
    return Touch(ids, spread[0], spread[1], epoch)


def rekey(ids: npt.ArrayLike, version: int, encoder: str = "another") -> Rekey:
    """New keys of a version."""
    ids = ids_array(ids)
    return Rekey(ids, np.tile(np.array([[0.0, 1.0]], np.float32), (len(ids), 1)), version, encoder)


def rows(store: GraphStore, ids: npt.ArrayLike) -> dict[int, Row]:
    """The concepts among ``ids``."""
    table = store.read(ids_array(ids), edges=False).concepts
    columns = (
        *(table.kinds, table.names, table.texts, table.sources, table.encoders, table.versions.tolist()),
        *(
            table.created_at.tolist(),
            table.modified_at.tolist(),
            table.born_epoch.tolist(),
            table.touched_epoch.tolist(),
        ),
        *(
            table.relevance.tolist(),
            table.use_frequency.tolist(),
            table.contradictions.tolist(),
            table.region_id.tolist(),
        ),
    )
    return {id: Row(*values) for id, *values in zip(table.ids.tolist(), *columns, strict=True)}


def row(store: GraphStore, id: int) -> Row:
    """One concept, which must exist."""
    return rows(store, [int(id)])[int(id)]


def edges(store: GraphStore, ids: npt.ArrayLike) -> dict[EdgeKey, EdgeRow]:
    """The edges that touch one of ``ids``, which must come once each."""
    table = store.read(ids_array(ids)).edges
    keys = [
        (source, target, RELATIONS.names[code])
        for source, target, code in zip(
            table.sources.tolist(), table.targets.tolist(), table.types.tolist(), strict=True
        )
    ]
    assert len(set(keys)) == len(keys), keys
    columns = (table.weights, table.confidences, table.use_counts, table.created_at, table.touched_epoch)
    return {key: EdgeRow(*values) for key, *values in zip(keys, *(c.tolist() for c in columns), strict=True)}


def everything(store: GraphStore) -> tuple[dict[int, Row], dict[EdgeKey, EdgeRow]]:
    """All concepts and edges, read page by page."""
    after, ids = -1, []
    while len(page := store.page(after, 100, edges=False).concepts):
        ids += page.ids.tolist()
        after = ids[-1]
    return rows(store, ids), edges(store, ids)


def random_operations(rng: np.random.Generator, known: Ids, fresh: Ids, epoch: int) -> list[Operation]:
    """A lesson of every kind but reorganisation: ``fresh`` concepts are born, ``known`` ones linked, used and removed.

    Some of the known ones may be gone already, and some pairs may be the same concept twice.
    """
    pool = np.concatenate([known, fresh])
    pairs = rng.choice(pool, (2 * len(pool), 2)).tolist()
    some = rng.choice(pool, len(pool) // 2, replace=False)
    few = rng.choice(pool, 2, replace=False)
    type = RELATIONS.names[rng.integers(len(RELATIONS.names))]
    return [
        create(fresh, epoch=epoch, names=[f"näme {id}" for id in fresh.tolist()]),
        link(pairs, rng.random(len(pairs)).tolist(), rng.integers(0, 3, len(pairs)).tolist(), type, epoch),
        touch(some, rng.integers(0, 4, len(some)).tolist(), rng.integers(0, 2, len(some)).tolist(), epoch),
        Describe(few, ("one", None), None),
        Regions(few, np.array([3, 4], np.int64)),
        Remove(rng.choice(pool, 1)),
        Prune(some, epoch=epoch),
        rekey(few, epoch + 1),
    ]
