"""The procedures' jar, built from this checkout when it is missing or older than its sources."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "schema" / "procedures"
BUILD = ["mvn", "-q", "-B", "package", "-DskipTests"]


def built_jar() -> Path:
    """The jar. RuntimeError with what Maven said if it cannot be built."""
    with open(PROJECT / "pom.xml") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process builds, others wait for it
        jar = _jar()
        if jar is None or jar.stat().st_mtime < _newest_source():
            run = subprocess.run(BUILD, cwd=PROJECT, capture_output=True, text=True)
            if run.returncode != 0:
                raise RuntimeError(f"Maven could not build the procedures for Neo4j:\n{run.stdout[-4000:]}{run.stderr}")
            jar = _jar()
        assert jar is not None
        return jar


def _jar() -> Path | None:
    return next(iter(sorted((PROJECT / "target").glob("aesg-procedures-*.jar"))), None)


def _newest_source() -> float:
    sources = [PROJECT / "pom.xml", *(path for path in (PROJECT / "src" / "main").rglob("*") if path.is_file())]
    return max(path.stat().st_mtime for path in sources)
