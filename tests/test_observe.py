"""Metrics say what the memory did, and logs are lines of JSON."""

import io
import json
import logging

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from aesg_graph import observe
from aesg_graph.config import AESGConfig, StoreSettings
from aesg_graph.engine import MemoryEngine

CONFIG = AESGConfig(vector_dim=4, novelty_birth_threshold=1)


@pytest.fixture
def engine(tmp_path):
    engine = MemoryEngine(tmp_path / "digits", CONFIG, StoreSettings())
    yield engine
    engine.close()


@pytest.fixture
def scrape(engine):
    registry = CollectorRegistry()
    observe.expose(engine, registry)

    def read():
        lines = generate_latest(registry).decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}

    return read


def value(metrics, name, **labels):
    wanted = [f'{key}="{text}"' for key, text in labels.items()]
    (found,) = [v for k, v in metrics.items() if k.startswith(name + "{") and all(w in k for w in wanted)]
    return found


def test_metrics_count_what_happened(engine, scrape):
    ids = engine.create(np.eye(4))
    engine.remove(ids[:1])
    engine.recall(engine.query(np.eye(4)))
    engine.recall(engine.query(np.eye(4)[:1]))
    engine.consolidate()
    engine.flush()
    metrics = scrape()
    assert value(metrics, "aesg_births_total") == 4
    assert value(metrics, "aesg_removals_total") == 1
    assert value(metrics, "aesg_concepts") == 3
    assert value(metrics, "aesg_recall_rows_cached_total") == 5
    assert value(metrics, "aesg_consolidations_total") == value(metrics, "aesg_epoch") == 1
    assert value(metrics, "aesg_journal_batches") == value(metrics, "aesg_flush_failures_total") == 0
    assert value(metrics, "aesg_degraded") == 0
    assert value(metrics, "aesg_recall_seconds_count") == value(metrics, "aesg_recall_seconds_bucket", le="+Inf") == 2
    assert value(metrics, "aesg_recall_seconds_sum") == engine.latency.total > 0
    assert value(metrics, "aesg_concepts", memory="digits", writer=str(engine.writer)) == 3


def test_a_closed_memory_has_no_metrics(engine, scrape):
    engine.close()
    assert scrape() == {}


def test_buckets_hold_what_took_at_most_so_long():
    from aesg_graph.engine.latency import BOUNDS, Latency

    latency = Latency()
    for seconds in (BOUNDS[0], BOUNDS[0] * 1.01, 1e9):
        latency.observe(seconds)
    assert (latency.counts[0], latency.counts[1], latency.counts[-1]) == (1, 1, 1)


def test_logs_are_lines_of_json():
    stream = io.StringIO()
    handler = observe.log_json(stream)
    log = logging.getLogger("aesg_graph.test")
    try:
        log.info("a %s", "thing")
        try:
            raise ValueError("bad")
        except ValueError:
            log.exception("went wrong")
    finally:
        logging.getLogger("aesg_graph").removeHandler(handler)
        logging.getLogger("aesg_graph").setLevel(logging.NOTSET)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["message"], first["level"], first["logger"]) == ("a thing", "INFO", "aesg_graph.test")
    assert second["error"] == "ValueError: bad"
