"""A backup on disk: a folder of parts, and a manifest without which they are nothing.

A part is an uncompressed ``.npz`` (no pickles; texts are JSON in UTF-8) with concepts, edges that start at them, their
vectors, and tombstones. A part that *amends* some ids stands for all that earlier parts say of them, and of edges that
touch them. The manifest lists every part with its size and SHA-256, has a checksum of its own, and is written last;
the folder gets its name when everything in it is on disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import ConceptTable, Flags, Ids, VectorTable, among, distinct
from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import MemoryHead, WriterPosition
from aesg_graph.stores.portable import ConceptRows, EdgeRows, Standing, TombstoneRows

FORMAT = 1
MANIFEST = "manifest.json"
READ = 1 << 20
"""Bytes that are hashed at once."""
TEXTS = frozenset({"kinds", "names", "texts", "sources", "encoders"})
"""dict[str, Any] of concepts that hold texts."""
Table = TypeVar("Table", ConceptTable, EdgeRows, VectorTable, TombstoneRows)


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a memory. ``amends`` (ascending): ids of which earlier parts no longer hold."""

    concepts: ConceptRows
    edges: EdgeRows
    vectors: VectorTable
    tombstones: TombstoneRows
    amends: Ids


@dataclass(frozen=True)
class Held:
    """How much a backup holds."""

    concepts: int
    edges: int
    vectors: int
    tombstones: int


@dataclass(frozen=True)
class Manifest:
    """What a backup is. ``created_at``: seconds since 1970; ``files``: name to [bytes, SHA-256]."""

    format: int
    package: str
    created_at: float
    engine: str
    standing: Standing
    relations: tuple[str, ...]
    held: Held
    files: dict[str, tuple[int, str]]


class ArchiveWriter:
    """A backup that is being written. Nothing is at ``path`` before :meth:`finish`."""

    def __init__(self, path: Path) -> None:
        """AESGStorageError if there is something at ``path``, an empty folder aside."""
        self.path = path.absolute()
        self._draft = self.path.with_name(f".{self.path.name}.part")
        self._files: dict[str, tuple[int, str]] = {}
        self._amended: list[Ids] = []
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise AESGStorageError(f"Cannot write a backup to {path}: something is there, expected a new folder")
        try:
            shutil.rmtree(self._draft, ignore_errors=True)  # what was cut short
            self._draft.mkdir(parents=True)
        except OSError as error:
            raise AESGStorageError(f"Cannot write a backup to {path}: {error.strerror or error}") from error

    def add(self, part: Part) -> None:
        """Write one more part."""
        columns: dict[str, Any] = {"amends": part.amends, "writers": part.concepts.writers}
        columns["sequences"] = part.concepts.sequences
        tables: dict[str, Any] = {
            "concept": part.concepts.table,
            "edge": part.edges,
            "vector": part.vectors,
            "tomb": part.tombstones,
        }
        for prefix, table in tables.items():
            for field in fields(table):
                columns[f"{prefix}.{field.name}"] = _plain(getattr(table, field.name))
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **columns)
        self._write(f"part-{len(self._files):06}.npz", file.getvalue())

    def finish(self, engine: str, standing: Standing, relations: tuple[str, ...], created_at: float) -> Manifest:
        """Write the manifest, and give the folder its name."""
        from importlib.metadata import version

        held = _counted(self._draft, list(self._files))
        package = version("aesg-graph")
        manifest = Manifest(FORMAT, package, created_at, engine, standing, relations, held, dict(self._files))
        body = asdict(manifest)
        text = json.dumps({"checksum": _checksum(body), "backup": body}, indent=1)
        self._write(MANIFEST, text.encode())
        try:
            _sync(self._draft)
            os.rename(self._draft, self.path)
            _sync(self.path.parent)
        except OSError as error:
            raise AESGStorageError(f"Cannot write a backup to {self.path}: {error.strerror or error}") from error
        return manifest

    def abandon(self) -> None:
        """Remove what was written so far, if it was not finished."""
        shutil.rmtree(self._draft, ignore_errors=True)

    def _write(self, name: str, data: bytes) -> None:
        try:
            with open(self._draft / name, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise AESGStorageError(f"Cannot write {name} of the backup {self.path}: {error.strerror}") from error
        if name != MANIFEST:
            self._files[name] = len(data), hashlib.sha256(data).hexdigest()


class Archive:
    """A backup that is being read. AESGStorageError for a folder without a valid manifest."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.manifest = _manifest(self.path)

    def verify(self) -> None:
        """AESGStorageError, naming the file, unless every file is as it was written."""
        for name, (size, digest) in self.manifest.files.items():
            found = _digest(self.path / name)
            if found != (size, digest):
                said = f"it has {found[0]} bytes, expected {size}" if found[0] != size else "its checksum differs"
                raise AESGStorageError(f"The backup is damaged: {self.path / name} is not as it was written ({said})")

    def parts(self) -> Iterator[Part]:
        """Every part, without what later parts amend."""
        return _parts(self.path, list(self.manifest.files))


def _parts(folder: Path, names: list[str]) -> Iterator[Part]:
    """Parts in the order in which they were written, without what later ones amend."""
    amended = [_column(folder / name, "amends") for name in names]
    for place, name in enumerate(names):
        part = _read(folder / name)
        later = [ids for ids in amended[place + 1 :] if ids.size]
        yield _without(part, distinct(np.concatenate(later))) if later else part


def _without(part: Part, ids: Ids) -> Part:
    concepts, edges = part.concepts, part.edges
    kept = ~among(concepts.table.ids, ids)
    loose = ~(among(edges.sources, ids) | among(edges.targets, ids))
    rows = ConceptRows(_picked(concepts.table, kept), concepts.writers[kept], concepts.sequences[kept])
    vectors = _picked(part.vectors, ~among(part.vectors.ids, ids))
    tombstones = _picked(part.tombstones, ~among(part.tombstones.ids, ids))
    return Part(rows, _picked(edges, loose), vectors, tombstones, part.amends)


def _picked(table: Table, keep: Flags) -> Table:
    """The rows of a table that a mask keeps."""
    chosen = np.flatnonzero(keep).tolist()
    columns: dict[str, Any] = {}
    for field in fields(table):
        column = getattr(table, field.name)
        columns[field.name] = column[keep] if isinstance(column, np.ndarray) else tuple(column[i] for i in chosen)
    return type(table)(**columns)


def _counted(folder: Path, names: list[str]) -> Held:
    counts = np.zeros(4, np.int64)
    for part in _parts(folder, names):
        counts += len(part.concepts), len(part.edges), len(part.vectors), len(part.tombstones)
    return Held(*counts.tolist())


def _plain(column: Any) -> npt.NDArray[Any]:
    """A column as an array: texts as one of bytes."""
    if isinstance(column, np.ndarray):
        return column
    return np.frombuffer(json.dumps(column, ensure_ascii=False).encode(), np.uint8)


def _read(path: Path) -> Part:
    try:
        with np.load(path, allow_pickle=False) as stored:
            tables: dict[str, dict[str, Any]] = {"concept": {}, "edge": {}, "vector": {}, "tomb": {}}
            for key in stored.files:
                prefix, _, name = key.partition(".")
                if name:
                    tables[prefix][name] = _restored(prefix, name, stored[key])
            concepts = ConceptRows(ConceptTable(**tables["concept"]), stored["writers"], stored["sequences"])
            edges, vectors = EdgeRows(**tables["edge"]), VectorTable(**tables["vector"])
            return Part(concepts, edges, vectors, TombstoneRows(**tables["tomb"]), stored["amends"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise AESGStorageError(f"Cannot read {path} of a backup: {error}") from error


def _restored(prefix: str, name: str, column: npt.NDArray[Any]) -> Any:
    return tuple(json.loads(column.tobytes())) if prefix == "concept" and name in TEXTS else column


def _column(path: Path, name: str) -> Ids:
    try:
        with np.load(path, allow_pickle=False) as stored:
            column: Ids = stored[name]
            return column
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise AESGStorageError(f"Cannot read {path} of a backup: {error}") from error


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        raise AESGStorageError(
            f"There is no backup in {folder}: {MANIFEST} cannot be read ({error.strerror}); without it there is none"
        ) from error
    try:
        found = json.loads(text)
        body = found["backup"]
        if body["format"] != FORMAT:
            raise AESGStorageError(f"{path} has format {body['format']}, and this version reads format {FORMAT}")
        if _checksum(body) != found["checksum"]:
            raise ValueError("its checksum differs")
        return _as_manifest(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AESGStorageError(f"The backup is damaged: {path} is not as it was written ({error})") from error


def _as_manifest(body: dict[str, Any]) -> Manifest:
    said = body["standing"]
    writers = tuple(WriterPosition(**writer) for writer in said["writers"])
    standing = Standing(MemoryHead(**said["head"]), Thresholds(**said["limits"]), writers)
    files = {name: (int(size), str(digest)) for name, (size, digest) in body["files"].items()}
    known = {"standing": standing, "relations": tuple(body["relations"]), "held": Held(**body["held"]), "files": files}
    return Manifest(**(body | known))


def _checksum(body: dict[str, Any]) -> str:
    """Of the manifest's content, however it is laid out."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        with open(path, "rb") as file:
            while data := file.read(READ):
                digest.update(data)
                size += len(data)
    except OSError as error:
        raise AESGStorageError(f"The backup is damaged: {path} cannot be read ({error.strerror})") from error
    return size, digest.hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
