"""A memory about birds and a pack of it, made once; memories of a test's own."""

import pytest
import torch
from pack_scenes import BIRDS, fill

from aesg_graph import AESGMemory

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def birds(tmp_path_factory):
    """A memory that no test changes, and its ids."""
    with AESGMemory(tmp_path_factory.mktemp("birds") / "memory", BIRDS) as memory:
        ids = fill(memory)
        memory.retrieve(torch.eye(8)[:3], torch.eye(3))  # a few uses and contradictions
        memory.flush()
        memory.set_mode("INFERENCE")
        yield memory, ids


@pytest.fixture(scope="session")
def packed(birds, tmp_path_factory):
    """The pack of the whole memory."""
    path = tmp_path_factory.mktemp("packed") / "birds.aesgpack"
    birds[0].export_pack(path)
    return path


@pytest.fixture
def opened(tmp_path):
    """Opens memories of the test's own, and closes them."""
    memories = []

    def open_memory(name="memory", config=BIRDS, **more):
        memories.append(AESGMemory(tmp_path / name, config, **more))
        return memories[-1]

    yield open_memory
    for memory in memories:
        memory.close()
