"""Commands that look: stats, show, search, neighbors, explain, history. They work beside a running owner.

A memory on servers is looked at there, by the settings in the environment; an operator needs no directory for that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import NO, answering, as_object, cell, console, facts, moment, plain, table
from aesg_graph.cli.options import HERE, AsJson, Directory, Id, Limit

if TYPE_CHECKING:
    from aesg_graph.concepts import Concept, Ids
    from aesg_graph.engine.reading import MemoryReader

SHOWN_NUMBERS = 6
ALL = (1 << 63) - 1


@contextlib.contextmanager
def looking(directory: Path | None, as_json: bool) -> Iterator[MemoryReader]:
    """A memory to look at; at the end people hear of what waits in the journal."""
    with answering(as_json):
        from aesg_graph.engine.reading import MemoryReader

        with MemoryReader(directory) as reader:
            try:
                yield reader
            finally:
                if reader.pending and not as_json:
                    answers.note(f"lessons wait in the journal (batches: {reader.pending}); what they say is not shown")


def stats(directory: Directory = HERE, as_json: AsJson = False) -> None:
    """How much a memory holds, who has it open, what waits."""
    with looking(directory, as_json) as reader:
        said = reader.stats()
        if as_json:
            as_object(said)
            return
        facts(_counted(said))


def _counted(said: dict[str, Any]) -> list[tuple[str, Any]]:
    servers = said["servers"]
    where = f"{servers['graph']} and {servers['vectors']}" if servers else f"in {said['directory']}"
    rows = [
        ("memory", f"{said['name']} {'on ' if servers else ''}{where}"),
        ("concepts", f"{said['concepts']:,} of at most {said['max_concepts']:,}"),
        ("edges", f"{said['edges']:,}"),
        ("dimensions", f"keys {said['vector_dim']}, values {said['value_dim']}"),
        ("mode", said["mode"]),
        ("epoch", f"{said['epoch']}; the next one may prune {said['due']:,}"),
        ("removed", f"{said['tombstones']:,} remembered"),
    ]
    if said["directory"] is None:
        return rows
    sizes = ", ".join(f"{part} {answers.size(count)}" for part, count in said["bytes"].items())
    waiting = f"{said['pending_batches']} batches, {answers.size(said['pending_bytes'])}"
    own = [
        ("journal", f"{waiting} waiting; {said['refused_batches']} refused"),
        ("cache", said["cache"]),
        ("on disk", sizes),
    ]
    place = [("directory", said["directory"])] if servers else []
    return [rows[0], *place, ("open in", said["owner"] or "no process"), *rows[1:], *own]


def show(id: Id, directory: Directory = HERE, as_json: AsJson = False) -> None:
    """One concept: its texts, its life, its vectors."""
    with looking(directory, as_json) as reader:
        concept, edges = reader.concept(id), len(reader.neighbors(id))
        if as_json:
            as_object({**asdict(concept), "edges": edges, "pending_batches": reader.pending})
            return
        facts(_described(concept, edges))


def _described(concept: Concept, edges: int) -> list[tuple[str, Any]]:
    expires = "never, as it is" if concept.expires_epoch is None else f"from epoch {concept.expires_epoch}"
    uses = f"{concept.use_frequency} times, contradicted {concept.contradictions} times"
    return [
        ("id", concept.id),
        ("kind", concept.kind),
        ("name", concept.name),
        ("text", concept.text),
        ("source", concept.source),
        ("born", f"{moment(concept.created_at)}, epoch {concept.born_epoch} (age {concept.age})"),
        ("changed", f"{moment(concept.modified_at)}, last used in epoch {concept.touched_epoch}"),
        ("used", uses),
        ("relevance", f"{concept.relevance:.4g}; stability {concept.stability:.4g}"),
        ("may be pruned", expires),
        ("region", concept.region_id),
        ("encoder", f"{concept.encoder or '-'}, version {concept.version}"),
        ("edges", edges),
        ("key", _numbers(concept.key)),
        ("value", _numbers(concept.value)),
    ]


def _numbers(vector: Any) -> str | None:
    if vector is None:
        return None
    shown = " ".join(f"{x:.3g}" for x in vector[:SHOWN_NUMBERS].tolist())
    return shown if len(vector) <= SHOWN_NUMBERS else f"{shown} ... ({len(vector)} numbers)"


def search(
    near: Annotated[int | None, typer.Option(min=0, help="Nearest to this concept, by cosine.", metavar="ID")] = None,
    text: Annotated[str | None, typer.Option(help="Name or text contains this, whatever the case.")] = None,
    vector: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Nearest to the vector in this .npy file.", metavar="FILE"),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only concepts of this kind.")] = None,
    region: Annotated[int | None, typer.Option(min=0, help="Only concepts of this region.")] = None,
    limit: Limit = 10,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Find concepts near a concept or a vector, or by text.

    Beside a running owner vectors are read from its cache, which may not hold all of them.
    """
    if sum(given is not None for given in (near, text, vector)) != 1:
        raise typer.BadParameter("give one of --near, --text and --vector")
    with looking(directory, as_json) as reader:
        found: list[dict[str, Any]]
        if text is not None:
            found, origin, complete = _named(reader, text, kind, region, limit), "the graph", True
        else:
            found, origin, complete = _nearest(reader, near, vector, kind, region, limit)
        if as_json:
            answer = {"results": found, "origin": origin, "complete": complete, "pending_batches": reader.pending}
            as_object(answer)
        elif found:
            scored = text is None
            columns = ["id", *(["cosine"] if scored else []), "kind", "name", "text"]
            table(columns, [[row[column] for column in columns] for row in found], wide="text")
        else:
            answers.note("nothing found")
        if not complete and not as_json:
            answers.note(f"{origin} does not hold all concepts: nearer ones may be missing")
        if not found:
            raise typer.Exit(NO)


def _named(reader: MemoryReader, text: str, kind: str | None, region: int | None, limit: int) -> list[dict[str, Any]]:
    filtered = kind is not None or region is not None
    rows = _summaries(reader, reader.find(text, ALL if filtered else limit))
    fits = [r for r in rows if (kind is None or r["kind"] == kind) and (region is None or r["region_id"] == region)]
    return fits[:limit]


def _nearest(
    reader: MemoryReader, near: int | None, vector: Path | None, kind: str | None, region: int | None, limit: int
) -> tuple[list[dict[str, Any]], str, bool]:
    query = reader.key(near) if near is not None else _loaded(vector)
    found = reader.nearest(query, limit + (near is not None), kind, region)
    scores = {id: score for id, score in zip(found.ids.tolist(), found.cosines.tolist(), strict=True) if id != near}
    rows = {row["id"]: row for row in _summaries(reader, found.ids)}
    unknown = {"kind": None, "name": None, "text": None, "region_id": None}  # born, but not yet in the graph
    results = [{"id": id, "cosine": score} | rows.get(id, unknown) for id, score in scores.items()]
    return results[:limit], found.origin, found.complete


def _summaries(reader: MemoryReader, ids: Ids) -> list[dict[str, Any]]:
    rows = reader.rows(ids)
    columns = rows.ids.tolist(), rows.kinds, rows.names, rows.texts, rows.region_id.tolist()
    names = ("id", "kind", "name", "text", "region_id")
    listed = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return [row | {"region_id": None if row["region_id"] < 0 else row["region_id"]} for row in listed]


def _loaded(path: Path | None) -> Any:
    import numpy as np

    from aesg_graph.errors import AESGMemoryError

    assert path is not None
    try:
        vector = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AESGMemoryError(f"{path} is not a .npy file of numbers ({error})") from error
    return vector[0] if vector.ndim == 2 and len(vector) == 1 else vector


def neighbors(id: Id, directory: Directory = HERE, as_json: AsJson = False) -> None:
    """The edges of a concept, strongest first."""
    import numpy as np

    with looking(directory, as_json) as reader:
        edges = reader.neighbors(id)
        others = [edge.target if edge.source == id else edge.source for edge in edges]
        names = {row["id"]: row["name"] for row in _summaries(reader, np.array(others, np.int64))}
        if as_json:
            told = [{**asdict(e), "name": names.get(o)} for e, o in zip(edges, others, strict=True)]
            as_object({"id": id, "edges": told, "pending_batches": reader.pending})
            return
        rows = [
            ["->" if edge.source == id else "<-", edge.type, other, edge.weight, edge.use_count, names.get(other)]
            for edge, other in zip(edges, others, strict=True)
        ]
        if rows:
            table(["", "type", "concept", "weight", "uses", "name"], rows, wide="name")
        else:
            answers.note("it has no edges")


def explain(
    query: Annotated[int, typer.Argument(min=0, help="Where energy starts.", metavar="QUERY_ID")],
    target: Annotated[int, typer.Argument(min=0, help="Where it arrives.", metavar="TARGET_ID")],
    limit: Limit = 10,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """How energy goes from one concept to another.

    The first is lit with energy 1; the strongest paths come first, each with its share of what arrives.
    """
    import numpy as np

    with looking(directory, as_json) as reader:
        paths = reader.explain(query, target, limit)
        if as_json:
            as_object({"query": query, "target": target, "paths": paths, "pending_batches": reader.pending})
        elif paths:
            ids = np.unique([id for path in paths for id in path["ids"]])
            names = {row["id"]: row["name"] for row in _summaries(reader, ids)}
            for path in paths:
                console().print(cell(f"{path['energy']:.4g} ({path['share']:.1%})"))
                for step, id in zip(["", *path["types"]], path["ids"], strict=True):
                    arrow = f"<-{step[1:]}- " if step.startswith("<") else f"-{step}-> " if step else ""
                    name = f" {plain(names[id])}" if names.get(id) else ""
                    console().print(cell(f"{arrow}{id}{name}"), no_wrap=True, overflow="ellipsis")
        else:
            answers.note("no energy goes from one to the other")
        if not paths:
            raise typer.Exit(NO)


def history(
    type: Annotated[
        list[str] | None, typer.Option(help="Only events of this type; may be given again.", metavar="TYPE")
    ] = None,
    limit: Limit = 20,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """What happened last.

    Types are CREATE, LINK, REMOVE, MERGE, SPLIT, PRUNE, CONSOLIDATE, RESTRUCTURE and REKEY.
    """
    with looking(directory, as_json) as reader:
        events = reader.history(limit, [t.upper() for t in type] if type else None)
        if as_json:
            as_object({"events": events})
        elif events:
            rows = [[moment(e["timestamp"])[:-3], e["type"], e["id1"], e["id2"] or None, e["val"]] for e in events]
            table(["time", "type", "id", "other", "value"], rows, wide="value")
        else:
            answers.note("nothing has happened yet")


COMMANDS = (stats, show, search, neighbors, explain, history)
