"""The encoder has changed: keys are made again from the concepts' sources."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aesg_graph.concepts import Ids
from aesg_graph.engine import inputs
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import Rekey

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine

log = logging.getLogger("aesg_graph")

Encode = Callable[[Sequence[str]], Any]
"""Maps N sources to [N, D] keys."""
Progress = Callable[[int, int], None]
"""Called with how many concepts are done and how many there are."""

DRIFT_SAMPLE = 256


def rekey(
    engine: MemoryEngine, encode: Encode, ids: Ids | None, encoder: str, progress: Progress | None, batch: int
) -> int:
    """Give every concept with a source (among ``ids``, or all) the key that ``encode`` makes of it now.

    Sources are encoded ``batch`` at a time; values, edges and counts stay. Concepts without a source keep their keys.
    Novelty centroids live in the old key space, so they are dropped. Returns how many concepts were rekeyed.
    """
    if engine.in_step is not None:
        raise AESGMemoryError("rekey() was called inside a step, expected it outside: a step's answers must hold still")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise AESGMemoryError(f"batch is {batch!r}, expected a whole number of at least 1")
    if not isinstance(encoder, str):
        raise AESGMemoryError(f"encoder is {encoder!r}, expected its name as text")
    if not engine.mode.creates:
        return 0
    engine.flush()
    tenure = engine.lease.hold()
    if tenure is None:
        raise AESGStorageError(
            "The memory cannot be rekeyed now: another process has its lease, or its server does not answer; expected "
            "the lease to be free"
        )
    version = max(engine.recorder.key_version, engine.residency.graph.head().key_version) + 1
    total = engine.recorder.concepts if ids is None else len(ids)
    done = seen = 0
    for part, sources in pages(engine, ids, batch):
        seen += len(part)
        has = np.array([s is not None for s in sources], np.bool_)
        if has.any():
            keys = encoded(engine, encode, [s for s in sources if s is not None])
            with engine.steps.writing:
                engine.recorder.make_room()
                engine.recorder.record([Rekey(part[has], keys, version, encoder)], fence=tenure.fence)
            done += int(has.sum())
        if progress is not None:
            progress(seen, total)
        log.debug("rekeyed %d of %d concepts", seen, total)
    with engine.steps.writing:
        engine.working.buffer.clear()
    return done


def encoded(engine: MemoryEngine, encode: Encode, sources: list[str]) -> Any:
    """Unit keys [N, D] of sources; AESGMemoryError where the encoder gives something else."""
    given = inputs.rows(encode(sources), engine.config.vector_dim, "the encoder's output")
    if len(given) != len(sources):
        raise AESGMemoryError(f"The encoder gave {len(given)} keys for {len(sources)} sources, expected one for each")
    unit, zero = inputs.unit_rows(given)
    if zero.any():
        raise AESGMemoryError(
            f"The encoder gave a zero vector for {sources[int(np.argmax(zero))]!r}, expected a direction"
        )
    return unit


def pages(engine: MemoryEngine, ids: Ids | None, batch: int) -> Any:
    """Ids and sources, ``batch`` at a time, from the graph store."""
    graph = engine.residency.graph
    if ids is not None:
        for start in range(0, len(ids), batch):
            found = graph.read(ids[start : start + batch], edges=False).concepts
            yield found.ids, found.sources
        return
    after = -1
    while len(found := graph.page(after, batch, edges=False).concepts):
        after = int(found.ids[-1])
        yield found.ids, found.sources


def drift(engine: MemoryEngine, encode: Encode) -> float | None:
    """Mean of 1 - cosine between stored keys and what ``encode`` makes of their sources now, on a sample.

    0 means that keys are as the encoder would make them; None where no concept has a source.
    """
    engine.flush()
    sample: list[tuple[int, str]] = []
    for part, sources in pages(engine, None, 1024):
        sample += [(int(i), s) for i, s in zip(part, sources, strict=True) if s is not None]
        if len(sample) >= DRIFT_SAMPLE:
            break
    if not sample:
        return None
    keys = encoded(engine, encode, [s for _, s in sample])
    table = engine.residency.vectors().fetch(np.array([i for i, _ in sample], np.int64))
    stored = dict(zip(table.ids.tolist(), table.keys, strict=True))
    cosines = [float(np.dot(stored[i], key)) for (i, _), key in zip(sample, keys, strict=True) if i in stored]
    return float(1.0 - np.mean(cosines)) if cosines else None
