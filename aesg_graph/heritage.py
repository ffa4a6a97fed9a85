"""Names that the `aesg` library made public, as views of the engine: they read, and write as any lesson does."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from aesg_graph.engine import MemoryEngine
from aesg_graph.tensors import as_array, as_tensor, check_query


class StorageView:
    """``memory.storage``: how much there is, and the concepts as a read-only structured array."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    @property
    def node_count(self) -> int:
        """How many concepts there are."""
        return self._engine.inspector.concept_count()

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        return self._engine.inspector.edge_count()

    @property
    def nodes(self) -> npt.NDArray[Any]:
        """[node_count] records: id, vector, created_at, modified_at, use_frequency, relevance (today's), age,
        stability, region_id, is_active (1: what is pruned is gone). A copy; writing to it is an error.
        """
        return self._engine.inspector.records()


class LoggerView:
    """``memory.logger``: the history of the memory."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    def get_history(self) -> list[dict[str, Any]]:
        """Events as dicts with timestamp, type, id1, id2 and val, oldest first."""
        return self._engine.inspector.history(None)


class CognitiveEngineView:
    """``memory.cognitive_engine``: births and consolidation by hand."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    @property
    def epoch(self) -> int:
        """The memory's epoch."""
        return self._engine.recorder.epoch

    def create_sensory_concept(self, query_vector: Any) -> int | None:
        """Give birth to one concept from a vector [D]; its id, None where the mode forbids it."""
        given = as_tensor(query_vector, "query_vector")
        check_query(given, self._engine.config, rows=1)
        ids = self._engine.create(as_array(given.reshape(1, -1), "query_vector"))
        return int(ids[0]) if ids.size else None

    def consolidate(self) -> None:
        """Begin the next epoch and prune what is due."""
        self._engine.consolidate()
