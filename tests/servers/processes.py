"""A server as a child process: it dies with its parent, writes a log, can be killed, paused and started again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PR_SET_PDEATHSIG = 1
LOG_LINES = 40


def free_ports(count: int) -> list[int]:
    """Neighbouring loopback ports that are free now."""
    while True:
        with contextlib.ExitStack() as held:
            first = held.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            start = first.getsockname()[1]
            try:
                for port in range(start + 1, start + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return list(range(start, start + count))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class ServerProcess:
    """One command, started and ended as often as wanted; what it prints is appended to ``log``."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.command, self.log = list(command), log
        self.environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, is_ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Start it and wait until it is ready; RuntimeError with the end of its log if it does not become so."""
        self.kill()  # reaps one that ended by itself
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                preexec_fn=_die_with_parent,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while not is_ready():
            if not self.alive or time.monotonic() > deadline:
                ended = "ended" if not self.alive else f"did not answer within {seconds} s"
                self.kill()
                raise RuntimeError(f"{what} {ended}. The end of its log:\n{self.log_text()}")
            time.sleep(0.05)

    def stop(self, seconds: float = 60.0) -> None:
        """End it in order; kill it if it takes too long."""
        if self.process is not None and self.alive:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power cut of this process."""
        if self.process is not None and self.alive:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered once this returns."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        while self.alive and not self.paused:  # A signal is only sent: its threads run on for some milliseconds.
            time.sleep(0.0005)

    @property
    def paused(self) -> bool:
        """Whether all its threads have stopped."""
        assert self.process is not None
        try:
            threads = [(task / "stat").read_text() for task in Path(f"/proc/{self.process.pid}/task").iterdir()]
        except (FileNotFoundError, ProcessLookupError):  # A thread ended meanwhile.
            return False
        return all(thread.rsplit(")", 1)[1].split()[0] == "T" for thread in threads)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def log_text(self, lines: int = LOG_LINES) -> str:
        """The end of what it printed."""
        if not self.log.exists():
            return "(it printed nothing)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class ChildServer:
    """What every server has that runs as a child process; how it starts, each says itself."""

    _process: ServerProcess

    def start(self) -> None:
        """Start it, on the data that it has; it answers when this returns."""
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        return self._process.alive

    def stop(self) -> None:
        """End it in order."""
        self._process.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def restart(self) -> None:
        """Start it again, on the same data and the same ports."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let it hang (SIGSTOP)."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._process.resume()

    def log_text(self) -> str:
        """The end of what it printed."""
        return self._process.log_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
