"""The memory engine on numpy arrays: everything that the torch module and the command line share.

Reading is :meth:`MemoryEngine.recall`, writing is :meth:`MemoryEngine.learn`; the rest is bulk creation, care and
inspection.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aesg_graph.cache import CacheStamp
from aesg_graph.concepts import Ids, Ints, Texts
from aesg_graph.config import AESGConfig
from aesg_graph.engine import authoring, inputs
from aesg_graph.engine.caching import close_residency, make_writable, open_residency, seal_residency
from aesg_graph.engine.consolidation import Caretaker, Consolidation
from aesg_graph.engine.following import Follower
from aesg_graph.engine.health import Health, health_of
from aesg_graph.engine.housekeeping import EVERY, Housekeeper
from aesg_graph.engine.inspection import Inspector
from aesg_graph.engine.latency import Latency
from aesg_graph.engine.opening import open_backend
from aesg_graph.engine.recall import Query, Recall, Recaller, agreement
from aesg_graph.engine.rekeying import Encode, Progress, rekey
from aesg_graph.engine.steps import StepHandle, Steps
from aesg_graph.engine.tally import Tally
from aesg_graph.engine.tenure import Lease
from aesg_graph.engine.working import load_working, save_working
from aesg_graph.engine.writing import Recorder
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import LearningRules, Lesson, Mode, Step, learn
from aesg_graph.learning.aging import is_consolidation_due
from aesg_graph.operations import Create, Operation
from aesg_graph.settings import StoreSettings

log = logging.getLogger("aesg_graph")

REQUESTS = 5
"""What a first look at servers takes, each as long as ``request_timeout`` at most."""


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
        self.working.reset_sequences()  # whoever was in one is gone
        self.residency = open_residency(backend, private=self._mode is Mode.INFERENCE)
        self.recorder = Recorder(backend, self.residency, self._lock)
        self.recaller = Recaller(self.residency, self.config)
        self.tally = Tally(backend.directory.cache, self.recaller)
        self.lease = Lease(backend.shared, self._holder, self.settings.lease_seconds)
        self.housekeeper = Housekeeper(self.residency, self.lease, self.settings.tombstone_seconds)
        self.caretaker = Caretaker(self.recorder, self.residency, self.config, self.lease)
        self.inspector = Inspector(self)
        self.steps = Steps(self.recorder.record, self.working.end_sequences, self._begin_lessons)
        self.latency = Latency()
        self.blocked = 0
        self.consolidations = 0
        self.follower = self._follow() if backend.shared is not None else None
        if self.follower is None:
            self.recorder.between, self.recorder.interval = self.housekeeper.tend, EVERY

    def _follow(self) -> Follower:
        """Take up writing now (a forward pass waits for no server), and keep up with the other processes."""
        shared = self._backend.shared
        assert shared is not None
        follower = Follower(
            shared, self.recorder, self.residency, self.housekeeper, self.lease, self.tally, self.steps.writing
        )
        self.recaller.remote = True
        self.recaller.settled = lambda: self.recorder.settled
        self.recorder.between, self.recorder.interval = follower.between, self.settings.refresh_interval
        if self._mode is not Mode.INFERENCE:
            self.recorder.flusher()
        attendant = self.recorder.attendant()
        try:
            follower.wait(attendant, REQUESTS * self.settings.request_timeout)
        except BaseException:
            attendant.stop()
            raise
        return follower

    def _holder(self) -> str:
        return f"{self._backend.writer}:{self._backend.journal.incarnation}"

    def _begin_lessons(self) -> Step:
        self._check()  # again: it may have been closed while this lesson waited for its turn
        return Step(self.config.vector_dim, self.config.value_dim)

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
    def degraded(self) -> bool:
        """Whether a server does not answer at present: lessons wait, and what other processes do is not seen."""
        follower, flusher = self.follower, self.recorder.attendant()
        if follower is None:
            return False
        return flusher.failure is not None or follower.behind(self.settings.refresh_interval)

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

    def _tend(self) -> None:
        self._check()
        self.working.calls += 1
        self.caretaker.keep_capacity(self._rules)
        if is_consolidation_due(self.working.calls, self.config.consolidation_epoch_interval):
            self._consolidate()

    def consolidate(self) -> Consolidation | None:
        """Begin the next epoch and, in TRAIN, prune what is due.

        None where the mode forbids it, while another process has the lease, and inside a step, at whose exit it is
        done.
        """
        self._check()
        if not self._mode.consolidates:
            return None
        if self.in_step is not None:
            self.steps.then(self._consolidate)
            return None
        with self.steps.writing:
            return self._consolidate()

    def _consolidate(self) -> Consolidation | None:
        self._check()
        done = self.caretaker.consolidate(self._rules)
        if done is None:
            return None
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
        with self.locked():
            if wanted is not Mode.INFERENCE and self._mode is Mode.INFERENCE:
                self._backend.record(self.config)
                make_writable(self._backend, self.residency)
                if self.follower is not None:
                    self.follower.freshness.begin(self.residency.seen)
                    self.recorder.flusher()
            self._mode = wanted

    @property
    def changes(self) -> int:
        """Grows with every change of the memory while this process has it open."""
        return self.recorder.changes

    @property
    def position(self) -> int:
        """How many batches its writer has recorded, this process and those before it."""
        return self._backend.journal.last_sequence

    def save(self) -> None:
        """Write the working memory to the directory, and the journal's lessons to the stores."""
        self._check()
        if self._mode is not Mode.INFERENCE:
            self.flush()
            with self.steps.writing:
                save_working(self._backend.directory.working, self.working)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every lesson so far is in the stores. AESGStorageError after ``timeout`` seconds."""
        self._check()
        if self.recorder.writing:
            self.recorder.flusher().flush(self.settings.flush_timeout if timeout is None else timeout)

    def refresh(self, timeout: float | None = None) -> None:
        """Take over what other processes wrote, now. Nothing in the embedded engine, where there are none.

        AESGStorageError if the servers do not answer within ``timeout`` seconds; AESGMemoryError inside a step, whose
        answers must hold still.
        """
        self._check()
        if self.in_step is not None:
            raise AESGMemoryError(
                "refresh() was called inside a step, expected it outside: its answers must hold still"
            )
        if self.follower is not None:
            self.follower.wait(self.recorder.attendant(), self.settings.request_timeout if timeout is None else timeout)

    def health(self) -> Health:
        """How servers, journal and cache are; asks both servers. Raises nothing but for a closed memory."""
        self._check()
        return health_of(self)

    def close(self) -> None:
        """Flush, keep the working memory, release the directory, whatever fails on the way. Twice is once."""
        if self._closed or not self.ours:
            return
        if self.in_step is not None:
            raise AESGMemoryError(
                "close() was called inside a step, expected it after: its lessons are yet to be taken"
            )
        with self.steps.writing, ExitStack() as last:
            self._closed = True
            last.callback(self._let_go)
            last.callback(self.lease.release)
            if self._mode is not Mode.INFERENCE or self.recorder.writing:
                last.callback(save_working, self._backend.directory.working, self.working)
                last.callback(self.tally.write)
            self.recorder.stop(self.settings.flush_timeout)

    def reopen(self, between: Callable[[], None]) -> None:
        """Close, do something to the directory, and open what is there then, in the same mode.

        Whoever shares this engine goes on with that. AESGMemoryError inside a step; a call that another thread makes
        meanwhile is refused as one on a closed memory.
        """
        self._check()
        mode, product = self._mode, self.recaller.product
        with self.steps.writing:
            self.close()
            try:
                between()
            finally:
                self._backend = open_backend(self.directory, self.config, self.settings)
                try:
                    self._start()
                except BaseException:
                    self._backend.close()
                    raise
                self.recaller.product = product
                self._closed = False
                self.set_mode(mode)

    def seal_cache(self) -> CacheStamp | None:
        """Write the cache out, good at the stamp that is returned until the next change; under the lock.

        None where it is not the whole memory, or is this process's alone.
        """
        return seal_residency(self._backend, self.residency, self.recorder.incarnation)

    def _let_go(self) -> None:
        with self._lock:  # not while somebody reads
            try:
                if self.follower is not None:
                    self.residency.seen = self.follower.freshness.seen
                close_residency(
                    self._backend, self.residency, self.recorder.incarnation, clean=self.recorder.broken is None
                )
            finally:
                self._backend.close()

    @property
    def name(self) -> str:
        """The memory's name: on servers the one it was asked for by, else the directory's."""
        return self.settings.memory or self.directory.name

    @property
    def writer(self) -> int | None:
        """The number under which this process writes, None before it has written."""
        return self._backend.journal.writer

    @property
    def closed(self) -> bool:
        """Whether the memory was closed."""
        return self._closed

    @property
    def ours(self) -> bool:
        """Whether this process opened it, and not the parent that it was forked from."""
        return os.getpid() == self._pid

    def _check(self) -> None:
        if not self.ours:
            raise AESGMemoryError(
                f"This memory belongs to process {self._pid}, and this is its forked child {os.getpid()}: open it here "
                "anew, or start workers with 'spawn'"
            )
        if self._closed:
            raise AESGMemoryError(f"The memory in {self.directory} is closed, expected an open one")
        self.recorder.check()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the memory still for a moment; AESGMemoryError if it is closed."""
        self._check()  # without the lock: in a forked child nobody may ever release it
        with self._lock:
            self._check()
            yield
