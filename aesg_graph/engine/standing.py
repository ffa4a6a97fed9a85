"""How a served memory stands, as anybody with its settings can see: what ``aesg status`` tells."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from aesg_graph.config import AESGConfig
from aesg_graph.engine.health import StoreHealth, asked
from aesg_graph.engine.served import memory_name
from aesg_graph.engine.tally import recorded_recalls
from aesg_graph.errors import AESGError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.migrating import migrator
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.sync import Journal


def standing(settings: StoreSettings, directory: Path | None = None) -> dict[str, Any]:
    """Servers, migrations, writers, lease and counts; with a process's directory also its journal and cache. Raises
    for no server.

    ``healthy`` says whether both servers answer, every migration is applied, and nothing was refused.
    """
    said: dict[str, Any] = {"memory": settings.memory, "problems": []}
    graph = _try(said, "graph", settings.graph, lambda: _graph(said, settings))
    vectors = _try(said, "vectors", settings.vectors, lambda: _vectors(said, settings, graph))
    if directory is not None:
        _journal(said, directory / "journal.db")
        recalls = recorded_recalls(directory / "cache")
        if recalls is not None:
            said["cache"] = recalls
    said["healthy"] = graph.reachable and vectors.reachable and not said["problems"]
    return said


def _try(said: dict[str, Any], name: str, address: str | None, look: Any) -> StoreHealth:
    found = asked(address, look)
    said[name] = vars(found)
    if found.error is not None:
        said["problems"].append(found.error)
    return found


def _graph(said: dict[str, Any], settings: StoreSettings) -> Any:
    with migrator(settings) as found:
        said["migrations"] = {s.version: s.state for s in found.status()}
    wrong = [f"migration {v} is {state}" for v, state in said["migrations"].items() if state != "applied"]
    said["problems"] += wrong
    head = None if wrong else Neo4jGraphStore.peek(settings)
    if head is None:
        if not wrong:
            said["problems"].append(f"there is no memory {memory_name(settings)!r}")
        return None
    config = AESGConfig.from_json(head.config)
    said |= {"epoch": head.epoch, "vector_dim": head.vector_dim, "value_dim": head.value_dim}
    with closing(Neo4jGraphStore.open(settings, config.vocabulary, read_only=True)) as graph:
        counts = graph.count()
        said |= {"concepts": counts.concepts, "edges": counts.edges, "tombstones": counts.tombstones}
        said["unswept"] = len(graph.unswept(1000))
        said["writers"] = [{"writer": p.id, "sequence": p.sequence} for p in graph.positions() if p.sequence]
        holder = graph.leaseholder()
        said["lease"] = None if holder is None else dict(zip(("holder", "fence", "seconds"), holder, strict=True))
        return Version(graph.version())


class Version:
    """A version that was asked for just now."""

    def __init__(self, version: str) -> None:
        self._version = version

    def version(self) -> str:
        """The version."""
        return self._version


def _vectors(said: dict[str, Any], settings: StoreSettings, graph: StoreHealth) -> Any:
    if "vector_dim" not in said:
        return None
    with closing(QdrantVectorStore.open(settings, said["vector_dim"], said["value_dim"], writable=False)) as store:
        said["points"] = store.count()
        if said["points"] < said["concepts"]:
            said["problems"].append(f"{said['concepts']} concepts and {said['points']} vectors: run 'aesg check'")
        return Version(store.version())


def _journal(said: dict[str, Any], path: Path) -> None:
    try:
        with closing(Journal.open(path, read_only=True)) as journal:
            said["journal"] = {"batches": len(journal.pending()), "bytes": journal.bytes_pending}
            refused = len(journal.refused())
            said["journal"]["refused"] = refused
            if refused:
                said["problems"].append(f"{refused} batches were refused: 'aesg check' lists them")
    except AESGError as error:
        said["problems"].append(error.message)
