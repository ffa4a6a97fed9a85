"""The lock of a memory directory: one writing process at a time, released by the kernel when that process dies.

It is a POSIX record lock on the file ``lock``, which also says in JSON who holds it. Such a lock belongs to a process
and a file: a forked child does not inherit it, and closing ANY descriptor of the file in the owning process drops it.
So the owner never opens its lock file a second time; what it holds is remembered in ``_held``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from aesg_graph.errors import AESGStorageError

UNWRITTEN_WAIT = 0.2
"""Seconds to wait for a holder that has locked the file but not yet written who it is."""


@dataclass(frozen=True)
class Holder:
    """Who holds a directory's lock, since when (seconds since 1970)."""

    pid: int
    host: str
    started: float
    command: str = ""

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        return f"process {self.pid} on {self.host} ({self.command}), since {since}"


_held: dict[tuple[int, int], tuple[int, Holder]] = {}
"""Locks of this process: (device, inode) of the lock file to (pid that took it, what it says)."""


class DirectoryLock:
    """An acquired lock. It lasts until :meth:`release` or the end of the process that took it."""

    def __init__(self, path: Path) -> None:
        """Take the lock, or raise AESGStorageError that names who holds it. A dead holder's lock is taken over."""
        self.path = path
        own = _own(path)
        if own is not None:
            raise AESGStorageError(f"Memory directory {path.parent} is open in this process already ({own})")
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._acquire()
            me = Holder(os.getpid(), socket.gethostname(), time.time(), " ".join(sys.argv)[:200])
            data = json.dumps(asdict(me)).encode()
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, data, 0)
        except BaseException:
            os.close(self._descriptor)
            raise
        status = os.fstat(self._descriptor)
        self._key = (status.st_dev, status.st_ino)
        _held[self._key] = (os.getpid(), me)

    def _acquire(self) -> None:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            who = _read_when_written(self._descriptor)
            raise AESGStorageError(
                f"Memory directory {self.path.parent} is in use by {who or 'another process'}: "
                "one process at a time can write to it (others may open it read-only)"
            ) from None

    def release(self) -> None:
        """Give the lock back. A forked child that calls this closes its copy and leaves the parent's lock alone."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        if _held.get(self._key, (0,))[0] == os.getpid():
            del _held[self._key]
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """The live process that holds the lock file ``path``, which may be this one; None when nobody does."""
    own = _own(path)
    if own is not None:
        return own
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        os.lockf(descriptor, os.F_TEST, 0)
    except (BlockingIOError, PermissionError):
        return _read_when_written(descriptor) or Holder(0, "an unknown host", os.fstat(descriptor).st_mtime, "unknown")
    else:
        return None
    finally:
        os.close(descriptor)


def _own(path: Path) -> Holder | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    pid, record = _held.get((status.st_dev, status.st_ino), (0, None))
    return record if pid == os.getpid() else None


def _read_when_written(descriptor: int) -> Holder | None:
    deadline = time.monotonic() + UNWRITTEN_WAIT
    while True:
        with contextlib.suppress(ValueError, TypeError):
            return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
        if time.monotonic() > deadline:
            return None
        time.sleep(0.01)
