"""The error family: one base and one child for each part of the system.

Catch :class:`AESGError` for everything, or a child for one part. Every error says in ``message`` what was given
and what was expected, and in ``subsystem`` where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping

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

    def __reduce__(self) -> tuple[type[AESGError], tuple[object, ...]]:
        # A child takes the message alone; errors cross process boundaries (data loaders), so they must pickle.
        if type(self) is AESGError:
            return AESGError, (self.message, self.subsystem)
        return type(self), (self.message,)


class AESGConfigError(AESGError):
    """A configuration or a setting is invalid.

    Attributes
    ----------
    errors: every bad parameter by name, and what was given and expected. ``str(error)`` shows them all; ``message``
        falls back to their names when the whole does not fit into its limit.
    """

    def __init__(self, message: str, errors: Mapping[str, str] | None = None) -> None:
        self.errors = dict(errors or {})
        self._heading = message
        short = self._whole()
        if len(short) > MESSAGE_LIMIT and self.errors:
            short = f"{message} {', '.join(self.errors)}"
        super().__init__(short, "config")

    def _whole(self) -> str:
        return "\n".join([self._heading, *(f"Parameter '{name}': {text}" for name, text in self.errors.items())])

    def __str__(self) -> str:
        return self._whole() if self.errors else self.message

    def __reduce__(self) -> tuple[type[AESGError], tuple[object, ...]]:
        return type(self), (self._heading, self.errors)


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
