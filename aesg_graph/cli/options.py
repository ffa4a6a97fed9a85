"""The arguments and options that commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        "-d",
        envvar="AESG_DIRECTORY",
        show_default="here, or the servers that AESG_GRAPH, AESG_VECTORS and AESG_MEMORY name",
        help="The memory's directory.",
        metavar="DIR",
    ),
]
HERE: Path | None = None
"""No directory was named: it is the working directory, or servers alone are looked at."""
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.", metavar="N")]
Id = Annotated[int, typer.Argument(min=0, help="A concept's id.", metavar="ID")]
