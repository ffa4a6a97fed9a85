"""Which records of edges join two concepts.

An edge is taken by its record, whether or not a list leads to it: `aesg` never takes an edge out of a list, so a record
that no list reaches was cut off by damage. Lists are looked at to tell how damaged they are. A relation here goes both
ways, so edges between the same two concepts become one, as when concepts merge: the greatest weight, all uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Doubles, Flags, Ints
from aesg_graph.interchange.aesg.findings import Findings
from aesg_graph.interchange.aesg.layout import ANY_BYTES, Records, Rows, used
from aesg_graph.interchange.aesg.nodes import Nodes, OldIds


@dataclass(frozen=True, eq=False)
class Edges:
    """M edges between concepts by their numbers in the order of the file, the lower first; each pair once."""

    lower: Ints
    higher: Ints
    weights: Doubles
    confidences: Doubles
    uses: Ints

    def __len__(self) -> int:
        return len(self.lower)


@dataclass(frozen=True, eq=False)
class Addresses:
    """Ids (ascending), and the concept that each names: the one used most, where several have it."""

    ids: OldIds
    concepts: Ints

    @classmethod
    def of(cls, nodes: Nodes) -> Addresses:
        """Of all concepts."""
        order = np.lexsort((np.arange(len(nodes)), -nodes.uses, nodes.ids))
        ids = nodes.ids[order]
        first = np.ones(len(ids), np.bool_)
        first[1:] = ids[1:] != ids[:-1]
        return cls(ids[first], order[first])

    def __call__(self, ids: OldIds) -> Ints:
        """[N] the concept of each id, -1 where it has none."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[place] == ids, self.concepts[place], -1)


def read_edges(records: Records, nodes: Nodes, findings: Findings) -> Edges:
    """Every sound edge between two concepts, once."""
    address = Addresses.of(nodes)
    parts = [_nothing()]
    for _, rows in records.chunks():
        parts.append(_sound(rows[used(rows)], address, nodes, findings))
    lower, higher, weights, confidences, uses = (np.concatenate(c) for c in zip(*parts, strict=True))
    return _joined(Edges(lower, higher, weights, confidences, uses), len(nodes), findings)


Columns = tuple[Ints, Ints, Doubles, Doubles, Ints]


def _nothing() -> Columns:
    none, no = np.empty(0, np.int64), np.empty(0, np.float64)
    return none, none, no, no, none


@ANY_BYTES
def _sound(rows: Rows, address: Addresses, nodes: Nodes, findings: Findings) -> Columns:
    """The edges among some records, and why the others are none."""
    sources, targets = address(rows["source"]), address(rows["target"])
    left = _reasons(rows, sources, targets, nodes)
    for what, mask in left.items():
        findings.add(what, int(mask.sum()), rows["source"][mask][:5])
    kept = ~np.logical_or.reduce(list(left.values()))
    rows, sources, targets = rows[kept], sources[kept], targets[kept]
    weights, confidences = rows["weight"].astype(np.float64), rows["confidence"].astype(np.float64)
    confidences[np.isnan(confidences)] = np.inf
    outside = (weights < 0) | (weights > 1) | (confidences < 0) | (confidences > 1)
    findings.add("clipped", int(outside.sum()), rows["source"][outside][:5])
    both = np.minimum(sources, targets), np.maximum(sources, targets)
    return *both, weights.clip(0, 1), confidences.clip(0, 1), rows["uses"].astype(np.int64)


def _reasons(rows: Rows, sources: Ints, targets: Ints, nodes: Nodes) -> dict[str, Flags]:
    """[N] masks of records that are left out, by the reason; each record has one at most."""
    missing = (sources < 0) | (targets < 0)
    known = np.concatenate([nodes.inactive, nodes.left_out])
    unknown = _lacks(rows["source"], sources, known) | _lacks(rows["target"], targets, known)
    pruned = _has(rows["source"], sources, nodes.inactive) | _has(rows["target"], targets, nodes.inactive)
    loop = ~missing & (rows["source"] == rows["target"])
    return {
        "dangling": missing & unknown,
        "edge_inactive": missing & ~unknown & pruned,
        "edge_left_out": missing & ~unknown & ~pruned,
        "self_loop": loop,
        "edge_damaged": ~missing & ~loop & ~np.isfinite(rows["weight"]),
    }


def _has(ids: OldIds, concepts: Ints, others: OldIds) -> Flags:
    return np.asarray((concepts < 0) & np.isin(ids, others, kind="sort"))


def _lacks(ids: OldIds, concepts: Ints, others: OldIds) -> Flags:
    return np.asarray((concepts < 0) & ~np.isin(ids, others, kind="sort"))


def _joined(edges: Edges, concepts: int, findings: Findings) -> Edges:
    """Each pair once."""
    if not len(edges):
        return edges
    pairs = edges.lower * concepts + edges.higher
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    starts = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]]))
    findings.add("joined", len(edges) - len(starts))
    return Edges(
        edges.lower[order][starts],
        edges.higher[order][starts],
        np.maximum.reduceat(edges.weights[order], starts),
        np.maximum.reduceat(edges.confidences[order], starts),
        np.add.reduceat(edges.uses[order], starts),
    )
