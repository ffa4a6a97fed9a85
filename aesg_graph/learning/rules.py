"""What learning needs of the configuration, for one mode."""

from __future__ import annotations

from dataclasses import dataclass

from aesg_graph.config import AESGConfig
from aesg_graph.learning.modes import Mode


@dataclass(frozen=True)
class LearningRules:
    """The numbers by which a memory learns and forgets.

    explanation_threshold: a query explained less than this is novel.
    birth_threshold: how many times a centroid is hit before it becomes a concept.
    agreement: a seed whose value has a cosine below this to the lesson's contradicts it.
    coactivation_threshold: how many times two seeds are retrieved together before they are associated.
    """

    mode: Mode
    explanation_threshold: float
    birth_threshold: int
    agreement: float
    coactivation_threshold: int
    max_concepts: int
    max_prune_fraction: float
    consolidation_interval: int

    @classmethod
    def of(cls, config: AESGConfig, mode: Mode) -> LearningRules:
        """The rules of a memory with this configuration in this mode."""
        return cls(
            mode=mode,
            explanation_threshold=config.novelty_explanation_threshold,
            birth_threshold=config.novelty_birth_threshold * mode.birth_factor,
            agreement=config.agreement,
            coactivation_threshold=config.coactivation_threshold_create,
            max_concepts=config.max_concepts,
            max_prune_fraction=config.max_prune_fraction,
            consolidation_interval=config.consolidation_epoch_interval,
        )

    def room(self, concept_count: int) -> int | None:
        """How many births are still allowed; ``None`` (no limit) in a mode that makes room by pruning."""
        return None if self.mode.prunes else max(0, self.max_concepts - concept_count)

    def excess(self, concept_count: int) -> int:
        """How many concepts are to go because there are too many; 0 in a mode that does not prune."""
        return max(0, concept_count - self.max_concepts) if self.mode.prunes else 0
