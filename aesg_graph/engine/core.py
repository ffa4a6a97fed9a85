"""The memory engine on numpy arrays: everything that the torch module and the command line share.

Reading is :meth:`MemoryEngine.recall`, writing is :meth:`MemoryEngine.learn`; the rest is bulk creation, care and
inspection. How it opens and closes is in :mod:`aesg_graph.engine.life`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aesg_graph.concepts import Ids, Ints, Texts
from aesg_graph.config import AESGConfig
from aesg_graph.engine import authoring, inputs
from aesg_graph.engine.attached import Attachments
from aesg_graph.engine.consolidation import Consolidation
from aesg_graph.engine.health import Health, health_of
from aesg_graph.engine.inspection import Inspector
from aesg_graph.engine.life import OpenMemory
from aesg_graph.engine.recall import Query, Recall, agreement
from aesg_graph.engine.rekeying import Encode, Progress, rekey
from aesg_graph.engine.reorganisation import Progress as Telling
from aesg_graph.engine.reorganisation import Reorganisation, Reorganiser
from aesg_graph.learning import LearningRules, Lesson, Mode, Step, learn
from aesg_graph.learning.aging import is_consolidation_due
from aesg_graph.learning.tuning_signs import Signs
from aesg_graph.operations import Create, Operation
from aesg_graph.settings import StoreSettings

log = logging.getLogger("aesg_graph")


class MemoryEngine(OpenMemory):
    """One memory in one directory. Thread-safe; a forked child is refused."""

    def __init__(self, directory: Path, config: AESGConfig | None, settings: StoreSettings) -> None:
        self.attachments = Attachments(self)
        """Packs that take part in what the torch module answers; :meth:`recall` is of the memory alone."""
        super().__init__(directory, config, settings)

    def _start(self) -> None:
        super()._start()
        self.inspector = Inspector(self)
        self.signs = Signs()
        self.reorganiser = Reorganiser(self)
        self.blocked = 0
        self.consolidations = 0

    @property
    def _rules(self) -> LearningRules:
        return LearningRules.of(self.config, self._mode)

    # -- reading ----------------------------------------------------------------------------------------------------

    def recall(self, query: Query) -> Recall:
        """Answer a batch of queries; learns nothing (see :meth:`learn`)."""
        self._check()
        begun = time.perf_counter()
        with self._lock:  # as in locked(), which costs a few microseconds
            if self._closed:
                self._check()
            recalled = self.recaller.recall(query, warm=self._may_warm)
            self.latency.observe(time.perf_counter() - begun)
        return replace(recalled, degraded=True) if self.follower is not None and self.degraded else recalled

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
        seeds, values = recalled.seeds, query.values
        if values is not None and self.in_step is not None:
            values = values.copy()  # the caller's array may be another by the exit
        lesson = Lesson(
            queries=recalled.queries,
            values=values,
            seed_ids=seeds.ids,
            seed_cosines=seeds.cosines,
            seed_keys=seeds.keys,
            seed_agreement=agreement(seeds, values),
            explanation=recalled.explanation,
            strongest=recalled.strongest,
            sequence=tags,
            sources=sources,
            kind=query.kind,
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
        for sign in self.signs.take(taken, self.recorder.concepts + len(step), self._rules):
            log.warning("%s: %s", self.directory, sign)
        return taken.operations

    def step(self) -> Any:
        """A step (see :class:`Steps`), as a context manager that gives its handle."""
        self._check()
        return self.steps.step()

    def sequence(self) -> Any:
        """A sequence (see :class:`Steps`), as a context manager."""
        self._check()
        return self.steps.sequence()

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
        return authoring.create(self, keys, values, names, texts, sources, kind)

    def link(self, sources: Any, targets: Any, type: str = "ASSOCIATION", weights: Any = None) -> None:
        """Join concepts: [M] ids to [M] ids, weights in [0, 1] (0.5); an edge that exists is strengthened."""
        self._check()
        authoring.link(self, sources, targets, type, weights)

    def annotate(
        self, ids: Any, names: Sequence[str | None] | None = None, texts: Sequence[str | None] | None = None
    ) -> None:
        """Give concepts names and texts for people to read; a None inside a list clears that entry."""
        self._check()
        authoring.annotate(self, ids, names, texts)

    def remove(self, ids: Any) -> None:
        """Remove concepts with their edges and vectors."""
        self._check()
        authoring.remove(self, ids)

    def rekey(
        self, encode: Encode, ids: Any = None, encoder: str = "", progress: Progress | None = None, batch: int = 1024
    ) -> int:
        """New keys from the concepts' sources; how many were rekeyed (see :func:`engine.rekeying.rekey`)."""
        self._check()
        wanted = None if ids is None else inputs.distinct_ids(ids)
        if wanted is not None:
            authoring.must_exist(self, wanted)
        return rekey(self, encode, wanted, encoder, progress, batch)

    def write(self, operation: Operation) -> None:
        """Record an operation that somebody asked for: now, or at the exit of the step."""
        self.recorder.make_room()
        if (step := self.in_step) is not None and isinstance(operation, Create):
            step.promised.append(operation.ids)
        self.steps.take(lambda step: self._by_hand(operation, step))

    def _by_hand(self, operation: Operation, step: Step) -> Sequence[Operation]:
        if isinstance(operation, Create):  # what it creates explains later rows of the step
            step.extend(operation.ids, operation.keys, operation.values, operation.kind)
        return [operation]

    def room(self) -> int | None:
        """How many births are still allowed, those of this thread's step counted; None for no limit."""
        promised = 0 if (step := self.in_step) is None else sum(len(ids) for ids in step.promised)
        return self._rules.room(self.recorder.concepts + promised)

    # -- care -------------------------------------------------------------------------------------------------------

    def update_topology(self) -> None:
        """Called once a batch: capacity every time, consolidation every ``consolidation_epoch_interval``-th call."""
        self._check()
        if self._mode.consolidates:
            self.steps.then(self._tend)
            self._reorganise_if_due()

    def _tend(self) -> None:
        self._check()
        self.working.calls += 1
        self.caretaker.keep_capacity(self._rules)
        if is_consolidation_due(self.working.calls, self.config.consolidation_epoch_interval):
            self._consolidate()

    def consolidate(self) -> Consolidation | None:
        """Begin the next epoch and, in TRAIN, prune what is due and reorganise if it is time.

        None where the mode forbids it, while another process has the lease, and inside a step, at whose exit it is
        done.
        """
        self._check()
        if not self._mode.consolidates:
            return None
        if self.in_step is not None:
            self.steps.then(self._consolidate)
            self._reorganise_if_due()
            return None
        with self.steps.writing:
            done = self._consolidate()
        self._reorganise_if_due()
        return done

    def _consolidate(self) -> Consolidation | None:
        self._check()
        done = self.caretaker.consolidate(self._rules)
        if done is None:
            return None
        self.consolidations += 1
        if self._mode.reorganises and is_consolidation_due(done.epoch, self.config.region_detection_interval):
            self.reorganiser.due = True
        log.debug("epoch %d began, %d concepts pruned", done.epoch, done.pruned)
        return done

    def reorganise(self, dry_run: bool = False, progress: Telling | None = None) -> Reorganisation | None:
        """Merge, split, find regions and sum them up, now (see :mod:`aesg_graph.engine.reorganisation`).

        None where the mode forbids it, and inside a step, at whose exit it is done. ``dry_run`` only plans, in any mode
        and at once. AESGStorageError while another process has the lease.
        """
        self._check()
        if dry_run:
            return self.reorganiser.look()
        if not self._mode.reorganises:
            return None
        if self.in_step is not None:
            self.steps.then(self.reorganiser.hasten)  # not now: the step may fail
            self._reorganise_if_due()
            return None
        return self.reorganiser.by_hand(progress)

    def _reorganise_if_due(self) -> None:
        """Other threads go on learning meanwhile, but at the exit of a step."""
        if self.in_step is not None:
            self.steps.then(self.reorganiser.if_due)
        else:
            self.reorganiser.if_due()

    def reset_state(self) -> None:
        """End open sequences; the novelty buffer stays."""
        self._check()
        self.steps.reset()

    def health(self) -> Health:
        """How servers, journal and cache are; asks both servers. Raises nothing but for a closed memory."""
        self._check()
        return health_of(self)
