"""Whether journal and graph of a memory are whole and know of the same batches: a part of what ``aesg check`` finds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from aesg_graph.concepts import Ids
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import named_ids
from aesg_graph.stores.abc import NO_IDS, GraphStore, Inspectable
from aesg_graph.sync.findings import Finding, Kind
from aesg_graph.sync.journal import Journal


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


def look_at_graph(graph: GraphStore) -> list[Finding]:
    """Damage of the graph's own files, and edges that lead nowhere."""
    if not isinstance(graph, Inspectable):
        return []
    faults = graph.faults()
    if faults:
        detail = f"the graph is damaged: {faults[0]}; restore the memory from a copy"
        return [Finding(Kind.GRAPH, len(faults), detail)]
    count, absent = graph.dangling()
    if count:
        return [Finding(Kind.DANGLING, count, f"edges name {absent.size} concepts that do not exist", absent)]
    return []
