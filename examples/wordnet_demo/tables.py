"""WordNet's two tables as they are loaded: synsets, and relations of which each is stored once.

WordNet 3.0, copyright 2006 by Princeton University, under its own permissive licence. G. A. Miller (1995), *WordNet: a
lexical database for English*.
"""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import RelationType

SYNTAX = re.compile(r"\((?:a|p|ip)\)")
"""Says where in a sentence an adjective may stand; no part of the word."""
KINDS = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}

# Of a pair of inverse relations the one is stored that leads from the narrower to the wider: from the kind, the
# instance, the member, the part, the substance to what it belongs to, and from a word to its domain.
INVERSE = {
    "hyponym": "hypernym",
    "instance_hyponym": "instance_hypernym",
    "member_meronym": "member_holonym",
    "part_meronym": "part_holonym",
    "substance_meronym": "substance_holonym",
    "member_of_domain_topic": "domain_topic",
    "member_of_domain_region": "domain_region",
    "member_of_domain_usage": "domain_usage",
}
# Energy flows as easily from the whole to its parts as back; the fan sees to it that what has a thousand kinds lights
# none of them much.
BOTH_WAYS = (1.0, 1.0)
DIRECTED = {name: BOTH_WAYS for name in INVERSE.values()} | {
    "pertainym": BOTH_WAYS,
    "derived_from_adj": BOTH_WAYS,
    "participle": BOTH_WAYS,
    "entailment": (1.0, 0.5),  # to snore is to sleep, but few who sleep snore
    "cause": (1.0, 0.5),
}
SYMMETRIC = {
    "similar_to": 1.0,
    "derivationally_related": 1.0,
    "verb_group": 1.0,
    "also_see": 1.0,  # a fifth of them are given one way only
    "attribute": 1.0,
    "antonym": 0.5,  # hot reminds of cold; what is like hot does not
}


@dataclass(frozen=True)
class Dropped:
    """What of the table of relations is not stored as an edge of its own, in rows."""

    repeated: int
    """The same relation of the same synsets, between other words of theirs."""
    loops: int
    """Distinct relations of a synset with itself: between two words of one meaning."""
    inverses: int
    """The other half of a pair of inverse relations, or of a symmetric one."""
    outside: int
    """With an end that was left out by a limit."""


@dataclass(frozen=True)
class WordNet:
    """N synsets, and for each type of edge [M, 2] places of its ends among them."""

    synsets: tuple[str, ...]
    kinds: tuple[str, ...]
    words: tuple[str, ...]
    """The first of a synset's words, with spaces."""
    lemmas: tuple[str, ...]
    """All of a synset's words."""
    glosses: tuple[str, ...]
    edges: dict[str, npt.NDArray[np.int64]]
    rows: int
    dropped: Dropped

    def __len__(self) -> int:
        return len(self.synsets)

    @property
    def edge_count(self) -> int:
        """How many edges there are, of all types."""
        return sum(map(len, self.edges.values()))


def relation_types() -> tuple[RelationType, ...]:
    """The declared types with their gains."""
    directed = [RelationType(name.upper(), *gains) for name, gains in DIRECTED.items()]
    return (*directed, *(RelationType(name.upper(), gain, gain, True) for name, gain in SYMMETRIC.items()))


def folder() -> Path:
    """Where the data is: $AESG_DATA, or ``shared/data`` beside the checkout. SystemExit where there is none."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    found = Path(os.environ.get("AESG_DATA") or beside) / "wordnet"
    if not (found / "synsets.tsv.gz").is_file():
        raise SystemExit(f"There is no synsets.tsv.gz in {found}; AESG_DATA names the folder that has wordnet/ in it")
    return found


def read(limit: int | None = None) -> WordNet:
    """All of WordNet, or so many synsets as are nearest to the first one."""
    source = folder()
    synsets = list(_rows(source / "synsets.tsv.gz"))
    rows = [(a, relation, b) for a, relation, b, *_ in _rows(source / "relations.tsv.gz")]
    distinct = dict.fromkeys(rows)
    chosen = None if limit is None else _around(synsets[0][0], distinct, limit)
    kept = [row for row in synsets if chosen is None or row[0] in chosen]
    edges, dropped = _edges(distinct, {row[0]: i for i, row in enumerate(kept)})
    words = [SYNTAX.sub("", row[2]).replace("_", " ").split("|") for row in kept]
    return WordNet(
        synsets=tuple(row[0] for row in kept),
        kinds=tuple(KINDS[row[1]] for row in kept),
        words=tuple(some[0] for some in words),
        lemmas=tuple(", ".join(some) for some in words),
        glosses=tuple(row[3] for row in kept),
        edges=edges,
        rows=len(rows),
        dropped=Dropped(len(rows) - len(distinct), *dropped),
    )


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            yield line.rstrip("\n").split("\t")


def _around(first: str, relations: dict[tuple[str, str, str], None], limit: int) -> set[str]:
    """So many synsets, those that the fewest steps lead to."""
    neighbours: dict[str, list[str]] = {}
    for a, _, b in relations:
        neighbours.setdefault(a, []).append(b)
    found, waiting = {first: None}, deque([first])
    while waiting and len(found) < limit:
        for other in neighbours.get(waiting.popleft(), ()):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return set(list(found)[:limit])


def _edges(
    relations: dict[tuple[str, str, str], None], places: dict[str, int]
) -> tuple[dict[str, npt.NDArray[np.int64]], tuple[int, int, int]]:
    """Edges by type, and how many relations were loops, inverses, and led out."""
    kept: dict[str, set[tuple[int, int]]] = {}
    counted: Counter[str] = Counter()
    for a, relation, b in relations:
        if a == b:
            counted["loops"] += 1
        elif a not in places or b not in places:
            counted["outside"] += 1
        else:
            name, ends = relation, (places[a], places[b])
            if relation in INVERSE:
                name, ends = INVERSE[relation], (ends[1], ends[0])
            elif relation in SYMMETRIC:
                ends = min(ends), max(ends)
            of_type = kept.setdefault(name.upper(), set())
            counted["inverses"] += ends in of_type
            of_type.add(ends)
    edges = {name: np.array(sorted(kept[name]), np.int64) for name in sorted(kept)}
    return edges, (counted["loops"], counted["inverses"], counted["outside"])
