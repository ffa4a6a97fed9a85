"""What is written by hand: bulk creation, edges, names, removal. Checked whole before anything is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aesg_graph.concepts import Floats, Ids, Texts, without
from aesg_graph.engine import inputs
from aesg_graph.engine.names import names_at_birth
from aesg_graph.errors import AESGMemoryError
from aesg_graph.operations import Create, Describe, Link, Remove

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine

BATCH = 8192
"""Concepts or edges in one batch of a bulk write."""
DEFAULT_WEIGHT = 0.5

Lines = Sequence[str | None] | None


def create(engine: MemoryEngine, keys: Any, values: Any, names: Lines, texts: Lines, sources: Lines, kind: str) -> Ids:
    """N concepts from [N, D] keys, [N, V] values and N lines each; their ids [N], none where the mode has no room."""
    given = inputs.rows(keys, engine.config.vector_dim, "keys")
    meant = inputs.values_for(values, len(given), engine.config.value_dim, "values")
    unit, zero = inputs.unit_rows(given)
    if zero.any():
        raise AESGMemoryError(f"keys row {int(np.argmax(zero))} is a zero vector, expected keys with a direction")
    called, told, found = (
        inputs.texts_for(t, len(given), w) for t, w in ((names, "names"), (texts, "texts"), (sources, "sources"))
    )
    described = [names_at_birth(called, told), told, found]
    kind = inputs.kind_name(kind)
    if not engine.mode.creates or _full(engine, len(given)):
        return np.empty(0, np.int64)
    return _create(engine, unit, meant, described, kind)


def _full(engine: MemoryEngine, count: int) -> bool:
    """Whether ``count`` more would pass ``max_concepts`` in a mode that never prunes; counted as blocked if so."""
    room = engine.room()
    full = room is not None and count > room
    engine.blocked += count if full else 0
    return full


def _create(engine: MemoryEngine, unit: Floats, values: Floats | None, described: list[Texts | None], kind: str) -> Ids:
    ids = engine.recorder.allocate(len(unit))
    # A copy, as the ids that are given back: what is recorded must not change when the caller's array does.
    meant = np.zeros((len(unit), engine.config.value_dim), np.float32) if values is None else values.copy()
    has_value = np.full(len(unit), values is not None)
    for start in range(0, len(unit), BATCH):
        part = slice(start, start + BATCH)
        names, texts, sources = (None if t is None else t[part] for t in described)
        epoch, version = engine.recorder.epoch, engine.recorder.key_version
        engine.write(
            Create(ids[part], unit[part], meant[part], has_value[part], kind, epoch, names, texts, sources, "", version)
        )
    return ids.copy()


def link(engine: MemoryEngine, sources: Any, targets: Any, type: str, weights: Any) -> None:
    """Edges of one type between [M] and [M] concepts; one that exists is strengthened."""
    relation = engine.config.vocabulary.types[engine.config.vocabulary.code(type)]
    starts, ends = inputs.known_ids(sources, "sources"), inputs.known_ids(targets, "targets")
    if len(starts) != len(ends):
        raise AESGMemoryError(f"sources has {len(starts)} ids and targets {len(ends)}, expected as many")
    strength = inputs.weights_for(weights, len(starts), DEFAULT_WEIGHT)
    if (starts == ends).any():
        loop = int(starts[starts == ends][0])
        raise AESGMemoryError(f"Concept {loop} was to be linked to itself, expected two concepts")
    must_exist(engine, np.concatenate([starts, ends]))
    if not engine.mode.creates:
        return
    if relation.symmetric:
        starts, ends = np.minimum(starts, ends), np.maximum(starts, ends)
    for start in range(0, len(starts), BATCH):
        part = slice(start, start + BATCH)
        uses = np.zeros(len(starts[part]), np.int64)
        engine.write(Link(type, starts[part], ends[part], strength[part], uses, engine.recorder.epoch))


def annotate(engine: MemoryEngine, ids: Any, names: Lines, texts: Lines) -> None:
    """Names and texts of concepts [N]; None leaves a column as it is, a None inside one clears that entry."""
    named = inputs.distinct_ids(ids)
    called, told = inputs.texts_for(names, len(named), "names"), inputs.texts_for(texts, len(named), "texts")
    must_exist(engine, named)
    if engine.mode.creates and len(named) and (called is not None or told is not None):
        engine.write(Describe(named, called, told))


def remove(engine: MemoryEngine, ids: Any) -> None:
    """Concepts [N] go, with their edges and vectors."""
    doomed = inputs.distinct_ids(ids)
    must_exist(engine, doomed)
    if engine.mode.creates:
        for start in range(0, len(doomed), BATCH):
            engine.write(Remove(doomed[start : start + BATCH]))


def must_exist(engine: MemoryEngine, ids: Ids) -> None:
    """AESGMemoryError for ids that do not exist (those promised in this thread's step exist)."""
    with engine.locked():
        known = engine.residency.known(ids)
    if len(known) == len(ids):
        return
    lacking = without(ids, known)
    if (step := engine.in_step) is not None and lacking.size:
        lacking = without(lacking, np.concatenate([np.empty(0, np.int64), *step.promised]))
    if lacking.size:
        more = f" and {lacking.size - 1} more" if lacking.size > 1 else ""
        raise AESGMemoryError(
            f"Concept {int(lacking[0])}{more} does not exist, expected ids of concepts in this memory"
        )
