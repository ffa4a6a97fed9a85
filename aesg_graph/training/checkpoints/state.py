"""What a checkpoint says of training itself, in JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from aesg_graph.errors import AESGStorageError


@dataclass
class TrainingState:
    """How far training has come.

    Attributes
    ----------
    epoch: epochs completed. global_step: optimizer steps taken. best_loss: the lowest mean loss of an epoch, None
        before the first. losses: the mean loss of every epoch. callbacks: what each callback wants to be told again.
    """

    epoch: int = 0
    global_step: int = 0
    best_loss: float | None = None
    losses: list[float] = field(default_factory=list)
    callbacks: list[dict[str, Any]] = field(default_factory=list)

    def completed(self, loss: float) -> None:
        """One more epoch, of this mean loss."""
        self.epoch += 1
        self.losses.append(loss)
        self.best_loss = loss if self.best_loss is None else min(self.best_loss, loss)

    def to_json(self) -> dict[str, Any]:
        """As a mapping that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Any) -> Self:
        """What :meth:`to_json` gave. AESGStorageError for anything else."""
        try:
            return cls(**said)
        except TypeError as error:
            raise AESGStorageError(f"The training state of a checkpoint cannot be read: {error}") from error
