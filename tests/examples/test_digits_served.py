from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.qdrant import QdrantVectorStore
from tests.served.world import settings_for


def test_the_demo_learns_into_servers_and_asks_them(
    examples: Path,
    neo4j_server: Any,
    qdrant_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import digits_served

    settings = settings_for(neo4j_server, qdrant_server, "demo")
    monkeypatch.setenv("AESG_GRAPH", str(settings.graph))
    monkeypatch.setenv("AESG_VECTORS", str(settings.vectors))
    monkeypatch.setenv("AESG_GRPC_PORT", str(settings.grpc_port or ""))
    monkeypatch.setenv("AESG_PASSWORD", neo4j_server.password)
    try:
        digits_served.main(["--quick", "--memory", "demo"])
    finally:
        Neo4jGraphStore.destroy(settings)
        QdrantVectorStore.destroy(settings)
    said = capsys.readouterr().out
    for title in digits_served.QUERIES:
        assert title in said
    assert "a 0" in said
    assert "a 9" in said
