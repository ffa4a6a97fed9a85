"""The ``aesg`` command as a whole: its help, its commands, its exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from aesg_graph.cli import (
    caring,
    forgetting,
    importing,
    looking,
    migrating,
    moving,
    packs,
    pasting,
    plugin,
    reorganising,
    status,
    tuning,
)

HELP = """Look into a memory of aesg-graph, and care for it.

Commands that look take no lock and change nothing: they work beside a running trainer. Ids are those of concepts.
"""
EPILOG = (
    "Exit codes: 0 done; 1 the answer is no (nothing found, no path, disagreements); 2 not understood; "
    "3 an error, told on stderr."
)

app = typer.Typer(
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(*looking.COMMANDS, *caring.COMMANDS, *moving.COMMANDS, *forgetting.COMMANDS, *importing.COMMANDS),
    *(*reorganising.COMMANDS, *tuning.COMMANDS, status.status, plugin.plugin),
):
    app.command()(command)
app.add_typer(migrating.group, name="migrate")
app.add_typer(pasting.group, name="cypher")
app.add_typer(packs.group, name="pack")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"aesg-graph {version('aesg-graph')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command that the command line names, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a name still shows the rest
    app(prog_name="aesg")
