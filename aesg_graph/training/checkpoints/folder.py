"""A checkpoint's folder: written beside its place and moved there whole; every file in it has a checksum.

``manifest.json`` lists each file with its size and SHA-256, has a checksum of its own, and is written last. A
checkpoint that takes another's place is moved there by two renames; a reader who finds only the older one takes that.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aesg_graph.errors import AESGStorageError

FORMAT = 1
MANIFEST, STATE = "manifest.json", "training_state.json"


def draft_of(path: Path) -> Path:
    """Where a checkpoint is written before it is whole."""
    return path.with_name(f".{path.name}.part")


def older_of(path: Path) -> Path:
    """Where the checkpoint is that another is just taking the place of."""
    return path.with_name(f".{path.name}.older")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A folder to write a checkpoint into, which is at ``path`` when the block ends without an error.

    AESGStorageError, with nothing at ``path`` changed, if something else is there, or if the disk fails.
    """
    _require_place(path)
    draft = draft_of(path)
    try:
        shutil.rmtree(draft, ignore_errors=True)  # what was cut short
        draft.mkdir(parents=True)
        yield draft
        _seal(draft)
        _put_in_place(draft, path)
    except OSError as error:
        raise AESGStorageError(f"Cannot write the checkpoint {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people and programs to read."""
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def is_checkpoint(path: Path) -> bool:
    """Whether a folder looks like a checkpoint; whether it is whole, :class:`CheckpointFolder` tells."""
    return (path / MANIFEST).is_file() and (path / STATE).is_file()


def remove(path: Path) -> None:
    """Remove a checkpoint: at once it is none, then its files go."""
    older = older_of(path)
    shutil.rmtree(older, ignore_errors=True)
    os.rename(path, older)
    shutil.rmtree(older, ignore_errors=True)


class CheckpointFolder:
    """A checkpoint that is being read, every file of which was looked at.

    AESGStorageError, naming the file, if one is not as it was written.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists() and is_checkpoint(older := older_of(path)):
            path = older  # a kill came between the two renames that were to put a newer one here
        self.path = path
        for name, (size, digest) in _listed(path).items():
            if (found := _digest(path / name)) != (size, digest):
                said = f"it has {found[0]} bytes, expected {size}" if found[0] != size else "its checksum differs"
                raise AESGStorageError(f"The checkpoint is damaged: {path / name} is not as it was written ({said})")

    def json(self, name: str) -> Any:
        """The content of a JSON file in it."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AESGStorageError(f"{self.path / name} of a checkpoint cannot be read: {error}") from error


def _require_place(path: Path) -> None:
    if path.exists() and not is_checkpoint(path) and (not path.is_dir() or any(path.iterdir())):
        raise AESGStorageError(f"There is something at {path} that is no checkpoint, expected a new folder")


def _seal(draft: Path) -> None:
    """Take every file to disk, and say in the manifest what each is."""
    files = {}
    for file in sorted(draft.rglob("*")):
        _sync(file)
        if file.is_file():
            files[file.relative_to(draft).as_posix()] = _digest(file)
    body = {"format": FORMAT, "files": files}
    write_json(draft / MANIFEST, {"checksum": _checksum(body), "checkpoint": body})
    _sync(draft / MANIFEST)
    _sync(draft)


def _put_in_place(draft: Path, path: Path) -> None:
    older = older_of(path)
    if path.exists():
        shutil.rmtree(older, ignore_errors=True)
        os.rename(path, older)
    try:
        os.rename(draft, path)
    except OSError:
        if older.exists():
            os.rename(older, path)
        raise
    _sync(path.parent)
    shutil.rmtree(older, ignore_errors=True)


def _listed(path: Path) -> dict[str, tuple[int, str]]:
    """The files that the manifest names."""
    manifest = path / MANIFEST
    try:
        found = json.loads(manifest.read_bytes())
        body = found["checkpoint"]
        if body["format"] != FORMAT:
            raise AESGStorageError(f"{manifest} has format {body['format']}, and this version reads format {FORMAT}")
        if _checksum(body) != found["checksum"]:
            raise ValueError("its checksum differs")
        return {name: (int(size), str(digest)) for name, (size, digest) in body["files"].items()}
    except OSError as error:
        raise AESGStorageError(
            f"There is no whole checkpoint in {path}: {MANIFEST} cannot be read ({error.strerror})"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AESGStorageError(f"The checkpoint is damaged: {manifest} is not as it was written ({error})") from error


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> tuple[int, str]:
    try:
        with path.open("rb") as file:
            return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AESGStorageError(f"The checkpoint is damaged: {path} cannot be read ({error.strerror})") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
