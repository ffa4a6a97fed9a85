"""A memory that is badly tuned says so, once in the log and in its statistics; one that is used rightly does not."""

import logging

import numpy as np
import pytest

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.settings import StoreSettings

D = 16
RNG = np.random.default_rng(0)
STRANGERS = RNG.normal(size=(600, D)).astype(np.float32)
CROWD = (3 + RNG.normal(size=(600, D))).astype(np.float32)
THEMES = (np.eye(D)[RNG.integers(0, 5, 600)] + 0.05 * RNG.normal(size=(600, D))).astype(np.float32)


@pytest.fixture
def taught(tmp_path):
    """Makes engines that were taught some queries, 32 at a time."""
    engines = []

    def make(queries, **config):
        engine = MemoryEngine(tmp_path / str(len(engines)), AESGConfig(vector_dim=D, **config), StoreSettings())
        engines.append(engine)
        teach(engine, queries)
        return engine

    yield make
    for engine in engines:
        engine.close()


def teach(engine, queries):
    for start in range(0, len(queries), 32):
        query = engine.query(queries[start : start + 32])
        engine.learn(query, engine.recall(query), engine.steps.tags(len(query.vectors)))


def warnings(engine, saying):
    return [line for line in engine.inspector.stats()["warnings"] if saying in line]


def logged(caplog, saying):
    return [record for record in caplog.records if saying in record.getMessage() and record.levelno == logging.WARNING]


def test_queries_far_from_centred_are_not_taken_for_one_query(taught):
    engine = taught((10 + RNG.normal(size=(600, D))).astype(np.float32))
    assert engine.inspector.concept_count() == 1
    assert warnings(engine, "stays at 1 concept")


def test_a_memory_that_stays_at_one_concept_says_what_to_do(taught, caplog):
    engine = taught(CROWD)
    assert engine.inspector.concept_count() == 1
    (said,) = warnings(engine, "stays at 1 concept")
    assert "they are all alike" in said
    assert "aesg tune" in said
    assert "fit_config" in said
    teach(engine, CROWD)
    assert len(warnings(engine, "stays at 1 concept")) == 1
    assert len(logged(caplog, "stays at 1 concept")) == 1, "once, however often it is asked"


def test_a_memory_in_which_nothing_comes_often_enough_says_so(taught, caplog):
    engine = taught(STRANGERS, novelty_explanation_threshold=0.9)
    assert engine.inspector.concept_count() == 1
    (said,) = warnings(engine, "stays at 1 concept")
    assert "none came 3 times" in said
    assert len(logged(caplog, "stays at 1 concept")) == 1


def test_a_memory_that_gives_birth_to_every_query_says_so(taught, caplog):
    engine = taught(STRANGERS, novelty_explanation_threshold=0.95, novelty_birth_threshold=1)
    assert engine.inspector.concept_count() > 590
    (said,) = warnings(engine, "became concepts of their own")
    assert "aesg tune" in said
    assert len(logged(caplog, "became concepts of their own")) == 1


def test_the_warning_goes_when_the_memory_has_settled(taught):
    engine = taught(STRANGERS, novelty_explanation_threshold=0.95, novelty_birth_threshold=1)
    for _ in range(3):
        teach(engine, STRANGERS)
    assert warnings(engine, "aesg tune") == []


@pytest.mark.parametrize(
    ("queries", "config"),
    [
        (THEMES, {}),
        (THEMES, {"novelty_birth_threshold": 1}),
        (np.repeat(STRANGERS[:1], 600, axis=0), {}),
        (STRANGERS[:250], {"novelty_birth_threshold": 1, "novelty_explanation_threshold": 0.95}),
        (np.zeros((600, D), np.float32), {}),
        (np.concatenate([np.repeat(STRANGERS[:1], 300, axis=0), np.zeros((300, D), np.float32)]), {}),
        (STRANGERS, {"memory_mode": "INFERENCE"}),
        (CROWD, {"max_concepts": 1}),
    ],
    ids=[
        "themes",
        "believed at once",
        "one thing",
        "too few",
        "nothing",
        "one thing and nothing",
        "asked",
        "one place",
    ],
)
def test_a_memory_that_is_used_rightly_is_not_alarmed(taught, caplog, queries, config):
    assert warnings(taught(queries, **config), "aesg tune") == []
    assert logged(caplog, "aesg tune") == []


def test_what_is_created_by_hand_is_no_birth_of_a_query(taught, caplog):
    engine = taught(STRANGERS[:0], novelty_birth_threshold=1)
    engine.create(STRANGERS)
    teach(engine, STRANGERS)
    assert engine.inspector.concept_count() == 600
    assert warnings(engine, "aesg tune") == []
    assert logged(caplog, "aesg tune") == []


def test_stats_count_what_was_taught(taught):
    engine = taught(np.concatenate([THEMES, np.zeros((40, D), np.float32)]))
    said = engine.inspector.stats()
    assert (said["taught"], said["born"]) == (600, 5)
    assert 12 <= said["taught_novel"] < 40
