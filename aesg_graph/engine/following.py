"""Keeping up with the other processes of a memory, between this process's own transactions.

:class:`Follower` runs on the flusher's thread. It proves this process's last batch whole (an empty one after it does),
takes what other writers did into the cache, and keeps the lease if this process has it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from aesg_graph.concepts import Ids
from aesg_graph.engine.housekeeping import Housekeeper
from aesg_graph.engine.residency import Residency
from aesg_graph.engine.tally import Tally
from aesg_graph.engine.tenure import Lease
from aesg_graph.engine.writing import Recorder
from aesg_graph.errors import AESGError, AESGStorageError
from aesg_graph.stores.abc import NO_IDS, Shared
from aesg_graph.sync import Flusher, Freshness, News

OVERDUE = 5.0
"""Seconds beyond three intervals after which a look that has not succeeded tells of a server that hangs."""
PATIENCE = 0.05
"""Seconds that a look waits for a step to end. Then it is put off: whoever is in the step may wait for the flusher."""


class StepUnderWayError(AESGStorageError):
    """What others did is not taken over now: a step holds the memory still."""


class Follower:
    """Brings into the cache what other processes write."""

    def __init__(
        self,
        shared: Shared,
        recorder: Recorder,
        residency: Residency,
        housekeeper: Housekeeper,
        lease: Lease,
        tally: Tally,
        writing: threading.RLock,
    ) -> None:
        self.freshness = Freshness(shared, residency.seen)
        self.recorder, self.residency, self.lease = recorder, residency, lease
        self.housekeeper, self.tally = housekeeper, tally
        self._writing = writing
        self.looked: float | None = None
        """When the last look succeeded, as ``time.monotonic()`` has it."""
        self.failure: str | None = None
        """Why the last look failed, None if it did not."""

    def behind(self, interval: float) -> bool:
        """Whether looks fail, or one is overdue because a server hangs."""
        late = self.looked is not None and time.monotonic() - self.looked > 3 * interval + OVERDUE
        return late or self.failure is not None

    def between(self) -> None:
        """What is to be done between two transactions."""
        try:
            self.recorder.prove()
            self.refresh()
            self.lease.keep()
            if self.recorder.writing:
                self.tally.keep()
                self.housekeeper.tend()
        except StepUnderWayError:
            raise
        except Exception as error:
            self.failure = error.message if isinstance(error, AESGError) else repr(error)
            raise
        self.failure, self.looked = None, time.monotonic()

    def wait(self, flusher: Flusher, timeout: float) -> None:
        """Have a look taken now, on the flusher's thread; AESGStorageError if none succeeds in so many seconds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return flusher.attend(max(0.0, deadline - time.monotonic()))
            except StepUnderWayError:
                if time.monotonic() > deadline:
                    raise

    def refresh(self) -> None:
        """Take over what happened since the last look. AESGStorageError if a server does not answer."""
        if self._replaced():
            return self._rebuild()
        journal = self.recorder.backend.journal
        news = self.freshness.look(journal.writer if self.recorder.writing else None)
        if news.forgotten:
            return self._rebuild()
        if news.moved:
            self._take_over(news)
        if news.by_hand:
            self.housekeeper.hasten()
        self.freshness.advance(news)

    def _replaced(self) -> bool:
        """Whether the memory is another than the one that was opened: a backup was restored in its place.

        Its writers' positions tell nothing of that. A process that writes as one of the old memory is told to open it
        again, for that is what decides about its lessons.
        """
        head, known = self.residency.graph.head(), self.recorder.incarnation
        if head.incarnation == known:
            return False
        dims = self.recorder.backend.config.vector_dim, self.recorder.backend.config.value_dim
        if self.recorder.writing or (head.vector_dim, head.value_dim) != dims:
            raise AESGStorageError(
                f"The memory {head.name!r} was restored or replaced (incarnation {head.incarnation}; {known} when "
                "it was opened); close it and open it again"
            )
        return True

    def _take_over(self, news: News) -> None:
        ids = self._concerned(news.ids)
        fetched = self.recorder.fetch(ids, all_vectors=False)
        with _held(self._writing):
            self.recorder.take_over(fetched)

    def _concerned(self, ids: Ids) -> Ids:
        """In a cache that has everything, everything; in another what is resident."""
        with self.recorder.lock:
            cache = self.residency.cache
            return ids if cache.complete else ids[cache.lookup(ids) >= 0]

    def _rebuild(self) -> None:
        """Read everything anew, when nothing of this process is on its way."""
        with _held(self._writing), self.recorder.lock:
            if self.recorder.backend.journal.bytes_pending:
                raise StepUnderWayError("lessons are on their way; the cache is built anew after them")
            self.residency.cache.clear()
            self.residency.build()
            self.freshness.begin(self.residency.seen)
        fetched = self.recorder.fetch(NO_IDS, all_vectors=False)
        with _held(self._writing):
            self.recorder.begin_anew(fetched)


@contextlib.contextmanager
def _held(lock: threading.RLock) -> Iterator[None]:
    """A lock, or StepUnderWayError if it is not to be had soon."""
    if not lock.acquire(timeout=PATIENCE):
        raise StepUnderWayError("a step is under way; what other processes did is taken over after it")
    try:
        yield
    finally:
        lock.release()
