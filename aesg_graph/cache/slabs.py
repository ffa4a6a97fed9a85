"""The cache's files as a whole: a slab of slots, a slab of arcs, the index, the header, and how they grow."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.cache import index
from aesg_graph.cache.blocks import Arcs, Blocks, slide
from aesg_graph.cache.columns import ColumnSet, MappedColumn
from aesg_graph.cache.header import Header, Mode
from aesg_graph.cache.layout import (
    ARC_CAPACITY,
    ARC_COLUMNS,
    FREE_SLOT,
    HEADS,
    HELD,
    INDEX_CAPACITY,
    RESIDENT,
    ROW_CAPACITY,
    SLOTS,
    TAIL,
    UNLOADED,
    CacheLayout,
    CacheStamp,
    Slots,
    bytes_of,
    row_columns,
)
from aesg_graph.cache.plausible import plausible
from aesg_graph.concepts import NO_ID, Doubles, Floats, Ids, Ints
from aesg_graph.errors import AESGStorageError

FIRST_ROWS, FIRST_ARCS = 64, 256
INDEX_COLUMN = (np.dtype("<i4"), None)


class Slabs:
    """Everything that is mapped. Arrays are as long as their capacity; views of them are invalid after growth."""

    def __init__(self, directory: Path, layout: CacheLayout, mode: Mode) -> None:
        self.directory, self.layout, self.mode = directory, layout, mode
        self._rows = ColumnSet(directory, row_columns(layout), mode)
        self._arcs = ColumnSet(directory, ARC_COLUMNS, mode)
        self._index = MappedColumn(directory / "index.bin", INDEX_COLUMN, mode)
        self.header: Header
        self.generation = 0
        """Counts how often arrays have been replaced."""
        self.row_bytes = bytes_of(row_columns(layout)) + 2 * INDEX_COLUMN[0].itemsize
        self.arc_bytes = bytes_of(ARC_COLUMNS)

    # -- opening ----------------------------------------------------------------------------------------------------

    def open(self, expected: CacheStamp) -> bool:
        """Take up what is on disk; False, with nothing taken up, if it cannot be trusted."""
        header = Header.load(self.directory / "header.bin", self.layout, expected, self.mode)
        if header is None:
            return False
        self.header = header
        if self._open_beside() if self.mode == "read" else self._open_own():
            self._refresh()
            return True
        self.close()
        return False

    def _open_beside(self) -> bool:
        return self._rows.open_beside() and self._arcs.open_beside()

    def _open_own(self) -> bool:
        state = self.header.state
        index_file, capacity = self._index.path, int(state[INDEX_CAPACITY])
        if not index_file.is_file() or index_file.stat().st_size != capacity * 4:
            return False
        if not (self._rows.open(int(state[ROW_CAPACITY])) and self._arcs.open(int(state[ARC_CAPACITY]))):
            return False
        self._index.open(capacity)
        self._refresh()
        return bool(plausible(self.blocks, self.arcs, self.table, state))

    def create(self) -> None:
        """Begin anew, empty."""
        if self.mode == "write":
            self.directory.mkdir(parents=True, exist_ok=True)
            # First of all the old header goes: from here on nobody trusts what is left.
            (self.directory / "header.bin").unlink(missing_ok=True)
        self.header = Header.fresh(self.directory / "header.bin", self.layout, self.mode)
        self._rows.create()
        self._arcs.create()
        self._index.create()
        self._refresh()
        self.want_rows(FIRST_ROWS)
        self.want_arcs(FIRST_ARCS)
        self.want_index(FIRST_ROWS)

    def _refresh(self) -> None:
        self.generation += 1
        rows, arcs = self._rows, self._arcs
        self.ids: Ids = rows["ids"]
        self.keys: Floats = rows["keys"]
        self.values: Floats = rows["values"]
        self.regions: Ints = rows["regions"]
        self.lives: npt.NDArray[Any] = rows["lives"]
        self.pending: Ints = rows["pending"]
        self.modified_at: Doubles = rows["modified_at"]
        self.used: Ints = rows["used"]
        self.table: Slots = self._index.array
        self.blocks = Blocks(
            rows["ids"], rows["start"], rows["degree"], rows["room"], rows["pending"], rows["modified_at"]
        )
        self.arcs = Arcs(arcs["neighbour_ids"], arcs["neighbour_slots"], arcs["weights"], arcs["arcs"], arcs["wear"])

    # -- growing ----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Ints:
        """The header's words."""
        return self.header.state

    @property
    def slots(self) -> int:
        """How many slots have ever been in use: all concepts are below."""
        return min(int(self.header.state[SLOTS]), self._rows.capacity)

    def want_rows(self, count: int) -> None:
        """Have room for ``count`` slots in all, by doubling."""
        old = self._rows.capacity
        if count > old:
            self._rows.grow(max(count, 2 * old))
            self._rows["ids"][old:] = NO_ID
            self._rows["degree"][old:] = UNLOADED
            self.state[ROW_CAPACITY] = self._rows.capacity
            self._refresh()

    def want_arcs(self, count: int) -> None:
        """Have room for ``count`` arcs in all: by closing gaps where half would be gaps, else by doubling."""
        old = self._arcs.capacity
        if count <= old:
            return
        if self.state[TAIL] > 2 * self.state[HELD]:
            self.compact()
            count -= old - int(self.state[TAIL])
        if count > old:
            self._arcs.grow(max(count, 2 * old))
            self.state[ARC_CAPACITY] = self._arcs.capacity
            self._refresh()

    def want_index(self, count: int) -> None:
        """Have an index for ``count`` concepts in all. A new table is a new file, so readers keep the old one."""
        capacity = index.capacity_for(count)
        if capacity <= len(self._index.array):
            return
        path = self.directory / "index.bin"
        grown = MappedColumn(path.with_suffix(".new"), INDEX_COLUMN, self.mode)
        try:
            grown.create()
            grown.allocate(capacity)
        except OSError as error:
            grown.close()
            with contextlib.suppress(OSError):
                grown.path.unlink(missing_ok=True)
            raise AESGStorageError(f"The cache's index needs {4 * capacity:,} bytes of disk: {error}") from error
        grown.adopt(capacity)
        index.enter_all(grown.array, self.ids[: self.slots])
        if self.mode == "write":
            os.replace(grown.path, path)
            grown.path = path
        self._index.close()
        self._index = grown
        self.state[INDEX_CAPACITY] = capacity
        self._refresh()

    def compact(self) -> None:
        """Move all blocks to the front of the slab, in the order in which they lie."""
        state, blocks = self.state, self.blocks
        owners = np.flatnonzero(blocks.room[: self.slots] > 0)
        slide(blocks, self.arcs, owners[np.argsort(blocks.start[owners])])
        state[HEADS:] = 0
        state[TAIL] = state[HELD]

    def reset(self) -> None:
        """Forget every block and every free slot: no concept is left."""
        self.state[SLOTS] = self.state[RESIDENT] = self.state[FREE_SLOT] = 0
        self.table[:] = 0
        self.state[HEADS:] = 0
        self.state[TAIL] = self.state[HELD] = 0

    # -- the disk ---------------------------------------------------------------------------------------------------

    def used_bytes(self) -> int:
        """The bytes that resident concepts and their blocks take."""
        return int(self.state[RESIDENT]) * self.row_bytes + int(self.state[HELD]) * self.arc_bytes

    def flush(self) -> None:
        """Write all modified pages to disk."""
        self._rows.flush()
        self._arcs.flush()
        self._index.flush()

    def close(self) -> None:
        """Let go of all files."""
        self._rows.close()
        self._arcs.close()
        self._index.close()
        self.header.close()
