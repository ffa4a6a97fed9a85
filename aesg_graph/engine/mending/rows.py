"""Mending rows: concepts, edges and vectors that do not agree.

Where other processes write meanwhile, everything is asked for once more before it is touched. What a process doing
maintenance could be at as well (lost vectors, versions, payload) is mended under the memory's lease alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from aesg_graph.concepts import Ids, without
from aesg_graph.engine.mending.bench import Bench
from aesg_graph.operations import Rekey, Remove
from aesg_graph.stores.abc import NO_IDS, Editable, Inspectable
from aesg_graph.sync import Event, Finding, chunks
from aesg_graph.sync.comparison import rows_of

Fence = int | None
NEEDS_LEASE = "mending it needs the memory's lease, which another process has that does maintenance or a repair"


def under_lease(mend: Callable[[Bench, Finding, Fence], Finding]) -> Callable[[Bench, Finding], Finding]:
    """What is mended only while nobody else does maintenance."""

    def mended(bench: Bench, finding: Finding) -> Finding:
        tenure = bench.lease.hold()
        if tenure is None:
            return replace(finding, detail=f"{finding.detail}; {NEEDS_LEASE}")
        return mend(bench, finding, tenure.fence)

    return mended


@under_lease
def lost(bench: Bench, finding: Finding, fence: Fence) -> Finding:
    """Vectors from a good cache; a concept whose vector nobody has can never be recalled, so it goes."""
    found, gone = 0, [NO_IDS]
    for ids in _still(bench, finding):
        back = bench.remembered(ids)
        rows = bench.site.graph.read(back.ids, edges=False).concepts
        back = rows_of(back, np.isin(back.ids, rows.ids))
        back = rows_of(back, back.versions == rows.versions)
        bench.write(back)
        bench.announce(back.ids, fence)
        found += len(back)
        gone.append(without(ids, back.ids))
    leaving = np.concatenate(gone)
    if 2 * leaving.size > bench.site.graph.count().concepts:
        detail = f"{finding.detail}; as these are more than half of all concepts, none was removed: restore a copy"
        return replace(finding, detail=detail, count=leaving.size, ids=leaving)
    for ids in chunks(leaving):
        bench.record(Remove(ids), [Event("REMOVE", ids, None, 0.0)], fence)
    return finding.done(f"{found} vectors came back from the cache, {leaving.size} concepts were removed")


@under_lease
def payload(bench: Bench, finding: Finding, fence: Fence) -> Finding:
    """What the graph says counts."""
    for ids in _still(bench, finding):
        bench.write(bench.vectors().fetch(ids))
    return finding.done("it was written anew from the graph")


@under_lease
def versions(bench: Bench, finding: Finding, fence: Fence) -> Finding:
    """Both get the higher version, with the key that belongs to it where it is known."""
    for ids in _still(bench, finding):
        _raise_versions(bench, ids, fence)
    return finding.done("both name the higher one now")


def _raise_versions(bench: Bench, ids: Ids, fence: Fence) -> None:
    points = bench.vectors().fetch(ids)
    rows = bench.site.graph.read(points.ids, edges=False).concepts
    points = rows_of(points, np.isin(points.ids, rows.ids))
    spare = bench.remembered(points.ids)
    keys = points.keys.copy()
    place = np.searchsorted(points.ids, spare.ids)
    newer = (spare.versions == rows.versions[place]) & (spare.versions > points.versions[place])
    keys[place[newer]] = spare.keys[newer]
    higher = np.maximum(rows.versions, points.versions)
    for encoder, version in sorted(set(zip(rows.encoders, higher.tolist(), strict=True))):
        own = np.array([e == encoder for e in rows.encoders], np.bool_) & (higher == version)
        rekey = Rekey(points.ids[own], np.ascontiguousarray(keys[own]), version, encoder)
        bench.record(rekey, [Event("REKEY", points.ids[own], None, float(version))], fence)


def superfluous(bench: Bench, finding: Finding) -> Finding:
    """Vectors without a concept go."""
    for ids in _still(bench, finding):
        bench.vectors().delete(ids)
        bench.site.graph.apply([], ids)
    return finding.done("they were deleted")


def dangling(bench: Bench, finding: Finding) -> Finding:
    """Edges that lead nowhere go, from the cache too."""
    graph = bench.site.graph
    assert isinstance(graph, Inspectable)
    graph.cut_dangling()
    bench.drop_cache()
    return finding.done("they were deleted")


def counts(bench: Bench, finding: Finding) -> Finding:
    """Writers that add up to something else are made up for; an index that lacks rows is built anew."""
    graph = bench.site.graph
    if isinstance(graph, Editable):
        graph.mend_counts()
        return finding.done("they say what there is now")
    assert isinstance(graph, Inspectable)
    graph.reindex()
    return finding.done("the graph's indexes were built anew")


def malformed(bench: Bench, finding: Finding) -> Finding:
    """What is missing becomes what it is at birth."""
    return _edited(bench, finding, lambda graph, ids: graph.reshape(ids), "what they lacked is as a newborn has it")


def edges(bench: Bench, finding: Finding) -> Finding:
    """Weights are brought into [0, 1], doubles joined, loops and what leads elsewhere deleted, the rest turned."""
    return _edited(bench, finding, lambda graph, ids: graph.redraw(ids), "they are as the memory would have drawn them")


def expiry(bench: Bench, finding: Finding) -> Finding:
    """What follows from the rows."""
    return _edited(bench, finding, lambda graph, ids: graph.redate(ids), "it was computed anew")


def _still(bench: Bench, finding: Finding) -> Iterator[Ids]:
    """What a finding names, a part at a time, as far as it is true of it still."""
    look = bench.site.second_look()
    for part in chunks(finding.ids):
        bench.lease.keep()
        ids = look.ask(finding.kind, part)[finding.kind]
        if ids.size:
            yield ids


def _edited(bench: Bench, finding: Finding, mend: Callable[[Editable, Ids], None], how: str) -> Finding:
    graph = bench.site.graph
    assert isinstance(graph, Editable)
    for ids in chunks(finding.ids):
        mend(graph, ids)
        bench.lease.keep()
    return finding.done(how)
