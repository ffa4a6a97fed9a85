"""How many rows a process has answered from its cache, written down now and then for who looks from outside."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from aesg_graph.engine.recall import Recaller

EVERY = 5.0
"""Seconds between two times that it is written down."""
NAME = "recalls.json"


class Tally:
    """The tally of one process, in its directory's cache folder. Nobody is kept waiting or told when it fails."""

    def __init__(self, folder: Path, recaller: Recaller) -> None:
        self._file, self._recaller = folder / NAME, recaller
        self._next = 0.0
        self._written = 0, 0

    def keep(self) -> None:
        """Write it down if it is time and something has changed."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            self.write()

    def write(self) -> None:
        """Write it down if something has changed."""
        now = self._recaller.hits, self._recaller.misses
        if now == self._written:
            return
        with contextlib.suppress(OSError):
            whole = self._file.with_suffix(".new")
            whole.write_text(json.dumps({"hits": now[0], "misses": now[1]}), encoding="utf-8")
            os.replace(whole, self._file)
            self._written = now


def recorded_recalls(folder: Path) -> dict[str, int] | None:
    """Rows that the last process with this cache folder answered from the cache alone ("hits"), and the others."""
    try:
        known = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return {"hits": int(known["hits"]), "misses": int(known["misses"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
