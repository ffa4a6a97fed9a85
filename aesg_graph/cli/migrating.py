"""``aesg migrate``: what a Neo4j database must have before a memory lives in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesg_graph.cli.answers import NO, answering, as_object, moment, note, plain, table
from aesg_graph.cli.options import AsJson

if TYPE_CHECKING:
    from aesg_graph.settings import StoreSettings
    from aesg_graph.stores.neo4j.migration_files import Migration

HELP = """Give a Neo4j database its constraints and indexes.

The password comes from AESG_PASSWORD or a file, never from the command line, which everybody on the machine can read.
"""

Graph = Annotated[
    str | None, typer.Option("--graph", envvar="AESG_GRAPH", help="The server, as neo4j://host:7687.", metavar="URL")
]
User = Annotated[str | None, typer.Option("--user", envvar="AESG_USER", help="Who logs in.", metavar="NAME")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", envvar="AESG_PASSWORD_FILE", help="A file with the password.", metavar="FILE"),
]
Database = Annotated[
    str | None, typer.Option("--database", envvar="AESG_DATABASE", help="The database (Enterprise).", metavar="NAME")
]

group = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


def settings_of(graph: str | None, user: str | None, password_file: Path | None, database: str | None) -> StoreSettings:
    """Settings of a graph alone: what options or the environment say."""
    from aesg_graph.settings import GraphSettings

    given: dict[str, Any] = {"graph": graph, "user": user, "password_file": password_file, "database": database}
    return GraphSettings(**{name: value for name, value in given.items() if value is not None})


@group.command()
def status(
    graph: Graph = None,
    user: User = None,
    password_file: PasswordFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show which migrations the database has. Exit code 1 unless it has each of them, whole and as released."""
    with answering(as_json):
        from aesg_graph.stores.neo4j.migrating import migrator

        with migrator(settings_of(graph, user, password_file, database)) as found:
            standings = found.status()
    current = all(standing.state == "applied" for standing in standings)
    if as_json:
        as_object({"current": current, "migrations": [vars(standing) for standing in standings]})
    else:
        rows = [
            (s.version, s.name, s.state, None if s.applied_at is None else moment(s.applied_at), s.package)
            for s in standings
        ]
        table(("version", "name", "state", "applied at", "by version"), rows, "name")
        _tell_faults([standing.fault for standing in standings if standing.fault is not None])
    if not current:
        raise typer.Exit(NO)


@group.command()
def validate(
    graph: Graph = None,
    user: User = None,
    password_file: PasswordFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Compare what was applied with the files. Exit code 1, and why, where one was edited afterwards, a constraint or
    index is gone, or the database is newer than this version.
    """
    with answering(as_json):
        from aesg_graph.stores.neo4j.migrating import migrator

        with migrator(settings_of(graph, user, password_file, database)) as found:
            standings = found.status()
    faults = [standing.fault for standing in standings if standing.fault is not None]
    pending = sum(standing.state == "pending" for standing in standings)
    if as_json:
        as_object({"valid": not faults, "faults": faults, "pending": pending})
    elif faults:
        _tell_faults(faults)
    else:
        print(f"What was applied is as the files say; {pending} pending.")
    if faults:
        raise typer.Exit(NO)


@group.command()
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statements, and change nothing.")] = False,
    graph: Graph = None,
    user: User = None,
    password_file: PasswordFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Apply what is pending. Harmless if another process does so too, and if it is done twice."""
    with answering(as_json):
        from aesg_graph.stores.neo4j.migrating import migrator

        with migrator(settings_of(graph, user, password_file, database)) as found:
            done = found.pending() if dry_run else found.apply(None if as_json else _tell)
    if as_json:
        told = [{"version": m.version, "name": m.name, "statements": m.statements} for m in done]
        as_object({"dry_run": dry_run, "migrations": told})
        return
    if dry_run:
        for migration in done:
            for statement in migration.statements:
                _tell(migration, statement)
        return
    many = "nothing" if not done else f"{len(done)} migration{'s'[: len(done) > 1]}"
    note(f"{many} {'was' if len(done) < 2 else 'were'} applied")


def _tell(migration: Migration, statement: str) -> None:
    # Whole and unwrapped, so that it can be pasted into a Cypher shell.
    print(f"{plain(statement)};  // {migration.version}", flush=True)


def _tell_faults(faults: list[str]) -> None:
    for fault in faults:
        note(fault)
