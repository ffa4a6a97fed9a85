"""A language model with a memory learns a text by characters, and goes on writing: ``text_model.py [FILE]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from aesg_graph.nn.text import AESGDecoderLM

ROW = 32


def learn(model: AESGDecoderLM, ids: Tensor, steps: int) -> float:
    """Train on rows from anywhere in the text; the last loss, in nats a character."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    loss = torch.zeros(())
    for _ in range(steps):
        rows = ids[torch.randint(len(ids) - ROW - 1, (16, 1)) + torch.arange(ROW + 1)]
        with model.memory.step():  # what memory learns is kept if the whole step succeeds
            logits = model(rows[:, :-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.memory.update_topology()
    return loss.item()


def main(file: Path, directory: str, steps: int = 300) -> str:
    """Learn a file, and what the model then writes."""
    written = file.read_text()
    characters = sorted(set(written))
    ids = torch.tensor([characters.index(character) for character in written])
    torch.manual_seed(0)
    model = AESGDecoderLM.small(vocab_size=len(characters), storage_dir=directory)
    with model.memory as memory:
        loss = learn(model, ids, steps)
        print(f"{loss:.2f} nats a character, {memory.storage.node_count} concepts")
        prompt = ids[:ROW].unsqueeze(0)
        more = model.generate(prompt, 160, temperature=0.7, top_k=10)  # in eval mode: memory recalls and learns nothing
        return "".join(characters[id] for id in more[0].tolist())


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "concepts.md"
    with tempfile.TemporaryDirectory() as temporary:
        print(main(given, temporary))
