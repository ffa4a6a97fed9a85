"""The vector half of writing: what a group of batches puts into the vector store before its graph transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from aesg_graph.concepts import Ids, VectorTable, among, without
from aesg_graph.errors import AESGMemoryError
from aesg_graph.operations import Batch, Create, Regions, Rekey, Split, born_ids
from aesg_graph.stores.abc import NO_IDS, GraphStore, Points, VectorStore

WITH_VECTORS = (Create, Split, Rekey, Regions)


def has_vectors(batch: Batch) -> bool:
    """Whether a batch writes to the vector store."""
    return any(isinstance(operation, WITH_VECTORS) for operation in batch.operations)


def born_in(batches: Sequence[Batch]) -> Ids:
    """Every concept that the batches bring into being, in order."""
    return np.concatenate([NO_IDS, *(born_ids(op) for batch in batches for op in batch.operations)])


def write_vectors(batches: Sequence[Batch], graph: GraphStore, vectors: Callable[[], VectorStore]) -> dict[int, str]:
    """Write what the batches say about vectors, in order; the sequences that the store will not take, and why.

    A batch that is replayed writes the same again. An id that is taken keeps the vectors that it has, since the graph
    is going to refuse the batch. No id is born twice within the batches, and none splits off one born in an earlier.
    """
    batches = [batch for batch in batches if has_vectors(batch)]
    if not batches:
        return {}
    try:
        _write(batches, graph, vectors())
        return {}
    except AESGMemoryError as error:
        if len(batches) == 1:
            return {batches[0].sequence: f"the vector store refused it: {error.message}"}
    return {sequence: why for batch in batches for sequence, why in write_vectors([batch], graph, vectors).items()}


def _write(batches: Sequence[Batch], graph: GraphStore, store: VectorStore) -> None:
    parts: list[Points] = []
    for batch in batches:
        for operation in batch.operations:
            match operation:
                case Create():
                    parts.append(_created(operation, batch))
                case Split():
                    parts.append(_split_off(operation, batch, graph))
                case Rekey():
                    _upsert(parts, graph, store)
                    store.rekey(operation.ids, operation.keys, operation.version, batch.writer, batch.sequence)
                case Regions():
                    _upsert(parts, graph, store)
                    store.label(operation.ids, operation.regions)
                case _:
                    pass
    _upsert(parts, graph, store)


def _created(operation: Create, batch: Batch) -> Points:
    count = len(operation.ids)
    return Points(
        operation.ids,
        operation.keys,
        operation.values,
        operation.has_value,
        (operation.kind,) * count,
        batch.writer,
        np.full(count, batch.sequence, np.int64),
        np.full(count, operation.version, np.int64),
    )


def _split_off(operation: Split, batch: Batch, graph: GraphStore) -> Points:
    kind, version = _heritage(operation, batch, graph)
    return Points(
        np.array([operation.id], np.int64),
        operation.key.reshape(1, -1),
        operation.value.reshape(1, -1),
        np.array([operation.has_value], np.bool_),
        (kind,),
        batch.writer,
        np.array([batch.sequence], np.int64),
        np.array([version], np.int64),
    )


def _heritage(operation: Split, batch: Batch, graph: GraphStore) -> tuple[str, int]:
    """Kind and version of a concept that splits off: its own if it is there (a replay), else its source's."""
    table = graph.read(np.array([operation.id, operation.source], np.int64), edges=False).concepts
    there = {id: (table.kinds[row], int(table.versions[row])) for row, id in enumerate(table.ids.tolist())}
    for earlier in batch.operations:
        if isinstance(earlier, Create) and operation.source in earlier.ids:
            there.setdefault(operation.source, (earlier.kind, earlier.version))
        elif isinstance(earlier, Split) and earlier.id == operation.source:
            there.setdefault(operation.source, _heritage(earlier, batch, graph))
    # Without a source the split is void: the graph will lack the concept, and its vector goes again.
    return there.get(operation.id) or there.get(operation.source) or ("concept", 0)


def _upsert(parts: list[Points], graph: GraphStore, store: VectorStore) -> None:
    """Write the points collected so far in one call, and collect anew."""
    if not parts:
        return
    points = _joined(parts)
    parts.clear()
    foreign = _taken_by_others(points, graph, store)
    if foreign.size:
        points = _without(points, foreign)
    if len(points.ids):
        store.upsert(points)


def _taken_by_others(points: Points, graph: GraphStore, store: VectorStore) -> Ids:
    """Those of the points' ids that are concepts already whose vectors another batch wrote."""
    taken = without(points.ids, graph.absent(points.ids))
    if not taken.size:
        return taken
    there: VectorTable = store.fetch(taken)
    order = np.argsort(points.ids, kind="stable")
    ours = points.sequences[order][np.searchsorted(points.ids[order], there.ids)]
    foreign: Ids = there.ids[(there.writers != points.writer) | (there.sequences != ours)]
    return foreign


def _joined(parts: Sequence[Points]) -> Points:
    if len(parts) == 1:
        return parts[0]
    widths = {(p.keys.shape[1:], p.values.shape[1:]) for p in parts}
    if len(widths) > 1:
        raise AESGMemoryError(f"Keys and values of {len(widths)} different widths came together; expected one")
    return Points(
        np.concatenate([p.ids for p in parts]),
        np.concatenate([p.keys for p in parts]),
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.has_value for p in parts]),
        tuple(chain.from_iterable(p.kinds for p in parts)),
        parts[0].writer,
        np.concatenate([p.sequences for p in parts]),
        np.concatenate([p.versions for p in parts]),
    )


def _without(points: Points, ids: Ids) -> Points:
    keep = ~among(points.ids, ids)
    return Points(
        points.ids[keep],
        points.keys[keep],
        points.values[keep],
        points.has_value[keep],
        tuple(kind for kind, kept in zip(points.kinds, keep.tolist(), strict=True) if kept),
        points.writer,
        points.sequences[keep],
        points.versions[keep],
    )
