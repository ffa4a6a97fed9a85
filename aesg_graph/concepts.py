"""The vocabulary of a memory: concepts, typed edges, and tables of them.

:class:`Concept` and :class:`Edge` are what a person reads, one at a time. :class:`ConceptTable`, :class:`EdgeTable` and
:class:`Subgraph` are the same in columns, which is how stores, cache and kernels pass them on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aesg_graph.errors import AESGMemoryError

Ids = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Texts = tuple[str | None, ...]

COUNTER_BITS = 43
"""An id is ``writer << 43 | counter``, 63 bits in all."""
MAX_WRITER = (1 << (63 - COUNTER_BITS)) - 1
DERIVED = "~"
"""What a name begins with that nobody gave: it was derived from text, neighbours or kind."""
NO_REGION = -1
CONCEPT = "concept"
"""The kind of a concept for which none is given."""
NO_ID = -1

BUILTIN_RELATIONS = (
    "SIMILARITY",
    "ASSOCIATION",
    "CAUSAL",
    "TEMPORAL",
    "HIERARCHICAL",
    "CONTRADICTS",
    "COMPOSITIONAL",
    "EMOTIONAL",
    "EPISODIC_LINK",
    "INFERENCE",
)
SYMMETRIC_RELATIONS = frozenset({"SIMILARITY", "ASSOCIATION"})


@dataclass(frozen=True)
class RelationType:
    """A type of edge and how much energy passes along it.

    ``forward`` is the gain from source to target, ``backward`` from target to source; both are at least 0. A symmetric
    type is stored once, from the lower to the higher id.
    """

    name: str
    forward: float = 1.0
    backward: float = 0.0
    symmetric: bool = False


def _builtin(name: str) -> RelationType:
    if name == "CONTRADICTS":
        return RelationType(name, 0.0, 0.0)
    symmetric = name in SYMMETRIC_RELATIONS
    return RelationType(name, 1.0, 1.0 if symmetric else 0.0, symmetric)


class Relations:
    """The types of edges that a memory knows, in a fixed order: the built-in ones, then the declared, by name.

    A type's place in the order is its code, which tables and the cache use; stores and files use its name.
    """

    def __init__(self, declared: Iterable[RelationType] = ()) -> None:
        types = {name: _builtin(name) for name in BUILTIN_RELATIONS}
        for relation in sorted(declared, key=lambda r: r.name):
            types[relation.name] = relation
        self.types: tuple[RelationType, ...] = tuple(types.values())
        self.names: tuple[str, ...] = tuple(types)
        self._codes: Mapping[str, int] = {name: code for code, name in enumerate(self.names)}
        self.gains: Doubles = np.array([(t.forward, t.backward) for t in self.types], np.float64)
        """[types, 2] gains: column 0 forward, column 1 backward."""
        self.symmetric: Flags = np.array([t.symmetric for t in self.types], np.bool_)

    def code(self, name: str) -> int:
        """The code of a type; AESGMemoryError for one that is not declared."""
        try:
            return self._codes[name]
        except (KeyError, TypeError):
            known = ", ".join(self.names)
            raise AESGMemoryError(
                f"Unknown relation type {name!r}: expected one of {known}, or a type declared in AESGConfig.relations"
            ) from None


@dataclass(frozen=True)
class Concept:
    """One concept, as a person reads it. Epochs count consolidations; times are seconds since 1970."""

    id: int
    kind: str = CONCEPT
    name: str | None = None
    text: str | None = None
    source: str | None = None
    encoder: str = ""
    version: int = 0
    created_at: float = 0.0
    modified_at: float = 0.0
    born_epoch: int = 0
    touched_epoch: int = 0
    relevance: float = 1.0
    """Today's relevance, clipped to 1."""
    use_frequency: int = 0
    contradictions: int = 0
    stability: float = 0.5
    age: int = 0
    region_id: int | None = None
    expires_epoch: int | None = None
    key: Floats | None = field(default=None, repr=False, compare=False)
    value: Floats | None = field(default=None, repr=False, compare=False)

    @property
    def name_derived(self) -> bool:
        """Whether the name was derived: nobody gave it."""
        return is_derived(self.name)


@dataclass(frozen=True)
class Edge:
    """One typed edge."""

    source: int
    target: int
    type: str
    weight: float
    confidence: float = 1.0
    use_count: int = 0
    created_at: float = 0.0
    touched_epoch: int = 0


def is_derived(name: str | None) -> bool:
    """Whether a name says of itself that nobody gave it."""
    return name is not None and name.startswith(DERIVED)


def ids_array(ids: npt.ArrayLike) -> Ids:
    """``ids`` as a contiguous int64 vector."""
    return np.ascontiguousarray(np.asarray(ids, np.int64).reshape(-1))


@dataclass(frozen=True, eq=False)
class ConceptTable:
    """N concepts in columns, without their vectors. ``relevance`` is as stored: as of ``touched_epoch``, unclipped."""

    ids: Ids
    kinds: tuple[str, ...]
    names: Texts
    texts: Texts
    sources: Texts
    encoders: tuple[str, ...]
    versions: Ints
    created_at: Doubles
    modified_at: Doubles
    born_epoch: Ints
    touched_epoch: Ints
    relevance: Doubles
    use_frequency: Ints
    contradictions: Ints
    region_id: Ints
    """``NO_REGION`` where a concept has none."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class EdgeTable:
    """M edges in columns; ``types`` are codes of the memory's :class:`Relations`."""

    sources: Ids
    targets: Ids
    types: npt.NDArray[np.int16]
    weights: Floats
    confidences: Floats
    use_counts: Ints
    created_at: Doubles
    touched_epoch: Ints

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, eq=False)
class VectorTable:
    """N concepts' vectors. ``keys`` [N, D] are unit length; ``values`` [N, V] as given, zero without ``has_value``."""

    ids: Ids
    keys: Floats
    values: Floats
    has_value: Flags
    versions: Ints
    writers: Ints
    sequences: Ints

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Subgraph:
    """Some concepts and every edge that touches one of them."""

    concepts: ConceptTable
    edges: EdgeTable


def distinct(ids: Ids) -> Ids:
    """``ids`` ascending and once each. It sorts: ``np.unique`` hashes, and takes fifty times as long for a million."""
    ordered = np.sort(ids, axis=None)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered if first.all() else ordered[first]


def among(ids: Ids, others: Ids) -> Flags:
    """[N] which of ``ids`` [N] are also in ``others``."""
    if not len(others):
        return np.zeros(len(ids), np.bool_)
    ordered = np.sort(others)
    place = np.minimum(np.searchsorted(ordered, ids), len(ordered) - 1)
    return np.asarray(ordered[place] == ids)


def without(ids: Ids, others: Ids) -> Ids:
    """``ids`` that are not in ``others``, ascending and once each."""
    unique = distinct(ids)
    return unique[~among(unique, others)]
