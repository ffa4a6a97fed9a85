"""Two ranks learn into one memory; the stores hold exactly what the two journals recorded."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aesg_graph.concepts import COUNTER_BITS
from aesg_graph.config import AESGConfig
from aesg_graph.operations import Batch
from aesg_graph.stores.abc import MemoryHead
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from aesg_graph.stores.sqlite import SqliteGraphStore
from aesg_graph.sync import Comparison, windows
from tests.served.world import graph_rows, migrated, settings_for

HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "examples" / "data_parallel.py"
CONFIG = AESGConfig(vector_dim=64, value_dim=10, novelty_birth_threshold=1)


def batches_in(path):
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        found.append(Batch.decode(data[at + 8 : at + 8 + length]))
        at += 8 + length
    return found


def carried_out(batches, path):
    """A graph store to which the recorded batches happened, in the order in which they were recorded."""
    head = MemoryHead("replayed", 1, 0, 0, CONFIG.vector_dim, CONFIG.value_dim, CONFIG.to_json())
    store = SqliteGraphStore.create(path, head, CONFIG.thresholds, CONFIG.vocabulary)
    for writer in {batch.writer for batch in batches}:
        store.lease(writer)
    for batch in sorted(batches, key=lambda batch: (batch.at, batch.writer, batch.sequence)):
        while (state := store.writer(batch.writer)).incarnation < batch.incarnation:
            store.renew(state.id)
        (outcome,) = store.apply([batch])
        assert outcome.status == "applied", outcome
    return store


@pytest.fixture
def closing():
    with contextlib.ExitStack() as stack:
        yield lambda store: stack.enter_context(contextlib.closing(store))


def test_two_ranks_learn_into_one_memory_exactly_what_they_recorded(neo4j_server, qdrant_server, tmp_path, closing):
    migrated(neo4j_server)
    settings = settings_for(neo4j_server, qdrant_server, "two-ranks")
    environment = os.environ | {
        "AESG_GRAPH": settings.graph,
        "AESG_VECTORS": settings.vectors,
        "AESG_GRPC_PORT": str(settings.grpc_port or ""),
        "AESG_USER": settings.user,
        "AESG_PASSWORD": neo4j_server.password,
        "AESG_API_KEY": qdrant_server.api_key or "",
        "OMP_NUM_THREADS": "1",
    }
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(HERE / "recorded.py")]
    run = subprocess.run(
        [sys.executable, *launch, str(tmp_path), str(SCRIPT), str(tmp_path / "m"), "--memory", "two-ranks"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    try:
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
        assert run.stdout.count("named rightly") == 2
        graph = closing(Neo4jGraphStore.open(settings, CONFIG.vocabulary))
        store = closing(QdrantVectorStore.open(settings, CONFIG.vector_dim, CONFIG.value_dim))
        recorded = [batch for rank in (0, 1) for batch in batches_in(tmp_path / f"{rank}.batches")]
        replayed = closing(carried_out(recorded, tmp_path / "replayed.db"))
        writers = {batch.writer for batch in recorded}
        assert len(writers) == 2
        for writer in writers:
            last = max(batch.sequence for batch in recorded if batch.writer == writer)
            assert graph.writer(writer).sequence == last
        (concepts, edges), (expected, joined) = graph_rows(graph), graph_rows(replayed)
        assert concepts == expected
        assert edges == joined
        assert {id >> COUNTER_BITS for id in concepts} == writers
        comparison = Comparison(graph, store, None, np.empty(0, np.int64))
        for window in windows(graph, store, 1000, whole=False):
            comparison.look(window)
        assert comparison.findings() == []
        assert graph.recount() == graph.count()
    finally:
        Neo4jGraphStore.destroy(settings)
        QdrantVectorStore.destroy(settings)
