"""A memory that the package `aesg` itself made, what is in it, and ways to damage copies of it."""

import contextlib
import os
import shutil
from dataclasses import dataclass

import numpy as np

from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.moving import Place, sources
from aesg_graph.interchange.aesg import import_aesg
from aesg_graph.interchange.aesg.layout import EDGE_TYPE, HEADER, node_type
from aesg_graph.settings import StoreSettings

DIM, CONCEPTS, RECORDS = 12, 40, 64
NODE = node_type(DIM)
MERGED = 7
"""The place of a concept that `aesg` merged into the one before."""


@dataclass(frozen=True)
class Original:
    """A directory and a pack, as `aesg` saved them, and its own arrays of that moment."""

    folder: object
    pack: object
    nodes: np.ndarray
    edges: np.ndarray

    @property
    def active(self):
        return self.nodes[self.nodes["is_active"] == 1]


def make(root):
    """Concepts with lives, edges between them, one merged away; saved and exported by `aesg` 3.0.0."""
    import torch
    from aesg.config import AESGConfig as OtherConfig
    from aesg.memory.controller import AESGMemory as OtherMemory

    memory = OtherMemory(str(root / "original"), OtherConfig(vector_dim=DIM))
    storage, engine = memory.storage, memory.cognitive_engine
    drawn = np.random.default_rng(0)
    for vector in drawn.standard_normal((CONCEPTS, DIM)).astype(np.float32) * 3:
        engine.create_sensory_concept(torch.from_numpy(vector))
    for place in range(CONCEPTS - 1):
        storage.add_edge(place, int(storage.nodes[place + 1]["id"]), 0.1 + 0.02 * place, 0.75)
        storage.add_edge(place, int(storage.nodes[(place + 9) % CONCEPTS]["id"]), 0.3)
    for _ in range(3):
        memory.update_topology()
    storage.nodes["use_frequency"][:CONCEPTS] = np.arange(CONCEPTS) % 11
    storage.nodes["region_id"][:5] = 4
    engine.merge_concepts(MERGED - 1, MERGED)
    memory.save()
    memory.export_pack(str(root / "original.aesgpack"))
    nodes, edges = (
        np.array(a[:n]) for a, n in ((storage.nodes, storage.node_count), (storage.edges, storage.edge_count))
    )
    return Original(root / "original", root / "original.aesgpack", nodes, edges)


def trimmed(folder, target):
    """A copy whose files have room for few records more than they hold: `aesg` gives them room for millions."""
    target.mkdir()
    for name, size in (("nodes.aesg", NODE.itemsize * RECORDS), ("edges.aesg", EDGE_TYPE.itemsize * 4 * RECORDS)):
        with open(folder / name, "rb") as file:
            (target / name).write_bytes(file.read(size))
    for name in ("meta.npy", "evolution.aesglog"):
        shutil.copyfile(folder / name, target / name)
    return target


class Changed:
    """Opens a file's records to be changed: ``with changed_nodes(folder) as rows: rows["id"][3] = ...``."""

    def __init__(self, path, type):
        self._path, self._type = path, type

    def __enter__(self):
        self._rows = np.fromfile(self._path, self._type)
        return self._rows

    def __exit__(self, *_):
        self._rows.tofile(self._path)


def changed_nodes(folder):
    return Changed(folder / "nodes.aesg", NODE)


def changed_edges(folder):
    return Changed(folder / "edges.aesg", EDGE_TYPE)


def header(pack, **said):
    """Write other values into the header of a pack."""
    data = pack.read_bytes()
    fields = dict(zip(("magic", "version", "dim", "nodes", "edges", "digest"), HEADER.unpack(data[:56]), strict=True))
    pack.write_bytes(HEADER.pack(*(fields | said).values()) + data[56:])


def stamps(path):
    """Every byte of a file or a folder, and when each was written last."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {str(file): (file.read_bytes(), os.stat(file).st_mtime_ns) for file in files}


@contextlib.contextmanager
def engine_at(path, config=None):
    """A memory of ours, open."""
    engine = MemoryEngine(path, config, StoreSettings())
    try:
        yield engine
    finally:
        engine.close()


def found(report):
    """Findings by their names."""
    return {finding.what: finding.count for finding in report.findings}


def looked_at(source, **how):
    """The report of a dry run."""
    return import_aesg(source, dry_run=True, **how)


@dataclass(frozen=True)
class Held:
    """What a memory of ours holds: concepts by their text, with keys; edges by the texts of their ends."""

    concepts: dict
    edges: dict
    keys: dict
    head: object


def held(place):
    """All of a memory that nobody has open."""
    place = place if isinstance(place, Place) else Place.named(str(place))
    with sources.opened(place) as source:
        page = source.graph.page(-1, 10_000)
        t, e = page.concepts.table, page.edges
        texts = dict(zip(t.ids.tolist(), t.texts, strict=True))
        vectors = source.vectors.fetch(t.ids)
        columns = (t.relevance, t.use_frequency, t.born_epoch, t.created_at, t.region_id, t.kinds, t.names)
        names = ("relevance", "uses", "born", "created", "region", "kind", "name")
        rows = zip(*(c.tolist() if isinstance(c, np.ndarray) else c for c in columns), strict=True)
        concepts = [dict(zip(names, row, strict=True)) for row in rows]
        lives = dict(zip(t.texts, concepts, strict=True))
        ends = zip(e.sources.tolist(), e.targets.tolist(), strict=True)
        said = zip(e.weights.tolist(), e.confidences.tolist(), e.use_counts.tolist(), strict=True)
        edges = {frozenset(map(texts.get, pair)): row for pair, row in zip(ends, said, strict=True)}
        keys = dict(zip(map(texts.get, vectors.ids.tolist()), vectors.keys, strict=True))
        assert len(lives) == len(t)
        return Held(lives, edges, keys, source.graph.standing().head)


def expected_edges(nodes, edges):
    """Pairs of texts, and the greatest weight clipped to 1, of edges between active concepts."""
    active, pairs = set(nodes["id"].tolist()), {}
    for edge in edges:
        ends = int(edge["source_id"]), int(edge["target_id"])
        if active.issuperset(ends) and ends[0] != ends[1]:
            pair = frozenset(map(text, ends))
            pairs[pair] = max(pairs.get(pair, 0.0), min(1.0, float(edge["weight"])))
    return pairs


def text(id):
    return f"aesg id {id}"
