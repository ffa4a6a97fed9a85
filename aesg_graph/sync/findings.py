"""What a check of a memory can find, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from aesg_graph.concepts import Ids
from aesg_graph.stores.abc import NO_IDS


class Kind(StrEnum):
    """What can be found."""

    PENDING = "pending batches"
    """A note: lessons wait for the stores; the next opening for writing sends them."""
    REFUSED = "refused batches"
    """A note: lessons that a store would not carry out, or that were damaged; they are kept for people to read."""
    SKIPPED = "not looked at"
    """A note: it is in use by the memory's owner."""
    AHEAD = "vectors on their way"
    """A note: their writers' transactions are still to come."""
    UNSWEPT = "tombstones to be swept"
    """A note: it is not recorded yet that the vectors of removed concepts are gone."""
    UNDECLARED = "undeclared edges"
    """A note: people joined concepts by types that the memory does not declare; nothing here reads them."""
    DIMENSIONS = "dimensions"
    """``format.json`` says other dimensions than the graph."""
    JOURNAL = "journal"
    """The journal's file is missing or damaged."""
    BATCH = "damaged batches"
    """Batches in the journal that are not as they were written, or are not its own."""
    BEHIND = "sequences"
    """Journal and graph do not know of the same batches: one of them is of an earlier day."""
    GRAPH = "graph"
    """The graph's file is damaged."""
    MALFORMED = "malformed concepts"
    """Concepts that lack a column, or have one of another type."""
    EDGES = "malformed edges"
    """Edges with a weight outside [0, 1], double ones, those that begin where they end or lead out of the memory, and
    symmetric ones from the higher to the lower id."""
    EXPIRY = "expiry"
    """Concepts whose ``expires_epoch`` or ``fades_at`` does not follow from their rows."""
    DANGLING = "dangling edges"
    """Edges that name a concept which does not exist."""
    VECTORS = "vector store"
    """It is missing or damaged as a whole."""
    ORPHANS = "orphan vectors"
    """Vectors of concepts that never were."""
    REMAINS = "vectors of removed concepts"
    LOST = "concepts without a vector"
    VERSION = "versions of keys"
    """A concept and its vector name different versions."""
    PAYLOAD = "payload of vectors"
    """A vector's kind or region is not its concept's."""
    COUNTS = "counts"
    """The graph counts something else than it shows."""
    CACHE = "cache"
    """It calls itself good and says something else than the stores."""


NOTES = frozenset({Kind.PENDING, Kind.REFUSED, Kind.SKIPPED, Kind.AHEAD, Kind.UNSWEPT, Kind.UNDECLARED})


@dataclass(frozen=True, eq=False)
class Finding:
    """One disagreement, or something to note: how many of what, which ids (or sequences), and in words.

    ``mended``: it was, just now.
    """

    kind: Kind
    count: int
    detail: str
    ids: Ids = field(default_factory=lambda: NO_IDS)
    mended: bool = False

    @property
    def note(self) -> bool:
        """Whether nothing is wrong."""
        return self.kind in NOTES

    def done(self, how: str) -> Finding:
        """The same, mended."""
        return replace(self, mended=True, detail=f"{self.detail}; {how}")
