"""A small TCP proxy between a client and a server, which does what networks do: stall, reset, cut an answer in half."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

PIECE = 1 << 16
POLL = 0.01
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger for no time: closing sends a reset


class TcpProxy:
    """Listens on ``port`` of the loopback and passes everything on to ``host:target``, until it is told otherwise."""

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self._target = (host, target)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._mode = "pass"
        self._left: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    # -- what the network does ----------------------------------------------------------------------------------------

    def pass_through(self) -> None:
        """Everything passes again; what was held is delivered."""
        self._mode, self._left = "pass", None

    def stall(self) -> None:
        """Connections stay open and are accepted, and not a byte passes."""
        self._mode = "stall"

    def refuse(self) -> None:
        """Whoever connects is reset at once, and so is who was connected."""
        self._mode = "refuse"
        self.reset_all()

    def reset_all(self) -> None:
        """Every open connection is reset, once."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _reset(*pair)

    def cut_answer_after(self, count: int) -> None:
        """Of what the server answers from now on ``count`` bytes pass; then the connection is reset, once."""
        self._left = count

    # -- passing on ----------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._mode == "refuse":
                _reset(client)
                continue
            try:
                server = socket.create_connection(self._target, 5)
                server.settimeout(None)
            except OSError:
                _reset(client)
                continue
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, answers, pair), daemon=True).start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, answers: bool, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                while self._mode == "stall":
                    time.sleep(POLL)
                if answers and self._left is not None:
                    data = data[: self._left]
                    self._left -= len(data)
                    if self._left <= 0:
                        sink.sendall(data)
                        self._left = None
                        break
                sink.sendall(data)
        with self._lock:
            self._pairs.discard(pair)
        _reset(*pair)

    def close(self) -> None:
        """Stop listening and reset everything."""
        self._mode = "pass"
        self._listener.close()
        self.reset_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _reset(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            end.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            end.close()
