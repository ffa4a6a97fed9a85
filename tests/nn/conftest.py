"""Memories for tests of layers and models, in a place where syncing a file costs nothing, closed afterwards."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from aesg_graph import AESGConfig, AESGMemory


@pytest.fixture
def place(tmp_path):
    """A directory of the test's own, in memory where the machine has such a file system."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="aesg-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def opened(place):
    """Opens small memories that take what is new at once, in ``place / name``, and closes them at the end."""
    memories = []

    def open_memory(name="memory", **changes):
        config = AESGConfig(**{"vector_dim": 8, "novelty_birth_threshold": 1, **changes})
        memories.append(AESGMemory(place / name, config))
        return memories[-1]

    yield open_memory
    for memory in reversed(memories):
        memory.close()
