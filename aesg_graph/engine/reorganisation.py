"""Reorganisation of an open memory: what is near merges, hubs split, regions are found, dense ones get a parent.

It is planned while everybody goes on: the engine's lock is held to copy columns, then for each part that is carried
out. What has changed meanwhile makes a part void, or smaller, where it no longer holds. Every part is recorded like a
lesson, under the lease and with its fence, so that a kill leaves whole parts: the next reorganisation does the rest.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from aesg_graph.concepts import COUNTER_BITS, DERIVED, Flags, Ids, Ints, among, ids_array
from aesg_graph.engine.handing_over import Told
from aesg_graph.engine.reorganisation_reading import landscape_of_cache, landscape_of_stores
from aesg_graph.errors import AESGStorageError
from aesg_graph.learning.reorganisation import ABSTRACTION, Landscape, Plan, Planned, ReorganisationRules, plan
from aesg_graph.learning.reorganisation.abstraction import FEWEST
from aesg_graph.operations import Create, Link, Merge, Operation, Regions, Split

if TYPE_CHECKING:
    from aesg_graph.engine.core import MemoryEngine
    from aesg_graph.engine.tenure import Tenure

log = logging.getLogger("aesg_graph")

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much of it is."""
TAKEN = (
    "The memory cannot be reorganised now: another process has its lease, or its server does not answer; expected the "
    "lease to be free"
)


@dataclass(frozen=True, eq=False)
class Reorganisation:
    """What a reorganisation did, or with ``dry_run`` would do.

    merged: concepts that went into others. split: concepts that were born out of others. regions: how many there are
    now. moved: concepts whose region is another than before. abstractions: parents that were born. ``plan`` is what it
    was planned to be; what a writer changed meanwhile may have made less of it.
    """

    merged: int
    split: int
    regions: int
    moved: int
    abstractions: int
    concepts: int
    seconds: float
    dry_run: bool
    plan: Plan = field(repr=False)


class Reorganiser:
    """Reorganises one memory, one run at a time."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine
        self.due = False
        """Whether the memory is to be reorganised as soon as it can be."""
        self._running = threading.Lock()
        self._compared: tuple[Ids, Ints] = (np.empty(0, np.int64), np.empty(0, np.int64))
        """Concepts that have been compared with each other, and the versions of their keys then: this process's own
        knowledge, so that a memory that is opened again is compared as a whole once."""

    def look(self) -> Reorganisation:
        """What a reorganisation would do now."""
        began = time.perf_counter()
        planned = plan(self.landscape(), ReorganisationRules.of(self.engine.config), unborn())
        return would_do(planned, time.perf_counter() - began)

    def by_hand(self, progress: Progress | None) -> Reorganisation:
        """Reorganise now. AESGStorageError while another process has the lease."""
        with self._running:
            if self.engine.lease.hold() is None:
                raise AESGStorageError(TAKEN)
            self.engine.flush()
            self.engine.refresh()
            return self._run(progress)

    def hasten(self) -> None:
        """The memory is to be reorganised as soon as it can be."""
        self.due = True

    def if_due(self) -> None:
        """Reorganise if it is time; put off while somebody else does, or the stores do not answer."""
        if not self.due or not self.engine.mode.reorganises or not self._running.acquire(blocking=False):
            return
        try:
            if self.engine.lease.hold() is None:
                return
            self.engine.flush()  # names are read from the graph
            done = self._run(None)
            self.due = False
            log.info(
                "reorganised in %.1f s: %d merged, %d split, %d regions, %d abstractions",
                *(done.seconds, done.merged, done.split, done.regions, done.abstractions),
            )
        except AESGStorageError as error:
            self.engine.recorder.check()  # what is broken is not put off
            log.warning("reorganisation is put off: %s", error.message)
        finally:
            self._running.release()

    # -- planning ---------------------------------------------------------------------------------------------------

    def _run(self, progress: Progress | None) -> Reorganisation:
        began, engine = time.perf_counter(), self.engine
        version = engine.recorder.key_version
        land = self.landscape()
        if progress is not None:
            progress("planning", 0, len(land))
        planned = plan(land, ReorganisationRules.of(engine.config), engine.recorder.allocate, self._fresh(land))
        if progress is not None:
            progress("planning", len(land), len(land))
        done = _Done(engine, planned, version)
        done.carry_out(progress)
        if done.whole:
            settled = np.ones(len(land), np.bool_)
            settled[planned.merges.held_back] = False
            settled[planned.merges.merged] = False  # gone, unless a server refused that
            self._compared = land.ids[settled], land.versions[settled]
        return Reorganisation(
            merged=done.merged,
            split=done.split,
            regions=planned.communities,
            moved=done.moved,
            abstractions=done.abstractions,
            concepts=engine.recorder.concepts,
            seconds=time.perf_counter() - began,
            dry_run=False,
            plan=planned,
        )

    def landscape(self) -> Landscape:
        """The memory as it is now: what the stores say and what is on its way to them."""
        engine, residency = self.engine, self.engine.residency
        with engine.locked():
            if residency.cache.complete:
                return landscape_of_cache(residency.cache)
        engine.flush()
        config = engine.config
        return landscape_of_stores(residency.graph, residency.vectors().fetch, config.vector_dim, config.value_dim)

    def _fresh(self, land: Landscape) -> Flags:
        """What was born, or got another key, since the last look."""
        ids, versions = self._compared
        old = among(land.ids, ids)
        if len(ids):
            place = np.minimum(np.searchsorted(ids, land.ids), len(ids) - 1)
            old &= versions[place] == land.versions
        return ~old


class _Done:
    """A plan being carried out."""

    def __init__(self, engine: MemoryEngine, planned: Plan, version: int) -> None:
        self.engine, self.planned, self.version = engine, planned, version
        self.merged = self.split = self.moved = self.abstractions = 0
        self.whole = False

    def carry_out(self, progress: Progress | None) -> None:
        """Record the plan part by part. AESGStorageError if the lease is lost; what was recorded until then stays.

        On servers each part is waited for: many at once would be one long transaction, in which the lease runs out.
        """
        engine = self.engine
        parts = list(self.planned.parts(engine.recorder.epoch, self.version))
        totals = {what: len(list(some)) for what, some in itertools.groupby(parts, key=lambda part: part.what)}
        at = dict.fromkeys(totals, 0)
        engine._check()
        refused = len(engine._backend.journal.refused())
        for part in parts:
            with engine.steps.writing:
                engine._check()
                if not engine.mode.reorganises or engine.recorder.key_version != self.version:
                    return  # somebody changed the mode or the keys: what was planned no longer holds
                tenure = engine.lease.hold()
                if tenure is None:
                    raise AESGStorageError(TAKEN)
                engine.recorder.make_room()
                self._record(part, tenure)
            if engine.follower is not None:
                self._see_through(refused)
            at[part.what] += 1
            if progress is not None:
                progress(part.what, at[part.what], totals[part.what])
        self.whole = True

    def _see_through(self, refused: int) -> None:
        """Wait until a part is in the stores; ``refused`` is how many batches they had refused before."""
        self.engine.flush()
        if len(others := self.engine._backend.journal.refused()) > refused:
            self.engine.lease.release()  # if it was the lease: this process only thought that it had it
            raise AESGStorageError(f"The reorganisation was cut short: {others[-1].reason}")

    def _record(self, part: Planned, tenure: Tenure) -> None:
        operations = self._named(part.operations) if part.what == ABSTRACTION else part.operations
        told = Told.of(self.engine, operations[0]) if isinstance(operations[0], Merge) else None
        with self.engine.recorder.lock:
            remaining = self._remaining(operations)
            if remaining and told is not None and isinstance(remaining[0], Merge):
                remaining += told.handed_over(remaining[0])
            if remaining:
                self.engine.recorder.record(remaining, fence=tenure.fence)

    def _remaining(self, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
        """What of them still holds, counted. What another process has changed is void when the graph is written."""
        match operations:
            case (Merge() as merge,):
                there = self._are_there(merge.survivors) & self._are_there(merge.merged)
                self.merged += int(there.sum())
                return (replace(merge, survivors=merge.survivors[there], merged=merge.merged[there]),) * bool(
                    there.any()
                )
            case (Split() as split,):
                holds = bool(self._are_there(ids_array([split.source])).all())
                self.split += holds
                return operations * holds
            case (Create(), Link() as link):
                there = self._are_there(link.targets)
                if there.sum() < FEWEST:
                    return ()
                self.abstractions += 1
                kept = {name: getattr(link, name)[there] for name in ("sources", "targets", "weights", "uses")}
                return operations[0], replace(link, **kept)
            case (Regions() as regions,):
                there = self._are_there(regions.ids)
                self.moved += int(there.sum())
                return (replace(regions, ids=regions.ids[there], regions=regions.regions[there]),) * bool(there.any())
        raise AssertionError(f"{operations} is no part of a reorganisation")  # pragma: no cover

    def _are_there(self, ids: Ids) -> Flags:
        return among(ids, self.engine.residency.known(ids))

    def _named(self, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
        """A parent is called after the most typical of its children that has a name, else by its kind and number."""
        create, link = operations
        assert isinstance(create, Create)
        assert isinstance(link, Link)
        rows = self.engine.residency.graph.read(np.sort(link.targets), edges=False).concepts
        names = {id: name for id, name in zip(rows.ids.tolist(), rows.names, strict=True) if name}
        number = int(create.ids[0]) & ((1 << COUNTER_BITS) - 1)
        called = next((names[id] for id in link.targets.tolist() if id in names), f"{ABSTRACTION} {number}")
        return replace(create, names=(DERIVED + called.removeprefix(DERIVED),)), link


def unborn() -> Callable[[int], Ids]:
    """Ids for what a dry run would give birth to: numbers below those of any concept."""
    given = itertools.count(-2, -1)
    return lambda count: np.array([next(given) for _ in range(count)], np.int64)


def would_do(planned: Plan, seconds: float) -> Reorganisation:
    """What a plan that is not carried out comes to."""
    return Reorganisation(
        merged=len(planned.merges.merged),
        split=len(planned.splits),
        regions=planned.communities,
        moved=len(planned.moved),
        abstractions=len(planned.abstractions),
        concepts=len(planned.land) - len(planned.merges.merged),
        seconds=seconds,
        dry_run=True,
        plan=planned,
    )
