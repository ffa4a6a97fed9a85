"""A Qdrant for tests: the server that a URL names, one in Docker, or a server of Qdrant's protocol over Qdrant Edge.

The last proves the client and the protocol, on the engine that Qdrant itself uses; it does not prove Qdrant's own
durability or its clusters.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Self

import grpc
from qdrant_client.grpc import qdrant_pb2, qdrant_pb2_grpc

from tests.servers.processes import ChildServer, ServerProcess, free_ports
from tests.servers.qdrant_faults import FaultFile

START_SECONDS = 30
CHECKOUT = Path(__file__).parents[2]


class QdrantTestServer(ChildServer):
    """A server of Qdrant's protocol that this process controls.

    As with a real one, gRPC is on the port after that of ``url``; nothing listens on the other.
    """

    controllable = True

    def __init__(
        self, root: Path, api_key: str | None = None, tls: Path | None = None, version: str | None = None
    ) -> None:
        """Use :meth:`create`."""
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.api_key, self.tls = root, api_key, tls
        port, self.grpc_port = free_ports(2)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.faults = FaultFile(root / "fault.json")
        more = []
        if api_key is not None:
            self.key_file.write_text(api_key)
            more += ["--key-file", str(self.key_file)]
        if tls is not None:
            more += ["--tls", str(tls)]
        if version is not None:
            more += ["--version", version]
        command = [
            sys.executable,
            "-m",
            "tests.servers.qdrant_main",
            "--data",
            str(root),
            "--port",
            str(self.grpc_port),
        ]
        self._process = ServerProcess([*command, *more], root / "server.log", {"PYTHONPATH": str(CHECKOUT)})

    @classmethod
    def create(
        cls, root: Path, api_key: str | None = None, tls: Path | None = None, version: str | None = None
    ) -> Self:
        """A new server below ``root``, started. ``tls``: a folder with cert.pem and key.pem; ``version``: what it says
        that it is."""
        server = cls(root, api_key, tls, version)
        server.start()
        return server

    @property
    def key_file(self) -> Path:
        """Where the server reads its key from, at each call."""
        return self.root / "api-key"

    def start(self) -> None:
        """Start it, on the data that it has; it answers when this returns."""
        self._process.start(self._answers, START_SECONDS, "The Qdrant test server")

    def _answers(self) -> bool:
        address = f"127.0.0.1:{self.grpc_port}"
        if self.tls is not None:
            trusted = grpc.ssl_channel_credentials((self.tls / "cert.pem").read_bytes())
            channel = grpc.secure_channel(address, trusted)
        else:
            channel = grpc.insecure_channel(address)
        key = self.key_file.read_text() if self.api_key is not None else ""
        try:
            asked = qdrant_pb2_grpc.QdrantStub(channel).HealthCheck
            asked(qdrant_pb2.HealthCheckRequest(), timeout=1, metadata=(("api-key", key),))
            return True
        except grpc.RpcError:
            return False
        finally:
            channel.close()

    @property
    def exit_code(self) -> int | None:
        """How it ended: 0 in order, -9 by a kill; None while it lives."""
        process = self._process.process
        return None if process is None else process.poll()

    @property
    def paused(self) -> bool:
        """Whether all of it hangs."""
        return self._process.paused


class GivenQdrant:
    """A Qdrant that somebody else runs: tests that kill, pause or want faults need one of their own."""

    controllable = False

    def __init__(self, url: str, grpc_port: int | None, api_key: str | None) -> None:
        self.url, self.grpc_port, self.api_key = url, grpc_port, api_key


def shared_qdrant(root: Path) -> QdrantTestServer | GivenQdrant:
    """The server that most tests share: by URL, in Docker, or the test server."""
    url = os.environ.get("AESG_TEST_QDRANT_URL")
    if url:
        port = os.environ.get("AESG_TEST_QDRANT_GRPC_PORT")
        return GivenQdrant(url, int(port) if port else None, os.environ.get("AESG_TEST_QDRANT_API_KEY"))
    return _in_docker() or QdrantTestServer.create(root)


def _in_docker() -> GivenQdrant | None:
    """A real server in a container, if a Docker engine answers. It ends with this process (testcontainers' reaper)."""
    if shutil.which("docker") is None or not os.path.exists("/var/run/docker.sock"):
        return None
    import docker
    from docker.errors import DockerException
    from testcontainers.qdrant import QdrantContainer

    try:
        docker.from_env().ping()
    except DockerException:
        return None
    container = QdrantContainer("qdrant/qdrant:v1.17.0").start()
    host = container.get_container_host_ip()
    return GivenQdrant(f"http://{host}:{container.get_exposed_port(6333)}", int(container.get_exposed_port(6334)), None)
