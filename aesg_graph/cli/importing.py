"""The command that takes in what another package wrote."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import answering, as_object, facts, note
from aesg_graph.cli.options import AsJson

if TYPE_CHECKING:
    from aesg_graph.interchange.aesg import Finding, Report


def import_(
    source: Annotated[Path, typer.Argument(help="A directory of aesg, or a pack (.aesgpack).", metavar="DIR_OR_PACK")],
    target: Annotated[
        str | None,
        typer.Option(
            *("--directory", "-d"),
            envvar="AESG_DIRECTORY",
            help="The memory: a directory, or served:NAME. One is made where there is none.",
            metavar="TO",
        ),
    ] = None,
    kind: Annotated[str, typer.Option(help="The kind of the concepts that come.", metavar="KIND")] = "concept",
    vector_dim: Annotated[
        int | None, typer.Option(help="The dimension, where the files do not tell it.", metavar="D")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The configuration of a memory that is made, as JSON.", metavar="FILE")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and tell, write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import a directory or a pack that aesg 0.3 or 3.0 wrote.

    Nothing is written to it, and nothing in it is run. What is damaged is repaired where that can be done, and told.
    Each concept says its old id in its text, as "aesg id 123": 'aesg search --text "aesg id 123"' finds it.

    A memory that is there gets the concepts that it does not have yet; nobody may have its directory open meanwhile.
    What is cut short can be run again.

    Example: aesg import ./aesg_memory -d ./memory
    """
    with answering(as_json):
        from aesg_graph.config import AESGConfig
        from aesg_graph.errors import AESGMemoryError
        from aesg_graph.interchange.aesg import import_aesg

        if target is None and not dry_run:
            raise AESGMemoryError(
                "No memory was named, expected -d with a directory or served:NAME; a dry run needs none"
            )
        wanted = None if config is None else AESGConfig.from_json(_text(config))
        with answers.progress(as_json) as tell:
            report = import_aesg(
                source, target, vector_dim=vector_dim, kind=kind, config=wanted, dry_run=dry_run, tell=tell
            )
    if as_json:
        findings = [asdict(found) | {"told": found.told} for found in report.findings]
        as_object(asdict(report) | {"findings": findings})
    else:
        _say(report)


def _text(path: Path) -> str:
    from aesg_graph.errors import AESGStorageError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AESGStorageError(f"Cannot read {path}: {error}") from error


def _say(report: Report) -> None:
    what = f"{report.added:,} concepts of {report.vector_dim} dimensions and {report.edges_added:,} edges"
    if report.dry_run:
        note(f"{what} would come from {report.source}; nothing was written")
    else:
        note(f"{what} from {report.source} are in {report.place}, after {report.seconds:.1f} s")
    if report.there:
        note(f"concepts that were there already: {report.there:,}")
    if report.findings:
        facts([(f"{found.count:,}", _told(found)) for found in report.findings])


def _told(found: Finding) -> str:
    """What was amiss, with the ids of the first few."""
    if not found.first:
        return found.told
    more = ", ..." if found.count > len(found.first) else ""
    return f"{found.told} ({', '.join(map(str, found.first))}{more})"


import_.__name__ = "import"
COMMANDS = (import_,)
