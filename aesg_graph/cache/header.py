"""The header: what the files hold, whether they can be trusted, and the words that kernels keep up to date.

One page of numbers, mapped, so that counters need no writing back; then a JSON text with the layout, the table of
strings that kinds and encoders refer to, and the thresholds. The clean flag is cleared, on disk, before anything is
modified; it is set together with a checksum.
"""

from __future__ import annotations

import json
import mmap
import os
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from aesg_graph.cache.layout import FORMAT, MAGIC, WORDS, CacheLayout, CacheStamp
from aesg_graph.concepts import Ints
from aesg_graph.errors import AESGStorageError

Mode = Literal["write", "private", "read"]

PAGE = 4096
HEADER = np.dtype(
    {
        "names": ["magic", "format", "clean", "crc", "text_bytes", "text_crc", "stamp", "state"],
        "formats": ["S8", "<i8", "<i8", "<i8", "<i8", "<i8", ("<i8", (3,)), ("<i8", (WORDS,))],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 128],
        "itemsize": PAGE,
    }
)
ATTEMPTS = 5
"""How often a reader beside a running owner tries to catch the text whole."""


class Header:
    """The header of one cache; ``state`` is the live view of its words."""

    def __init__(self, page: mmap.mmap | bytearray, text: dict[str, Any], file: int | None) -> None:
        self._page = page
        self._file = file
        self._record = np.frombuffer(page, HEADER, 1)
        self._layout: dict[str, Any] = text["layout"]
        self.strings: list[str] = list(text["strings"])
        self.limits: list[float] = list(text["limits"])
        self._codes = {s: code for code, s in enumerate(self.strings)}
        self.state: Ints = self._record["state"][0]

    # -- opening ----------------------------------------------------------------------------------------------------

    @classmethod
    def fresh(cls, path: Path, layout: CacheLayout, mode: Mode) -> Header:
        """The header of an empty cache; on disk, not clean, in mode "write" only."""
        text = {"layout": layout.described(), "strings": [], "limits": []}
        if mode != "write":
            return cls(bytearray(PAGE), text, None)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.posix_fallocate(file, 0, PAGE)
        header = cls(mmap.mmap(file, PAGE), text, file)
        header._record["magic"], header._record["format"] = MAGIC, FORMAT
        header._write_text()
        return header

    @classmethod
    def load(cls, path: Path, layout: CacheLayout, expected: CacheStamp, mode: Mode) -> Header | None:
        """The header on disk if it may be used: whole, of this format and layout, clean and at the expected stamp."""
        try:
            file = os.open(path, os.O_RDWR if mode == "write" else os.O_RDONLY)
        except FileNotFoundError:
            return None
        text = _acceptable(file, layout, None if mode == "read" else expected)
        if text is None:
            os.close(file)
            return None
        access = {"write": mmap.ACCESS_WRITE, "private": mmap.ACCESS_COPY, "read": mmap.ACCESS_READ}[mode]
        page = mmap.mmap(file, PAGE, access=access)
        if mode != "write":
            os.close(file)
            return cls(page, text, None)
        return cls(page, text, file)

    # -- the clean flag ---------------------------------------------------------------------------------------------

    @property
    def clean(self) -> bool:
        """Whether the files are marked as good."""
        return bool(self._record["clean"][0])

    def begin(self) -> None:
        """Something is about to be modified: from now on the files are not to be trusted."""
        if self._record["clean"][0]:
            self._record["clean"] = 0
            self._flush()

    def seal(self, stamp: CacheStamp) -> None:
        """Everything up to ``stamp`` is in the files."""
        if self._file is None:
            return
        self.begin()
        self._write_text()
        self._record["stamp"] = (stamp.incarnation, stamp.writer, stamp.sequence)
        self._record["crc"] = _checksum(bytes(self._page))
        self._record["clean"] = 1
        self._flush()

    def _flush(self) -> None:
        if isinstance(self._page, mmap.mmap) and self._file is not None:
            self._page.flush()

    # -- strings and thresholds -------------------------------------------------------------------------------------

    def intern(self, text: str) -> int:
        """The code of a kind or an encoder; a new one is written down at once, for readers beside us."""
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self.strings)
            self.strings.append(text)
            self._write_text()
        return code

    def code(self, text: str) -> int | None:
        """The code of a string, None for one that no row has."""
        return self._codes.get(text)

    def _write_text(self) -> None:
        if self._file is None:
            return
        text = json.dumps({"layout": self._layout, "strings": self.strings, "limits": self.limits}).encode()
        try:
            _write_whole(self._file, text, PAGE)
        except OSError as error:
            raise AESGStorageError(f"The cache's header cannot be written: {error}") from error
        self._record["text_bytes"], self._record["text_crc"] = len(text), zlib.crc32(text)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def recorded_stamp(directory: Path) -> CacheStamp | None:
    """The stamp that the cache in a directory names, whether it may be trusted or not; None where there is none."""
    try:
        page = (directory / "header.bin").read_bytes()[:PAGE]
    except OSError:
        return None
    return CacheStamp(*np.frombuffer(page, HEADER, 1)["stamp"][0].tolist()) if len(page) == PAGE else None


def _write_whole(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def _checksum(page: bytes) -> int:
    record = np.frombuffer(bytearray(page), HEADER, 1)
    record["clean"] = record["crc"] = 0
    return zlib.crc32(record.tobytes())


def _acceptable(file: int, layout: CacheLayout, expected: CacheStamp | None) -> dict[str, Any] | None:
    """The text of a header that fits; ``expected`` None: a running owner's, which need not be clean."""
    for _ in range(ATTEMPTS):
        page = os.pread(file, PAGE, 0)
        if len(page) != PAGE:
            return None
        record = np.frombuffer(page, HEADER, 1)[0]
        if record["magic"] != MAGIC or record["format"] != FORMAT:
            return None
        if expected is not None:
            stamp = CacheStamp(*(int(n) for n in record["stamp"]))
            if record["clean"] != 1 or record["crc"] != _checksum(page) or stamp != expected:
                return None
        raw = os.pread(file, int(record["text_bytes"]), PAGE) if 0 < record["text_bytes"] < 1 << 30 else b""
        if zlib.crc32(raw) == record["text_crc"] and raw:
            text: dict[str, Any] = json.loads(raw)
            return text if text["layout"] == layout.described() else None
        if expected is not None:
            return None
    return None
