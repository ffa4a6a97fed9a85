"""The batch rule, row by row in plain Python: slow, obvious, and what the vectorised rule is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

NONE = -1


def cos(a, b):
    la, lb = math.sqrt(math.fsum(x * x for x in a)), math.sqrt(math.fsum(x * x for x in b))
    if la == 0 and lb == 0:
        return 1.0
    if la == 0 or lb == 0:
        return 0.0
    return math.fsum(x / la * (y / lb) for x, y in zip(a, b, strict=True))


@dataclass(eq=False)
class Centroid:
    key: list
    value: list | None
    hits: int = 1


@dataclass
class Newborn:
    id: int
    key: list
    value: list | None
    source: str | None


@dataclass
class Memory:
    """Working memory."""

    capacity: int
    pair_limit: int
    centroids: list = field(default_factory=list)  # oldest first
    pairs: dict = field(default_factory=dict)
    previous: dict = field(default_factory=dict)


@dataclass
class Rules:
    threshold: float
    birth: int
    agreement: float
    coactivation: int
    takes_first: bool


@dataclass
class Row:
    query: list
    value: list | None
    seeds: list  # (id, key, agreement) without padding
    explanation: float
    strongest: int
    sequence: int
    source: str | None


@dataclass
class Outcome:
    born: list = field(default_factory=list)
    similar: dict = field(default_factory=dict)
    temporal: dict = field(default_factory=dict)
    associations: dict = field(default_factory=dict)
    uses: dict = field(default_factory=dict)
    contradictions: dict = field(default_factory=dict)
    explanation: list = field(default_factory=list)
    novel: list = field(default_factory=list)
    blocked: int = 0


def explanation_of(row, newborns):
    best = row.explanation
    for concept in newborns:
        score = max(0.0, cos(row.query, concept.key))
        if row.value is not None:
            # A concept without a value says nothing, as a read-out of zeros does.
            said = concept.value if concept.value is not None else [0.0] * len(row.value)
            score = min(score, max(0.0, cos(row.value, said)))
        best = max(best, score)
    return best


def hit(memory, row, threshold):
    best, nearest = None, -2.0
    for centroid in memory.centroids:
        if (centroid.value is None) != (row.value is None):
            continue
        near = cos(row.query, centroid.key)
        if near < threshold or (row.value is not None and cos(row.value, centroid.value) < threshold):
            continue
        if near > nearest:
            best, nearest = centroid, near
    if best is None:
        if len(memory.centroids) == memory.capacity:
            memory.centroids.pop(0)
        best = Centroid(list(row.query), None if row.value is None else list(row.value))
        memory.centroids.append(best)
        return best
    best.hits += 1
    best.key = [m + (x - m) / best.hits for m, x in zip(best.key, row.query, strict=True)]
    if row.value is not None:
        best.value = [m + (x - m) / best.hits for m, x in zip(best.value, row.value, strict=True)]
    return best


def bear(out, row, key, value, newborns, memory, allocate):
    length = math.sqrt(math.fsum(x * x for x in key))
    concept = Newborn(allocate(), [x / length for x in key], value, row.source)
    out.born.append(concept)
    newborns.append(concept)
    for seed, seed_key, _ in row.seeds:
        weight = min(1.0, max(0.0, cos(concept.key, seed_key)))
        if weight > 0:
            out.similar[min(seed, concept.id), max(seed, concept.id)] = weight
    if row.sequence >= 0 and row.sequence in memory.previous:
        out.temporal[memory.previous[row.sequence], concept.id] = 0.5
    return concept


def learn(rows, memory, rules, newborns, allocate, room, empty):
    """``newborns``: what was born earlier in the step; grows."""
    out = Outcome()
    for row in rows:
        if not any(row.query):
            out.explanation.append(row.explanation)
            out.novel.append(False)
            continue
        explained = explanation_of(row, newborns)
        out.explanation.append(explained)
        out.novel.append(explained < rules.threshold)
        born = None
        if empty and not newborns and rules.takes_first and room != 0:
            born = bear(out, row, row.query, row.value, newborns, memory, allocate)
        elif explained < rules.threshold:
            centroid = hit(memory, row, rules.threshold)
            if centroid.hits >= rules.birth:
                if room is not None and len(out.born) >= room:
                    out.blocked += 1
                else:
                    memory.centroids.remove(centroid)
                    born = bear(out, row, centroid.key, centroid.value, newborns, memory, allocate)
        if row.sequence >= 0:
            if born is not None:
                memory.previous[row.sequence] = born.id
            elif row.strongest != NONE:
                memory.previous[row.sequence] = row.strongest
        touch(out, row, rules)
        associate(out, row, memory, rules)
    memory.pairs = {pair: count for pair, count in memory.pairs.items() if count}
    if len(memory.pairs) > memory.pair_limit:
        order = sorted(memory.pairs, key=memory.pairs.get)  # least counted first, of equals the oldest first
        leave = order[: len(order) - memory.pair_limit // 2]
        memory.pairs = {pair: count for pair, count in memory.pairs.items() if pair not in leave}
    return out


def touch(out, row, rules):
    for seed, _, agreement in row.seeds:
        if agreement < rules.agreement:  # never true of NaN
            out.contradictions[seed] = out.contradictions.get(seed, 0) + 1
        else:
            out.uses[seed] = out.uses.get(seed, 0) + 1


def associate(out, row, memory, rules):
    seeds = [seed for seed, _, _ in row.seeds]
    for i, a in enumerate(seeds):
        for b in seeds[i + 1 :]:
            pair = (min(a, b), max(a, b))
            memory.pairs[pair] = memory.pairs.get(pair, 0) + 1
            if memory.pairs[pair] == rules.coactivation:
                memory.pairs[pair] = 0
                out.associations[pair] = out.associations.get(pair, 0) + 1
