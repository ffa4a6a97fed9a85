"""A model that is made anew on the memory of an earlier one finds what that kept, before any weights are loaded."""

import torch

from aesg_graph.nn import Addressing
from aesg_graph.nn.text import AESGGRUText


def test_a_new_layer_makes_the_same_keys(opened):
    x = torch.randn(5, 12)
    assert torch.equal(Addressing(opened("a"), 12).key(x), Addressing(opened("b"), 12).key(x))


def test_a_new_model_on_an_old_memory_recalls_what_was_kept(place):
    torch.manual_seed(0)
    tokens = torch.randint(50, (4, 6))
    first = AESGGRUText.small(50, storage_dir=place / "memory")
    for _ in range(4):
        first(tokens)
    first.memory.close()
    torch.manual_seed(1)
    again = AESGGRUText.small(50, storage_dir=place / "memory").eval()
    kept = again.memory.stats()["concepts"]
    assert kept
    asked = again.cues.in_context(tokens)[:, -1]
    (addressing,) = (module for module in again.modules() if isinstance(module, Addressing))
    found = addressing.recall(asked)
    assert (found.explanation > 0.9).all()
    again.memory.close()
