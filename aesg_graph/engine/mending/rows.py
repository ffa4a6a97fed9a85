"""Mending rows: concepts, edges and vectors that do not agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aesg_graph.engine.mending.bench import Bench
from aesg_graph.operations import Rekey, Remove
from aesg_graph.sync import Event, Finding
from aesg_graph.sync.comparison import rows_of


def lost(bench: Bench, finding: Finding) -> Finding:
    """Vectors from a good cache; a concept whose vector nobody has can never be recalled, so it goes."""
    found = bench.remembered(finding.ids)
    versions = bench.site.graph.read(found.ids, edges=False).concepts.versions
    found = rows_of(found, found.versions == versions)
    bench.write(found)
    gone = np.setdiff1d(finding.ids, found.ids)
    if 2 * gone.size > bench.site.graph.count().concepts:
        detail = f"{finding.detail}; as these are more than half of all concepts, none was removed: restore a copy"
        return replace(finding, detail=detail, count=gone.size, ids=gone)
    if gone.size:
        bench.record(Remove(gone), [Event("REMOVE", gone, None, 0.0)])
    return finding.done(f"{len(found)} vectors came back from the cache, {gone.size} concepts were removed")


def payload(bench: Bench, finding: Finding) -> Finding:
    """What the graph says counts."""
    bench.write(bench.vectors().fetch(finding.ids))
    return finding.done("it was written anew from the graph")


def versions(bench: Bench, finding: Finding) -> Finding:
    """Both get the higher version, with the key that belongs to it where it is known."""
    points = bench.vectors().fetch(finding.ids)
    rows = bench.site.graph.read(points.ids, edges=False).concepts
    spare = bench.remembered(points.ids)
    keys = points.keys.copy()
    place = np.searchsorted(points.ids, spare.ids)
    newer = (spare.versions == rows.versions[place]) & (spare.versions > points.versions[place])
    keys[place[newer]] = spare.keys[newer]
    higher = np.maximum(rows.versions, points.versions)
    for encoder, version in sorted(set(zip(rows.encoders, higher.tolist(), strict=True))):
        own = np.array([e == encoder for e in rows.encoders], np.bool_) & (higher == version)
        rekey = Rekey(points.ids[own], np.ascontiguousarray(keys[own]), version, encoder)
        bench.record(rekey, [Event("REKEY", points.ids[own], None, float(version))])
    return finding.done("both name the higher one now")


def superfluous(bench: Bench, finding: Finding) -> Finding:
    """Vectors without a concept go."""
    bench.vectors().delete(finding.ids)
    bench.site.graph.apply([], finding.ids)
    return finding.done("they were deleted")


def dangling(bench: Bench, finding: Finding) -> Finding:
    """Edges that lead nowhere go, from the cache too."""
    bench.site.graph.cut_dangling()
    bench.drop_cache()
    return finding.done("they were deleted")


def counts(bench: Bench, finding: Finding) -> Finding:
    """An index that lacks rows is built anew."""
    bench.site.graph.reindex()
    return finding.done("the graph's indexes were built anew")
