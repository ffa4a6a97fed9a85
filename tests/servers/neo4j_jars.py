"""A real Neo4j Community from Maven Central: its jars, fetched once into a cache outside the checkout."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

LTS = "5.26.30"
ATTEMPTS = 3
NEEDED = (
    "Tests of the served engine need a real Neo4j: install Java 17 or later and Maven (it is then fetched from Maven "
    "Central), or start Docker, or set AESG_TEST_NEO4J_URL (with AESG_TEST_NEO4J_PASSWORD) to a server of your own."
)

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>aesg</groupId><artifactId>neo4j-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""


def cache_folder() -> Path:
    """Where downloads are kept from run to run."""
    base = os.environ.get("AESG_TEST_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "aesg-graph")
    return Path(base)


def neo4j_jars(version: str) -> Path:
    """The folder with the server's jars; downloaded whole or not at all, by one process at a time."""
    folder = cache_folder() / f"neo4j-{version}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"neo4j-{version}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _download(version, folder)
    return folder


def _download(version: str, folder: Path) -> None:
    if shutil.which("mvn") is None or shutil.which("java") is None:
        raise RuntimeError(NEEDED)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        (Path(work) / "pom.xml").write_text(POM.format(version=version))
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={work}/lib"]
        for attempt in range(1, ATTEMPTS + 1):
            run = subprocess.run(["mvn", "-q", "-B", *goal], cwd=work, capture_output=True, text=True)
            if run.returncode == 0:
                break
            if attempt == ATTEMPTS:
                raise RuntimeError(f"Maven could not fetch Neo4j {version}. {NEEDED}\n{run.stdout[-2000:]}")
        os.rename(f"{work}/lib", folder)


def java_for(version: str) -> str:
    """The ``java`` that runs this version: 17 for the 5 line, 21 or later for the yearly ones."""
    given = os.environ.get("AESG_TEST_JAVA_HOME")
    if given:
        return str(Path(given) / "bin" / "java")
    needed = 17 if version.startswith("5.") else 21
    candidates = ["java", *sorted(str(p) for p in Path("/usr/lib/jvm").glob("*/bin/java"))]
    for candidate in candidates:
        if shutil.which(candidate) and java_version(candidate) >= needed:
            return candidate
    raise RuntimeError(f"Neo4j {version} needs Java {needed} or later (AESG_TEST_JAVA_HOME names one). {NEEDED}")


def java_version(java: str) -> int:
    """The major version of a ``java``, 0 if it does not say."""
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    digits = said.partition('version "')[2].partition('"')[0].partition(".")[0]
    return int(digits) if digits.isdigit() else 0
