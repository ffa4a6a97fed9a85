"""What `meta.npy` says, without ever unpickling it.

It holds a pickled dictionary, and a pickle can run anything. So its opcodes are listed (``pickletools``, which carries
nothing out), and an integer counts where it stands right after a key that we look for. It may be absent, empty, stale
or damaged: what it says is only believed where the records agree.
"""

from __future__ import annotations

import io
import pickletools
from pathlib import Path

import numpy as np

from aesg_graph.interchange.aesg.layout import reading

KEYS = ("vector_dim", "node_count")
LONGEST = 1 << 16
"""Bytes that are looked at; the real ones have some hundreds."""
LARGEST = 1 << 40


def read_meta(path: Path) -> dict[str, int]:
    """Those of ``KEYS`` that the file says; nothing if it cannot be read as what it should be."""
    with reading(path), open(path, "rb") as file:
        data = file.read(LONGEST)
    try:
        header = io.BytesIO(data)
        version = np.lib.format.read_magic(header)
        if version != (1, 0):
            return {}
        np.lib.format.read_array_header_1_0(header)
        return _after_keys(data[header.tell() :])
    except Exception:  # whatever the parsers make of foreign bytes, these say nothing then
        return {}


def _after_keys(data: bytes) -> dict[str, int]:
    said: dict[str, int] = {}
    key: str | None = None
    for opcode, value, _ in pickletools.genops(data):
        if opcode.name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            continue  # they stand between a key and its value, and mean nothing here
        if (
            key is not None
            and isinstance(value, int)
            and opcode.stack_after == [pickletools.pyint]
            and value <= LARGEST
        ):
            said[key] = value
        key = value if isinstance(value, str) and value in KEYS else None
    return said
