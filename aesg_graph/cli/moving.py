"""Commands that take a memory somewhere: backup, restore, copy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import answering, as_object, note
from aesg_graph.cli.options import AsJson

if TYPE_CHECKING:
    from aesg_graph.engine.moving import Restored
    from aesg_graph.sync.backup import Held

Source = Annotated[str, typer.Argument(help="The memory: a directory, or served:NAME.", metavar="FROM")]
Target = Annotated[str, typer.Argument(help="Where to: a new directory, or served:NAME.", metavar="TO")]


def backup(
    source: Source,
    out: Annotated[Path, typer.Argument(help="The folder to write, which must not exist.", metavar="OUT")],
    as_json: AsJson = False,
) -> None:
    """Write a memory to a new folder, with checksums.

    It can be restored into either engine.

    served:NAME is the memory NAME on the servers of AESG_GRAPH and AESG_VECTORS, with the credentials of AESG_USER,
    AESG_PASSWORD, AESG_PASSWORD_FILE, AESG_API_KEY, AESG_API_KEY_FILE, which never are on the command line;
    served:NAME@FILE is on those of FILE, in lines as AESG_GRAPH=neo4j://host:7687.

    On servers it is taken while processes write. A directory must not be open anywhere: a process that has it open
    calls memory.backup(folder).

    Example: aesg backup served:digits backups/monday
    """
    with answering(as_json):
        from aesg_graph.engine.moving import Place
        from aesg_graph.engine.moving import backup as take

        with answers.progress(as_json) as tell:
            done = take(Place.named(source), out, tell)
    if as_json:
        as_object({**asdict(done), **asdict(done.held)})
    else:
        note(f"{_told(done.held)} in {done.path}, {answers.size(done.bytes)}, after {done.seconds:.1f} s")
        if done.held.vectors < done.held.concepts:
            note(f"concepts without a vector: {done.held.concepts - done.held.vectors:,}; 'aesg check' lists them")


def restore(
    path: Annotated[Path, typer.Argument(help="The backup's folder.", metavar="BACKUP")],
    target: Target,
    replace: Annotated[bool, typer.Option("--replace", help="Delete the memory of that name on the servers.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a memory anew from a backup.

    There must be none at the place, unless --replace says otherwise.

    served:NAME is the memory NAME on the servers of AESG_GRAPH and AESG_VECTORS, with the credentials of AESG_USER,
    AESG_PASSWORD, AESG_PASSWORD_FILE, AESG_API_KEY, AESG_API_KEY_FILE, which never are on the command line;
    served:NAME@FILE is on those of FILE, in lines as AESG_GRAPH=neo4j://host:7687.

    The backup is verified before anything is changed. Whoever had the memory open is refused from then on; a directory
    that is opened again sends what it still holds. What is cut short cannot be opened: restore again, it starts over.

    Example: aesg restore backups/monday served:digits --replace
    """
    with answering(as_json):
        from aesg_graph.engine.moving import Place
        from aesg_graph.engine.moving import restore as put_back

        with answers.progress(as_json) as tell:
            done = put_back(path, Place.named(target), replace, tell)
    _say(done, as_json)


def copy(
    source: Source,
    target: Target,
    into: Annotated[bool, typer.Option("--into", help="Add to the memory that is at TO.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy a memory exactly to a place where there is none.

    From any engine to any; ids are kept.

    With --into it is added to a memory of the same dimensions; ids that are taken there are renumbered, and edges
    follow. Regions and the memory of removed concepts are left out then. Cut short on servers, what came stays: back
    up first.

    served:NAME is the memory NAME on the servers of AESG_GRAPH and AESG_VECTORS, with the credentials of AESG_USER,
    AESG_PASSWORD, AESG_PASSWORD_FILE, AESG_API_KEY, AESG_API_KEY_FILE, which never are on the command line;
    served:NAME@FILE is on those of FILE, in lines as AESG_GRAPH=neo4j://host:7687.

    Example: aesg copy ./memory served:digits
    """
    with answering(as_json):
        from aesg_graph.engine.moving import Place
        from aesg_graph.engine.moving import copy as carry

        with answers.progress(as_json) as tell:
            done = carry(Place.named(source), Place.named(target), into, tell)
    _say(done, as_json)


def _say(done: Restored, as_json: bool) -> None:
    if as_json:
        as_object({**asdict(done), **asdict(done.held)})
    else:
        note(f"{_told(done.held)} in {done.place}, after {done.seconds:.1f} s")
        if done.renumbered:
            note(f"ids that were taken and are others now: {done.renumbered:,}")


def _told(held: Held) -> str:
    return f"{held.concepts:,} concepts and {held.edges:,} edges"


COMMANDS = (backup, restore, copy)
