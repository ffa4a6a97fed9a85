"""The import as a whole: open, read, repair, and put where it is wanted."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from aesg_graph.concepts import CONCEPT, MAX_WRITER
from aesg_graph.config import AESGConfig
from aesg_graph.engine import inputs
from aesg_graph.engine.moving import Place, sources
from aesg_graph.engine.moving.merging import merge
from aesg_graph.engine.moving.moves import put
from aesg_graph.engine.moving.sources import Source
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.interchange.aesg.edges import Edges, read_edges
from aesg_graph.interchange.aesg.filling import ASSOCIATION, Filling
from aesg_graph.interchange.aesg.findings import Finding, Findings
from aesg_graph.interchange.aesg.lists import look_at_lists
from aesg_graph.interchange.aesg.nodes import Nodes, read_nodes
from aesg_graph.interchange.aesg.opening import Opened, open_source
from aesg_graph.interchange.aesg.present import Present
from aesg_graph.sync.backup import Archive, Progress, silent
from aesg_graph.sync.directory import FORMAT


@dataclass(frozen=True)
class Report:
    """What was read and what came of it.

    ``form``: "directory" or "pack". ``concepts``, ``edges``: what the source holds and can be taken. ``added``,
    ``edges_added``: what is new in the memory (with ``dry_run``: would be); ``there``: concepts that it had already.
    ``made``: whether the memory at ``place`` is new. ``findings``: what was amiss.
    """

    source: str
    form: str
    vector_dim: int
    place: str | None
    made: bool
    concepts: int
    edges: int
    added: int
    edges_added: int
    there: int
    findings: tuple[Finding, ...]
    seconds: float
    dry_run: bool


def import_aesg(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | Place | None = None,
    *,
    vector_dim: int | None = None,
    kind: str = CONCEPT,
    config: AESGConfig | None = None,
    dry_run: bool = False,
    tell: Progress = silent,
) -> Report:
    """Import a directory or a pack of `aesg` 0.3 or 3.0 into a memory that nobody has open.

    ``target`` is a directory or ``"served:NAME"``. A memory that is there gets what it does not have yet; else one is
    made, whole or not at all, with ``config`` if that is given. Concepts are of ``kind`` and say their old id in their
    text, ``aesg id 123``. ``vector_dim`` is only needed where the files do not tell it. ``dry_run`` writes nothing, and
    needs no target.

    AESGStorageError, with nothing changed, for what is no directory or pack of `aesg`, holds no concept or is damaged
    beyond repair, and for a memory of another dimension; AESGMemoryError for a bad ``kind`` or ``vector_dim``.
    """
    begun, kind = time.monotonic(), inputs.kind_name(kind)
    if target is None and not dry_run:
        raise AESGMemoryError("target is None, expected a directory or served:NAME; a dry run needs none")
    place = target if isinstance(target, Place) or target is None else Place.named(os.fspath(target))
    _require_apart(Path(source), place)
    findings = Findings()
    opened = open_source(source, vector_dim, findings)
    with _temporary() as folder:
        with _there(place) as there:
            _require_fitting(opened, place, there, config)
            nodes, edges = _read(opened, findings)
            filling = Filling(nodes, edges, _config(nodes, opened, there, config), kind, _free_writer(there))
            present = Present() if there is None else Present.of(there, nodes.ids, ASSOCIATION)
            edges_added = filling.write(folder / "backup", present, tell)
        if place is not None and not dry_run and (filling.born or edges_added):
            _put(folder / "backup", place, there is None, tell)
    return Report(
        source=str(opened.path),
        form=opened.form,
        vector_dim=opened.vector_dim,
        place=None if place is None else str(place),
        made=there is None and not dry_run,
        concepts=len(nodes),
        edges=len(edges),
        added=filling.born,
        edges_added=edges_added,
        there=len(nodes) - filling.born,
        findings=findings.all(),
        seconds=time.monotonic() - begun,
        dry_run=dry_run,
    )


def _require_apart(source: Path, place: Place | None) -> None:
    """Nothing is ever written into the source, so no memory is made inside of it."""
    if place is None or place.path is None:
        return
    if place.path.resolve().is_relative_to(source.expanduser().resolve()):
        raise AESGStorageError(f"{place.path} is {source} or inside of it, expected a place outside of the source")


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(prefix="aesg-import-") as folder:
            yield Path(folder)
    except OSError as error:
        raise AESGStorageError(f"Cannot write a temporary file: {error.strerror or error}") from error


@contextlib.contextmanager
def _there(place: Place | None) -> Iterator[Source | None]:
    """The memory that is at a place, open to be read; None where one is to be made."""
    if place is None or not _is_there(place):
        yield None
        return
    with sources.opened(place) as source:
        yield source


def _is_there(place: Place) -> bool:
    if place.path is not None:
        return (place.path / FORMAT).is_file()
    from aesg_graph.stores.neo4j import Neo4jGraphStore
    from aesg_graph.stores.neo4j.heads import UNFINISHED

    head = Neo4jGraphStore.peek(place.settings)
    return head is not None and head.incarnation != UNFINISHED


def _require_fitting(opened: Opened, place: Place | None, there: Source | None, config: AESGConfig | None) -> None:
    if there is not None and config is not None:
        raise AESGMemoryError(f"{place} is a memory already, which has a configuration; expected none with it")
    wanted = there.config if there is not None else config
    if wanted is not None and wanted.vector_dim != opened.vector_dim:
        what = f"the memory at {place}" if there is not None else "the configuration"
        raise AESGStorageError(
            f"{opened.path} has vectors of {opened.vector_dim} numbers, and {what} has vector_dim={wanted.vector_dim}"
        )


def _config(nodes: Nodes, opened: Opened, there: Source | None, config: AESGConfig | None) -> AESGConfig:
    """What the memory is: as it is there, as it is wanted, or with room for all concepts."""
    if there is not None:
        return there.config
    usual = config or AESGConfig(vector_dim=opened.vector_dim)
    return usual if config is not None else replace(usual, max_concepts=max(usual.max_concepts, len(nodes)))


def _read(opened: Opened, findings: Findings) -> tuple[Nodes, Edges]:
    nodes = read_nodes(opened, findings)
    if not len(nodes):
        raise AESGStorageError(f"{opened.path} holds no active concept, so there is nothing to import")
    edges = read_edges(opened.edges, nodes, findings)
    if opened.lists:
        look_at_lists(opened.edges, nodes, findings)
    return nodes, edges


def _free_writer(there: Source | None) -> int:
    """A number for the ids to come, which no writer of the memory has."""
    taken = set() if there is None else {writer.id for writer in there.graph.standing().writers}
    while (number := secrets.randbelow(MAX_WRITER) + 1) in taken:
        pass
    return number


def _put(backup: Path, place: Place, new: bool, tell: Progress) -> None:
    archive = Archive(backup)
    if new:
        put(archive, place, replace=False, tell=tell)
    else:
        merge(archive, place, tell)
