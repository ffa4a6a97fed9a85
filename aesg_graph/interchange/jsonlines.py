"""JSON lines: the memory's head, then a line a concept, then a line an edge."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np

from aesg_graph.concepts import NO_REGION, ConceptTable, EdgeTable, VectorTable
from aesg_graph.engine.reading import MemoryReader

COLUMNS = {
    "ids": "id",
    "kinds": "kind",
    "names": "name",
    "texts": "text",
    "sources": "source",
    "encoders": "encoder",
    "versions": "version",
    "created_at": "created_at",
    "modified_at": "modified_at",
    "born_epoch": "born_epoch",
    "touched_epoch": "touched_epoch",
    "relevance": "relevance",
    "use_frequency": "use_frequency",
    "contradictions": "contradictions",
    "region_id": "region_id",
}
"""A table's columns, and what a row's field is called. Relevance is as of ``touched_epoch``."""


class JsonLinesWriter:
    """Each line is an object with a ``type``: ``memory``, ``concept`` or ``edge``. Ids are integers of 63 bits."""

    def __init__(self, file: BinaryIO, reader: MemoryReader) -> None:
        self._file = file
        self._head = reader.head
        self._config = json.loads(reader.config.to_json())
        self._relations = reader.config.vocabulary.names

    def begin(self) -> None:
        """The memory's head."""
        head = self._head
        dims = {"vector_dim": head.vector_dim, "value_dim": head.value_dim}
        self._line({"type": "memory", "name": head.name, "epoch": head.epoch, **dims, "config": self._config})

    def concepts(self, table: ConceptTable, vectors: VectorTable | None) -> None:
        """A line each; ``key`` and ``value`` where vectors are given and there."""
        columns = [_listed(getattr(table, column)) for column in COLUMNS]
        for row in zip(*columns, strict=True):
            told = dict(zip(COLUMNS.values(), row, strict=True))
            if told["region_id"] == NO_REGION:
                told["region_id"] = None
            self._line({"type": "concept", **told, **_vectors(told["id"], vectors)})

    def edges(self, table: EdgeTable) -> None:
        """A line each, with the name of its relation."""
        names = ("source", "target", "relation", "weight", "confidence", "use_count", "created_at", "touched_epoch")
        relations = [self._relations[code] for code in table.types.tolist()]
        columns = (
            *(table.sources, table.targets, relations, table.weights, table.confidences),
            *(table.use_counts, table.created_at, table.touched_epoch),
        )
        for row in zip(*map(_listed, columns), strict=True):
            self._line({"type": "edge", **dict(zip(names, row, strict=True))})

    def end(self) -> None:
        """Nothing: the last line is the last edge."""

    def _line(self, content: dict[str, Any]) -> None:
        self._file.write(json.dumps(content, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _vectors(id: int, vectors: VectorTable | None) -> dict[str, list[float]]:
    if vectors is None or not len(vectors):
        return {}
    row = int(np.searchsorted(vectors.ids, id))
    if row == len(vectors) or vectors.ids[row] != id:
        return {}
    key = {"key": vectors.keys[row].tolist()}
    return key | {"value": vectors.values[row].tolist()} if vectors.has_value[row] else key


def _listed(column: Any) -> list[Any]:
    listed: list[Any] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return listed
