"""Engines that this process has open: a directory opened twice is one engine, shared and counted."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from pathlib import Path

from aesg_graph.config import AESGConfig
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.errors import AESGError, AESGMemoryError
from aesg_graph.settings import StoreSettings

log = logging.getLogger("aesg_graph")

_engines: dict[tuple[int, str], tuple[MemoryEngine, int]] = {}
_lock = threading.Lock()


def acquire(directory: str | os.PathLike[str], config: AESGConfig | None, settings: StoreSettings) -> MemoryEngine:
    """The engine of a directory, opened if need be; every ``acquire`` needs its :func:`release`."""
    path = Path(directory).expanduser().resolve()
    key = (os.getpid(), str(path))
    with _lock:
        engine, count = _engines.get(key, (None, 0))
        if engine is None or engine.closed:
            engine, count = MemoryEngine(path, config, settings), 0
        elif config is not None and (unlike := config.differences(engine.config)):
            raise AESGMemoryError(f"The memory in {path} is open in this process with another configuration: {unlike}")
        _engines[key] = engine, count + 1
        return engine


def retain(engine: MemoryEngine) -> None:
    """One more user of an engine that is open."""
    with _lock:
        for key, (known, count) in _engines.items():
            if known is engine:
                _engines[key] = known, count + 1


def release(engine: MemoryEngine) -> None:
    """One user less; the last one closes the engine."""
    with _lock:
        for key, (known, count) in list(_engines.items()):
            if known is not engine:
                continue
            if count > 1:
                _engines[key] = known, count - 1
                return
            del _engines[key]
            break
    engine.close()


@atexit.register
def _close_all() -> None:
    """A memory that its owner forgot to close keeps its working memory and its cache all the same."""
    for (pid, path), (engine, _) in list(_engines.items()):
        if pid == os.getpid():
            try:
                engine.close()
            except AESGError as error:
                log.warning("closing %s at exit: %s", path, error)
