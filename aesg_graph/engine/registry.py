"""Engines that this process has open: a directory opened twice is one engine, shared and counted."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from aesg_graph.config import AESGConfig
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.errors import AESGError, AESGMemoryError
from aesg_graph.settings import StoreSettings

log = logging.getLogger("aesg_graph")

PATIENCE = 2.0
"""Seconds that a dropped memory's closing is waited for; then it goes on beside."""


@dataclass
class _Shared:
    engine: MemoryEngine
    users: int
    """0 while it is being closed."""


_engines: dict[tuple[int, str], _Shared] = {}
_changed = threading.Condition(threading.Lock())


def acquire(
    directory: str | os.PathLike[str],
    config: AESGConfig | None,
    settings: StoreSettings | None = None,
    mode: str | None = None,
) -> MemoryEngine:
    """The engine of a directory, opened if need be; every ``acquire`` needs its :func:`release`.

    ``settings`` None takes those of an engine that is open, else the environment's. ``mode`` is for an engine that is
    opened by this call. AESGMemoryError if it is open here with another configuration or other settings.
    """
    path = Path(directory).expanduser().resolve()
    key = (os.getpid(), str(path))
    with _changed:
        while (shared := _engines.get(key)) is not None and shared.users == 0:
            _changed.wait()
        if shared is None or shared.engine.closed:
            engine = MemoryEngine(path, config, StoreSettings() if settings is None else settings)
            if mode is not None:
                engine.set_mode(mode)
            shared = _engines[key] = _Shared(engine, 0)
        else:
            _require_same(shared.engine, config, settings)
        shared.users += 1
        return shared.engine


def _require_same(engine: MemoryEngine, config: AESGConfig | None, settings: StoreSettings | None) -> None:
    if config is not None and (unlike := config.differences(engine.config)):
        told = ", ".join(f"{name}={mine!r} (it is open with {theirs!r})" for name, (mine, theirs) in unlike.items())
        raise AESGMemoryError(
            f"The memory in {engine.directory} is open in this process, and was asked for with {told}"
        )
    if settings is not None and settings != engine.settings:
        unlike_names = [n for n in type(settings).model_fields if getattr(settings, n) != getattr(engine.settings, n)]
        raise AESGMemoryError(
            f"The memory in {engine.directory} is open in this process with other settings "
            f"({', '.join(unlike_names)}), expected the same or none"
        )


def retain(engine: MemoryEngine) -> bool:
    """One more user of an engine that is open; False if it is not (or not any more)."""
    with _changed:
        shared = next((s for s in _engines.values() if s.engine is engine and s.users), None)
        if shared is None:
            return False
        shared.users += 1
        return True


def release(engine: MemoryEngine) -> None:
    """One user less; the last one closes the engine."""
    with _changed:
        key, shared = next(((k, s) for k, s in _engines.items() if s.engine is engine), (None, None))
        if shared is not None:
            shared.users = max(0, shared.users - 1)
            if shared.users:
                return
    try:
        engine.close()
    finally:
        with _changed:
            if key is not None and _engines.get(key) is shared:
                del _engines[key]
            _changed.notify_all()


def release_dropped(engine: MemoryEngine) -> None:
    """As :func:`release`, for a memory that was garbage collected.

    A collection may happen in the middle of anything, in any thread, with any lock held, even the flusher's. So another
    thread closes, and is waited for only so long as it could need nothing that is held here.
    """
    if engine.closed or not engine.ours:
        return
    closing = threading.Thread(target=_release_quietly, args=(engine,), name="aesg-release")
    try:
        closing.start()
    except RuntimeError:  # the interpreter is shutting down
        _release_quietly(engine)
    else:
        closing.join(PATIENCE)


def _release_quietly(engine: MemoryEngine) -> None:
    try:
        release(engine)
    except AESGError as error:
        log.warning("closing %s, which was dropped without close(): %s", engine.directory, error)


@atexit.register
def _close_all() -> None:
    """A memory that its owner forgot to close keeps its working memory and its cache all the same."""
    for (pid, path), shared in list(_engines.items()):
        if pid == os.getpid():
            try:
                shared.engine.close()
            except AESGError as error:
                log.warning("closing %s at exit: %s", path, error)
