"""``aesg cypher``: the plain-Cypher twins of procedures, to paste where a server allows no plugins."""

from __future__ import annotations

from typing import Annotated

import typer

from aesg_graph.cli.answers import answering
from aesg_graph.cli.options import Limit

HELP = """Print procedures as plain Cypher, to paste by hand.

For servers that allow no plugins. Parameters for the memory that AESG_GRAPH and AESG_MEMORY name come first, then the
statement. The twins of aesg.prune and aesg.consolidate take several transactions and locks: `aesg prune` and `aesg
consolidate` run them. aesg.explain has no twin: `aesg explain` finds the paths itself.
"""
group = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@group.command()
def spread(ids: Annotated[list[int], typer.Argument(min=0, help="The seeds.", metavar="ID...")]) -> None:
    """Spreading activation from concepts with energy 1 each, in this memory's parameters and relation types."""
    with answering(False):
        from aesg_graph.engine.by_hand import spread_to_paste

        text = spread_to_paste(ids)
    print(text, end="")


@group.command()
def due(
    epochs: Annotated[int, typer.Option(min=0, help="Look so many epochs ahead.", metavar="N")] = 0,
    limit: Limit = 20,
) -> None:
    """What may be forgotten, weakest first."""
    with answering(False):
        from aesg_graph.engine.by_hand import due_to_paste

        text = due_to_paste(epochs, limit)
    print(text, end="")


@group.command()
def stats() -> None:
    """How much the memory holds, its epoch, and who looks after it."""
    with answering(False):
        from aesg_graph.engine.by_hand import stats_to_paste

        text = stats_to_paste()
    print(text, end="")
