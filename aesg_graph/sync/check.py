"""Whether journal and graph of a memory are whole and know of the same batches: a part of what ``aesg check`` finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import astuple

import numpy as np

from aesg_graph.concepts import Ids, among, distinct
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import named_ids
from aesg_graph.stores.abc import NO_IDS, Audit, Counts, Editable, GraphStore, Inspectable
from aesg_graph.sync.findings import Finding, Kind
from aesg_graph.sync.journal import Journal

PAGE = 10_000
ATTEMPTS = 3
"""How often counts are compared anew because somebody wrote meanwhile."""
LOOKS, PAUSE = 2, 0.05
"""How often rows that seem wrong are looked at again, and how many seconds apart."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many concepts are done and how many there are."""


def look_at_journal(journal: Journal, graph: GraphStore, beside_owner: bool = False) -> tuple[list[Finding], Ids]:
    """What is to be said of the journal, and the concepts that its pending batches name.

    Beside a running owner batches come and go, so that only damage is looked for.
    """
    found, named = [], [NO_IDS]
    damaged: dict[int, str] = {}
    for sequence in journal.pending():
        try:
            batch = journal.read(sequence)
        except AESGStorageError as error:
            damaged[sequence] = error.message
            continue
        if batch.writer != journal.writer or sequence > journal.last_sequence:
            damaged[sequence] = (
                f"batch {sequence} is of writer {batch.writer}, and the journal's is {journal.writer}, at sequence "
                f"{journal.last_sequence}"
            )
            continue
        named += [named_ids(operation) for operation in batch.operations]
    if beside_owner and damaged:  # it may be that they have left since
        again = Journal.open(journal.path, read_only=True)
        damaged = {sequence: why for sequence, why in damaged.items() if sequence in set(again.pending())}
        again.close()
    if damaged:
        found.append(Finding(Kind.BATCH, len(damaged), next(iter(damaged.values())), _array(damaged)))
    if not beside_owner:
        found += _sequences(journal, graph)
    waiting = len(journal.pending()) - len(damaged)
    if waiting > 0:
        size = journal.bytes_pending
        found.append(Finding(Kind.PENDING, waiting, f"{size} bytes wait in the journal to be carried into the stores"))
    refused = journal.refused()
    if refused:
        last = refused[-1]
        detail = f"the latest, sequence {last.sequence} of writer {last.writer}: {last.reason}"
        found.append(Finding(Kind.REFUSED, len(refused), detail, _array([r.sequence for r in refused])))
    return found, np.unique(np.concatenate(named))


def _sequences(journal: Journal, graph: GraphStore) -> list[Finding]:
    """Whether what the graph has carried out and what is pending are all that the journal acknowledged."""
    if journal.writer is None:
        return []
    state = graph.writer(journal.writer)
    done = 0 if state is None else state.sequence
    if done > journal.last_sequence:
        detail = f"the graph has carried out batch {done}, the journal knows none after {journal.last_sequence}"
        return [Finding(Kind.BEHIND, done - journal.last_sequence, detail)]
    due = np.arange(done + 1, journal.last_sequence + 1)
    missing = np.setdiff1d(due, np.array(journal.pending(), np.int64))
    if missing.size:
        detail = f"the graph has carried out batch {done}, and some that were acknowledged after it are in neither"
        return [Finding(Kind.BEHIND, missing.size, detail, missing)]
    return []


def _array(numbers: Iterable[int]) -> Ids:
    return np.array(sorted(numbers), np.int64)


def look_at_graph(graph: GraphStore, progress: Progress | None = None) -> list[Finding]:
    """Damage of the graph's own files, and what people wrote past this package."""
    if isinstance(graph, Editable):
        return _look_at_edits(graph, graph.count().concepts, progress) + _counts(graph)
    return _look_at_file(graph) if isinstance(graph, Inspectable) else []


def _look_at_file(graph: Inspectable) -> list[Finding]:
    faults = graph.faults()
    if faults:
        detail = f"the graph is damaged: {faults[0]}; restore the memory from a copy"
        return [Finding(Kind.GRAPH, len(faults), detail)]
    count, absent = graph.dangling()
    if count:
        return [Finding(Kind.DANGLING, count, f"edges name {absent.size} concepts that do not exist", absent)]
    return []


def _look_at_edits(graph: Editable, total: int, progress: Progress | None) -> list[Finding]:
    """Rows and edges that no operation could have left."""
    malformed, misdated, edges, undeclared = [NO_IDS], [NO_IDS], [np.empty((0, 2), np.int64)], 0
    after, done = -1, 0
    while (page := _audited(graph, after)).last is not None:
        after, done = page.last, done + PAGE
        malformed.append(page.malformed)
        misdated.append(page.misdated)
        edges.append(page.edges)
        undeclared += page.undeclared
        if progress is not None:
            progress("looking at rows", min(done, total), total)
    sources = np.concatenate(edges)[:, 0]
    shapes = "weights outside [0, 1], doubles, loops, or the wrong way round"
    found = [
        _finding(Kind.MALFORMED, np.concatenate(malformed), "they lack a column, or have one of another type"),
        Finding(Kind.EDGES, len(sources), shapes, distinct(sources)),
        _finding(Kind.EXPIRY, np.concatenate(misdated), "when they may be pruned does not follow from their rows"),
        Finding(Kind.UNDECLARED, undeclared, "people joined concepts by types that are not declared"),
    ]
    return [finding for finding in found if finding.count]


def _finding(kind: Kind, ids: Ids, detail: str) -> Finding:
    return Finding(kind, ids.size, detail, ids)


def _audited(graph: Editable, after: int) -> Audit:
    """One page. What is amiss in it is looked at again: a commit under way may have been seen half."""
    page = graph.audit(after, PAGE)
    for _ in range(LOOKS):
        if not (page.malformed.size or page.misdated.size or len(page.edges)):
            break
        time.sleep(PAUSE)
        again = graph.audit(after, PAGE)
        ends = {tuple(pair) for pair in again.edges.tolist()}
        page = Audit(
            page.last,
            page.malformed[among(page.malformed, again.malformed)],
            page.misdated[among(page.misdated, again.misdated)],
            np.array([pair for pair in page.edges.tolist() if tuple(pair) in ends], np.int64).reshape(-1, 2),
            page.undeclared,
        )
    return page


def _counts(graph: Editable) -> list[Finding]:
    """What the writers add up to against what there is, if nobody writes for as long as counting takes."""
    for _ in range(ATTEMPTS):
        positions = graph.positions()
        said, true = graph.count(), graph.recount()
        if positions == graph.positions():
            off = [abs(a - b) for a, b in zip(astuple(said), astuple(true), strict=True)]
            detail = f"the writers add up to {_told(said)}; there are {_told(true)}"
            return [Finding(Kind.COUNTS, max(off), detail)] if any(off) else []
    return [Finding(Kind.SKIPPED, 1, "counts were not compared: others write all the time")]


def _told(counts: Counts) -> str:
    return f"{counts.concepts} concepts, {counts.edges} edges and {counts.tombstones} tombstones"


def look_at_tombstones(graph: GraphStore) -> list[Finding]:
    """Removed concepts of which nobody has recorded yet that their vectors are gone."""
    waiting = graph.unswept(PAGE + 1)
    if not waiting.size:
        return []
    more = f"more than {PAGE}; " if waiting.size > PAGE else ""
    detail = f"{more}writers record it with their next transaction"
    return [Finding(Kind.UNSWEPT, min(PAGE, waiting.size), detail, waiting[:PAGE])]
