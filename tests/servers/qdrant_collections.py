"""The collections of the test server: an Edge shard and a file of parameters each, in a folder by its name."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import qdrant_edge as edge
from qdrant_client import grpc as q

from tests.servers.qdrant_translation import shard_config

PARAMETERS = "collection.bin"
INDEXES = "indexes"
SETTLED_EVERY = 20_000
"""Points after which a shard flushes: it bounds what a restart replays."""


class GoneError(Exception):
    """The collection was deleted while a call waited for it."""


@dataclass
class Collection:
    """One collection, open."""

    path: Path
    created: Any
    shard: edge.EdgeShard
    lock: threading.RLock = field(default_factory=threading.RLock)
    unflushed: int = 0
    closed: bool = False

    def update(self, operation: edge.UpdateOperation, points: int) -> None:
        """Apply an operation; it is in the shard's log when this returns."""
        with self.lock:
            self.expect_open()
            self.shard.update(operation)
            self.unflushed += points
            if self.unflushed >= SETTLED_EVERY:
                self.shard.flush()
                self.unflushed = 0

    def expect_open(self) -> None:
        """GoneError if it was deleted."""
        if self.closed:
            raise GoneError

    def close(self) -> None:
        """Flush and let go of the shard."""
        with self.lock:
            self.closed = True
            self.shard.close()

    def indexes(self) -> dict[str, int]:
        """The payload indexes: fields and their types."""
        with self.lock:
            lines = (self.path / INDEXES).read_text().splitlines() if (self.path / INDEXES).exists() else []
        return {name: int(kind) for name, kind in (line.split("\t") for line in lines)}

    def add_index(self, name: str, kind: int) -> None:
        """Record a payload index. Edge searches exactly without one, and is far quicker to write to."""
        with self.lock:
            self.expect_open()
            self._write_indexes(self.indexes() | {name: kind})

    def remove_index(self, name: str) -> None:
        """Forget a payload index; an absent one is no error."""
        with self.lock:
            self.expect_open()
            self._write_indexes({known: kind for known, kind in self.indexes().items() if known != name})

    def _write_indexes(self, known: dict[str, int]) -> None:
        draft = self.path / f"{INDEXES}.new"
        draft.write_text("".join(f"{name}\t{kind}\n" for name, kind in known.items()))
        draft.replace(self.path / INDEXES)


class Collections:
    """All collections below a folder."""

    def __init__(self, root: Path) -> None:
        self.root, self._open = root, dict[str, Collection]()
        self.lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)
        for path in root.iterdir():
            if path.suffix != ".made":
                shutil.rmtree(path)  # A kill came while it was made, or deleted.
                continue
            name = unquote(path.name.removesuffix(".made"))
            created = q.CreateCollection.FromString((path / PARAMETERS).read_bytes())
            self._open[name] = Collection(path, created, edge.EdgeShard.load(str(path / "shard")))

    def create(self, created: Any) -> bool:
        """Make a collection; False if there is one of that name."""
        name = created.collection_name
        with self.lock:
            if name in self._open:
                return False
            config = shard_config(created)
            draft, path = self._place(name, "draft"), self._place(name, "made")
            shutil.rmtree(draft, ignore_errors=True)
            (draft / "shard").mkdir(parents=True)
            (draft / PARAMETERS).write_bytes(created.SerializeToString())
            edge.EdgeShard.create(str(draft / "shard"), config).close()
            draft.rename(path)
            self._open[name] = Collection(path, created, edge.EdgeShard.load(str(path / "shard")))
            return True

    def delete(self, name: str) -> bool:
        """Delete a collection; False if there is none."""
        with self.lock:
            found = self._open.pop(name, None)
            if found is not None:
                gone = self._place(name, "gone")
                found.close()
                found.path.rename(gone)
                shutil.rmtree(gone)
            return found is not None

    def get(self, name: str) -> Collection | None:
        """A collection, or None."""
        return self._open.get(name)

    def names(self) -> list[str]:
        """The names of all collections."""
        return sorted(self._open)

    def close(self) -> None:
        """Let go of all."""
        with self.lock:
            for collection in self._open.values():
                collection.close()

    def _place(self, name: str, state: str) -> Path:
        return self.root / f"{quote(name, safe='')}.{state}"
