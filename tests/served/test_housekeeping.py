"""Old tombstones are forgotten, and vectors that a kill left of removed concepts are swept, in either engine."""

import time

import pytest

from aesg_graph.config import StoreSettings
from aesg_graph.engine.core import MemoryEngine
from tests.served.world import CONFIG, V, vectors


@pytest.fixture(params=["embedded", "served"])
def engine(request, tmp_path):
    """A memory that remembers removals for no time at all."""
    if request.param == "served":
        settings = request.getfixturevalue("served").model_copy(update={"tombstone_seconds": 0.0})
    else:
        settings = StoreSettings(tombstone_seconds=0.0)
    engine = MemoryEngine(tmp_path / "memory", CONFIG, settings)
    yield engine
    engine.close()


def tend(engine):
    engine.housekeeper._next = 0.0
    engine.housekeeper.tend()


def test_tombstones_go_when_nobody_needs_them_any_more(engine):
    ids = engine.create(vectors(3), vectors(3, 1, V))
    engine.remove(ids[:2])
    engine.flush()
    assert engine.residency.graph.count().tombstones == 2
    for _ in range(2):  # their vectors are reported gone with a later batch, and that must not be the last
        engine.create(vectors(1, 9), vectors(1, 9, V))
        engine.flush()
    time.sleep(0.01)
    tend(engine)
    assert engine.residency.graph.count().tombstones == 0
    assert engine.housekeeper.forgotten == 2


def test_tombstones_stay_for_as_long_as_they_are_to(engine):
    engine.housekeeper._retention = 3600.0
    ids = engine.create(vectors(3), vectors(3, 1, V))
    engine.remove(ids)
    for _ in range(2):
        engine.flush()
        engine.create(vectors(1, 9), vectors(1, 9, V))
    engine.flush()
    tend(engine)
    assert engine.residency.graph.count().tombstones == 3


def test_vectors_that_a_kill_left_of_removed_concepts_are_swept(engine):
    ids = engine.create(vectors(3), vectors(3, 1, V))
    engine.flush()
    left = engine.residency.vectors().fetch(ids[:1])
    engine.remove(ids[:1])
    engine.flush()
    from aesg_graph.stores.abc import Points

    points = Points(left.ids, left.keys, left.values, left.has_value, ("concept",), 1, left.sequences, left.versions)
    engine.residency.vectors().upsert(points)  # as if its flusher had died before it could delete it
    assert engine.residency.vectors().count() == 3
    tend(engine)
    assert engine.residency.vectors().count() == 2
    assert engine.residency.graph.unswept(10).size == 0


def test_another_process_that_does_maintenance_is_not_disturbed(opened):
    first, second = opened("a"), opened("b")
    first.consolidate()
    second.housekeeper._next = 0.0
    second.housekeeper.tend()
    assert second.lease._fence is None
    assert first.consolidate().epoch == 2
