"""``aesg plugin``: the procedures for Neo4j, and whether the server has them."""

from __future__ import annotations

from typing import Any

import typer

from aesg_graph.cli.answers import NO, answering, as_object, facts, note
from aesg_graph.cli.migrating import Database, Graph, PasswordFile, User, settings_of
from aesg_graph.cli.options import AsJson

COPY = (
    "Copy the jar into the server's plugins folder (docker/compose.yaml mounts it), allow it with "
    "dbms.security.procedures.allowlist=aesg.* (unrestricted is not needed), and start the server again."
)
MISSING = "There is no jar in this installation: 'make plugin' builds it in a checkout (Java 17 and Maven)."


def plugin(
    graph: Graph = None,
    user: User = None,
    password_file: PasswordFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Where the plugin for Neo4j is, and what the server runs.

    Without the plugin everything works by plain Cypher, slower. Exit code 1 if the server lacks the plugin or has
    another version; without a server it only says where the jar is.
    """
    with answering(as_json):
        from importlib.metadata import version

        from aesg_graph.stores.neo4j.plugin import jar, offered_by

        found, here = jar(), version("aesg-graph")
        said: dict[str, Any] = {"jar": None if found is None else str(found), "version": here, "server": None}
        if graph is not None:
            offer = offered_by(settings_of(graph, user, password_file, database))
            said["server"] = {"version": offer.version, "procedures": list(offer.procedures), "suits": offer.suits}
    if as_json:
        as_object(said)
    else:
        facts(_told(said, graph))
        note(MISSING if found is None else COPY)
    if said["server"] is not None and not said["server"]["suits"]:
        raise typer.Exit(NO)


def _told(said: dict[str, Any], graph: str | None) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [("jar", said["jar"] or "none"), ("version", said["version"])]
    if said["server"] is None:
        return [*rows, ("server", "none named (AESG_GRAPH)")]
    running = said["server"]["version"]
    state = "no plugin; plain Cypher is used" if running is None else f"plugin {running}"
    if running is not None and not said["server"]["suits"]:
        state += ", which does not go with this package; plain Cypher is used"
    return [*rows, ("server", f"{graph}: {state}"), ("procedures", ", ".join(said["server"]["procedures"]) or "none")]
