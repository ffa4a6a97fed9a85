"""PackManager: the packs of one open memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aesg_graph.engine.attached import PRIORITY, Attachment
from aesg_graph.errors import AESGMemoryError
from aesg_graph.interchange.arriving import Arrived, Progress
from aesg_graph.packs.exporting import Filters, Packed, Source, export_pack
from aesg_graph.packs.importing import import_pack
from aesg_graph.packs.pack import MemoryPack, load_pack, require_fitting

if TYPE_CHECKING:
    from aesg_graph.engine import MemoryEngine


class PackManager:
    """Exports, loads, attaches and imports packs for one memory. Modules that share a memory share what is attached.

    Iterating gives the attachments (``name``, ``priority``, ``pack``) in the order of attaching.
    """

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine

    def __repr__(self) -> str:
        told = ", ".join(f"{other.name} ({other.priority})" for other in self)
        return f"<packs attached: {told or 'none'}>"

    def __len__(self) -> int:
        return len(self.engine.attachments.attached)

    def __iter__(self) -> Iterator[Attachment]:
        return iter(self.engine.attachments.attached)

    def export(
        self,
        path: str | os.PathLike[str],
        filters: Filters | None = None,
        name: str | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Packed:
        """Write what passes the filters to a new pack (see :func:`export_pack`), lessons so far included."""
        return export_pack(Source.of_engine(self.engine), path, filters or Filters(), name, overwrite, progress)

    def load(self, path: str | os.PathLike[str]) -> MemoryPack:
        """Read a pack, verified; nothing of the memory changes. AESGStorageError if it is damaged or does not fit."""
        self.engine._check()
        pack = load_pack(path)
        require_fitting(pack.header, path, self.engine.config.vector_dim, self.engine.config.value_dim)
        return pack

    def attach(self, pack: MemoryPack, priority: int = PRIORITY) -> None:
        """Let a loaded pack take part in every answer, until it is detached or the memory closed.

        AESGMemoryError for a priority outside 0 to 100, a seventeenth pack, a pack that is attached or does not fit.
        """
        if not isinstance(pack, MemoryPack):
            raise AESGMemoryError(f"pack is a {type(pack).__name__}, expected what load_pack() gives back")
        self.engine._check()
        self.engine.attachments.attach(pack, priority)

    def detach(self, name: str) -> None:
        """Answers are as they were before; the pack stays loaded. AESGMemoryError if none of that name is attached."""
        self.engine.attachments.detach(name)

    def take_in(self, pack: MemoryPack | str | os.PathLike[str], progress: Progress | None = None) -> Arrived:
        """Write a pack's concepts into the memory for good, under new ids (see :func:`import_pack`)."""
        return import_pack(self.engine, pack, progress)
