"""The life of an engine: how it opens a directory, follows other processes, changes its mode, flushes and closes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from aesg_graph.cache import CacheStamp
from aesg_graph.config import AESGConfig
from aesg_graph.engine.caching import close_residency, make_writable, open_residency, seal_residency
from aesg_graph.engine.consolidation import Caretaker
from aesg_graph.engine.following import Follower
from aesg_graph.engine.housekeeping import EVERY, Housekeeper
from aesg_graph.engine.latency import Latency
from aesg_graph.engine.opening import open_backend
from aesg_graph.engine.recall import Recaller
from aesg_graph.engine.steps import StepHandle, Steps
from aesg_graph.engine.tally import Tally
from aesg_graph.engine.tenure import Lease
from aesg_graph.engine.working import load_working, save_working
from aesg_graph.engine.writing import Recorder
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import Mode, Step
from aesg_graph.settings import StoreSettings

REQUESTS = 5
"""What a first look at servers takes, each as long as ``request_timeout`` at most."""


class OpenMemory:
    """One memory in one directory, open: its parts, its mode, its end. Thread-safe; a forked child is refused."""

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
        self.steps = Steps(self.recorder.record, self.working.end_sequences, self._begin_lessons)
        self.latency = Latency()
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
    def in_step(self) -> StepHandle | None:
        """This thread's step, if it is inside one."""
        return self.steps.current

    @property
    def degraded(self) -> bool:
        """Whether a server does not answer at present: lessons wait, and what other processes do is not seen."""
        follower, flusher = self.follower, self.recorder.attendant()
        if follower is None:
            return False
        return flusher.failure is not None or follower.behind(self.settings.refresh_interval)

    # -- modes ------------------------------------------------------------------------------------------------------

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

    # -- what is written --------------------------------------------------------------------------------------------

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

    # -- the end ----------------------------------------------------------------------------------------------------

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

    # -- whose it is ------------------------------------------------------------------------------------------------

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
