"""Which records of nodes are concepts, and what is known of their lives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Doubles, Flags, Floats, Ints, distinct, without
from aesg_graph.engine.inputs import unit_rows
from aesg_graph.interchange.aesg.dimension import is_share, is_time, sense
from aesg_graph.interchange.aesg.findings import Findings
from aesg_graph.interchange.aesg.layout import ANY_BYTES, Records, Rows, used
from aesg_graph.interchange.aesg.opening import Opened

OldIds = npt.NDArray[np.uint64]
FIELDS = ("id", "created", "modified", "uses", "relevance", "age", "region", "active", "head")
TOLERATED = 1
"""A record with more fields that make no sense than this is damaged."""
IN_PART = 10_000
"""Concepts that are handed on at once, at most."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """N concepts in the order of the file, by columns; ``places`` are those of their records.

    ``inactive`` and ``left_out``: ids of records that are none (ascending). ``heads``: where every list of edges
    begins, with the id of its concept, of all records, concepts or not.
    """

    records: Records
    places: Ints
    ids: OldIds
    created: Doubles
    modified: Doubles
    uses: Ints
    relevance: Doubles
    ages: Ints
    regions: Ints
    inactive: OldIds
    left_out: OldIds
    heads: Ints
    heads_of: OldIds

    def __len__(self) -> int:
        return len(self.places)

    def unit_keys(self) -> Iterator[tuple[slice, Floats]]:
        """The concepts' keys, of unit length, some at a time: which concepts, and [n, D]."""
        if not len(self):
            return
        for start, rows in self.records.chunks(int(self.places[0]), int(self.places[-1]) + 1):
            first, last = np.searchsorted(self.places, (start, start + len(rows))).tolist()
            for begin in range(first, last, IN_PART):
                some = slice(begin, min(begin + IN_PART, last))
                yield some, unit_rows(rows["vector"][self.places[some] - start])[0]


def read_nodes(opened: Opened, findings: Findings) -> Nodes:
    """Every concept that is active and sound, once."""
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("place", "kept", *FIELDS)}
    for start, rows in opened.nodes.chunks():
        places = used(rows)
        rows = rows[places]
        columns["place"].append(places + start)
        columns["kept"].append(_sound(rows, findings))
        for name in FIELDS:
            columns[name].append(rows[name].copy())  # a view would hold the vectors
    whole = {name: np.concatenate(parts) if parts else np.empty(0, np.int64) for name, parts in columns.items()}
    _tell_of_records(opened, whole["id"].astype(np.uint64), findings)
    kept = _once(opened.nodes, whole, findings)
    return _nodes(opened.nodes, whole, kept)


@ANY_BYTES
def _sound(rows: Rows, findings: Findings) -> Flags:
    """[N] which records are concepts; tells why the others are not."""
    wrong, active, ids = sense(rows), rows["active"] != 0, rows["id"]
    damaged = wrong > TOLERATED
    finite = np.isfinite(rows["vector"]).all(axis=1)
    zero = ~rows["vector"].any(axis=1)
    left = {
        "damaged": damaged,
        "inactive": ~damaged & ~active,
        "not_finite": ~damaged & active & ~finite,
        "zero_vector": ~damaged & active & finite & zero,
    }
    sound = ~np.logical_or.reduce(list(left.values()))
    for what, mask in (*left.items(), ("put_right", sound & (wrong > 0))):
        findings.add(what, int(mask.sum()), ids[mask][:5])
    return np.asarray(sound)


def _tell_of_records(opened: Opened, ids: OldIds, findings: Findings) -> None:
    """What the log and meta.npy say otherwise than the file."""
    lost = without(opened.created.view(np.int64), ids.view(np.int64)).view(np.uint64)
    findings.add("lost", len(lost), lost[:5])
    if opened.nodes_said >= 0:
        findings.add("meta_stale", abs(opened.nodes_said - len(ids)))


def _once(records: Records, whole: dict[str, npt.NDArray[Any]], findings: Findings) -> Ints:
    """The rows that are concepts, without those that repeat an id and its vector."""
    kept = np.flatnonzero(whole["kept"])
    ids = whole["id"][kept]
    _, place, count = np.unique(ids, return_inverse=True, return_counts=True)
    shared = kept[count[place] > 1]
    if not len(shared):
        return kept
    # The one used most comes first, and the earlier of two that were used as much.
    best: dict[tuple[int, bytes], int] = {}
    order = np.lexsort((shared, -whole["uses"][shared].astype(np.int64)))
    for row in shared[order].tolist():
        at = int(whole["place"][row])
        key = unit_rows(records.read(at, at + 1)["vector"])[0].tobytes()
        best.setdefault((int(whole["id"][row]), key), row)
    alone = np.fromiter(best.values(), np.int64, len(best))
    repeated = without(shared, alone)
    findings.add("repeated", len(repeated), whole["id"][repeated][:5])
    several, times = np.unique(whole["id"][alone], return_counts=True)
    findings.add("same_id", int((times > 1).sum()), several[times > 1][:5])
    return without(kept, repeated)


def _nodes(records: Records, whole: dict[str, npt.NDArray[Any]], kept: Ints) -> Nodes:
    taken = {name: column[kept] for name, column in whole.items()}
    created, modified, relevance = taken["created"], taken["modified"], taken["relevance"]
    created = np.where(is_time(created), created, modified)
    modified = np.where(is_time(modified), modified, created)
    out = np.flatnonzero(whole["kept"] == 0)
    pruned = whole["active"][out] == 0
    return Nodes(
        records,
        taken["place"].astype(np.int64),
        taken["id"].astype(np.uint64),
        created.astype(np.float64),
        modified.astype(np.float64),
        taken["uses"].astype(np.int64),
        np.where(is_share(relevance), relevance, 1.0).astype(np.float64),
        taken["age"].astype(np.int64),
        taken["region"].astype(np.int64),
        _ids(whole["id"][out[pruned]]),
        _ids(whole["id"][out[~pruned]]),
        whole["head"].astype(np.int64),
        whole["id"].astype(np.uint64),
    )


def _ids(ids: npt.NDArray[Any]) -> OldIds:
    """Once each, ascending."""
    return np.sort(distinct(ids.astype(np.uint64).view(np.int64)).view(np.uint64))
