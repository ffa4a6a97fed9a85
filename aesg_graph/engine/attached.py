"""Packs beside a memory: each is asked as a memory of its own, and what it says is joined to what the memory says.

They are this process's, for as long as the memory is open: nothing of them is saved. What a memory learns is taken from
its own answer alone, so it never depends on what is attached; and a pack is never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aesg_graph.activation import Adjacency, spread
from aesg_graph.cache.seeds import SeedScan
from aesg_graph.concepts import NO_ID, Concept, Doubles, Edge, Flags, Floats, Ids, RelationType
from aesg_graph.engine.recall import Query, Recall
from aesg_graph.errors import AESGMemoryError

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine

LIMIT = 16
"""So many packs can be attached at once."""
HIGHEST = 100
PRIORITY = 50


class Pack(Protocol):
    """What can be attached: concepts in ascending id order with their edges, all of it in memory and never written."""

    @property
    def name(self) -> str:
        """What it is called; two packs of one name cannot be attached."""
        ...

    @property
    def vector_dim(self) -> int:
        """The width of its keys."""
        ...

    @property
    def value_dim(self) -> int:
        """The width of its values, 0 for none."""
        ...

    @property
    def rows(self) -> Any:
        """``ids`` [N], ``keys`` [N, D], ``values`` [N, V] and ``has_value`` [N]."""
        ...

    @property
    def relations(self) -> tuple[RelationType, ...]:
        """The types of its edges; a type's place is its code in ``adjacency``."""
        ...

    @property
    def stability(self) -> Doubles:
        """[N]"""
        ...

    @property
    def adjacency(self) -> Adjacency:
        """Its edges; slot i is the i-th concept."""
        ...

    def of_kind(self, kind: str) -> Flags:
        """[N] which concepts are of a kind."""
        ...

    def concept(self, id: int) -> Concept | None:
        """One concept, None if it is not here."""
        ...

    def neighbors(self, id: int) -> list[Edge]:
        """The edges of a concept."""
        ...


@dataclass(frozen=True)
class Attachment:
    """A pack that is attached, and its priority from 0 to 100."""

    pack: Pack
    priority: int

    @property
    def name(self) -> str:
        """What the pack is called."""
        return self.pack.name


@dataclass(frozen=True, eq=False)
class _Answer:
    """What one of them recalled: ids and energies [B, K], and how to read [M] of its places (row, column)."""

    ids: Ids
    energies: Doubles
    read: Callable[[Ids, Ids], tuple[Floats, Floats, Flags, Doubles]]


class Attachments:
    """The packs that are attached to one memory."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine
        self.attached: tuple[Attachment, ...] = ()
        self._scan = SeedScan()

    # -- which ------------------------------------------------------------------------------------------------------

    def attach(self, pack: Pack, priority: int = PRIORITY) -> None:
        """From now on the pack takes part in every answer. AESGMemoryError for a bad priority, a pack that does not
        fit, one more than ``LIMIT``, or one whose name is attached already.
        """
        if isinstance(priority, bool) or not isinstance(priority, int | np.integer) or not 0 <= priority <= HIGHEST:
            raise AESGMemoryError(f"priority is {priority!r}, expected a whole number from 0 to {HIGHEST}")
        engine = self.engine
        pack.adjacency  # noqa: B018  # laid out now, holding no lock, and not in the first answer
        with engine.locked():
            config = engine.config
            if pack.vector_dim != config.vector_dim or pack.value_dim not in (0, config.value_dim):
                raise AESGMemoryError(
                    f"Pack {pack.name!r} has vector_dim={pack.vector_dim} and value_dim={pack.value_dim}, expected "
                    f"vector_dim={config.vector_dim} and value_dim={config.value_dim} or 0"
                )
            if any(other.name == pack.name for other in self.attached):
                raise AESGMemoryError(f"A pack {pack.name!r} is attached already, expected one of another name")
            if len(self.attached) == LIMIT:
                raise AESGMemoryError(f"{LIMIT} packs are attached, the most that can be: detach one first")
            self.attached = (*self.attached, Attachment(pack, int(priority)))
            engine.recorder.changes += 1

    def detach(self, name: str) -> None:
        """The pack takes no part any more; it can be attached again. AESGMemoryError if it is not attached."""
        with self.engine.locked():
            left = tuple(other for other in self.attached if other.name != name)
            if len(left) == len(self.attached):
                known = ", ".join(repr(other.name) for other in self.attached) or "none"
                raise AESGMemoryError(f"No pack {name!r} is attached, expected one of those that are: {known}")
            self.attached = left
            self.engine.recorder.changes += 1

    # -- one concept ------------------------------------------------------------------------------------------------

    def concept(self, id: int) -> Concept | None:
        """A concept of the first pack, in the order of attaching, that holds it; None if none does."""
        return next((found for other in self.attached if (found := other.pack.concept(id)) is not None), None)

    def neighbors(self, id: int) -> list[Edge] | None:
        """Its edges there; None if no pack holds it."""
        return next((other.pack.neighbors(id) for other in self.attached if other.pack.concept(id) is not None), None)

    # -- recall -----------------------------------------------------------------------------------------------------

    def join(self, query: Query, own: Recall) -> Recall:
        """What the memory recalled, and what the packs do, as one: by falling energy, ties by id, ``top_k`` a row.

        A pack's energies count times its priority over the sum of priorities, the memory's own as they are. A concept
        that more than one of them recalls is there once, as the one has it that says it most strongly (the memory's own
        on a tie). Explanation, novelty and seeds stay the memory's own; with a region asked for, so does all of it.
        """
        asked = [other for other in self.attached if other.priority]
        if not asked or query.region is not None:
            return own
        total = sum(other.priority for other in asked)
        with self.engine.locked():
            answers = [self._asked(other.pack, other.priority / total, query, own.queries) for other in asked]
        return _joined(own, answers)

    def _asked(self, pack: Pack, weight: float, query: Query, unit: Floats) -> _Answer:
        config, recaller, rows = self.engine.config, self.engine.recaller, pack.rows
        allowed = None if query.kind is None else pack.of_kind(query.kind).view(np.uint8)
        self._scan.product = recaller.product
        slots, cosines = self._scan.search(rows.keys, rows.ids, unit, config.seeds, config.seed_threshold, allowed)
        gains = self._gains(pack.relations)
        found = spread(pack.adjacency, slots, cosines, gains, recaller.params, allowed, recaller.workspaces)
        ids = np.where(found.slots >= 0, rows.ids[found.slots], NO_ID)

        def read(row: Ids, place: Ids) -> tuple[Floats, Floats, Flags, Doubles]:
            at = found.slots[row, place]
            values = rows.values[at] if pack.value_dim else np.zeros((len(at), config.value_dim), np.float32)
            return rows.keys[at], values, rows.has_value[at], pack.stability[at]

        return _Answer(ids, found.energies * weight, read)

    def _gains(self, relations: Sequence[RelationType]) -> Doubles:
        """[types, 2]: the memory's own gains where it knows a type, else those that the pack declares."""
        known = {relation.name: relation for relation in self.engine.config.vocabulary.types}
        meant = [known.get(relation.name, relation) for relation in relations]
        return np.array([(relation.forward, relation.backward) for relation in meant], np.float64).reshape(-1, 2)


def _joined(own: Recall, answers: list[_Answer]) -> Recall:
    """The strongest of all, each concept once."""
    everyone = [_Answer(own.ids, own.energies, _reading(own)), *answers]
    all_ids = np.concatenate([answer.ids for answer in everyone], axis=1)
    all_energies = np.concatenate([answer.energies for answer in everyone], axis=1)
    width = own.ids.shape[1]
    order = _strongest(all_ids, all_energies, width)
    ids = np.where(order < 0, NO_ID, np.take_along_axis(all_ids, order, 1))
    joined = replace(
        own,
        ids=ids,
        energies=np.where(order < 0, 0.0, np.take_along_axis(all_energies, order, 1)),
        keys=np.zeros_like(own.keys),
        values=np.zeros_like(own.values),
        has_value=np.zeros_like(own.has_value),
        stability=np.full_like(own.stability, 0.5),
    )
    for number, answer in enumerate(everyone):
        at = np.nonzero((order >= 0) & (order // width == number))
        read = answer.read(at[0], order[at] % width)
        joined.keys[at], joined.values[at], joined.has_value[at], joined.stability[at] = read
    return joined


def _strongest(ids: Ids, energies: Doubles, count: int) -> Ids:
    """[B, count] columns of the strongest of [B, M], falling, ties by id, each id once (the first column on a tie); -1
    pads.
    """
    by_id = np.lexsort((-energies, ids), axis=-1)  # stable: of equals the first column comes first
    sorted_ids = np.take_along_axis(ids, by_id, 1)
    first = sorted_ids != NO_ID
    first[:, 1:] &= sorted_ids[:, 1:] != sorted_ids[:, :-1]
    counts = np.zeros(ids.shape, np.bool_)
    np.put_along_axis(counts, by_id, first, 1)
    order = np.lexsort((ids, np.where(counts, -energies, np.inf)), axis=-1)[:, :count]
    return np.asarray(np.where(np.take_along_axis(counts, order, 1), order, -1))


def _reading(own: Recall) -> Callable[[Ids, Ids], tuple[Floats, Floats, Flags, Doubles]]:
    return lambda row, place: (
        own.keys[row, place],
        own.values[row, place],
        own.has_value[row, place],
        own.stability[row, place],
    )
