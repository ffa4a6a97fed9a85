"""Trying parameters out on a sample of queries, each candidate in a real memory that is thrown away."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from aesg_graph.concepts import Doubles, Flags, Floats
from aesg_graph.config import AESGConfig
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.tuning_report import Fit
from aesg_graph.engine.tuning_sample import Sample, checked_sample, whole_number
from aesg_graph.errors import AESGConfigError, AESGMemoryError
from aesg_graph.learning.explaining import cosine, read_out
from aesg_graph.learning.tuning import CROWDED, Candidate, Trial, choose, reason, remarks
from aesg_graph.settings import EMBEDDED, StoreSettings

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BIRTHS = (1, 2, 3, 5)
MOST = 5000
IN_MEMORY = Path("/dev/shm")
"""Where files are kept in memory, if the machine has that: no disk is waited for, a trial takes a twentieth."""
SPARE = 256 << 20
"""Bytes that must be left there."""

Tell = Callable[[str, int, int], None]


def fit_config(
    sample: Any,
    values: Any = None,
    *,
    labels: Any = None,
    config: AESGConfig | None = None,
    passes: int = 1,
    thresholds: Sequence[float] = THRESHOLDS,
    births: Sequence[int] = BIRTHS,
    most: int = MOST,
    progress: Tell | None = None,
) -> Fit:
    """Propose novelty thresholds, and whether to centre queries, from a sample of queries [N, D], N at least 20.

    Each candidate teaches four fifths of the sample to a real memory in a temporary directory, in order, as a training
    loop would (batches of ``config.batch_size``, ``update_topology()`` after each, ``passes`` times over), and asks it
    the remaining fifth. Always the same for the same sample; no memory of yours is opened, nothing of it is changed.

    ``values`` [N, V] are what the queries mean, or ``labels`` [N], integers or text that repeat, which become one-hot
    values. Without either, queries are centred if their mean cosine is above 0.5, and the proposal is the knee of
    explanation over concepts; with values each candidate is tried both ways, and the proposal is the smallest memory
    within one standard error of the best held-out agreement (see :mod:`aesg_graph.learning.tuning`).

    ``config`` is what all candidates share; by default that of a new memory of these dimensions. Of a larger sample,
    ``most`` rows are drawn. ``progress`` is told ``(what, done, total)``.

    AESGMemoryError for a sample, values or labels that are none or of other dimensions than ``config``;
    AESGConfigError for impossible candidates. Both before anything is tried.
    """
    if config is not None and not isinstance(config, AESGConfig):
        raise AESGConfigError(f"config is a {type(config).__name__}, expected an AESGConfig")
    given = checked_sample(sample, values, labels, config, most)
    width = 0 if given.values is None else given.values.shape[1]
    base = config or AESGConfig(vector_dim=given.queries.shape[1], value_dim=width)
    if width and base.value_dim != width:
        raise AESGMemoryError(f"values have {width} columns (labels one each), expected value_dim={base.value_dim}")
    passes = whole_number(passes, "passes", 1)
    centrings = (False, True) if given.values is not None else (given.crowding > CROWDED,)
    tried = _configurations(base, thresholds, births)
    trials = []
    for done, (one, centred) in enumerate(product(tried, centrings)):
        if progress is not None:
            progress("trying candidates", done, len(tried) * len(centrings))
        trials.append(_trial(given, one, centred, passes))
    chosen = choose(trials)
    return Fit(
        config=_with(base, chosen.candidate.explanation_threshold, chosen.candidate.birth_threshold),
        mean=given.mean if chosen.candidate.centred else None,
        chosen=chosen,
        trials=tuple(trials),
        taught=len(given.taught),
        held_out=len(given.held),
        mean_cosine=given.crowding,
        reason=reason(chosen, trials),
        remarks=remarks(chosen, trials, given.always),
    )


def _configurations(base: AESGConfig, thresholds: Sequence[float], births: Sequence[int]) -> list[AESGConfig]:
    """A configuration for each combination: all of them are possible, or none is tried."""
    try:
        combinations = list(product(thresholds, births))
    except TypeError as error:
        raise AESGConfigError(f"thresholds or births is no sequence ({error}), expected numbers to try") from error
    if not combinations:
        raise AESGConfigError("There are no candidates, expected at least one of thresholds and one of births")
    return [_with(base, threshold, birth) for threshold, birth in combinations]


def _with(config: AESGConfig, threshold: float, birth: int) -> AESGConfig:
    return replace(config, novelty_explanation_threshold=threshold, novelty_birth_threshold=birth)


# -- one candidate --------------------------------------------------------------------------------------------------


def _trial(sample: Sample, config: AESGConfig, centred: bool, passes: int) -> Trial:
    """What a memory with this configuration makes of a sample, centred or not."""
    lasting = replace(config, memory_mode="TRAIN", storage_directory=None)
    # Whatever the environment says of servers.
    here = StoreSettings(graph=EMBEDDED, vectors=EMBEDDED, memory=None, durability="process")
    place = _scratch(sample)
    with tempfile.TemporaryDirectory(prefix="aesg-tune-", dir=place, ignore_cleanup_errors=True) as directory:
        engine = MemoryEngine(Path(directory) / "memory", lasting, here)
        try:
            engine.signs.quiet = True
            for _ in range(passes):
                _teach(engine, *sample.rows(sample.taught, centred))
            explained, novel, agreed = _ask(engine, *sample.rows(sample.held, centred))
            concepts = engine.inspector.concept_count()
        finally:
            engine.close()
    judged = explained if agreed is None else agreed
    return Trial(
        candidate=Candidate(config.novelty_explanation_threshold, config.novelty_birth_threshold, centred),
        concepts=concepts,
        explanation=float(explained.mean()),
        novel=float(novel.mean()),
        agreement=None if agreed is None else float(agreed.mean()),
        error=float(judged.std(ddof=1) / np.sqrt(len(judged))),
    )


def _scratch(sample: Sample) -> Path | None:
    """Where a trial's memory lives: in memory where there is room for it, else where temporary files do."""
    width = sample.queries.shape[1] + (0 if sample.values is None else sample.values.shape[1])
    need = SPARE + 16 * len(sample.queries) * width  # four times what every row as a concept would be
    try:
        roomy = shutil.disk_usage(IN_MEMORY).free > need
    except OSError:
        return None
    return IN_MEMORY if roomy and os.access(IN_MEMORY, os.W_OK) else None


def _batches(engine: MemoryEngine, queries: Floats, values: Floats | None) -> Iterable[tuple[Any, Any]]:
    """Queries of a batch each, and what was recalled."""
    size = engine.config.batch_size
    for start in range(0, len(queries), size):
        batch = slice(start, start + size)
        query = engine.query(queries[batch], None if values is None else values[batch])
        yield query, engine.recall(query)


def _teach(engine: MemoryEngine, queries: Floats, values: Floats | None) -> None:
    for query, recalled in _batches(engine, queries, values):
        engine.learn(query, recalled, engine.steps.tags(len(query.vectors)))
        engine.update_topology()


def _ask(engine: MemoryEngine, queries: Floats, values: Floats | None) -> tuple[Doubles, Flags, Doubles | None]:
    """How well each query is explained, whether it is novel, and how far its value and what is read out agree."""
    explained, novel, agreed = [], [], []
    config = engine.config
    for query, found in _batches(engine, queries, values):
        explained.append(found.explanation)
        novel.append(found.novel)
        if query.values is not None:
            read = read_out(
                found.queries,
                found.keys,
                found.values,
                found.mask,
                found.has_value,
                found.stability,
                config.read_temperature,
                config.seed_threshold,
            )
            agreed.append(np.maximum(cosine(query.values, read), 0.0))
    return np.concatenate(explained), np.concatenate(novel), np.concatenate(agreed) if agreed else None
