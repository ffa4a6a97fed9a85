"""Lessons made by hand or at random, and the same lesson for the reference."""

from __future__ import annotations

import itertools

import numpy as np
import reference_learning as reference

from aesg_graph.concepts import NO_ID
from aesg_graph.learning import LearningRules, Lesson, Mode
from aesg_graph.operations import Create, Link, Touch


def rules(mode=Mode.TRAIN, **changes) -> LearningRules:
    numbers = {
        "explanation_threshold": 0.6,
        "birth_threshold": 1,
        "agreement": 0.5,
        "coactivation_threshold": 50,
        "max_concepts": 1000,
        "max_prune_fraction": 0.1,
        "consolidation_interval": 10,
    }
    return LearningRules(mode=mode, **(numbers | changes))


class Counter:
    """Gives ids from ``start`` on, ``stride`` apart."""

    def __init__(self, start: int, stride: int = 1) -> None:
        self.ids = itertools.count(start, stride)

    def __call__(self, count: int) -> np.ndarray:
        return np.array([next(self.ids) for _ in range(count)], np.int64)


def lesson(queries, values=None, seeds=(), keys=None, agreement=None, explanation=0.0, **columns) -> Lesson:
    """A lesson of which only what matters is given; ``seeds`` is a list of ids for each row."""
    queries = np.asarray(queries, np.float32)
    rows, dim = queries.shape
    width = max((len(row) for row in seeds), default=0)
    ids = np.full((rows, width), NO_ID, np.int64)
    for row, given in enumerate(seeds):
        ids[row, : len(given)] = given
    shape = (rows, width)
    return Lesson(
        queries=queries,
        values=None if values is None else np.asarray(values, np.float32),
        seed_ids=ids,
        seed_cosines=np.zeros(shape),
        seed_keys=np.zeros((*shape, dim), np.float32) if keys is None else np.asarray(keys, np.float32),
        seed_agreement=np.full(shape, np.nan) if agreement is None else np.asarray(agreement, np.float64),
        explanation=np.broadcast_to(np.asarray(explanation, np.float64), (rows,)),
        strongest=np.asarray(columns.get("strongest", np.full(rows, NO_ID)), np.int64),
        sequence=np.asarray(columns.get("sequence", np.full(rows, -1)), np.int64),
        sources=columns.get("sources"),
    )


def random_lesson(rng: np.random.Generator, themes: np.ndarray, value_dim: int) -> Lesson:
    """Up to 12 rows around a few themes: repeated, noisy and zero queries, values or none, up to 4 seeds a row."""
    rows, seeds = int(rng.integers(1, 13)), int(rng.integers(0, 5))
    dim = themes.shape[1]
    queries = themes[rng.integers(0, len(themes), rows)] + rng.choice([0.0, 0.3], (rows, 1)) * rng.normal(
        size=(rows, dim)
    )
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    queries[rng.random(rows) < 0.1] = 0.0
    values = None
    if value_dim and rng.random() < 0.8:
        values = np.eye(value_dim)[rng.integers(0, value_dim, rows)] + rng.choice([0.0, 0.2], (rows, 1))
        values[rng.random(rows) < 0.1] = 0.0
    ids = np.array([rng.choice(np.arange(100, 140, 2), seeds, replace=False) for _ in range(rows)], np.int64)
    ids = ids.reshape(rows, seeds)
    for row in range(rows):
        ids[row, rng.integers(0, seeds + 1) :] = NO_ID
    keys = rng.normal(size=(rows, seeds, dim)) * (ids != NO_ID)[..., None]
    agreement = rng.choice([np.nan, -0.5, 0.4, 0.9], (rows, seeds))
    given = [None if rng.random() < 0.3 else f"row {rng.integers(1000)}" for _ in range(rows)]
    return lesson(
        queries,
        values,
        ids.tolist() if seeds else (),
        keys[:, : ids.shape[1]],
        agreement,
        rng.choice([0.0, 0.2, 0.7, 0.99], rows),
        strongest=rng.choice([NO_ID, 100, 102, 104], rows),
        sequence=rng.integers(-1, 3, rows),
        sources=tuple(given) if rng.random() < 0.5 else None,
    )


def rows_of(given: Lesson) -> list[reference.Row]:
    """The lesson as the reference takes it."""
    return [
        reference.Row(
            query=given.queries[r].tolist(),
            value=None if given.values is None else given.values[r].tolist(),
            seeds=[
                (int(given.seed_ids[r, s]), given.seed_keys[r, s].tolist(), float(given.seed_agreement[r, s]))
                for s in range(given.seed_ids.shape[1])
                if given.seed_ids[r, s] != NO_ID
            ],
            explanation=float(given.explanation[r]),
            strongest=int(given.strongest[r]),
            sequence=int(given.sequence[r]),
            source=None if given.sources is None else given.sources[r],
        )
        for r in range(len(given))
    ]


def only(operations, kind):
    """The one operation of a kind, or None."""
    found = [op for op in operations if isinstance(op, kind)]
    assert len(found) <= 1
    return found[0] if found else None


def created(lessons) -> Create | None:
    return only(lessons.operations, Create)


def links(lessons, relation: str) -> dict[tuple[int, int], tuple[float, int]]:
    """The edges of one type: (source, target) to (weight, uses)."""
    found = [op for op in lessons.operations if isinstance(op, Link) and op.type == relation]
    assert len(found) <= 1
    if not found:
        return {}
    ends = zip(found[0].sources.tolist(), found[0].targets.tolist(), strict=True)
    edges = dict(zip(ends, zip(found[0].weights.tolist(), found[0].uses.tolist(), strict=True), strict=True))
    assert len(edges) == len(found[0].sources)
    return edges


def touched(lessons) -> dict[int, tuple[int, int]]:
    """Concept to (uses, contradictions)."""
    touch = only(lessons.operations, Touch)
    if touch is None:
        return {}
    counts = dict(
        zip(touch.ids.tolist(), zip(touch.uses.tolist(), touch.contradictions.tolist(), strict=True), strict=True)
    )
    assert len(counts) == len(touch.ids)
    return counts
