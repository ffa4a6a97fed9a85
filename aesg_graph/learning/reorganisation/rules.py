"""What reorganisation needs of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from aesg_graph.concepts import Doubles, Flags
from aesg_graph.config import AESGConfig

ABSTRACTION = "abstraction"
"""The kind of a concept that stands for a group of others."""
LEAST_EDGES = 3
"""No split brings every part below so many edges: the parts are joined to one another."""


@dataclass(frozen=True, eq=False)
class ReorganisationRules:
    """The numbers by which a memory is reorganised.

    similarity: concepts with a higher cosine merge. agreement: if the cosine of their values is at least this.
    max_edges: a concept with more edges is split. abstraction: whether dense regions get a parent.
    max_concepts: no more are born than there is room for. gains [types, 2], symmetric [types]: of the types of edges.
    similar, hierarchical, contradicts: the codes of these types.
    """

    similarity: float
    agreement: float
    max_edges: int
    max_concepts: int
    abstraction: bool
    gains: Doubles
    symmetric: Flags
    similar: int
    hierarchical: int
    contradicts: int

    @classmethod
    def of(cls, config: AESGConfig) -> ReorganisationRules:
        """The rules of a memory with this configuration."""
        relations = config.vocabulary
        return cls(
            similarity=config.merge_similarity_threshold,
            agreement=config.agreement,
            max_edges=max(LEAST_EDGES, config.max_edges_per_node),
            max_concepts=config.max_concepts,
            abstraction=config.abstraction_enabled,
            gains=relations.gains,
            symmetric=relations.symmetric,
            similar=relations.code("SIMILARITY"),
            hierarchical=relations.code("HIERARCHICAL"),
            contradicts=relations.code("CONTRADICTS"),
        )
