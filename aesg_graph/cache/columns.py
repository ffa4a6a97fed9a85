"""Columns in mapped files: allocated before they are mapped, grown together, or held in memory where disk is taboo."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.cache import layout
from aesg_graph.cache.header import Mode
from aesg_graph.errors import AESGStorageError


class MappedColumn:
    """One column in one file.

    In mode "private" the file is mapped copy-on-write and never grows: what outgrows it moves to anonymous memory.
    """

    def __init__(self, path: Path, column: layout.Column, mode: Mode) -> None:
        dtype, width = column
        self.path, self.mode, self.dtype = path, mode, dtype
        self._tail = () if width is None else (width,)
        self.row_bytes = dtype.itemsize * (1 if width is None else width)
        self._file: int | None = None
        self._map: mmap.mmap | None = None
        self.array: npt.NDArray[Any] = np.zeros((0, *self._tail), dtype)

    def create(self) -> None:
        """Begin anew with no rows. A reader of an old file keeps the old file."""
        if self.mode == "write" and self.row_bytes:
            self.path.unlink(missing_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)

    def rows_on_disk(self) -> int | None:
        """How many whole rows the file has; None for a width of 0, which needs no file."""
        return self.path.stat().st_size // self.row_bytes if self.row_bytes else None

    def open(self, capacity: int) -> None:
        """Map the rows of an existing file."""
        if not self.row_bytes:
            self.array = np.zeros((capacity, *self._tail), self.dtype)
            return
        file = os.open(self.path, os.O_RDWR if self.mode == "write" else os.O_RDONLY)
        if capacity:
            access = {"write": mmap.ACCESS_WRITE, "private": mmap.ACCESS_COPY, "read": mmap.ACCESS_READ}[self.mode]
            self._map = mmap.mmap(file, capacity * self.row_bytes, access=access)
            self.array = self._view(self._map, capacity)
        if self.mode == "write":
            self._file = file
        else:
            os.close(file)

    def allocate(self, capacity: int) -> None:
        """Make sure that the disk has room for so many rows; nothing changes in what is mapped."""
        if self._file is not None:
            os.posix_fallocate(self._file, 0, capacity * self.row_bytes)

    def give_up(self) -> None:
        """Undo :meth:`allocate`: nobody maps what lies beyond the rows in use."""
        if self._file is not None:
            os.ftruncate(self._file, len(self.array) * self.row_bytes)

    def adopt(self, capacity: int) -> None:
        """Take so many rows into use. New rows are zero."""
        if self._file is not None:
            self._map = mmap.mmap(self._file, capacity * self.row_bytes)
            self.array = self._view(self._map, capacity)
            return
        grown = np.zeros((capacity, *self._tail), self.dtype)
        grown[: len(self.array)] = self.array
        self.array, self._map = grown, None

    def _view(self, memory: mmap.mmap, capacity: int) -> npt.NDArray[Any]:
        width = int(np.prod(self._tail, dtype=np.int64))
        return np.frombuffer(memory, self.dtype, capacity * width).reshape((capacity, *self._tail))

    def flush(self) -> None:
        """Write modified pages to disk."""
        if self._map is not None and self.mode == "write":
            self._map.flush()

    def close(self) -> None:
        """Let go of the file; views that somebody still holds keep their mapping."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self.array, self._map = np.zeros((0, *self._tail), self.dtype), None


class ColumnSet:
    """Columns that have a row each for the same things, and grow together."""

    def __init__(self, directory: Path, columns: dict[str, layout.Column], mode: Mode) -> None:
        self._columns = {name: MappedColumn(directory / f"{name}.bin", c, mode) for name, c in columns.items()}
        self.capacity = 0

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._columns[name].array

    def create(self) -> None:
        """Begin anew with no rows."""
        for column in self._columns.values():
            column.create()

    def open(self, capacity: int) -> bool:
        """Map ``capacity`` rows of existing files; False if a file is missing or not of exactly that length."""
        for column in self._columns.values():
            if column.row_bytes and (
                not column.path.is_file() or column.path.stat().st_size != capacity * column.row_bytes
            ):
                return False
        self._map(capacity)
        return True

    def open_beside(self) -> bool:
        """Map what is there, for a reader beside a running owner; False if a file is missing."""
        try:
            sizes = [c.rows_on_disk() for c in self._columns.values()]
        except FileNotFoundError:
            return False
        self._map(min(n for n in sizes if n is not None))
        return True

    def _map(self, capacity: int) -> None:
        for column in self._columns.values():
            column.open(capacity)
        self.capacity = capacity

    def grow(self, capacity: int) -> None:
        """Have room for ``capacity`` rows in all; AESGStorageError, with everything as it was, if the disk has not."""
        columns = self._columns.values()
        try:
            for column in columns:
                column.allocate(capacity)
        except OSError as error:
            for column in columns:
                column.give_up()
            size = capacity * sum(c.row_bytes for c in columns)
            raise AESGStorageError(f"The cache needs {size:,} bytes of disk and cannot get them: {error}") from error
        for column in columns:
            column.adopt(capacity)
        self.capacity = capacity

    def flush(self) -> None:
        """Write modified pages to disk."""
        for column in self._columns.values():
            column.flush()

    def close(self) -> None:
        """Let go of all files."""
        self.capacity = 0
        for column in self._columns.values():
            column.close()
