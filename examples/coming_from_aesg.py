"""Takes what the package `aesg` learned into a memory of this one, and asks it.

    python examples/coming_from_aesg.py ./aesg_memory ./memory

Without a first argument `aesg` makes a small directory (it has to be installed: pip install aesg==3.0.0), in which some
things are then damaged, as they are in directories that have been used.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from aesg_graph import AESGMemory
from aesg_graph.interchange.aesg import Report, import_aesg

DIM = 32
TOPICS, EACH = 8, 25  # groups of concepts that are alike, and how many are in one


def made_by_aesg(folder: Path) -> Path:
    """A directory of `aesg`: topics of concepts that are alike, each joined to the next, and some damage."""
    from aesg.config import AESGConfig as OtherConfig
    from aesg.memory.controller import AESGMemory as OtherMemory

    memory = OtherMemory(str(folder), OtherConfig(vector_dim=DIM, max_concepts=1000))
    torch.manual_seed(0)
    vectors = torch.randn(TOPICS, 1, DIM) + 0.4 * torch.randn(TOPICS, EACH, DIM)
    for vector in vectors.reshape(-1, DIM):
        memory.cognitive_engine.create_sensory_concept(vector)
    nodes = memory.storage.nodes
    for place in range(TOPICS * EACH - 1):
        memory.storage.add_edge(place, int(nodes["id"][place + 1]), 0.5)
    memory.cognitive_engine.merge_concepts(10, 11)
    nodes["vector"][20] = np.nan
    memory.storage.edges["target_id"][30] = 123
    memory.save()
    return folder


def main(source: Path, target: Path) -> Report:
    """Look first, import, and ask for what came; what the import reported."""
    look = import_aesg(source, dry_run=True)
    print(f"{source} holds {look.concepts} concepts of {look.vector_dim} dimensions and {look.edges} edges")
    for found in look.findings:
        print(f"  {found.count} {found.told}")

    report = import_aesg(source, target)
    print(f"{report.added} concepts and {report.edges_added} edges are in {report.place}")

    with AESGMemory(target) as memory:
        memory.set_mode("INFERENCE")
        one = memory.concept(int(memory.storage.nodes["id"][0]))
        assert one.key is not None
        ctx = memory.retrieve(torch.from_numpy(one.key))
        print(f"asked with the vector of {one.text!r}, it recalls")
        for id, energy in zip(ctx.ids.tolist(), ctx.energies.tolist(), strict=True):
            print(f"  {energy:.2f}  {memory.concept(id).text}")

    again = import_aesg(source, target)
    print(f"imported again: {again.added} are new, {again.there} were there")
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", type=Path, help="a directory or a pack of aesg; without it one is made")
    parser.add_argument("target", nargs="?", type=Path, help="the memory, which is made if it is not there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        main(asked.source or made_by_aesg(Path(folder) / "aesg_memory"), asked.target or Path(folder) / "memory")
