"""A Neo4j for tests: the server that a URL names, one in Docker, or a real one from Maven Central, as a child."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Self

import neo4j
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from tests.servers.neo4j_jars import LTS, NEEDED, java_for, neo4j_jars
from tests.servers.plugin import built_jar
from tests.servers.processes import ChildServer, ServerProcess, free_ports

START_SECONDS = 120
FIRST_PASSWORD = "neo4j"  # what a new Neo4j has; it must be changed at the first login
OPENED = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
]
# Small and quick: tests start it, load little, and often kill it.
CONF = """\
server.default_listen_address=127.0.0.1
server.bolt.listen_address=127.0.0.1:{bolt}
server.http.enabled=false
server.https.enabled=false
dbms.security.auth_enabled=true
dbms.security.auth_max_failed_attempts=0
dbms.usage_report.enabled=false
server.memory.heap.max_size=640m
server.memory.pagecache.size=128m
db.tx_log.rotation.size=16m
db.tx_log.preallocate=false
db.checkpoint.interval.time=10m
server.bolt.thread_pool_min_size=2
"""


class Neo4jServer(ChildServer):
    """A Neo4j that this process controls. ``url``, ``user`` and ``password`` say how to connect."""

    controllable = True
    user = "neo4j"

    def __init__(self, root: Path, version: str) -> None:
        """Use :meth:`create`."""
        self.root, self.version = root, version
        self.password = secrets.token_hex(8)
        (self.port,) = free_ports(1)
        self.url = f"bolt://127.0.0.1:{self.port}"
        jars = neo4j_jars(version)
        main = "CommunityEntryPoint" if version.startswith("5.") else "Neo4jCommunity"
        self._process = ServerProcess(
            [
                *(java_for(version), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-Xshare:auto", *OPENED),
                *("-cp", f"{jars}/*", f"org.neo4j.server.{main}"),
                *(f"--home-dir={root}", f"--config-dir={root / 'conf'}", "--console-mode"),
            ],
            root / "logs" / "console.log",
        )

    @classmethod
    def create(cls, root: Path, version: str | None = None, plugins: tuple[Path, ...] = (), conf: str = "") -> Self:
        """A new server below ``root``, started. Settings in ``conf`` are added to its own, or take their place."""
        version = version or os.environ.get("AESG_TEST_NEO4J_VERSION", LTS)
        for folder in ("conf", "data", "logs", "plugins"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for plugin in plugins:
            shutil.copy(plugin, root / "plugins")
        server = cls(root, version)
        settings = dict(line.split("=", 1) for line in (CONF.format(bolt=server.port) + conf).splitlines() if line)
        (root / "conf" / "neo4j.conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        server.start()
        return server

    def start(self) -> None:
        """Start it, on the data that it has; it answers when this returns."""
        self._process.start(self._answers, START_SECONDS, f"Neo4j {self.version}. {NEEDED} It")

    def _answers(self) -> bool:
        try:
            self._run("RETURN 1")
            return True
        except AuthError:
            with contextlib.suppress(AuthError):
                self._run(
                    "ALTER CURRENT USER SET PASSWORD FROM $old TO $new",
                    password=FIRST_PASSWORD,
                    database="system",
                    old=FIRST_PASSWORD,
                    new=self.password,
                )
            return False
        except (DriverError, Neo4jError):
            return False

    def _run(self, query: str, *, password: str | None = None, database: str = "neo4j", **parameters: Any) -> None:
        auth = (self.user, password or self.password)
        connected = neo4j.GraphDatabase.driver(self.url, auth=auth, connection_timeout=5)
        with connected as driver, driver.session(database=database) as session:
            session.run(query, parameters).consume()


class GivenNeo4j:
    """A Neo4j that somebody else runs: tests that kill or pause need one of their own."""

    controllable = False

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.user, self.password = url, user, password

    def log_text(self) -> str:
        return "(a server that these tests did not start)"


def shared_neo4j(root: Path) -> Neo4jServer | GivenNeo4j:
    """The server that most tests share: by URL, in Docker, or from Maven Central. RuntimeError if none is to be had."""
    url = os.environ.get("AESG_TEST_NEO4J_URL")
    if url:
        user, password = os.environ.get("AESG_TEST_NEO4J_USER", "neo4j"), os.environ["AESG_TEST_NEO4J_PASSWORD"]
        return GivenNeo4j(url, user, password)
    return _in_docker() or Neo4jServer.create(root, plugins=(built_jar(),))


def _in_docker() -> GivenNeo4j | None:
    """A server in a container, if a Docker engine answers. It ends with this process (testcontainers' reaper)."""
    if shutil.which("docker") is None or not os.path.exists("/var/run/docker.sock"):
        return None
    import docker
    from docker.errors import DockerException
    from testcontainers.neo4j import Neo4jContainer

    try:
        docker.from_env().ping()
    except DockerException:
        return None
    password = secrets.token_hex(8)
    version = os.environ.get("AESG_TEST_NEO4J_VERSION", LTS)
    container = Neo4jContainer(f"neo4j:{version}-community", password=password).start()
    return GivenNeo4j(container.get_connection_url(), "neo4j", password)


def wait_until(condition: Any, seconds: float = 30.0) -> None:
    """Until ``condition()`` holds; AssertionError if it does not come to."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true within {seconds} s"
        time.sleep(0.02)
