"""What a memory is allowed to do: the four modes."""

from __future__ import annotations

from enum import Enum

from aesg_graph.errors import AESGMemoryError


class MemoryMode(Enum):
    """What a memory is allowed to do. What a mode does not allow is a silent no-op.

    =========  =======  =======  ======  ============  ===========
    mode       creates  touches  prunes  consolidates  reorganises
    =========  =======  =======  ======  ============  ===========
    TRAIN      yes      yes      yes     yes           yes
    FINETUNE   a tenth  yes      no      yes           no
    INFERENCE  no       no       no      no            no
    ONLINE     yes      yes      no      yes           no
    =========  =======  =======  ======  ============  ===========

    Consolidation without pruning still moves the epoch, so that concepts go on fading in FINETUNE and ONLINE: a memory
    that returns to TRAIN has aged by the time that has really passed.
    """

    TRAIN = "TRAIN"
    FINETUNE = "FINETUNE"
    INFERENCE = "INFERENCE"
    ONLINE = "ONLINE"

    @property
    def creates(self) -> bool:
        """Whether novel queries may become concepts."""
        return self is not MemoryMode.INFERENCE

    @property
    def touches(self) -> bool:
        """Whether use, contradiction and association are recorded."""
        return self is not MemoryMode.INFERENCE

    @property
    def prunes(self) -> bool:
        """Whether concepts may be removed for being faded, or for being too many."""
        return self is MemoryMode.TRAIN

    @property
    def consolidates(self) -> bool:
        """Whether the epoch moves."""
        return self is not MemoryMode.INFERENCE

    @property
    def reorganises(self) -> bool:
        """Whether concepts may be merged, split and sorted into regions."""
        return self is MemoryMode.TRAIN

    @property
    def takes_first(self) -> bool:
        """Whether an empty memory takes its first query as its first concept at once."""
        return self in (MemoryMode.TRAIN, MemoryMode.ONLINE)

    @property
    def birth_factor(self) -> int:
        """What ``novelty_birth_threshold`` is multiplied by."""
        return 10 if self is MemoryMode.FINETUNE else 1

    @classmethod
    def parse(cls, name: object) -> MemoryMode:
        """The mode called ``name`` (a mode is its own name). AESGMemoryError for anything else."""
        if isinstance(name, cls):
            return name
        if isinstance(name, str) and name in cls.__members__:
            return cls[name]
        # The order is the one in which users of the aesg library know this message.
        valid = [mode.name for mode in (cls.TRAIN, cls.FINETUNE, cls.INFERENCE, cls.ONLINE)]
        raise AESGMemoryError(f"Invalid memory mode {name!r}. Valid modes: {valid}")


Mode = MemoryMode
"""The short name. ``MemoryMode`` is the one that users of the aesg library see printed."""
