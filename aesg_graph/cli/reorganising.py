"""The command that reorganises a memory: reorganise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import answering, as_object, note, table
from aesg_graph.cli.options import AsJson

if TYPE_CHECKING:
    from aesg_graph.engine.reorganisation import Reorganisation

SHOWN = 20
"""Merges that are printed for people."""
NONE: str | None = None


def reorganise(
    place: Annotated[
        str | None,
        typer.Option(
            *("--directory", "-d"),
            envvar="AESG_DIRECTORY",
            show_default="here, or the servers that AESG_GRAPH, AESG_VECTORS and AESG_MEMORY name",
            help="The memory: a directory, or served:NAME.",
            metavar="DIR",
        ),
    ] = NONE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; takes no lock.")] = False,
    as_json: AsJson = False,
) -> None:
    """Merge, split, find regions, and sum them up.

    What is nearer than merge_similarity_threshold and agrees merges, what has more edges than max_edges_per_node
    splits, communities of the graph become regions, and a dense one gets a parent. In TRAIN a memory does this by
    itself, on every region_detection_interval-th consolidation.

    The directory must not be open anywhere: a process that has it open calls memory.reorganise(). On servers it works
    beside writers, unless one of them looks after the memory (it has the lease): then that is its business.

    Example: aesg reorganise -d ./memory --dry-run
    """
    with answering(as_json):
        from aesg_graph.engine import reorganisation_afar as afar

        names: dict[int, str] = {}
        with answers.progress(as_json) as tell:
            if dry_run:
                done, names = afar.look(place, tell)
            else:
                done = afar.reorganise(place, tell)
    if as_json:
        as_object(_told(done, names))
    else:
        _print(done, names)


def _told(done: Reorganisation, names: dict[int, str]) -> dict[str, Any]:
    counts = ("merged", "split", "regions", "moved", "abstractions", "concepts", "seconds", "dry_run")
    told = {name: getattr(done, name) for name in counts}
    told["region_sizes"] = done.plan.sizes
    if done.dry_run:
        columns = ("id", "name", "into", "into_name", "cosine")
        told["merges"] = [dict(zip(columns, row, strict=True)) for row in _merges(done, names)]
        told["splits"] = _splits(done)
    return told


def _merges(done: Reorganisation, names: dict[int, str]) -> list[tuple[int, str | None, int, str | None, float]]:
    merges, ids = done.plan.merges, done.plan.land.ids
    pairs = zip(ids[merges.merged].tolist(), ids[merges.survivors].tolist(), merges.cosines.tolist(), strict=True)
    return [(old, names.get(old), new, names.get(new), cosine) for old, new, cosine in pairs]


def _splits(done: Reorganisation) -> list[dict[str, int]]:
    """Each concept that splits, once, and into how many parts."""
    parts: dict[int, int] = {}
    for split in done.plan.splits:
        parts[split.source] = parts.get(split.source, 1) + 1
    return [{"id": id, "parts": count} for id, count in parts.items()]


def _print(done: Reorganisation, names: dict[int, str]) -> None:
    if done.dry_run:
        merges = _merges(done, names)
        if merges:
            table(("concept", "name", "into", "its name", "cosine"), merges[:SHOWN], wide="name")
        if len(merges) > SHOWN:
            note(f"and {len(merges) - SHOWN:,} more")
        for split in _splits(done)[:SHOWN]:
            note(f"concept {split['id']} would split into {split['parts']} parts")
    largest = ", ".join(f"{size:,}" for size in done.plan.sizes[:5].tolist())
    sizes = f" (the largest of {largest})" if largest else ""
    verb = "would " if done.dry_run else ""
    note(f"{done.merged:,} concepts {verb}{'merge' if verb else 'merged'} into others, {done.split:,} split off")
    note(f"{done.regions:,} regions{sizes}; {done.moved:,} concepts {'would change' if verb else 'changed'} theirs")
    note(f"{done.abstractions:,} abstractions {'would be' if verb else 'were'} born")
    note("nothing was changed" if verb else f"{done.concepts:,} concepts, after {done.seconds:.1f} s")


COMMANDS = (reorganise,)
