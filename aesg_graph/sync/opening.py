"""Taking up writing in a directory: what its journal and its graph say about each other, and what follows from it.

A writer's number may be used by one journal only, and its sequence in the graph says what was carried out. So whoever
opens a directory either goes on under a new incarnation, which locks out whoever still holds the old one, or leases a
new number, where the old one is not (or no longer) this journal's alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from aesg_graph.stores.abc import GraphStore, Shared, WriterState
from aesg_graph.sync.journal import Journal


class Reason(StrEnum):
    """Why writing was taken up the way it was."""

    FRESH = "fresh"
    """The journal has never had a writer: a number was leased."""
    REOPENED = "reopened"
    """As it should be: the same number under a new incarnation."""
    COPIED = "copied"
    """The directory is a copy: what was pending went under the old number, then a new one was leased."""
    JOURNAL_BEHIND = "journal behind"
    """The graph has more than the journal knows of: nothing is pending; a new number was leased."""
    GRAPH_BEHIND = "graph behind"
    """The graph lacks what the journal no longer has: what is pending went under a new number."""


@dataclass(frozen=True)
class Taken:
    """How writing was taken up, as whom, and which of the old number's sequences neither graph nor journal has.

    A cache that was good for the journal is no longer after JOURNAL_BEHIND and GRAPH_BEHIND.
    """

    reason: Reason
    writer: WriterState
    missing: tuple[range, ...] = ()


def take_up_writing(journal: Journal, graph: GraphStore, identity: str, recover: Callable[[], object]) -> Taken:
    """Make the journal's owner the writer of the directory with this ``identity``.

    ``recover`` takes everything that the journal holds to the stores (``Flusher.recover``). When this returns nothing
    is pending. It may be interrupted at any moment and called again. AESGStorageError if a store or the journal fails.
    """
    if journal.writer is None:
        return _lease(journal, graph, identity, Reason.FRESH)
    state = graph.writer(journal.writer)
    if state is not None and state.incarnation >= journal.incarnation:
        if state.sequence > journal.last_sequence:
            journal.drop(journal.last_sequence)  # the graph has them all
            if isinstance(graph, Shared) and journal.identity == identity:  # of a copy it is the original's number
                graph.retire(state.id)
            return _lease(journal, graph, identity, Reason.JOURNAL_BEHIND)
        if state.incarnation > journal.incarnation:
            # It was renewed after all had been sent: either just now, by a process that died before it could tell the
            # journal, or by the original of which this is a copy.
            journal.drop(state.sequence)
        foreign = state.incarnation > journal.incarnation and journal.bytes_pending
        if not foreign and not _gaps(journal, state.sequence):
            recover()
            if journal.identity != identity:
                return _lease(journal, graph, identity, Reason.COPIED)
            renewed = graph.renew(state.id)
            journal.begin(renewed, identity)
            return Taken(Reason.REOPENED, renewed)
    return _send_under_a_new_number(journal, graph, identity, recover, 0 if state is None else state.sequence)


def _lease(journal: Journal, graph: GraphStore, identity: str, reason: Reason) -> Taken:
    leased = graph.lease()
    journal.begin(leased, identity)
    return Taken(reason, leased)


def _send_under_a_new_number(
    journal: Journal, graph: GraphStore, identity: str, recover: Callable[[], object], done: int
) -> Taken:
    """The graph has gone back to an earlier state (a power cut took its tail, or it was restored)."""
    missing = _gaps(journal, done)
    journal.drop(done)
    leased = graph.lease()
    journal.reissue(leased, identity)
    recover()
    return Taken(Reason.GRAPH_BEHIND, leased, missing)


def _gaps(journal: Journal, done: int) -> tuple[range, ...]:
    """The sequences after ``done`` that were acknowledged and are not pending."""
    gaps, due = [], done + 1
    for sequence in (*journal.pending(), journal.last_sequence + 1):
        if sequence > due:
            gaps.append(range(due, sequence))
        due = max(due, sequence + 1)
    return tuple(gaps)
