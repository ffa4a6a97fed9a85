"""How novel queries become concepts, and what a new concept is joined to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aesg_graph.concepts import NO_ID, Doubles, Flags, Floats, Ids
from aesg_graph.learning.explaining import cosine, directions
from aesg_graph.learning.lesson import Lesson
from aesg_graph.learning.rules import LearningRules
from aesg_graph.learning.step import Step, explained
from aesg_graph.learning.working import WorkingMemory
from aesg_graph.operations import Create, Link, Operation

TEMPORAL_WEIGHT = 0.5


class Births:
    """The births of one lesson: first :meth:`take_rows`, then :meth:`operations`.

    Attributes
    ----------
    explanation: float64 [R], final once the rows are taken.
    blocked: how many births there was no room for.
    """

    def __init__(self, lesson: Lesson, awake: Flags, working: WorkingMemory, rules: LearningRules, step: Step) -> None:
        self.blocked = 0
        self._lesson, self._awake = lesson, awake
        self._working, self._rules, self._step = working, rules, step
        self._rows: list[int] = []
        self._keys: list[Floats] = []
        self._values: list[Floats] = []
        self._valued: list[bool] = []
        self._ids: list[int] = []
        self._precursors: list[int] = []
        # What each row leaves behind for the next of its sequence: the concept born in it, or its most active one.
        self._latest = np.where(awake, lesson.strongest, NO_ID)
        self.explanation: Doubles = np.array(lesson.explanation, np.float64)
        self._queries: Doubles | None = None
        self._meanings: Doubles | None = None
        if len(step):
            self.explanation = np.maximum(self.explanation, step.explain(*self._directions(), lesson.kind))

    @property
    def born(self) -> Ids:
        """The new concepts' ids, in order of birth."""
        return np.array(self._ids, np.int64)

    def take_rows(self, allocate: Callable[[int], Ids], room: int | None, empty: bool) -> None:
        """Give every novel row, in order, to the novelty buffer, and birth to what it completes.

        The explained rows are not looked at: they can only become better explained.
        """
        rows = np.flatnonzero(self._awake & (self.explanation < self._rules.explanation_threshold)).tolist()
        if empty and not len(self._step) and self._rules.mode.takes_first and room != 0 and self._awake.any():
            first = int(self._awake.argmax())
            self._bear(
                first, self._lesson.queries[first], self._value(first), self._lesson.values is not None, allocate
            )
            rows = [row for row in rows if row != first]
        for row in rows:
            if self.explanation[row] < self._rules.explanation_threshold:  # still: a birth may have explained it
                self._collect(row, allocate, room)
        self._end()

    def operations(self, epoch: int, encoder: str, version: int) -> tuple[Operation, ...]:
        """One Create for everything that was born, then its links to what was there."""
        if not self._ids:
            return ()
        lesson, ids, keys = self._lesson, self.born, np.stack(self._keys)
        sources = None if lesson.sources is None else tuple(lesson.sources[row] for row in self._rows)
        create = Create(
            ids=ids,
            keys=keys,
            values=np.stack(self._values),
            has_value=np.array(self._valued, np.bool_),
            kind=lesson.born_kind,
            epoch=epoch,
            sources=sources,
            encoder=encoder,
            version=version,
        )
        return (create, *self._similar(ids, keys, epoch), *self._temporal(ids, epoch))

    def _collect(self, row: int, allocate: Callable[[int], Ids], room: int | None) -> None:
        buffer = self._working.buffer
        value = None if self._lesson.values is None else self._lesson.values[row]
        place = buffer.hit(self._lesson.queries[row], value, self._rules.explanation_threshold, self._lesson.born_kind)
        if buffer.hits[place] < self._rules.birth_threshold:
            return
        if room is not None and len(self._ids) >= room:
            self.blocked += 1  # the centroid waits in the buffer until there is room
            return
        centroid = buffer.take(place)
        if centroid is not None:
            self._bear(row, *centroid, allocate)

    def _bear(self, row: int, key: Floats, value: Floats, valued: bool, allocate: Callable[[int], Ids]) -> None:
        born = int(allocate(1)[0])
        self._rows.append(row)
        self._ids.append(born)
        self._keys.append(key)
        self._values.append(value)
        self._valued.append(valued)
        self._precursors.append(self._precursor(row))
        self._latest[row] = born
        queries, meanings = self._directions()
        later = slice(row + 1, None)
        now = explained(
            queries[later],
            None if meanings is None else meanings[later],
            directions(key[None]),
            directions(value[None]),
        )
        np.maximum(self.explanation[later], now[:, 0], out=self.explanation[later])

    def _value(self, row: int) -> Floats:
        if self._lesson.values is None:
            return np.zeros(self._working.buffer.value_dim, np.float32)
        return np.asarray(self._lesson.values[row], np.float32)

    def _precursor(self, row: int) -> int:
        """The concept born or most active just before ``row`` in its sequence, ``NO_ID`` if there is none."""
        tag = self._lesson.sequence[row]
        if tag < 0:
            return NO_ID
        before = self._latest[:row][self._lesson.sequence[:row] == tag]
        before = before[before != NO_ID]
        return int(before[-1]) if len(before) else self._working.previous.get(int(tag), NO_ID)

    def _end(self) -> None:
        """Hand the births to the step, and the sequences' positions to working memory."""
        if self._ids:
            self._step.extend(self.born, np.stack(self._keys), np.stack(self._values), self._lesson.born_kind)
        sequence = self._lesson.sequence
        moved = np.flatnonzero((sequence >= 0) & (self._latest != NO_ID))
        self._working.previous.update(zip(sequence[moved].tolist(), self._latest[moved].tolist(), strict=True))

    def _directions(self) -> tuple[Doubles, Doubles | None]:
        """The directions of the rows' queries and of what they mean, computed when first needed."""
        if self._queries is None:
            self._queries = directions(self._lesson.queries)
            self._meanings = None if self._lesson.values is None else directions(self._lesson.values)
        return self._queries, self._meanings

    def _similar(self, ids: Ids, keys: Floats, epoch: int) -> tuple[Link, ...]:
        """SIMILARITY between each new concept and the seeds at its birth; the cosine of their keys is the weight."""
        seeds = self._lesson.seed_ids[self._rows]
        near = cosine(keys[:, None, :], self._lesson.seed_keys[self._rows])
        weights = np.clip(near, 0.0, 1.0).astype(np.float32)
        real = (seeds != NO_ID) & (weights > 0.0)
        if not real.any():
            return ()
        born, seed = np.broadcast_to(ids[:, None], seeds.shape)[real], seeds[real]
        none = np.zeros(len(seed), np.int64)
        return (Link("SIMILARITY", np.minimum(born, seed), np.maximum(born, seed), weights[real], none, epoch),)

    def _temporal(self, ids: Ids, epoch: int) -> tuple[Link, ...]:
        """TEMPORAL from what came just before in the sequence to each new concept."""
        before = np.array(self._precursors, np.int64)
        real = before != NO_ID
        if not real.any():
            return ()
        count = int(real.sum())
        weights, none = np.full(count, TEMPORAL_WEIGHT, np.float32), np.zeros(count, np.int64)
        return (Link("TEMPORAL", before[real], ids[real], weights, none, epoch),)
