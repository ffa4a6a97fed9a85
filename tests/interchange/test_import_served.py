"""The same import on Neo4j and Qdrant: into a new memory, into one in use, and again where it was cut short."""

import contextlib

import numpy as np
import pytest

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.moving import Place
from aesg_graph.errors import AESGStorageError
from aesg_graph.interchange.aesg import import_aesg
from tests.interchange.aesg_world import DIM, held, text
from tests.interchange.test_importing_aesg import expect_all


@pytest.fixture
def place(neo4j_server, qdrant_server):
    """Where no memory is yet; it is destroyed at the end."""
    from aesg_graph.stores.neo4j import Neo4jGraphStore
    from aesg_graph.stores.qdrant import QdrantVectorStore
    from tests.served.world import migrated, settings_for

    migrated(neo4j_server)
    settings = settings_for(neo4j_server, qdrant_server, "from-aesg")
    yield Place(None, settings)
    Neo4jGraphStore.destroy(settings)
    QdrantVectorStore.destroy(settings)


class Cut(BaseException):
    """The import is ended from outside."""


def cut(what, done, total):
    if what == "concepts":
        raise Cut


def test_a_new_memory_on_servers_is_whole_or_not_there(original, folder, place):
    with pytest.raises(Cut):
        import_aesg(folder, place, tell=cut)
    with pytest.raises(AESGStorageError):
        held(place)
    made = import_aesg(folder, place)
    assert made.made
    expect_all(held(place), original)
    again = import_aesg(folder, place)
    assert (again.made, again.added, again.edges_added, again.there) == (False, 0, 0, made.added)


def test_a_memory_in_use_gets_the_concepts_and_an_import_cut_short_is_completed(original, folder, place, tmp_path):
    with contextlib.closing(MemoryEngine(tmp_path / "a", AESGConfig(vector_dim=DIM), place.settings)) as engine:
        engine.create(np.eye(DIM)[:1], texts=["own"])
        engine.flush()
        with pytest.raises(Cut):
            import_aesg(folder, place, tell=cut)
        assert held(place).edges == {}
        report = import_aesg(folder, place)
        assert (report.made, report.added, report.there) == (False, 0, len(original.active))
        assert report.edges_added == report.edges
        engine.create(-np.eye(DIM)[:1], texts=["own too"])
        engine.flush()
    memory = held(place)
    assert memory.concepts.keys() == {"own", "own too", *(text(id) for id in original.active["id"])}
    assert len(memory.edges) == report.edges
