"""What monitoring reads: Prometheus metrics of open memories, and a log with one JSON object a line.

    from aesg_graph import observe
    observe.expose(memory)                       # into prometheus_client's own registry
    prometheus_client.start_http_server(9109)

Nothing is counted for it but what the memory counts anyway, and nothing is asked of a server: a scrape reads what the
process knows. Each process exposes its own memories; sum over processes, and mind that counts of concepts are the
memory's and not the process's.
"""

from __future__ import annotations

import json
import logging
import time
import weakref
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, TextIO

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.latency import BOUNDS

LABELS = ("memory", "writer")
NEVER = -1.0


class MemoryCollector(Collector):
    """The metrics of one open memory. A closed one has none."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = weakref.ref(engine)

    def describe(self) -> list[Metric]:
        """Nothing is to be known before a scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now."""
        engine = self._engine()
        if engine is None or engine.closed or not engine.ours:
            return
        recorder, flusher = engine.recorder, engine.recorder.attendant()
        batches, size = flusher.lag()
        labels = engine.name, str(engine.writer)
        for name, told, amount in (
            ("aesg_recall_rows_cached", "Rows answered from the cache alone.", engine.recaller.hits),
            ("aesg_recall_rows_cold", "Rows for which a store was asked.", engine.recaller.misses),
            ("aesg_births", "Concepts that this process gave birth to.", recorder.births),
            ("aesg_removals", "Concepts that this process pruned or removed.", recorder.removals),
            ("aesg_consolidations", "Consolidations by this process.", engine.consolidations),
            ("aesg_flush_failures", "Failed attempts to take lessons to the stores.", flusher.failures),
            ("aesg_voided_operations", "Operations that met a concept that was gone.", recorder.voided),
        ):
            counter = CounterMetricFamily(name, told, labels=LABELS)
            counter.add_metric(labels, amount)
            yield counter
        for name, told, level in (
            ("aesg_journal_batches", "Acknowledged batches that wait for the stores.", batches),
            ("aesg_journal_bytes", "Their size.", size),
            ("aesg_concepts", "Concepts of the memory.", recorder.concepts),
            ("aesg_resident_concepts", "Concepts in this process's cache.", engine.residency.cache.resident),
            ("aesg_epoch", "The memory's epoch.", recorder.epoch),
            ("aesg_degraded", "1 while a server does not answer.", int(engine.degraded)),
            ("aesg_looked_seconds", "Since other processes' changes were taken over; -1: never.", _looked(engine)),
        ):
            gauge = GaugeMetricFamily(name, told, labels=LABELS)
            gauge.add_metric(labels, level)
            yield gauge
        yield _latency(engine, labels)


def _looked(engine: MemoryEngine) -> float:
    follower = engine.follower
    return NEVER if follower is None or follower.looked is None else time.monotonic() - follower.looked


def _latency(engine: MemoryEngine, labels: tuple[str, str]) -> Metric:
    bounds = [*map(str, BOUNDS), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(engine.latency.counts)), strict=True))
    histogram = HistogramMetricFamily("aesg_recall_seconds", "Seconds of one recall of a batch.", labels=LABELS)
    histogram.add_metric(labels, buckets, engine.latency.total)
    return histogram


def expose(memory: Any, registry: CollectorRegistry = REGISTRY) -> MemoryCollector:
    """Show an open memory (an ``AESGMemory`` or its engine) in a registry, until it is closed; the collector."""
    engine: MemoryEngine = memory if isinstance(memory, MemoryEngine) else memory.engine
    collector = MemoryCollector(engine)
    registry.register(collector)
    return collector


class JsonLines(logging.Formatter):
    """One JSON object a line: time (seconds since 1970), level, logger, message, and the error's type and text."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line."""
        said: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            said["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return json.dumps(said, ensure_ascii=False)


def log_json(stream: TextIO | None = None, level: int = logging.INFO) -> logging.Handler:
    """Let what the package logs go to a stream (stderr) as JSON lines; the handler, to be removed again."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("aesg_graph")
    log.addHandler(handler)
    log.setLevel(level)
    return handler
