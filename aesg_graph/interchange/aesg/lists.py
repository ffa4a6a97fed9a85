"""How damaged the lists of a directory's edges are. Nothing is left out for it: edges are taken by their records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aesg_graph.concepts import Flags, Ints
from aesg_graph.interchange.aesg.findings import Findings
from aesg_graph.interchange.aesg.layout import Records, used
from aesg_graph.interchange.aesg.nodes import Nodes, OldIds

END = -1
"""What the last edge of a list says is next, and what a concept without edges says is first."""


@dataclass(frozen=True, eq=False)
class Links:
    """[N] records up to the last that is used: whose edge each is, what is next, and whether there is one at all."""

    sources: OldIds
    following: Ints
    there: Flags

    def within(self, places: Ints) -> Flags:
        """Which places are those of an edge."""
        inside = (places >= 0) & (places < len(self.there))
        return np.asarray(inside & self.there[np.where(inside, places, 0)]) if len(self.there) else inside


def look_at_lists(records: Records, nodes: Nodes, findings: Findings) -> None:
    """Tell of lists that go round in a circle, past the end or astray, and of edges that no list leads to."""
    links = _read(records)
    first, going_on = links.within(nodes.heads), links.there & links.within(links.following)
    _tell(findings, "list_past_end", links.sources, links.there & ~going_on & (links.following != END))
    _tell(findings, "list_past_end", nodes.heads_of, ~first & (nodes.heads != END))
    after, begun = links.following[going_on], nodes.heads[first]
    _tell(findings, "list_astray", links.sources[going_on], links.sources[after] != links.sources[going_on])
    _tell(findings, "list_astray", nodes.heads_of[first], links.sources[begun] != nodes.heads_of[first])
    unreached = links.there.copy()
    unreached[after] = unreached[begun] = False
    _tell(findings, "list_unreached", links.sources, unreached)
    _tell(findings, "list_cycle", links.sources, _endless(links, going_on))


def _read(records: Records) -> Links:
    parts = [(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.bool_))]
    ending = 1
    for _, rows in records.chunks():
        there = np.zeros(len(rows), np.bool_)
        there[used(rows)] = True
        parts.append((rows["source"].copy(), rows["next"].copy(), there) if there.any() else _blank(len(rows)))
        ending = len(parts) if there.any() else ending
    sources, following, there = (np.concatenate(column) for column in zip(*parts[:ending], strict=True))
    last = int(np.flatnonzero(there)[-1]) + 1 if len(there) else 0
    return Links(sources[:last], following[:last], there[:last])


def _blank(count: int) -> tuple[OldIds, Ints, Flags]:
    return np.zeros(count, np.uint64), np.zeros(count, np.int64), np.zeros(count, np.bool_)


def _endless(links: Links, going_on: Flags) -> Flags:
    """From which edges a list never comes to its end: steps are doubled until every end would have been passed."""
    end = len(links.there)
    step = np.concatenate([np.where(going_on, links.following, end), [end]])
    for _ in range(end.bit_length()):
        step = step[step]
    return np.asarray(step[:end] != end)


def _tell(findings: Findings, what: str, ids: OldIds, mask: Flags) -> None:
    findings.add(what, int(mask.sum()), ids[mask][:5])
