"""Memories for tests, in a place where syncing a file costs nothing, closed afterwards."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from memory_scenes import config

from aesg_graph import AESGMemory

torch.set_num_threads(1)


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
    """Opens memories, in ``place / name``, and closes them at the end."""
    memories = []

    def open_memory(name="memory", stores=None, given=None, **changes):
        memory = AESGMemory(place / name, config(**changes) if given is None else given, stores=stores)
        memories.append(memory)
        return memory

    yield open_memory
    for memory in reversed(memories):
        memory.close()
