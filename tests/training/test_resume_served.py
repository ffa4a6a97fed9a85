"""A memory on servers is part of the checkpoint, and comes back under a name of its own, beside whoever writes."""

import numpy as np
import pytest
import torch
from training_scenes import CONFIG, Recaller, contents, sentences, weights

from aesg_graph import AESGMemory
from aesg_graph.engine.moving.snapshots import named
from aesg_graph.errors import AESGStorageError
from aesg_graph.training import AESGTrainer


@pytest.fixture
def served(neo4j_server, qdrant_server):
    """Settings of a memory that does not exist yet; it is destroyed at the end, and all that came of it."""
    from aesg_graph.stores.neo4j import Neo4jGraphStore
    from aesg_graph.stores.qdrant import QdrantVectorStore
    from tests.served.world import migrated, settings_for

    migrated(neo4j_server)
    settings = settings_for(neo4j_server, qdrant_server, "training")
    made = [settings]
    yield settings, made
    for one in made:
        Neo4jGraphStore.destroy(one)
        QdrantVectorStore.destroy(one)


class Served(Recaller):
    """As the small model, with its memory on servers."""

    def __init__(self, directory, settings):
        super().__init__(directory)
        self.memory.close()
        self.memory = AESGMemory(f"{directory}-served", CONFIG, stores=settings)


def trainer_of(directory, settings):
    torch.manual_seed(0)
    model = Served(directory, settings)
    return model, AESGTrainer(model, quiet=True, learning_rate=0.01)


def test_a_served_memory_is_restored_under_a_new_name_and_the_old_one_learns_on(served, place):
    settings, made = served
    model, trainer = trainer_of(place / "a", settings)
    trainer.fit(sentences(), 2)
    trainer.save(place / "c")
    kept, known = weights(model), contents(model.memory)
    working = model.memory.engine.working.to_arrays()
    trainer.fit(sentences(seed=5), 1)
    later = contents(model.memory)
    assert later != known

    other, resumed = trainer_of(place / "b", settings)  # another process of the same memory
    assert resumed.resume(place / "c") == 2
    name = other.memory.engine.name
    made.append(named(settings, name))
    assert name.startswith("training-resumed-")
    assert other.memory.directory != model.memory.directory
    assert contents(other.memory) == known
    assert all(torch.equal(kept[n], value) for n, value in weights(other).items())
    after = other.memory.engine.working.to_arrays()
    assert all(np.array_equal(working[n], after[n]) for n in working)
    assert other.memory.storage.node_count == len(known[0])

    resumed.fit(sentences(seed=6), 1)
    model.memory.refresh()
    assert contents(model.memory) == later  # nothing of it went to the old memory
    trainer.fit(sentences(), 1)  # whose writer was not locked out
    assert trainer.state.epoch == 4

    with torch.no_grad():
        found = other.memory(torch.eye(8)).ids
    again = AESGMemory(other.memory.directory, CONFIG, stores=named(settings, name))
    assert torch.equal(again(torch.eye(8), learn=False).ids, found)
    again.close()
    for one in (model, other):
        one.memory.close()


def test_a_served_memory_does_not_become_an_embedded_one(served, place):
    settings, _ = served
    model, trainer = trainer_of(place / "a", settings)
    trainer.fit(sentences(), 1)
    trainer.save(place / "c")

    class Embedded(Recaller):
        __qualname__ = "Served"

    other = Embedded(place / "b")
    with pytest.raises(AESGStorageError, match=r"is of the served engine, .* of the embedded one"):
        AESGTrainer(other, quiet=True).load(place / "c")
    for one in (model, other):
        one.memory.close()
