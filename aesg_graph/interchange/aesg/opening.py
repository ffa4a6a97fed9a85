"""Opening what `aesg` wrote: a directory, or a pack. Files are opened to read, and nothing is ever written to them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import NO_ID
from aesg_graph.errors import AESGStorageError
from aesg_graph.interchange.aesg.dimension import find_dimension
from aesg_graph.interchange.aesg.findings import Findings
from aesg_graph.interchange.aesg.layout import (
    CREATED,
    EDGE_TYPE,
    EDGES,
    EVENT_TYPE,
    HEADER,
    LOG,
    MAGIC,
    META,
    NODES,
    OUR_VERSION,
    VERSION,
    Records,
    node_type,
    reading,
    size_of,
)
from aesg_graph.interchange.aesg.meta import read_meta
from aesg_graph.sync.directory import FORMAT

BYTE = np.dtype([("byte", "u1")])
"""A file as bytes."""
UNKNOWN = len(("create", "merge", "split", "prune", "consolidate", "restructure"))
"""Event types from this one on are none."""


@dataclass(frozen=True)
class Opened:
    """What is there to be read. ``form``: "directory" or "pack"; ``lists``: whether the edges' lists are its own.

    ``created``: every id that the event log says was created; ``nodes_said``: how many meta.npy counts (-1: unknown).
    """

    path: Path
    form: str
    vector_dim: int
    nodes: Records
    edges: Records
    lists: bool
    created: npt.NDArray[np.uint64]
    nodes_said: int


def open_source(path: str | os.PathLike[str], vector_dim: int | None, findings: Findings) -> Opened:
    """Open a directory or a pack of `aesg`. AESGStorageError, naming the file, if it is neither or cannot be read."""
    where = Path(path).expanduser()
    if where.is_dir():
        return _directory(where, vector_dim, findings)
    if not where.exists():
        raise AESGStorageError(f"There is nothing at {where}, expected a directory or a pack of aesg")
    if not where.is_file():
        raise AESGStorageError(f"{where} is neither a directory nor a file, expected a directory or a pack of aesg")
    return _pack(where, vector_dim)


def _directory(where: Path, vector_dim: int | None, findings: Findings) -> Opened:
    if (where / FORMAT).is_file():
        raise AESGStorageError(f"{where} is a memory of this package already; 'aesg copy' takes it elsewhere")
    if not (where / NODES).is_file():
        raise AESGStorageError(f"{where} is no directory of aesg: it has no {NODES}")
    said = _said(where / META, findings)
    raw, _ = Records.of_file(where / NODES, BYTE)
    dim = find_dimension(raw, said.get("vector_dim"), vector_dim, findings)
    nodes, left = Records.of_file(where / NODES, node_type(dim))
    findings.add("nodes_cut", left)
    edges, lists = Records(where / EDGES, EDGE_TYPE, 0, 0), True
    if (where / EDGES).is_file():
        edges, left = Records.of_file(where / EDGES, EDGE_TYPE)
        findings.add("edges_cut", left)
    else:
        findings.add("no_edges", 1)
        lists = False
    created = _created(where / LOG, findings)
    return Opened(where, "directory", dim, nodes, edges, lists, created, said.get("node_count", NO_ID))


def _said(path: Path, findings: Findings) -> dict[str, int]:
    if not path.is_file():
        findings.add("meta_absent", 1)
        return {}
    said = read_meta(path)
    findings.add("meta_unreadable", not said)
    return said


def _created(path: Path, findings: Findings) -> npt.NDArray[np.uint64]:
    """Ids that the event log says were created; none where there is no log."""
    if not path.is_file():
        return np.empty(0, np.uint64)
    events, torn = Records.of_file(path, EVENT_TYPE)
    findings.add("log_torn", torn)
    found = [np.empty(0, np.uint64)]
    for _, rows in events.chunks():
        findings.add("log_damaged", int((rows["type"] >= UNKNOWN).sum()))
        found.append(rows["first"][rows["type"] == CREATED])
    return np.concatenate(found)


def _pack(where: Path, vector_dim: int | None) -> Opened:
    with reading(where), open(where, "rb") as file:
        head = file.read(HEADER.size)
    if not head.startswith(MAGIC):
        raise AESGStorageError(f"{where} is no pack of aesg: it does not begin with {MAGIC.decode()}")
    if len(head) < HEADER.size:
        raise AESGStorageError(f"{where} is a pack that was cut: {len(head)} bytes, expected {HEADER.size} at least")
    _, version, dim, nodes, edges, digest = HEADER.unpack(head)
    if version == OUR_VERSION:
        raise AESGStorageError(f"{where} is a pack of this package, not of aesg; 'aesg pack import' reads it")
    if version != VERSION:
        raise AESGStorageError(f"{where} is a pack of version {version}, expected {VERSION}")
    expected = HEADER.size + nodes * (53 + 4 * dim) + edges * EDGE_TYPE.itemsize
    if dim < 1 or size_of(where) != expected:
        raise AESGStorageError(
            f"{where} is damaged: its header says {nodes} nodes of {dim} numbers and {edges} edges, which take "
            f"{expected} bytes, and it has {size_of(where)}"
        )
    if vector_dim not in (None, dim):
        raise AESGStorageError(f"{where} has vectors of {dim} numbers, and vector_dim={vector_dim} was said")
    if _digest(where) != digest:
        raise AESGStorageError(f"{where} is damaged: what it holds does not have the SHA-256 that its header says")
    type = node_type(dim)
    behind = HEADER.size + nodes * type.itemsize
    rows, links = Records(where, type, HEADER.size, nodes), Records(where, EDGE_TYPE, behind, edges)
    return Opened(where, "pack", dim, rows, links, False, np.empty(0, np.uint64), NO_ID)


def _digest(where: Path) -> bytes:
    digest = hashlib.sha256()
    with reading(where), open(where, "rb") as file:
        file.seek(HEADER.size)
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.digest()
