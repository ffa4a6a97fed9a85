"""The files of an Edge shard: what it is, whether it is whole, and whether there is room to write.

Edge itself opens a shard whose segments or id files are gone, and shows fewer points. So two small files of ours lie
beside its own. ``shard.json`` says what the shard is and which segments it has. ``seal.json`` lists the files' sizes
and the number of points; an orderly close writes it and the first write removes it, so where it is, all of it must
hold. After a kill there is no seal, and Edge's write-ahead log mends what was cut short.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from aesg_graph.errors import AESGStorageError

FORMAT = 1
IDENTITY = "shard.json"
SEAL = "seal.json"
EDGE_CONFIG = "edge_config.json"
SEGMENTS = "segments"
SEGMENT_PARTS = ("segment.json", "version.info", "payload_storage", "vector_storage-key")
ROOM = 8 << 20
"""Bytes that must stay free. Edge writes into sparse mapped files, where a full disk kills the process (SIGBUS)."""


def segments(path: Path) -> list[str]:
    """The segments that lie whole on disk, by name. One without a version was cut short, and Edge removes it."""
    return sorted(file.parent.name for file in (path / SEGMENTS).glob("*/version.info"))


def write_identity(path: Path, vector_dim: int, value_dim: int, names: list[str]) -> None:
    """Record what the shard is and its segments: none while an optimisation may be replacing them."""
    identity = {"format": FORMAT, "vector_dim": vector_dim, "value_dim": value_dim, "segments": names}
    _write_json(path / IDENTITY, identity)


def check(path: Path, vector_dim: int, value_dim: int) -> int | None:
    """AESGStorageError unless a whole shard of these dimensions lies at ``path``.

    The number of points that the seal tells, None after a kill.
    """
    if not path.exists():
        raise AESGStorageError(f"No vector shard at {path}: it does not exist")
    if not path.is_dir():
        raise AESGStorageError(f"No vector shard at {path}: found a file, expected a directory")
    identity = _read_json(path, IDENTITY)
    if identity is None:
        raise AESGStorageError(f"No vector shard at {path}: {IDENTITY} is missing")
    try:
        _check_identity(path, identity, vector_dim, value_dim)
        for name in ("wal", EDGE_CONFIG, SEGMENTS):
            _require(path, name)
        parts = (*SEGMENT_PARTS, "vector_storage-value") if value_dim else SEGMENT_PARTS
        for segment in identity["segments"]:
            for part in parts:
                _require(path, f"{SEGMENTS}/{segment}/{part}")
        return _check_seal(path)
    except (KeyError, TypeError, AttributeError) as error:
        raise AESGStorageError(f"{IDENTITY} or {SEAL} at {path} is damaged: {error!r}") from error


def _check_identity(path: Path, identity: dict[str, Any], vector_dim: int, value_dim: int) -> None:
    if identity["format"] != FORMAT:
        raise AESGStorageError(f"The vector shard at {path} has format {identity['format']}, expected {FORMAT}")
    found = {name: identity[name] for name in ("vector_dim", "value_dim")}
    if found != {"vector_dim": vector_dim, "value_dim": value_dim}:
        raise AESGStorageError(
            f"The vector shard at {path} has vector_dim {found['vector_dim']} and value_dim {found['value_dim']}, "
            f"expected vector_dim {vector_dim} and value_dim {value_dim}"
        )


def _check_seal(path: Path) -> int | None:
    seal = _read_json(path, SEAL)
    if seal is None:
        return None
    for name, size in seal["files"].items():
        _require(path, name)
        found = (path / name).stat().st_size
        if found != size:
            raise AESGStorageError(f"The vector shard at {path} is damaged: {name} has {found} bytes, expected {size}")
    return int(seal["points"])


def in_use(path: Path) -> bool:
    """Whether somebody has the shard open: Edge locks the folder of its log."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path / "wal", os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


def is_sealed(path: Path) -> bool:
    """Whether the shard was closed in order and not written since."""
    return (path / SEAL).exists()


def seal(path: Path, points: int) -> None:
    """Record that the shard was closed in order, with so many points."""
    # Edge writes this one anew whenever it lets go of a shard, in a form of its own if nobody closed it in order.
    rewritten = SEGMENT_PARTS[0]
    found = sorted(file for file in (path / SEGMENTS).rglob("*") if file.is_file() and file.name != rewritten)
    sizes = {file.relative_to(path).as_posix(): file.stat().st_size for file in found}
    with suppress(OSError):  # On a full disk: the shard is then opened as after a kill.
        _write_json(path / SEAL, {"points": points, "files": sizes})


def unseal(path: Path) -> None:
    """Remove the seal, for good: it must not come back after a power cut, when sizes have changed."""
    (path / SEAL).unlink(missing_ok=True)
    _sync_directory(path)


def settle(path: Path) -> None:
    """Put Edge's JSON files in a fixed order: Edge writes them in a random one whenever it opens or closes a shard.

    So opening a memory and closing it leaves every byte as it was.
    """
    for file in (path / EDGE_CONFIG, *(path / SEGMENTS).glob("*/segment.json")):
        text = file.read_text()
        content = json.loads(text)
        if text != json.dumps(content, sort_keys=True):
            with suppress(OSError):  # On a full disk: the order is let be.
                _write_json(file, content)


def require_room(path: Path, size: int) -> None:
    """AESGStorageError unless ``size`` bytes can be written and :data:`ROOM` bytes stay free."""
    free = shutil.disk_usage(path).free
    if free < size + ROOM:
        raise AESGStorageError(f"No room to write to {path}: {free} bytes are free, expected at least {size + ROOM}")


def size_on_disk(path: Path) -> int:
    """Bytes that the shard takes; its files are sparse."""
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file())


def _write_json(file: Path, content: Any) -> None:
    # Replaced whole, so that a power cut leaves one or the other.
    draft = file.with_name(f".{file.name}.new")
    with draft.open("w") as handle:
        json.dump(content, handle, sort_keys=True)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(file)
    _sync_directory(file.parent)


def _read_json(path: Path, name: str) -> dict[str, Any] | None:
    try:
        content = json.loads((path / name).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise AESGStorageError(f"The vector shard at {path} is damaged: {name} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise AESGStorageError(f"The vector shard at {path} is damaged: {name} holds {content!r}, expected an object")
    return content


def _require(path: Path, name: str) -> None:
    if not (path / name).exists():
        raise AESGStorageError(f"The vector shard at {path} is damaged: {name} is missing")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
