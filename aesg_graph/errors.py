"""The error family: one base and one child for each part of the system.

Catch :class:`AESGError` for everything, or a child for one part. Every error says in ``message`` what was given
and what was expected, and in ``subsystem`` where it comes from.
"""

from __future__ import annotations

MESSAGE_LIMIT = 500


class AESGError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes
    ----------
    message: what happened, at most 500 characters.
    subsystem: the part that raised it ("config", "memory", "navigation", "trainer" or "storage").
    """

    def __init__(self, message: str, subsystem: str = "aesg") -> None:
        self.message = message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 3] + "..."
        self.subsystem = subsystem
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type[AESGError], tuple[str, ...]]:
        # A child takes the message alone; errors cross process boundaries (data loaders), so they must pickle.
        if type(self) is AESGError:
            return AESGError, (self.message, self.subsystem)
        return type(self), (self.message,)


class AESGConfigError(AESGError):
    """A configuration or a setting is invalid."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "config")


class AESGMemoryError(AESGError):
    """A memory was asked for something that it cannot do: bad input, a closed memory, a forked child."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "memory")


class AESGNavigationError(AESGError):
    """Retrieval or spreading activation cannot be carried out as asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "navigation")


class AESGTrainingError(AESGError):
    """A training loop was given what it cannot train on."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "trainer")


class AESGStorageError(AESGError):
    """A store, the journal, the cache or a file failed, is damaged, or belongs to somebody else."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "storage")
