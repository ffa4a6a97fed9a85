"""How long the demo learns, and the parameters of its memories."""

from __future__ import annotations

from dataclasses import dataclass

from aesg_graph import AESGConfig
from digits_demo.data import CLASSES


@dataclass(frozen=True)
class Setting:
    """How much is learned. Every method sees each task's pictures ``passes`` times, ``batch`` at a time."""

    splits: int = 5
    passes: int = 20
    batch: int = 32
    train_limit: int | None = None
    draws: int = 20
    """How often the random examples are drawn anew, so that luck evens out."""

    @classmethod
    def quick(cls) -> Setting:
        """A few seconds' worth, to see that everything runs; its figures mean little."""
        return cls(splits=2, passes=2, train_limit=400, draws=3)


@dataclass(frozen=True)
class Chosen:
    """The parameters of a memory that were chosen on the validation set (see tune.py)."""

    explanation: float
    seeds: int = 3
    temperature: float = 0.05
    survival_uses: int = 5

    def config(self, key_width: int) -> AESGConfig:
        """A memory from keys to classes. What is not named here has its default."""
        return AESGConfig(
            vector_dim=key_width,
            value_dim=CLASSES,
            novelty_explanation_threshold=self.explanation,
            novelty_birth_threshold=1,  # labels here are not noisy: once is enough to be believed
            seeds=self.seeds,
            read_temperature=self.temperature,
            survival_threshold_frequency=self.survival_uses,
            consolidation_epoch_interval=3,  # so that even this short life is more than 200 epochs long
        )


ON_PIXELS = Chosen(explanation=0.7, survival_uses=50)
ON_RENEWED = Chosen(explanation=0.7)
ON_FROZEN = Chosen(explanation=0.85)
