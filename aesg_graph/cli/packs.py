"""Commands about packs: some of a memory in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import NO, answering, as_object, facts, moment, note, table
from aesg_graph.cli.options import AsJson

group = typer.Typer(
    help="Take some of a memory elsewhere, in one file (.aesgpack).",
    no_args_is_help=True,
    rich_markup_mode=None,
)
File = Annotated[Path, typer.Argument(help="The pack.", metavar="FILE")]
Memory = Annotated[
    str | None,
    typer.Option(
        *("--directory", "-d"),
        envvar="AESG_DIRECTORY",
        help="The memory: a directory, or served:NAME.",
        show_default="here, or the servers that AESG_GRAPH, AESG_VECTORS and AESG_MEMORY name",
        metavar="DIR",
    ),
]
HERE: str | None = None


@group.command()
def export(
    out: Annotated[Path, typer.Argument(help="The pack to write, which must not exist.", metavar="OUT")],
    min_relevance: Annotated[
        float | None, typer.Option(help="Only concepts that are at least so relevant today.", metavar="R")
    ] = None,
    region: Annotated[int | None, typer.Option(help="Only concepts of this region.", metavar="N")] = None,
    kind: Annotated[str | None, typer.Option(help="Only concepts of this kind.", metavar="KIND")] = None,
    where: Annotated[
        str | None, typer.Option(help="Only concepts c of which this is true, in Cypher (Neo4j).", metavar="CYPHER")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the pack is called; default: the file's name.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    source: Memory = HERE,
    as_json: AsJson = False,
) -> None:
    """Write concepts and the edges between them to a pack.

    Concepts that pass all filters go in. It works beside a running owner: pages are read one after the other, and
    lessons that wait in the journal are not in.

    Example: aesg pack export birds.aesgpack --kind bird --min-relevance 0.2
    """
    with answering(as_json):
        from aesg_graph.engine.moving import Place
        from aesg_graph.engine.reading import MemoryReader
        from aesg_graph.packs import Filters, Source, export_pack

        place = None if source is None else Place.named(source)
        filters = Filters(min_relevance, region, kind, where)
        given = (None, None) if place is None else (place.path, place.settings if place.path is None else None)
        with MemoryReader(*given) as reader, answers.progress(as_json) as tell:
            done = export_pack(Source.of_reader(reader), out, filters, name, overwrite, tell)
            pending = reader.pending
    if as_json:
        as_object({**asdict(done), "pending_batches": pending})
        return
    note(f"{done.concepts:,} concepts and {done.edges:,} edges in {done.path}, {answers.size(done.bytes)}")
    if done.without_vectors:
        note(f"left out, since they have no vector: {done.without_vectors:,} concepts; 'aesg check' lists them")
    if pending:
        note(f"lessons wait in the journal (batches: {pending}); what they say is not in the file")


@group.command()
def show(
    file: File,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="So many names at most.", metavar="N")] = 10,
    as_json: AsJson = False,
) -> None:
    """Say what is in a pack, and whether it is whole.

    Every byte and every row is looked at.

    Example: aesg pack show birds.aesgpack
    """
    with answering(as_json):
        from aesg_graph.packs.summary import summarize

        said = summarize(file, limit)
    if as_json:
        as_object(asdict(said))
        return
    origin = said.provenance
    shown = {
        "name": said.name,
        "memory": origin.get("memory"),
        "exported": moment(origin["exported_at"]) if "exported_at" in origin else None,
        "epoch": origin.get("epoch"),
        "filters": ", ".join(f"{k}={v!r}" for k, v in origin.get("filters", {}).items()) or "none",
        "package": origin.get("package"),
        "dimensions": f"{said.vector_dim} for keys, {said.value_dim} for values",
        "concepts": f"{said.concepts:,}, {said.with_value:,} of them with a value",
        "edges": f"{said.edges:,}",
        "size": answers.size(said.bytes),
        "kinds": ", ".join(f"{kind} {count:,}" for kind, count in said.kinds.items()),
        "relations": ", ".join(f"{name} {count:,}" for name, count in said.relations.items()) or "none",
    }
    facts(list(shown.items()))
    if said.names:
        rows = [(found.name, found.kind, found.uses, found.relevance, found.id) for found in said.names]
        table(("most used", "kind", "uses", "relevance", "id"), rows, wide="most used")


@group.command("import")
def import_(file: File, place: Memory = HERE, as_json: AsJson = False) -> None:
    """Take a pack into a memory for good.

    Its concepts get new ids, and edges follow. Keys, values, kinds, names, texts, sources, uses and edges are kept,
    regions and relevance are not. The directory must not be open anywhere: a process that has it open calls
    memory.import_pack(file). A memory on servers may be in use. Exit code 1 if there is no room for all of it; nothing
    is written then. What aesg wrote is read by `aesg import`.

    Example: aesg pack import birds.aesgpack -d ./memory
    """
    with answering(as_json):
        from aesg_graph.packs.importing import open_and_import

        with answers.progress(as_json) as tell:
            arrived = open_and_import(place, file, tell)
    if as_json:
        as_object({"concepts": len(arrived), "edges": arrived.edges, "left_out": arrived.left_out})
    elif len(arrived):
        note(f"{len(arrived):,} concepts and {arrived.edges:,} edges are in the memory")
    else:
        note("there is no room for all of it: max_concepts; nothing was written")
    if not len(arrived):
        raise typer.Exit(NO)
