"""What text models share: a vocabulary, token ids that are checked, sizes."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGMemoryError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.checking import check_count, check_memory
from aesg_graph.nn.sizes import LARGE, MEDIUM, SMALL, Place, Size, counted, memory_for
from aesg_graph.nn.text.cues import TokenCues
from aesg_graph.settings import StoreSettings

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)


class TextModel(nn.Module):
    """A vocabulary of embeddings, a memory that is addressed by fixed codes of tokens, logits over the vocabulary.

    ``small()``, ``medium()`` and ``large()`` make a model and its memory in ``storage_dir``, by default
    ``./aesg_memory/<model>-<vector_dim>``. ``config`` says what the memory is instead of the size's 64, 128 or 256
    dimensions and 100,000 concepts; ``stores`` where it lives; other keywords are those of the constructor.
    """

    domain: ClassVar[str] = "text"
    """What kind of task this is for; the evaluator goes by it."""
    folder: ClassVar[str]
    """How the model is called in the name of its memory's folder."""

    def __init__(self, vocab_size: int, hidden_size: int, num_layers: int, memory: AESGMemory) -> None:
        super().__init__()
        self.vocab_size = counted(vocab_size, "vocab_size")
        self.hidden_size = check_count(hidden_size, "hidden_size")
        self.num_layers = check_count(num_layers, "num_layers")
        self.memory = check_memory(memory)
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.output = nn.Linear(hidden_size, vocab_size)
        self.cues = TokenCues(vocab_size, memory.vector_dim)

    @classmethod
    def small(
        cls,
        vocab_size: int,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """128 hidden units, 1 layer, 4 heads, 64 dimensions of memory."""
        return cls._made(SMALL, vocab_size, storage_dir, config, stores, structure)

    @classmethod
    def medium(
        cls,
        vocab_size: int,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """256 hidden units, 2 layers, 8 heads, 128 dimensions of memory."""
        return cls._made(MEDIUM, vocab_size, storage_dir, config, stores, structure)

    @classmethod
    def large(
        cls,
        vocab_size: int,
        storage_dir: Place = None,
        *,
        config: AESGConfig | None = None,
        stores: StoreSettings | None = None,
        **structure: Any,
    ) -> Self:
        """512 hidden units, 4 layers, 16 heads, 256 dimensions of memory."""
        return cls._made(LARGE, vocab_size, storage_dir, config, stores, structure)

    @classmethod
    def _made(
        cls,
        size: Size,
        vocab_size: int,
        storage_dir: Place,
        config: AESGConfig | None,
        stores: StoreSettings | None,
        structure: dict[str, Any],
    ) -> Self:
        counted(vocab_size, "vocab_size")
        memory = memory_for(cls.folder, size, storage_dir, config, stores)
        try:
            return cls(vocab_size, memory=memory, **(cls._structure(size) | structure))
        except BaseException:
            memory.close()
            raise

    @classmethod
    def _structure(cls, size: Size) -> dict[str, Any]:
        """The constructor's arguments that a size says."""
        return {"hidden_size": size.hidden_size, "num_layers": size.num_layers}

    def tokens(self, given: Any, name: str = "x") -> Tensor:
        """Token ids [B, T] as int64.

        Raises AESGMemoryError for another shape or dtype, an empty batch, or ids outside of the vocabulary.
        """
        expected = f"token ids [B, T] from 0 to {self.vocab_size - 1}"
        if not isinstance(given, Tensor) or given.dtype not in INTEGERS:
            shown = f"has dtype {given.dtype}" if isinstance(given, Tensor) else f"is a {type(given).__name__}"
            raise AESGMemoryError(f"{name} {shown}, expected {expected}")
        if given.dim() != 2 or given.numel() == 0:
            raise AESGMemoryError(f"{name} has shape {list(given.shape)}, expected {expected}, at least one")
        if not isinstance(given, FakeTensor):
            least, most = (int(bound) for bound in torch.aminmax(given))
            if least < 0 or most >= self.vocab_size:
                raise AESGMemoryError(f"{name} has ids from {least} to {most}, expected {expected}")
        return given.long()
