"""How a memory is doing just now: each store, what waits for them, and whether answers may lack something."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aesg_graph.errors import AESGError
from aesg_graph.stores.abc import Versioned

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine


@dataclass(frozen=True)
class StoreHealth:
    """One store: where it is, whether it answered just now and in which time, its version, or why it did not."""

    address: str
    reachable: bool
    seconds: float
    version: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Health:
    """How a memory is doing.

    pending_batches, pending_bytes: lessons that wait in the journal. failure: why they do not get to the stores at
    present. looked: seconds since other processes' changes were last taken over, None where there are none.
    """

    graph: StoreHealth
    vectors: StoreHealth
    pending_batches: int
    pending_bytes: int
    failure: str | None
    looked: float | None
    degraded: bool

    @property
    def ok(self) -> bool:
        """Whether both stores answer and nothing is amiss."""
        return self.graph.reachable and self.vectors.reachable and not self.degraded


def health_of(engine: MemoryEngine) -> Health:
    """Ask both stores, and say what waits."""
    settings, residency = engine.settings, engine.residency
    flusher, follower = engine.recorder.attendant(), engine.follower
    batches, size = flusher.lag()
    looked = None
    failure = flusher.failure
    if follower is not None:
        looked = None if follower.looked is None else time.monotonic() - follower.looked
        failure = failure or follower.failure
    return Health(
        graph=asked(settings.graph, lambda: residency.graph),
        vectors=asked(settings.vectors, residency.vectors),
        pending_batches=batches,
        pending_bytes=size,
        failure=failure,
        looked=looked,
        degraded=engine.degraded,
    )


def asked(address: str | None, store: Callable[[], object]) -> StoreHealth:
    """Whether a store that is given when asked for answers now, and in which time."""
    begun = time.monotonic()
    try:
        opened = store()
        version = opened.version() if isinstance(opened, Versioned) else None
        return StoreHealth(address or "embedded", True, time.monotonic() - begun, version)
    except AESGError as error:
        return StoreHealth(address or "embedded", False, time.monotonic() - begun, None, error.message)
