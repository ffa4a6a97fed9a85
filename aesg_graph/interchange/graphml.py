"""GraphML (Brandes et al. 2002), as networkx, igraph, Gephi and yEd read it: concepts are nodes, named by their ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from aesg_graph.concepts import NO_REGION, ConceptTable, EdgeTable, VectorTable
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.interchange.jsonlines import COLUMNS

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document can hold, escaped or not; texts may."""

TEXTS = ("kind", "name", "text", "source", "encoder")
NODE = {c: "string" if c in TEXTS else "long" for c in COLUMNS.values() if c != "id"} | {
    "relevance": "double",
    "created_at": "double",
    "modified_at": "double",
    "key": "string",
    "value": "string",
}
EDGE = {
    "relation": "string",
    "weight": "double",
    "confidence": "double",
    "use_count": "long",
    "created_at": "double",
    "touched_epoch": "long",
}


class GraphMLWriter:
    """A directed graph. Vectors, which GraphML cannot say, are texts of numbers with blanks between them."""

    def __init__(self, file: BinaryIO, reader: MemoryReader) -> None:
        self._file = file
        self._name = reader.head.name
        self._relations = reader.config.vocabulary.names

    def begin(self) -> None:
        """What the attributes of nodes and edges are."""
        self._write('<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
        for what, attributes in (("node", NODE), ("edge", EDGE)):
            for name, kind in attributes.items():
                self._write(f'<key id="{what}_{name}" for="{what}" attr.name="{name}" attr.type="{kind}"/>\n')
        self._write(f'<graph id={quoteattr(_clean(self._name))} edgedefault="directed">\n')

    def concepts(self, table: ConceptTable, vectors: VectorTable | None) -> None:
        """A node each."""
        columns = {name: getattr(table, column) for column, name in COLUMNS.items() if name != "id"}
        places = {} if vectors is None else {id: row for row, id in enumerate(vectors.ids.tolist())}
        for row, id in enumerate(table.ids.tolist()):
            told = {name: column[row] for name, column in columns.items()}
            if told["region_id"] == NO_REGION:
                told["region_id"] = None
            if vectors is not None and id in places:
                told |= _vectors(vectors, places[id])
            self._write(f'<node id="{id}">{_data("node", told.items())}</node>\n')

    def edges(self, table: EdgeTable) -> None:
        """An edge each, with the name of its relation."""
        columns = (table.weights, table.confidences, table.use_counts, table.created_at, table.touched_epoch)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        ends = zip(table.sources.tolist(), table.targets.tolist(), table.types.tolist(), strict=True)
        for (source, target, code), row in zip(ends, rows, strict=True):
            told = _data("edge", zip(EDGE, (self._relations[code], *row), strict=True))
            self._write(f'<edge source="{source}" target="{target}">{told}</edge>\n')

    def end(self) -> None:
        """Close what is open."""
        self._write("</graph>\n</graphml>\n")

    def _write(self, text: str) -> None:
        self._file.write(text.encode())


def _data(what: str, told: Iterable[tuple[str, Any]]) -> str:
    return "".join(
        f'<data key="{what}_{name}">{escape(_clean(str(value)))}</data>' for name, value in told if value is not None
    )


def _vectors(vectors: VectorTable, row: int) -> dict[str, str]:
    key = {"key": _numbers(vectors.keys[row])}
    return key | {"value": _numbers(vectors.values[row])} if vectors.has_value[row] else key


def _numbers(vector: np.ndarray[Any, np.dtype[np.float32]]) -> str:
    return " ".join(map(str, vector))


def _clean(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)
