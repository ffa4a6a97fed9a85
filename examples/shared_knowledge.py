"""What one memory has learned, attached to another, and detached again.

    python examples/shared_knowledge.py

One memory has seen the handwritten digits 0 to 4, another 5 to 9. The first one's knowledge travels in a pack.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits

from aesg_graph import AESGConfig, AESGMemory

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

CONFIG = AESGConfig(vector_dim=64, value_dim=10, novelty_birth_threshold=1, novelty_explanation_threshold=0.9)
TESTED = 500
"""The last so many pictures are for testing."""


def pictures() -> tuple[Floats, Labels]:
    """All 1,797 pictures [N, 64], centred, and what they show [N]."""
    found = load_digits()
    data = found.data.astype(np.float32)
    return data - data[:-TESTED].mean(0), found.target.astype(np.int64)


def learned(directory: Path, data: Floats, labels: Labels, name: str) -> AESGMemory:
    """A memory that has seen some pictures once, each with what it shows."""
    memory = AESGMemory(directory / name, CONFIG)
    one_hot = np.eye(10, dtype=np.float32)[labels]
    for start in range(0, len(data), 32):
        memory(data[start : start + 32], value=one_hot[start : start + 32])
    return memory.eval()


def accuracy(memory: AESGMemory, data: Floats, labels: Labels) -> float:
    """How often what the memory reads out is what the picture shows."""
    said = memory(torch.from_numpy(data)).read().argmax(-1).numpy()
    return float((said == labels).mean())


def main(directory: Path) -> dict[str, float]:
    """The whole story; how well each of the memories reads the digits 0 to 4 and 5 to 9."""
    data, labels = pictures()
    low, test = labels < 5, np.arange(len(data)) >= len(data) - TESTED
    told: dict[str, float] = {}

    def tell(what: str, memory: AESGMemory) -> None:
        for digits, chosen in (("0 to 4", low & test), ("5 to 9", ~low & test)):
            told[f"{what}, {digits}"] = accuracy(memory, data[chosen], labels[chosen])
        print(f"{what:<12} 0 to 4: {told[f'{what}, 0 to 4']:6.1%}   5 to 9: {told[f'{what}, 5 to 9']:6.1%}")

    with learned(directory, data[low & ~test], labels[low & ~test], "low") as teacher:
        print(f"the teacher has {teacher.storage.node_count} concepts of the digits 0 to 4")
        teacher.export_pack(directory / "low.aesgpack")

    with learned(directory, data[~low & ~test], labels[~low & ~test], "high") as memory:
        pack = memory.load_pack(directory / "low.aesgpack")
        came_from = pack.provenance["memory"]
        print(f"the pack {pack.name!r}: {len(pack)} concepts and {pack.edges} edges of the memory {came_from!r}")
        tell("alone", memory)
        memory.attach_pack(pack, priority=80)
        tell("attached", memory)
        memory.detach_pack("low")
        tell("detached", memory)
        memory.import_pack(pack)
        tell("imported", memory)
        print(f"{memory.storage.node_count} concepts are in the memory now")
    return told


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
