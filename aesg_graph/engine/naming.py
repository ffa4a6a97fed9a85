"""Names for concepts that nobody named: derived from what is known of them, and marked as derived by a leading ``~``.

The rule, in this order: the first words of the concept's own text; the name of the neighbour that it is bound to most
strongly; its kind and number. Lessons derive nothing, since what they touch changes all the time: a text given at birth
is the only thing that names a concept by itself, everything else is done when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aesg_graph.concepts import COUNTER_BITS, DERIVED, EdgeTable, Ids, ids_array, is_derived
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.names import name_from
from aesg_graph.engine.registry import acquire, release
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import Mode
from aesg_graph.operations import Describe
from aesg_graph.sync import MemoryDirectory

PAGE = 8192
"""Concepts that are read, or named, at once."""
SAID = {1: "text", 2: "neighbour", 3: "kind"}

Progress = Callable[[int, int], None]
"""Told how many of how many are named."""
Bonds = dict[int, list[int]]
"""The neighbours of concepts that energy flows to or from, the most strongly bound first."""


@dataclass(frozen=True)
class Named:
    """How many names were derived: from texts, from neighbours, from kinds."""

    text: int
    neighbour: int
    kind: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.neighbour + self.kind


def name_concepts(
    engine: MemoryEngine, limit: int | None = None, again: bool = False, progress: Progress | None = None
) -> Named:
    """Derive names for concepts without one, at most ``limit`` of them, lowest ids first; how many there were.

    With ``again`` derived names are derived anew, as texts, edges and given names are now. Given names are not
    touched (do not give any meanwhile); ``annotate`` replaces a derived one. Nothing is written in INFERENCE.
    AESGMemoryError inside a step.
    """
    if engine.in_step is not None:
        raise AESGMemoryError("name_concepts() was called inside a step, expected it outside: it reads what is stored")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise AESGMemoryError(f"limit is {limit!r}, expected a whole number of at least 1, or None")
    if not engine.mode.creates:
        return Named(0, 0, 0)
    engine.flush()
    found = _nameless(engine, limit, again)
    found.name_by_neighbours(_bonds(engine, found.waiting), lambda ids: _names(engine, ids))
    return _write(engine, found, progress)


def open_and_name(
    directory: str | os.PathLike[str], limit: int | None = None, again: bool = False, progress: Progress | None = None
) -> Named:
    """:func:`name_concepts` in a memory that nobody has open. AESGStorageError where there is none, or somebody has."""
    path = Path(directory).expanduser()
    MemoryDirectory.create_or_open(path, read_only=True)  # there is a memory: nothing will be created
    engine = acquire(path, None)
    try:
        if not engine.mode.creates:
            engine.set_mode(Mode.ONLINE)
        return name_concepts(engine, limit, again, progress)
    finally:
        release(engine)


@dataclass
class _Nameless:
    """Concepts without a name of their own: what they were called, their kinds, and what they are called now."""

    before: dict[int, str | None] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)
    derived: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Which step of the rule named a concept, and how."""

    def add(self, id: int, name: str | None, text: str | None, kind: str) -> None:
        """One more, named at once if it has a text."""
        self.before[id], self.kinds[id] = name, kind
        if (called := name_from(text)) is not None:
            self.derived[id] = 1, called

    @property
    def waiting(self) -> list[int]:
        """Those that no text names."""
        return [id for id in self.before if id not in self.derived]

    def name_by_neighbours(self, bonds: Bonds, names: Callable[[Iterable[int]], dict[int, str]]) -> None:
        """Names travel from concepts that have one to those that do not, one edge in a round."""
        around = names({n for some in bonds.values() for n in some} - self.before.keys())
        around |= {id: called for id, (_, called) in self.derived.items()}
        waiting = self.waiting
        while fresh := {id: DERIVED + around[n].removeprefix(DERIVED) for id, n in _nearest(waiting, bonds, around)}:
            around |= fresh
            self.derived |= {id: (2, called) for id, called in fresh.items()}
            waiting = [id for id in waiting if id not in fresh]
        number = (1 << COUNTER_BITS) - 1
        self.derived |= {id: (3, f"{DERIVED}{self.kinds[id]} {id & number}") for id in waiting}


def _nearest(waiting: Iterable[int], bonds: Bonds, names: dict[int, str]) -> list[tuple[int, int]]:
    """Concepts with the most strongly bound of their neighbours that have a name."""
    pairs = ((id, next((n for n in bonds.get(id, ()) if n in names), None)) for id in waiting)
    return [(id, n) for id, n in pairs if n is not None]


def _nameless(engine: MemoryEngine, limit: int | None, again: bool) -> _Nameless:
    found, after = _Nameless(), -1
    while len(page := engine.residency.graph.page(after, PAGE, edges=False).concepts):
        after = int(page.ids[-1])
        for id, name, text, kind in zip(page.ids.tolist(), page.names, page.texts, page.kinds, strict=True):
            if not name or (again and is_derived(name)):
                found.add(id, name, text, kind)
                if len(found.before) == limit:
                    return found
    return found


def _bonds(engine: MemoryEngine, waiting: list[int]) -> Bonds:
    gains = engine.config.vocabulary.gains.max(axis=1)
    bonds: Bonds = {}
    for start in range(0, len(waiting), PAGE):
        ids = ids_array(waiting[start : start + PAGE])
        edges = engine.residency.graph.read(ids, edges=True).edges
        bonds |= _strongest_first(set(ids.tolist()), edges, edges.weights * gains[edges.types])
    return bonds


def _strongest_first(ids: set[int], edges: EdgeTable, strength: Any) -> Bonds:
    found: dict[int, list[tuple[float, int]]] = {}
    for a, b, weight in zip(edges.sources.tolist(), edges.targets.tolist(), strength.tolist(), strict=True):
        if weight > 0:
            for here, there in ((a, b), (b, a)):
                if here in ids:
                    found.setdefault(here, []).append((-weight, there))
    return {id: [there for _, there in sorted(some)] for id, some in found.items()}


def _names(engine: MemoryEngine, ids: Iterable[int]) -> dict[int, str]:
    wanted = ids_array(sorted(ids))
    names: dict[int, str] = {}
    for start in range(0, len(wanted), PAGE):
        rows = engine.residency.graph.read(wanted[start : start + PAGE], edges=False).concepts
        names |= {id: name for id, name in zip(rows.ids.tolist(), rows.names, strict=True) if name}
    return names


def _write(engine: MemoryEngine, found: _Nameless, progress: Progress | None) -> Named:
    changed = [id for id in found.before if found.derived[id][1] != found.before[id]]
    for start in range(0, len(changed), PAGE):
        some = changed[start : start + PAGE]
        ids: Ids = ids_array(some)
        engine.write(Describe(ids, tuple(found.derived[id][1] for id in some), None))
        if progress is not None:
            progress(start + len(some), len(changed))
    steps = [found.derived[id][0] for id in changed]
    return Named(**{name: steps.count(step) for step, name in SAID.items()})
