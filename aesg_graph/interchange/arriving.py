"""Taking in concepts that were somebody else's: new ids, ordinary operations, bounded batches.

Whoever reads a foreign format (a pack, a directory of aesg) yields it in chunks under its own ids; here each concept is
born under a new one (Create), its uses and contradictions are added (Touch), and edges follow (Link). So all of it
is journalled, reaches the stores exactly once, and is seen by other processes like any lesson.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import CONCEPT, Flags, Floats, Ids, Ints, Texts
from aesg_graph.engine import inputs
from aesg_graph.engine.authoring import BATCH
from aesg_graph.errors import AESGMemoryError
from aesg_graph.operations import WEAKNESS_KEPT, Create, Link, Touch

if TYPE_CHECKING:
    from aesg_graph.engine import MemoryEngine

Progress = Callable[[str, int, int], None]
"""Called with what is being written, how much of it is, and how much there will be (0: not known)."""

UNIT = 2.0**-23
"""How far the length of a float32 vector that was scaled to 1 may be from 1."""
ROUNDING = 2.0**-24
"""How far a weight that was kept as float32 may be from what its uses made it."""


@dataclass(frozen=True, eq=False)
class ArrivingConcepts:
    """N concepts under the ids that they had.

    old_ids [N] are distinct over all chunks (any int64: a place in a file will do); keys [N, D] of any length but zero;
    values [N, V] (V may be 0, also where the memory's is not) and has_value [N]. ``kinds`` is one for all or one each;
    what is None is not known. Chunks of a few thousand are best.
    """

    old_ids: Ids
    keys: Floats
    values: Floats
    has_value: Flags
    kinds: str | tuple[str, ...] = CONCEPT
    names: Texts | None = None
    texts: Texts | None = None
    sources: Texts | None = None
    encoders: tuple[str, ...] | None = None
    uses: Ints | None = None
    contradictions: Ints | None = None

    def __len__(self) -> int:
        return len(self.old_ids)


@dataclass(frozen=True, eq=False)
class ArrivingEdges:
    """M edges of one type between old ids, with the weight [M] in [0, 1] that each has after so many uses [M].

    An edge (for a symmetric type: either way round) that is given twice is strengthened once more by the second.
    """

    type: str
    sources: Ids
    targets: Ids
    weights: Floats
    uses: Ints | None = None

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, eq=False)
class Arrived:
    """What became of them: old_ids [N] ascending, and new_ids [N]; how many edges were written, and how many were left
    out because an end did not arrive or both are the same.

    Nothing arrived where the mode forbids births, or has no room for them all.
    """

    old_ids: Ids
    new_ids: Ids
    edges: int
    left_out: int

    def __len__(self) -> int:
        return len(self.old_ids)


def arrive(
    engine: MemoryEngine,
    count: int,
    concepts: Iterable[ArrivingConcepts],
    edges: Iterable[ArrivingEdges],
    progress: Progress | None = None,
) -> Arrived:
    """Write ``count`` concepts, then their edges, into an open memory; both iterables are taken chunk by chunk.

    The mode's rules are those of ``create``: none arrive in INFERENCE, nor in ONLINE and FINETUNE past
    ``max_concepts`` (counted as blocked). Keys are scaled to length 1 unless they have it. Weights are kept, and uses
    as far as a weight can come of so many (:func:`born_weights`); region, relevance, epochs and confidence are not.

    AESGMemoryError inside a step, and for rows that ``create`` would refuse. What was written before an error stays:
    check a file before (:func:`require_relations` for the types of its edges).
    """
    engine._check()
    if engine.in_step is not None:
        raise AESGMemoryError(
            "Concepts were to be taken in inside a step, expected it outside: they are written at once"
        )
    room = engine.room()
    if not engine.mode.creates or (room is not None and count > room):
        engine.blocked += count if engine.mode.creates else 0
        return Arrived(np.empty(0, np.int64), np.empty(0, np.int64), 0, 0)
    old, new = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    done = 0
    for chunk in concepts:
        old.append(np.asarray(chunk.old_ids, np.int64))
        new.append(_born(engine, chunk))
        done += len(chunk)
        _tell(progress, "concepts", done, count)
    olds = np.concatenate(old)
    order = np.argsort(olds, kind="stable")
    arrived = olds[order], np.concatenate(new)[order]
    return Arrived(*arrived, *_joined(engine, edges, *arrived, progress))


def require_relations(engine: MemoryEngine, types: Iterable[str]) -> None:
    """AESGMemoryError that names every type of edge which the memory does not know."""
    strange = sorted(set(types) - set(engine.config.vocabulary.names))
    if strange:
        raise AESGMemoryError(
            f"Unknown relation types {', '.join(strange)}: declare them in AESGConfig.relations, with their gains"
        )


def born_weights(weights: npt.ArrayLike, uses: npt.ArrayLike) -> tuple[Floats, Ints]:
    """The weights [M] at birth that so many uses [M] make ``weights`` [M], and how many uses these can have had.

    k uses make a weight ``1 - (1 - born) * 0.9^k``, so one that says it had more uses than lead to it even from 0 keeps
    its weight and has the most that do.
    """
    final, wanted = np.asarray(weights, np.float64), np.asarray(uses, np.int64)
    lacking = 1.0 - final
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.floor(np.log(np.maximum(lacking - ROUNDING, 0.0)) / np.log(WEAKNESS_KEPT))
        kept = np.where(most < wanted, most, wanted).astype(np.int64)
        born = np.where(lacking > 0.0, 1.0 - lacking / WEAKNESS_KEPT**kept, 1.0)
    return np.clip(born, 0.0, 1.0).astype(np.float32), kept


# -- concepts ---------------------------------------------------------------------------------------------------------


def _born(engine: MemoryEngine, chunk: ArrivingConcepts) -> Ids:
    """The new ids [N] of a chunk, which is checked whole before any of it is written."""
    count = len(chunk)
    if not count:
        return np.empty(0, np.int64)
    keys = unit_keys(inputs.rows(chunk.keys, engine.config.vector_dim, "keys"))
    values, has_value = _values(engine, chunk)
    kinds = (chunk.kinds,) * count if isinstance(chunk.kinds, str) else chunk.kinds
    for kind in set(kinds):
        inputs.kind_name(kind)
    lines = (chunk.names, "names"), (chunk.texts, "texts"), (chunk.sources, "sources")
    told = [inputs.texts_for(given, count, what) for given, what in lines]
    encoders = chunk.encoders or ("",) * count
    uses, contradictions = (_counts(given, count) for given in (chunk.uses, chunk.contradictions))
    ids = engine.recorder.allocate(count)
    for rows, kind, encoder in _alike(kinds, encoders):
        epoch, version = engine.recorder.epoch, engine.recorder.key_version
        names, texts, sources = (None if t is None else tuple(t[i] for i in rows.tolist()) for t in told)
        vectors = keys[rows], values[rows], has_value[rows]
        engine.write(Create(ids[rows], *vectors, kind, epoch, names, texts, sources, encoder, version))
    used = (uses > 0) | (contradictions > 0)
    if used.any():
        engine.write(Touch(ids[used], uses[used], contradictions[used], engine.recorder.epoch))
    return ids


def unit_keys(keys: Floats) -> Floats:
    """Keys [N, D] of length 1; those that have it already stay as they are. AESGMemoryError for a zero vector."""
    unit, zero = inputs.unit_rows(keys)
    if zero.any():
        raise AESGMemoryError(f"keys row {int(np.argmax(zero))} is a zero vector, expected keys with a direction")
    lengths = np.sqrt(np.einsum("ij,ij->i", keys, keys, dtype=np.float64))
    return np.where((np.abs(lengths - 1.0) <= UNIT)[:, None], keys, unit)


def _values(engine: MemoryEngine, chunk: ArrivingConcepts) -> tuple[Floats, Flags]:
    """[N, V] values of the memory's width, zeros where there is none."""
    has_value = np.asarray(chunk.has_value, np.bool_)
    if not has_value.any():
        return np.zeros((len(chunk), engine.config.value_dim), np.float32), np.zeros(len(chunk), np.bool_)
    values = inputs.values_for(chunk.values, len(chunk), engine.config.value_dim, "values")
    assert values is not None
    return values, has_value


def _counts(given: Ints | None, count: int) -> Ints:
    counts = np.zeros(count, np.int64) if given is None else np.asarray(given, np.int64)
    if (counts < 0).any():
        raise AESGMemoryError(f"A concept was used or contradicted {int(counts.min())} times, expected 0 or more")
    return counts


def _alike(kinds: tuple[str, ...], encoders: tuple[str, ...]) -> Iterator[tuple[Ids, str, str]]:
    """Rows of one kind and encoder, at most ``BATCH`` together."""
    pairs = list(zip(kinds, encoders, strict=True))
    order = sorted(range(len(pairs)), key=pairs.__getitem__)
    for (kind, encoder), rows in groupby(order, key=pairs.__getitem__):
        chosen = np.fromiter(rows, np.int64)
        for start in range(0, len(chosen), BATCH):
            yield chosen[start : start + BATCH], kind, encoder


# -- edges ------------------------------------------------------------------------------------------------------------


def _joined(
    engine: MemoryEngine, edges: Iterable[ArrivingEdges], old: Ids, new: Ids, progress: Progress | None
) -> tuple[int, int]:
    """How many edges were written, and how many were left out."""
    written = left_out = 0
    vocabulary = engine.config.vocabulary
    for chunk in edges:
        symmetric = vocabulary.types[vocabulary.code(chunk.type)].symmetric
        given_uses = np.zeros(len(chunk), np.int64) if chunk.uses is None else np.maximum(chunk.uses, 0)
        weights, uses = born_weights(inputs.weights_for(chunk.weights, len(chunk), 0.0), given_uses)
        starts, ends, there = _moved(chunk, old, new)
        if symmetric:
            starts, ends = np.minimum(starts, ends), np.maximum(starts, ends)
        for first in range(0, len(starts), BATCH):
            part = slice(first, first + BATCH)
            epoch = engine.recorder.epoch
            engine.write(Link(chunk.type, starts[part], ends[part], weights[there][part], uses[there][part], epoch))
        written, left_out = written + len(starts), left_out + len(chunk) - len(starts)
        _tell(progress, "edges", written, 0)
    return written, left_out


def _moved(chunk: ArrivingEdges, old: Ids, new: Ids) -> tuple[Ids, Ids, Flags]:
    """The new ends of the edges that can be written, and which of the chunk's these are [M]."""
    sources, targets = np.asarray(chunk.sources, np.int64), np.asarray(chunk.targets, np.int64)
    there = sources != targets
    if not len(old):
        return old, old, np.zeros(len(chunk), np.bool_)
    places: list[Ids] = []
    for ends in (sources, targets):
        place = np.minimum(np.searchsorted(old, ends), len(old) - 1)
        there &= old[place] == ends
        places.append(place)
    return new[places[0][there]], new[places[1][there]], there


def _tell(progress: Progress | None, what: str, done: int, total: int) -> None:
    if progress is not None:
        progress(what, done, total)
