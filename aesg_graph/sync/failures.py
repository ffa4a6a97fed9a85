"""What goes wrong on the way to the stores, from when on, and whether a caller has heard of it."""

from __future__ import annotations

import time

from aesg_graph.errors import AESGError


class Failures:
    """The failed attempts of one flusher. Whoever changes it holds the flusher's lock."""

    def __init__(self) -> None:
        self.count = 0
        """How many attempts have failed."""
        self.last: Exception | None = None
        self.untold: Exception | None = None
        """What no caller has heard of yet."""
        self._since: float | None = None

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._since is not None

    @property
    def current(self) -> str | None:
        """Why attempts fail at present, None while they do not."""
        return self.why() if self.failing else None

    def add(self, error: Exception, tell: bool) -> None:
        """An attempt failed; with ``tell`` the next caller is to hear of it."""
        self.count += 1
        self.last = error
        self.untold = error if tell else None
        if self._since is None:
            self._since = time.monotonic()

    def end(self) -> None:
        """An attempt succeeded."""
        self._since = None

    def lasts(self, seconds: float) -> bool:
        """Whether every attempt has failed for more than so many seconds."""
        return self._since is not None and time.monotonic() - self._since > seconds

    def take_untold(self) -> Exception | None:
        """What no caller has heard of; from now on one has."""
        untold, self.untold = self.untold, None
        return untold

    def why(self) -> str:
        """The last failure, for people."""
        return "none" if self.last is None else told(self.last)

    def text(self, waiting: str) -> str:
        """The last failure and what became of it; ``waiting`` says what waits."""
        if self.failing:
            return f"Taking lessons to the stores failed: {self.why()}. {waiting} and are tried again"
        return f"Taking lessons to the stores failed for a while: {self.why()}. It has succeeded since; nothing is lost"


def told(error: Exception) -> str:
    """What an error says."""
    return error.message if isinstance(error, AESGError) else f"{type(error).__name__}: {error}"
