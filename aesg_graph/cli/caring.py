"""Commands that care: check, optimize, export, name."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import NO, answering, as_object, cell, console, note
from aesg_graph.cli.options import HERE, AsJson, Directory

if TYPE_CHECKING:
    from aesg_graph.sync import Finding

LISTED = 100
"""Ids that are printed of one finding."""
SHOWN = 3


class Format(StrEnum):
    """What a memory can be exported as."""

    GRAPHML = "graphml"
    JSONL = "jsonl"


def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended; takes the memory's lock, on servers its lease.")
    ] = False,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Compare journal, graph, vectors and cache.

    Beside a running owner the cache, and vectors that are files, are not looked at, and the answer says so.
    """
    with answering(as_json):
        from aesg_graph.engine.checking import check as look_over
        from aesg_graph.engine.mending import repair as mend

        with answers.progress(as_json) as tell:
            report = mend(directory, progress=tell) if repair else look_over(directory, tell)
    if as_json:
        told = {"directory": report.directory, "owner": report.owner, "clean": report.clean}
        counts = {"concepts": report.concepts, "edges": report.edges}
        as_object({**told, **counts, "findings": [_told(finding) for finding in report.findings]})
    else:
        for finding in report.findings:
            _print(finding)
        left = sum(not (finding.note or finding.mended) for finding in report.findings)
        console().print(cell(f"{report.concepts:,} concepts, {report.edges:,} edges: {_verdict(left, repair)}"))
    if not report.clean:
        raise typer.Exit(NO)


def _told(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "count": finding.count,
        "detail": finding.detail,
        "ids": finding.ids[:LISTED].tolist(),
        "note": finding.note,
        "mended": finding.mended,
    }


def _print(finding: Finding) -> None:
    mark = "mended" if finding.mended else "note" if finding.note else "WRONG"
    ids = ", ".join(map(str, finding.ids[:SHOWN].tolist()))
    some = f" ({ids}{', ...' if len(finding.ids) > SHOWN else ''})" if ids else ""
    console().print(cell(f"{mark}: {finding.count} {finding.kind.value}: {finding.detail}{some}"))


def _verdict(left: int, repaired: bool) -> str:
    if not left:
        return "all agree"
    how = "what is left needs a copy of the memory" if repaired else "'aesg check --repair' mends what can be mended"
    return f"{left} disagreement{'s' if left > 1 else ''}; {how}"


def optimize(directory: Directory = HERE, as_json: AsJson = False) -> None:
    """Build the vector index of a memory that nobody has open. May take minutes."""
    with answering(as_json):
        from aesg_graph.engine.optimizing import optimize as build

        with answers.progress(as_json) as tell:
            result = build(directory or Path(), progress=lambda _: tell("building the vector index", 0, 0))
    if as_json:
        as_object(asdict(result))
    elif result.done:
        note(f"the index covers {result.indexed:,} of {result.points:,} vectors, after {result.seconds:.1f} s")
    else:
        note(f"there was nothing to do: the index covers {result.indexed:,} of {result.points:,} vectors")


def export(
    out: Annotated[
        Path, typer.Argument(help="The file to write; it is replaced at once, or not at all.", metavar="OUT")
    ],
    format: Annotated[Format | None, typer.Option(help="Default: what the file's name ends in.")] = None,
    vectors: Annotated[bool, typer.Option("--vectors", help="With keys and values.")] = False,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Write concepts and edges to a GraphML or JSON lines file."""
    try:
        chosen = format or Format(out.suffix.removeprefix("."))
    except ValueError:
        raise typer.BadParameter("give --format graphml or --format jsonl") from None
    with answering(as_json):
        from aesg_graph.engine.reading import MemoryReader
        from aesg_graph.interchange import export as write

        with MemoryReader(directory) as reader, answers.progress(as_json) as tell:
            done = write(reader, out, chosen.value, vectors, lambda n, total: tell("exporting", n, total))
            pending = reader.pending
    if as_json:
        as_object({**asdict(done), "pending_batches": pending})
        return
    note(f"{done.concepts:,} concepts and {done.edges:,} edges in {done.path}, {answers.size(done.bytes)}")
    if done.left_out:
        note(f"left out, since they lead to no concept: {done.left_out:,} edges")
    if pending:
        note(f"lessons wait in the journal (batches: {pending}); what they say is not in the file")


def name(
    again: Annotated[bool, typer.Option("--again", help="Derive anew the names that were derived before.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="At most so many; default: all.", metavar="N")
    ] = None,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Name the concepts that nobody named.

    After their text, their strongest named neighbour, or their kind.

    Such names begin with ~, and give way to the first name that is given. The directory must not be open anywhere: a
    process that has it open calls memory.name_concepts().
    """
    with answering(as_json):
        from aesg_graph.engine.naming import open_and_name

        with answers.progress(as_json) as tell:
            named = open_and_name(directory or Path(), limit, again, lambda done, total: tell("naming", done, total))
    if as_json:
        as_object(asdict(named))
    else:
        note(f"{named.total:,} named: {named.text:,} by text, {named.neighbour:,} by neighbour, {named.kind:,} by kind")


COMMANDS = (check, optimize, export, name)
