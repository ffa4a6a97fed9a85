"""The memory engine on numpy arrays: everything that the torch module and the command line share.

Reading is :meth:`MemoryEngine.recall`, writing is :meth:`MemoryEngine.learn`; the rest is bulk creation, care and inspection.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from aesg_graph.concepts import Floats, Ids, Ints, Texts
from aesg_graph.config import AESGConfig
from aesg_graph.engine import inputs
from aesg_graph.engine.caching import close_residency, make_writable, open_residency
from aesg_graph.engine.consolidation import Caretaker, Consolidation
from aesg_graph.engine.embedded import open_backend
from aesg_graph.engine.inspection import Inspector
from aesg_graph.engine.recall import Query, Recall, Recaller, agreement
from aesg_graph.engine.rekeying import Encode, Progress, rekey
from aesg_graph.engine.steps import StepHandle, Steps
from aesg_graph.engine.working import load_working, save_working
from aesg_graph.engine.writing import Recorder
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import LearningRules, Lesson, Mode, Step, learn
from aesg_graph.learning.aging import is_consolidation_due
from aesg_graph.operations import Create, Describe, Link, Operation, Remove
from aesg_graph.settings import StoreSettings

log = logging.getLogger("aesg_graph")

BATCH = 8192
"""Concepts or edges in one batch of a bulk write."""
DEFAULT_WEIGHT = 0.5


class MemoryEngine:
    """One memory in one directory. Thread-safe; a forked child is refused."""

    def __init__(self, directory: Path, config: AESGConfig | None, settings: StoreSettings) -> None:
        self.settings = settings
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._closed = False
        self._backend = open_backend(directory, config, settings)
        try:
            self._start()
        except BaseException:
            self._backend.close()
            raise

    def _start(self) -> None:
        backend = self._backend
        self.config = backend.config
        self.directory = backend.directory.path
        self._mode = Mode.parse(self.config.memory_mode)
        self.working = load_working(backend.directory.working, self.config)
        self.residency = open_residency(backend, private=self._mode is Mode.INFERENCE)
        self.recorder = Recorder(backend, self.residency, self._lock)
        self.recaller = Recaller(self.residency, self.config)
        self.caretaker = Caretaker(self.recorder, self.residency, self.config)
        self.inspector = Inspector(self)
        self.steps = Steps(self.recorder.record, self.working.end_sequences, self._new_step)
        self.blocked = 0
        self.consolidations = 0

    def _new_step(self) -> Step:
        return Step(self.config.vector_dim, self.config.value_dim)

    @property
    def _rules(self) -> LearningRules:
        return LearningRules.of(self.config, self._mode)

    # -- reading ----------------------------------------------------------------------------------------------------

    def recall(self, query: Query) -> Recall:
        """Answer a batch of queries; learns nothing (see :meth:`learn`)."""
        self._check()
        with self._lock:
            return self.recaller.recall(query, warm=self._may_warm)

    @property
    def _may_warm(self) -> bool:
        return self._mode is not Mode.INFERENCE or self.residency.private

    def query(self, vectors: Any, values: Any = None, kind: str | None = None, region: int | None = None) -> Query:
        """A checked query from [B, D] vectors and optional [B, V] values."""
        rows = inputs.rows(vectors, self.config.vector_dim, "query")
        meant = inputs.values_for(values, len(rows), self.config.value_dim)
        return Query(rows, meant, None if kind is None else inputs.kind_name(kind), inputs.region_filter(region))

    # -- learning ---------------------------------------------------------------------------------------------------

    def learn(self, query: Query, recalled: Recall, tags: Ints, sources: Texts | None = None) -> None:
        """Take the lesson of a batch that was recalled: now, or at the exit of the step."""
        self._check()
        if not self._mode.creates:
            return
        seeds = recalled.seeds
        lesson = Lesson(
            queries=recalled.queries,
            values=query.values,
            seed_ids=seeds.ids,
            seed_cosines=seeds.cosines,
            seed_keys=seeds.keys,
            seed_agreement=agreement(seeds, query.values),
            explanation=recalled.explanation,
            strongest=recalled.strongest,
            sequence=tags,
            sources=sources,
        )
        self.recorder.make_room()
        self.steps.take(lambda step: self._plan(lesson, step))

    def _plan(self, lesson: Lesson, step: Step) -> Sequence[Operation]:
        taken = learn(
            lesson,
            self.working,
            self._rules,
            step,
            self.recorder.allocate,
            epoch=self.recorder.epoch,
            room=self._rules.room(self.recorder.concepts + len(step)),
            empty=self.recorder.concepts == 0,
            version=self.recorder.key_version,
        )
        self.blocked += taken.blocked
        return taken.operations

    def step(self) -> Any:
        """A step (see :class:`Steps`), as a context manager that gives its handle."""
        self._check()
        return self.steps.step()

    def sequence(self) -> Any:
        """A sequence (see :class:`Steps`), as a context manager."""
        self._check()
        return self.steps.sequence()

    @property
    def in_step(self) -> StepHandle | None:
        """This thread's step, if it is inside one."""
        return self.steps.current

    # -- writing ----------------------------------------------------------------------------------------------------

    def create(
        self,
        keys: Any,
        values: Any = None,
        names: Sequence[str | None] | None = None,
        texts: Sequence[str | None] | None = None,
        sources: Sequence[str | None] | None = None,
        kind: str = "concept",
    ) -> Ids:
        """Give birth to N concepts at once: [N, D] keys, [N, V] values; their ids [N], none in INFERENCE."""
        self._check()
        given = inputs.rows(keys, self.config.vector_dim, "keys")
        meant = inputs.values_for(values, len(given), self.config.value_dim, "values")
        unit, zero = inputs.unit_rows(given)
        if zero.any():
            raise AESGMemoryError(f"keys row {int(np.argmax(zero))} is a zero vector, expected keys with a direction")
        described = [
            inputs.texts_for(t, len(given), w) for t, w in ((names, "names"), (texts, "texts"), (sources, "sources"))
        ]
        kind = inputs.kind_name(kind)
        if not self._mode.creates or self._full(len(given)):
            return np.empty(0, np.int64)
        return self._create(unit, meant, described, kind)

    def _full(self, count: int) -> bool:
        """Whether ``count`` more would pass ``max_concepts`` in a mode that never prunes; counted as blocked if so."""
        room = self._rules.room(self.recorder.concepts)
        full = room is not None and count > room
        self.blocked += count if full else 0
        return full

    def _create(self, unit: Floats, values: Floats | None, described: list[Texts | None], kind: str) -> Ids:
        ids = self.recorder.allocate(len(unit))
        meant = np.zeros((len(unit), self.config.value_dim), np.float32) if values is None else values
        has_value = np.full(len(unit), values is not None)
        for start in range(0, len(unit), BATCH):
            part = slice(start, start + BATCH)
            names, texts, sources = (None if t is None else t[part] for t in described)
            epoch, version = self.recorder.epoch, self.recorder.key_version
            self._write(
                Create(
                    ids[part], unit[part], meant[part], has_value[part], kind, epoch, names, texts, sources, "", version
                )
            )
        return ids

    def link(self, sources: Any, targets: Any, type: str = "ASSOCIATION", weights: Any = None) -> None:
        """Join concepts: [M] ids to [M] ids, weights in [0, 1] (0.5); an edge that exists is strengthened."""
        self._check()
        relation = self.config.vocabulary.types[self.config.vocabulary.code(type)]
        starts, ends = inputs.known_ids(sources, "sources"), inputs.known_ids(targets, "targets")
        if len(starts) != len(ends):
            raise AESGMemoryError(f"sources has {len(starts)} ids and targets {len(ends)}, expected as many")
        strength = inputs.weights_for(weights, len(starts), DEFAULT_WEIGHT)
        if (starts == ends).any():
            raise AESGMemoryError(
                f"Concept {int(starts[starts == ends][0])} was to be linked to itself, expected two concepts"
            )
        self._must_exist(np.concatenate([starts, ends]))
        if not self._mode.creates or not len(starts):
            return
        if relation.symmetric:
            starts, ends = np.minimum(starts, ends), np.maximum(starts, ends)
        for start in range(0, len(starts), BATCH):
            part = slice(start, start + BATCH)
            uses = np.zeros(len(starts[part]), np.int64)
            self._write(Link(type, starts[part], ends[part], strength[part], uses, self.recorder.epoch))

    def annotate(
        self, ids: Any, names: Sequence[str | None] | None = None, texts: Sequence[str | None] | None = None
    ) -> None:
        """Give concepts names and texts for people to read; a None inside a list clears that entry."""
        self._check()
        named = inputs.distinct_ids(ids)
        called, told = inputs.texts_for(names, len(named), "names"), inputs.texts_for(texts, len(named), "texts")
        self._must_exist(named)
        if self._mode.creates and len(named) and (called is not None or told is not None):
            self._write(Describe(named, called, told))

    def remove(self, ids: Any) -> None:
        """Remove concepts with their edges and vectors."""
        self._check()
        doomed = inputs.distinct_ids(ids)
        self._must_exist(doomed)
        if self._mode.creates:
            for start in range(0, len(doomed), BATCH):
                self._write(Remove(doomed[start : start + BATCH]))

    def rekey(
        self, encode: Encode, ids: Any = None, encoder: str = "", progress: Progress | None = None, batch: int = 1024
    ) -> int:
        """New keys from the concepts' sources; how many were rekeyed (see :func:`engine.rekeying.rekey`)."""
        self._check()
        wanted = None if ids is None else inputs.distinct_ids(ids)
        if wanted is not None:
            self._must_exist(wanted)
        return rekey(self, encode, wanted, encoder, progress, batch) if self._mode.creates else 0

    def _must_exist(self, ids: Ids) -> None:
        """AESGMemoryError for ids that do not exist (those allocated in this step exist)."""
        with self._lock:
            known = self.residency.known(ids)
        lacking = np.setdiff1d(ids, known)
        if (step := self.in_step) is not None and lacking.size:
            lacking = np.setdiff1d(lacking, np.concatenate([np.empty(0, np.int64), *step.promised]))
        if lacking.size:
            more = f" and {lacking.size - 1} more" if lacking.size > 1 else ""
            raise AESGMemoryError(
                f"Concept {int(lacking[0])}{more} does not exist, expected ids of concepts in this memory"
            )

    def _write(self, operation: Operation) -> None:
        self.recorder.make_room()
        if (step := self.in_step) is not None and isinstance(operation, Create):
            step.promised.append(operation.ids)
        self.steps.take(lambda _: [operation])

    # -- care -------------------------------------------------------------------------------------------------------

    def update_topology(self) -> None:
        """Called once a batch: capacity every time, consolidation every ``consolidation_epoch_interval``-th call."""
        self._check()
        if self._mode.consolidates:
            self.steps.then(self._tend)

    def _tend(self) -> None:
        self.working.calls += 1
        self.caretaker.keep_capacity(self._rules)
        if is_consolidation_due(self.working.calls, self.config.consolidation_epoch_interval):
            self.consolidate()

    def consolidate(self) -> Consolidation | None:
        """Begin the next epoch and, in TRAIN, prune what is due. None where the mode forbids it."""
        self._check()
        if not self._mode.consolidates:
            return None
        with self.steps.writing:
            done = self.caretaker.consolidate(self._rules)
        self.consolidations += 1
        log.debug("epoch %d began, %d concepts pruned", done.epoch, done.pruned)
        return done

    def reset_state(self) -> None:
        """End open sequences; the novelty buffer stays."""
        self._check()
        self.steps.reset()

    # -- modes and life ---------------------------------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        """What the memory may do at present."""
        return self._mode

    def set_mode(self, mode: str | Mode) -> None:
        """Change what the memory may do; AESGMemoryError for an unknown mode."""
        wanted = Mode.parse(mode)
        self._check()
        with self._lock:
            if wanted is not Mode.INFERENCE:
                make_writable(self._backend, self.residency)
            self._mode = wanted

    @property
    def changes(self) -> int:
        """Grows with every change of the memory by this process."""
        return self._backend.journal.last_sequence

    def save(self) -> None:
        """Write the working memory to the directory, and the journal's lessons to the stores."""
        self._check()
        if self._mode is not Mode.INFERENCE:
            self.flush()
            save_working(self._backend.directory.working, self.working)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every lesson so far is in the stores. AESGStorageError after ``timeout`` seconds."""
        self._check()
        if self.recorder.writing:
            self.recorder.flusher().flush(self.settings.flush_timeout if timeout is None else timeout)

    def close(self) -> None:
        """Flush, keep the working memory, release the directory. Closing twice is allowed."""
        if self._closed or os.getpid() != self._pid:
            return
        with self.steps.writing:
            self._closed = True
            try:
                self.recorder.stop(self.settings.flush_timeout)
                if self._mode is not Mode.INFERENCE or self.recorder.writing:
                    save_working(self._backend.directory.working, self.working)
                close_residency(self._backend, self.residency)
            finally:
                self._backend.close()

    @property
    def closed(self) -> bool:
        """Whether the memory was closed."""
        return self._closed

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise AESGMemoryError(
                f"This memory belongs to process {self._pid}, and this is its forked child {os.getpid()}: open it here anew, "
                "or start workers with 'spawn'"
            )
        if self._closed:
            raise AESGMemoryError(f"The memory in {self.directory} is closed, expected an open one")
        self.recorder.check()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the memory still for a moment."""
        with self._lock:
            yield
