"""Commands about what a memory on servers forgets: due, prune, consolidate. They need no directory."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import NO, answering, as_object, note, table
from aesg_graph.cli.options import AsJson, Limit

PRUNING = "pruning"
Most = Annotated[int | None, typer.Option("--limit", "-n", min=0, help="At most so many; default: all.", metavar="N")]


def due(
    epochs: Annotated[int, typer.Option(min=0, help="Look so many epochs ahead.", metavar="N")] = 0,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """What a memory on servers forgets if it is not used.

    Weakest first; exit code 1 if it is nothing. Asks the server that AESG_GRAPH and AESG_MEMORY name. What is due goes
    with the next consolidation, or `aesg prune`.
    """
    with answering(as_json):
        from aesg_graph.engine.by_hand import graph_of

        with graph_of(read_only=True) as graph:
            found = graph.procedures.due(epochs, limit)
    if as_json:
        as_object({"due": [asdict(row) for row in found]})
    elif found:
        rows = [(row.id, row.name, row.in_epochs, row.expires_epoch, row.relevance) for row in found]
        table(("concept", "name", "in epochs", "from epoch", "relevance"), rows, wide="name")
    else:
        note("nothing is due")
    if not found:
        raise typer.Exit(NO)


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many may go, and change nothing.")] = False,
    limit: Most = None,
    as_json: AsJson = False,
) -> None:
    """Remove what a memory on servers may forget now.

    The weakest first. It works in batches beside writers and readers; what is used meanwhile stays. Vectors go when a
    process of the memory hears of it, or with `aesg check --repair`.
    """
    with answering(as_json):
        from aesg_graph.engine.by_hand import graph_of

        with answers.progress(as_json) as tell, graph_of() as graph:
            done = graph.pruner().prune(limit, dry_run, progress=lambda gone, of: tell(PRUNING, gone, of))
    if as_json:
        as_object(asdict(done))
    elif dry_run:
        note(f"{done.due:,} concepts are due; nothing was changed")
    else:
        note(f"{done.pruned:,} of {done.due:,} concepts that were due are gone")


def consolidate(
    prune: Annotated[bool, typer.Option(help="Also remove what is due then.")] = True, as_json: AsJson = False
) -> None:
    """Begin the next epoch of a memory on servers, and prune.

    What is due then goes, at most max_prune_fraction of the memory. While a process looks after the memory (it has the
    lease), that is its business: an error says so, and nothing is changed.
    """
    with answering(as_json):
        from aesg_graph.engine.by_hand import graph_of

        with answers.progress(as_json) as tell, graph_of() as graph:
            done = graph.pruner().consolidate(prune, progress=lambda gone, of: tell(PRUNING, gone, of))
    if as_json:
        as_object(asdict(done))
    else:
        note(f"epoch {done.epoch} began; {done.pruned:,} of {done.due:,} concepts that were due are gone")


COMMANDS = (due, prune, consolidate)
