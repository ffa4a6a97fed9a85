"""The flusher: one thread that takes acknowledged batches from the journal to both stores.

A call that learns never waits for a store. What fails stays in the journal, is tried again, and is told to the next
caller.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Batch
from aesg_graph.stores.abc import GraphStore, Outcome, VectorStore
from aesg_graph.sync.carrier import Carrier
from aesg_graph.sync.failpoints import DROPPED, reach
from aesg_graph.sync.failures import Failures, told
from aesg_graph.sync.journal import Journal

RECENT_BYTES = 64 << 20
"""Batches kept in memory until they are settled; beyond that they are read from the journal again."""
FIRST_DELAY, LONGEST_DELAY = 0.05, 2.0
"""Seconds until a failed group is tried again, doubling from the first to the longest."""
GRACE = 10.0
"""Seconds for which attempts at a remote store may fail before ``flush`` tells of it."""
SHORTEST_INTERVAL = 0.01
"""Seconds between two looks at what happens elsewhere, however short an interval was asked for."""
JOURNAL_BYTES = 1 << 30
EXIT_SECONDS = 10.0
"""How long the interpreter's exit waits for the group that a flusher is at."""

OnSettled = Callable[[list[Outcome], int], None]
Between = Callable[[], None]


@dataclass(frozen=True)
class GroupLimits:
    """How much goes into one transaction, and how long a small group waits for more (nobody waits with it)."""

    batches: int = 256
    bytes: int = 16 << 20
    linger: float = 0.02


class Lag(NamedTuple):
    """What waits for the stores."""

    batches: int
    bytes: int


class Flusher:
    """Takes batches to the stores in order. Its thread starts with the first batch, or with :meth:`start`.

    ``on_settled`` is called with the outcomes of a group and its last sequence when both stores have it, before it
    leaves the journal: the owner reads again what was declined, refused or skipped. It may take a lock, so whoever
    holds that lock must not call a method here that waits (``flush``, ``wait_for_room``, ``stop``, ``close``,
    ``attend``).

    ``between`` is called between transactions, at most every ``interval`` seconds and on demand (:meth:`attend`): what
    must not happen while this process writes. What it raises is told by ``attend`` alone.
    """

    def __init__(
        self,
        journal: Journal,
        graph: GraphStore,
        vectors: Callable[[], VectorStore],
        *,
        limits: GroupLimits | None = None,
        journal_bytes: int = JOURNAL_BYTES,
        on_settled: OnSettled | None = None,
        remote: bool = False,
    ) -> None:
        """``vectors`` gives the vector store when one is needed. What is durable is the journal's to say.

        With ``remote`` the stores are servers, which come and go: one that fails is no caller's concern, only ``flush``
        and ``wait_for_room`` tell of it; and vectors travel ahead.
        """
        self.on_settled = on_settled
        self.between: Between | None = None
        self.interval = 0.0
        self._remote = remote
        self._journal = journal
        self._carrier = Carrier(graph, vectors, journal.durability)
        self._limits = limits or GroupLimits()
        self._journal_bytes = journal_bytes
        self._state = threading.Condition()
        self._settling = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._recent: dict[int, tuple[Batch, int]] = {}
        self._recent_bytes = 0
        self._submitted = 0
        self._hurried = 0
        self._idle = False
        self._stopping = False
        self._failures = Failures()
        self._attended = 0
        self._asked = 0
        self._attending = False
        self._absent: Exception | None = None
        self._due = 0.0
        self._next: list[int] = []
        """The group whose vectors travel ahead."""

    # -- the owner's side -----------------------------------------------------------------------------------------

    def recover(self) -> list[Outcome]:
        """Take everything that the journal holds to the stores, here and now; what became of each batch.

        Batches go with the incarnation they were recorded under, so this comes before it is renewed, and before
        anything is submitted. AESGStorageError if a store fails: nothing is lost, and it can be called again.
        """
        settled: list[Outcome] = []
        while group := self._journal.backlog(None, self._limits.batches, self._limits.bytes):
            try:
                settled += self._settle(group)
            except AESGStorageError:
                raise
            except Exception as error:
                raise AESGStorageError(f"The journal {self._journal.path} cannot be flushed: {told(error)}") from error
        return settled

    def start(self) -> None:
        """Start the thread, if it is not running."""
        with self._state:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="aesg-flusher", daemon=True)
                self._thread.start()
                self._process = os.getpid()
                _started.add(self)

    def submit(self, batch: Batch) -> None:
        """Take over a journalled batch that the cache has applied; batches come in the order of their sequences."""
        with self._state:
            if self._stopping:
                raise AESGStorageError(f"The flusher has ended; batch {batch.sequence} stays in {self._journal.path}")
            self._submitted = batch.sequence
            size = self._journal.size(batch.sequence)
            if self._recent_bytes + size <= RECENT_BYTES:
                self._recent[batch.sequence] = (batch, size)
                self._recent_bytes += size
            if self._idle or self._recent_bytes > self._limits.bytes:
                self._state.notify_all()
        self.start()

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything submitted so far is in both stores.

        AESGStorageError when ``timeout`` seconds have passed, or as soon as an attempt fails (with ``remote``, when
        attempts have failed for some seconds: a server that restarts is back by then); the flusher goes on trying
        either way.
        """
        with self._state, self._in_a_hurry():
            target, failures = self._submitted, self._failures.count
            deadline = None if timeout is None else time.monotonic() + timeout
            while self._journal.backlog(target, 1, 0):
                if self._failures.count > failures and self._has_failed_for_long():
                    self._failures.take_untold()
                    raise AESGStorageError(self._failures.text(self._waiting_text())) from self._failures.last
                if self._stopping:
                    raise AESGStorageError(f"The flusher has ended; {self._waiting_text()}")
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    waiting = self._waiting_text()
                    why = self._failures.text(waiting) if self._failures.failing else waiting
                    raise AESGStorageError(f"flush() gave up after {timeout} s: {why}") from self._failures.last
                self._state.wait(left if not self._remote else min(GRACE, GRACE if left is None else left))

    def _has_failed_for_long(self) -> bool:
        return not self._remote or self._failures.lasts(GRACE)

    def wait_for_room(self, timeout: float) -> None:
        """Wait while the journal holds more than its limit. AESGStorageError after ``timeout`` seconds."""
        if self._journal.bytes_pending <= self._journal_bytes:
            return
        with self._state, self._in_a_hurry():
            deadline = time.monotonic() + timeout
            while self._journal.bytes_pending > self._journal_bytes:
                left = deadline - time.monotonic()
                if left <= 0 or self._stopping:
                    raise AESGStorageError(
                        f"The journal is full: {self._journal.bytes_pending} bytes wait for the stores, the limit "
                        f"(journal_bytes) is {self._journal_bytes}, and {timeout} s of waiting made no room. "
                        f"Last failure: {self._failures.why()}"
                    )
                self._state.wait(left)

    def raise_failure(self) -> None:
        """Raise what went wrong since it was last told, as an AESGStorageError, once."""
        if self._failures.untold is None:
            return
        with self._state:
            failure = self._failures.take_untold()
            text = self._failures.text(self._waiting_text())
        raise AESGStorageError(text) from failure

    def attend(self, timeout: float) -> None:
        """Have ``between`` called now, and wait until it was. What it raised is raised; AESGStorageError in vain."""
        self.start()
        deadline = time.monotonic() + timeout
        with self._state:
            self._asked = wanted = self._attended + 2 if self._attending else self._attended + 1
            self._state.notify_all()
            while self._attended < wanted:
                left = deadline - time.monotonic()
                if left <= 0 or self._stopping:
                    why = f": {self._failures.why()}" if self._failures.failing else ""
                    raise AESGStorageError(f"The stores were not looked at again within {timeout} s{why}")
                self._state.wait(left)
            if self._absent is not None:
                raise self._absent

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Nothing goes to the stores inside; what is learned meanwhile waits in the journal."""
        with self._settling:
            yield

    @property
    def failure(self) -> str | None:
        """Why lessons are not getting to the stores at present, None while they are."""
        return self._failures.current

    @property
    def failures(self) -> int:
        """How many attempts to take lessons to the stores have failed."""
        return self._failures.count

    def lag(self) -> Lag:
        """What waits for the stores."""
        return Lag(len(self._journal.pending()), self._journal.bytes_pending)

    def stop(self, timeout: float | None = None) -> None:
        """End the thread after the group that it is at; the rest stays in the journal. Stopping twice is allowed.

        AESGStorageError if it has not ended after ``timeout`` seconds.
        """
        with self._state:
            self._stopping = True
            self._state.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
            if thread.is_alive():
                raise AESGStorageError(f"The flusher is still busy after {timeout} s: {self._waiting_text()}")

    def close(self, timeout: float | None = None) -> None:
        """Flush, then stop, also when flushing fails."""
        try:
            self.flush(timeout)
        finally:
            self.stop(timeout)

    # -- the thread's side ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            group = self._next_group()
            if group:
                self._settle_in_the_end(group)
            if self._is_due() and not self._stopping:
                self._look_up()
        self._carrier.close()
        with contextlib.suppress(Exception):  # a sweep finds these tombstones too
            self._carrier.report_removed()

    def _next_group(self) -> list[int]:
        """The next sequences to settle, when there are some; none when the thread is to end."""
        with self._state:
            ripe: float | None = None
            while not self._stopping:
                group = self._journal.backlog(self._submitted, self._limits.batches, self._limits.bytes)
                self._idle = not group
                if self._is_due():
                    return []
                if self._next and group and group[0] == self._next[0]:
                    return self._next
                if not group:
                    self._state.wait(self._patience())
                    continue
                now = time.monotonic()
                ripe = now + self._limits.linger if ripe is None else ripe
                if now >= ripe or self._hurried or self._is_full(group):
                    return group
                self._state.wait(ripe - now)
            return []

    def _is_due(self) -> bool:
        return self.between is not None and (self._asked > self._attended or time.monotonic() >= self._due)

    def _patience(self) -> float | None:
        """Seconds until ``between`` is due, None if it never is."""
        return None if self.between is None else max(0.0, self._due - time.monotonic())

    def _look_up(self) -> None:
        assert self.between is not None
        absent: Exception | None = None
        self._attending = True
        try:
            self.between()
        except Exception as error:
            absent = error
        with self._state:
            self._attending = False
            self._attended += 1
            self._absent = absent
            self._due = time.monotonic() + max(self.interval, SHORTEST_INTERVAL)
            self._state.notify_all()

    def _is_full(self, group: Sequence[int]) -> bool:
        return len(group) >= self._limits.batches or self._journal.bytes_pending >= self._limits.bytes

    def _settle_in_the_end(self, group: list[int]) -> None:
        """Try until it succeeds or the thread is to end."""
        delay = FIRST_DELAY
        while True:
            try:
                with self._settling:
                    self._settle(group)
                return
            except Exception as error:
                with self._state:
                    self._failures.add(error, tell=not self._remote)
                    self._state.notify_all()
                    if not self._stopping:
                        self._state.wait(delay)
                    if self._stopping:
                        return
                delay = min(2 * delay, LONGEST_DELAY)

    def _settle(self, group: list[int]) -> list[Outcome]:
        batches = [self._load(sequence) for sequence in group]
        following = self._journal.backlog(self._submitted, self._limits.batches, self._limits.bytes, group[-1])
        self._next = following if self._remote else []
        outcomes = self._carrier.carry(batches, [self._load(sequence) for sequence in self._next])
        if self.on_settled is not None:
            self.on_settled(outcomes, group[-1])
        self._journal.drop(group[-1], {o.sequence: o.reason for o in outcomes if o.status == "refused"})
        self._carrier.forget(group[-1])
        reach(DROPPED)
        with self._state:
            self._failures.end()
            for sequence in group:
                self._recent_bytes -= self._recent.pop(sequence, (None, 0))[1]
            self._state.notify_all()
        return outcomes

    def _load(self, sequence: int) -> Batch:
        recent = self._recent.get(sequence)
        return self._journal.read(sequence) if recent is None else recent[0]

    @contextlib.contextmanager
    def _in_a_hurry(self) -> Iterator[None]:
        """Somebody waits: small groups do not linger, and a failed one is tried again at once."""
        self._hurried += 1
        self._state.notify_all()
        try:
            yield
        finally:
            self._hurried -= 1

    def _waiting_text(self) -> str:
        batches, size = self.lag()
        return f"{batches} batches ({size} bytes) wait in the journal {self._journal.path}"


_started: weakref.WeakSet[Flusher] = weakref.WeakSet()


@atexit.register
def _stop_at_exit() -> None:
    """Stop what its owner forgot: a thread inside a store while the interpreter goes away would abort the process.

    Registered when this module is imported, so it runs after the exit handlers of whatever uses flushers.
    """
    for flusher in list(_started):
        if flusher._process == os.getpid():
            with contextlib.suppress(AESGStorageError):
                flusher.stop(EXIT_SECONDS)
