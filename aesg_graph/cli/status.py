"""``aesg status``: how the servers of a memory are, and whether an operator has to do something."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aesg_graph.cli.answers import NO, answering, as_object, facts, note, size
from aesg_graph.cli.options import AsJson

Where = Annotated[
    Path | None,
    typer.Option("--directory", "-d", help="A process's directory, for its journal and its cache.", metavar="DIR"),
]


def status(directory: Where = None, as_json: AsJson = False) -> None:
    """How a memory's servers are. Exit code 1 if something is wrong.

    Asks the servers that AESG_GRAPH, AESG_VECTORS and AESG_MEMORY name: versions, migrations, writers, lease, counts.
    With a process's directory also what waits in its journal, and how many rows it has answered from its cache.
    """
    with answering(as_json):
        from aesg_graph.errors import AESGConfigError
        from aesg_graph.settings import StoreSettings

        settings = StoreSettings()
        if settings.engine != "served":
            raise AESGConfigError(
                "No servers are named, expected AESG_GRAPH, AESG_VECTORS and AESG_MEMORY; 'aesg stats' tells of a "
                "memory in a directory"
            )
        from aesg_graph.engine.standing import standing

        said = standing(settings, directory)
    if as_json:
        as_object(said)
    else:
        facts(_told(said))
        for problem in said["problems"]:
            note(problem)
    if not said["healthy"]:
        raise typer.Exit(NO)


def _told(said: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [("memory", said["memory"])]
    for name, server in (("graph", "Neo4j"), ("vectors", "Qdrant")):
        state = said[name]
        answer = f"{server} {state['version'] or ''}".strip() if state["reachable"] else "does not answer"
        rows.append((name, f"{state['address']}: {answer}"))
    if "migrations" in said:
        rows.append(("migrations", ", ".join(f"{v} {state}" for v, state in said["migrations"].items())))
    if "concepts" in said:
        rows += [
            ("concepts", f"{said['concepts']:,}, {said['edges']:,} edges, epoch {said['epoch']}"),
            ("removed", f"{said['tombstones']:,} remembered, {said['unswept']:,} vectors yet to be swept"),
            ("writers", len(said["writers"])),
            ("lease", _lease(said["lease"])),
        ]
    if "points" in said:
        rows.append(("points", f"{said['points']:,}"))
    if "journal" in said:
        waiting = said["journal"]
        rows.append(("journal", f"{waiting['batches']:,} batches ({size(waiting['bytes'])}) wait"))
    if "cache" in said:
        rows.append(("cache", _rate(**said["cache"])))
    return rows


def _rate(hits: int, misses: int) -> str:
    rows = hits + misses
    return f"answered {hits / rows:.1%} of {rows:,} rows" if rows else "not asked yet"


def _lease(lease: dict[str, Any] | None) -> str:
    if lease is None:
        return "free"
    return f"writer {lease['holder']} for {lease['seconds']:.0f} s more, fence {lease['fence']}"
