"""What happens to a group of batches between the journal and the stores, in the order that lets no vector be orphaned.

Vector upserts; the graph, in one transaction; vector deletes. A process that dies anywhere in between repeats the whole
for what is still in its journal, and every step can be repeated.

Where both stores are servers, the next group's vectors travel while the graph is busy with this one's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from aesg_graph.concepts import NO_ID, Ids, among, distinct
from aesg_graph.operations import Batch, Create, Merge, Regions, Rekey, Split, doomed_ids, named_ids
from aesg_graph.stores.abc import NO_IDS, GraphStore, Outcome, VectorStore
from aesg_graph.sync.failpoints import GRAPH_COMMITTED, VECTORS_DELETED, VECTORS_UPSERTED, reach
from aesg_graph.sync.journal_file import Durability
from aesg_graph.sync.vector_writes import born_in, has_vectors, write_vectors


class Carrier:
    """Carries groups of consecutive batches of one writer into both stores. One thread at a time."""

    def __init__(self, graph: GraphStore, vectors: Callable[[], VectorStore], durability: Durability) -> None:
        self._graph = graph
        self._vectors = vectors
        self._durability = durability
        self._vectors_removed = NO_IDS
        self._known: dict[int, Outcome] = {}
        self._ahead = Ahead(self._write_vectors)

    def carry(self, batches: Sequence[Batch], following: Sequence[Batch] = ()) -> list[Outcome]:
        """Carry the batches out; what became of each. Whatever a store raises passes, and all can be tried again.

        Vectors of the ``following`` batches, if there are any and nothing depends on the order, are written meanwhile.
        """
        groups = _separated(batches)
        if len(groups) > 1 or not _independent(batches, following):
            following = ()
        outcomes = [outcome for group in groups for outcome in self._carry(group, following)]
        if self._durability == "power":
            if any(has_vectors(batch) or _doomed(batch).size for batch in batches):
                self._vectors().sync()
            self._graph.sync()
        return outcomes

    def forget(self, up_to: int) -> None:
        """Batches up to this sequence will not come again."""
        self._known = {sequence: o for sequence, o in self._known.items() if sequence > up_to}

    def report_removed(self) -> None:
        """Tell the graph which vectors are gone since its last transaction."""
        if self._vectors_removed.size:
            self._graph.apply([], self._vectors_removed)
            self._vectors_removed = NO_IDS

    def close(self) -> None:
        """Write nothing ahead any more."""
        self._ahead.close()

    def _write_vectors(self, batches: Sequence[Batch]) -> dict[int, str]:
        return write_vectors(batches, self._graph, self._vectors)

    def _carry(self, batches: Sequence[Batch], following: Sequence[Batch]) -> list[Outcome]:
        unfit = self._ahead.written(batches)
        reach(VECTORS_UPSERTED)
        self._ahead.begin(following)
        # What the vector store will not take must not be in the graph either; empty, it still consumes its sequence.
        sent = [replace(batch, operations=()) if batch.sequence in unfit else batch for batch in batches]
        outcomes = self._graph.apply(sent, self._vectors_removed)
        self._vectors_removed = NO_IDS
        for batch, outcome in zip(batches, outcomes, strict=True):
            if batch.sequence in unfit:
                outcome = Outcome(batch.sequence, "refused", unfit[batch.sequence], _named(batch))
            if outcome.status != "skipped":
                self._known[batch.sequence] = outcome
        reach(GRAPH_COMMITTED)
        self._correct_labels([b for b, o in zip(batches, outcomes, strict=True) if o.status != "applied"])
        gone = self._delete_vectors(batches)
        reach(VECTORS_DELETED)
        return [self._explained(batch, outcome, gone) for batch, outcome in zip(batches, outcomes, strict=True)]

    def _correct_labels(self, batches: Sequence[Batch]) -> None:
        """Points were labelled before the graph refused to sort their concepts, or had sorted them again since."""
        labelled = [op.ids for batch in batches for op in batch.operations if isinstance(op, Regions)]
        if labelled:
            rows = self._graph.read(distinct(np.concatenate(labelled)), edges=False).concepts
            self._vectors().label(rows.ids, rows.region_id)

    def _delete_vectors(self, batches: Sequence[Batch]) -> Ids:
        """Delete the vectors of concepts that the batches wrote or may have removed, and that the graph lacks."""
        merged = [op.merged for batch in batches for op in batch.operations if isinstance(op, Merge)]
        heirs = self._followed(np.unique(np.concatenate(merged))) if merged else NO_IDS
        touched = distinct(np.concatenate([born_in(batches), *(_doomed(batch) for batch in batches), heirs]))
        gone = self._graph.absent(touched) if touched.size else NO_IDS
        if gone.size:
            self._vectors().delete(gone)
            self._vectors_removed = distinct(np.concatenate([self._vectors_removed, gone]))
        return gone

    def _followed(self, ids: Ids) -> Ids:
        """Everything along the tombstones' ``into``: a Merge of a concept that had merged already removes its heir."""
        found = new = ids
        while new.size:
            into = self._graph.tombstones(new).into
            new = np.setdiff1d(into[into != NO_ID], found)
            found = np.union1d(found, new)
        return found

    def _explained(self, batch: Batch, outcome: Outcome, gone: Ids) -> Outcome:
        """The outcome of the attempt that counted, where this one only met what an earlier one had done."""
        if batch.sequence in self._known:
            return self._known[batch.sequence]
        created = np.concatenate([NO_IDS, *(op.ids for op in batch.operations if isinstance(op, Create))])
        lost = distinct(created[among(created, gone)])
        if lost.size and self._graph.tombstones(lost).ids.size < lost.size:
            reason = (
                "refused just before the process ended, for a reason that was not recorded: what it creates is absent"
            )
            return Outcome(batch.sequence, "refused", reason, _named(batch))
        return outcome


class Ahead:
    """Writes the vectors of one group in the background, while the group before it is in the graph's hands."""

    def __init__(self, write: Callable[[Sequence[Batch]], dict[int, str]]) -> None:
        self._write = write
        self._thread: ThreadPoolExecutor | None = None
        self._under_way: tuple[list[int], Future[dict[int, str]]] | None = None

    def begin(self, batches: Sequence[Batch]) -> None:
        """Write the vectors of ``batches``, which are to come next."""
        if batches:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "aesg-vectors")
            self._under_way = _sequences(batches), self._thread.submit(self._write, batches)

    def written(self, batches: Sequence[Batch]) -> dict[int, str]:
        """The vectors of ``batches`` are written: ahead, or now. What the store would not take, as write_vectors()."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            sequences, writing = under_way
            failed = writing.exception()  # two writers of vectors never overlap
            if failed is None and sequences == _sequences(batches):
                return writing.result()
        return self._write(batches)

    def close(self) -> None:
        """Begin nothing any more; what is under way ends by itself."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)


def _sequences(batches: Sequence[Batch]) -> list[int]:
    return [batch.sequence for batch in batches]


def _independent(batches: Sequence[Batch], following: Sequence[Batch]) -> bool:
    """Whether vectors of ``following`` may be written before the graph has ``batches``: births of other ids alone."""
    operations = [operation for batch in (*batches, *following) for operation in batch.operations]
    if any(isinstance(operation, Split | Rekey | Regions | Merge) for operation in operations):
        return False
    born = born_in([*batches, *following])
    return distinct(born).size == born.size


def _separated(batches: Sequence[Batch]) -> list[Sequence[Batch]]:
    """The batches in as few groups as can be: one each where ids are born twice, or concepts split."""
    born = born_in(batches)
    splits = any(isinstance(operation, Split) for batch in batches for operation in batch.operations)
    if splits or distinct(born).size < born.size:
        return [[batch] for batch in batches]
    return [batches]


def _doomed(batch: Batch) -> Ids:
    return np.concatenate([NO_IDS, *(doomed_ids(operation) for operation in batch.operations)])


def _named(batch: Batch) -> Ids:
    return np.unique(np.concatenate([NO_IDS, *(named_ids(operation) for operation in batch.operations)]))
