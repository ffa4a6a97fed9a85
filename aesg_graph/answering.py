"""What happens inside a retrieval: recall, what attached packs add, the lesson, and what a recomputation may see."""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict

import torch
from torch import Tensor

from aesg_graph.concepts import Texts
from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.recall import Query, Recall
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import Mode
from aesg_graph.retrieval_op import LEARN_BY_MODE, Asked

REMEMBERED = 1024
"""How many calls are remembered, so that a recomputation in backward can be told from a changed memory."""


class Answerer:
    """Answers the retrieval operator for one module."""

    def __init__(self) -> None:
        self._answered: OrderedDict[int, int] = OrderedDict()
        self._latest: int | None = None
        """The changes that the memory had seen when this module last answered outside of backward."""

    def answer(self, engine: MemoryEngine, query: Tensor, value: Tensor | None, asked: Asked) -> Recall:
        """Recall a flat batch [R, D], then learn from it where the mode and the call allow."""
        meant = None if value is None else value.to("cpu").numpy()
        question = engine.query(query.to("cpu").numpy(), meant, asked.kind, asked.region)
        digest = zlib.crc32(question.vectors.tobytes())
        if torch._C._current_graph_task_id() != -1:  # inside autograd's backward: a recomputed activation
            self._refuse_if_changed(digest, engine.changes)
            return engine.attachments.join(question, engine.recall(question))
        changes = engine.changes
        recalled = engine.recall(question)
        answered = engine.attachments.join(question, recalled)  # lessons are of the memory's own answer alone
        self._remember(digest, changes)
        if learns(engine.mode, asked):
            sources = None if asked.sources is None else tuple(json.loads(asked.sources))
            learn(engine, question, recalled, asked.steps, sources)
        return answered

    def _remember(self, digest: int, changes: int) -> None:
        self._answered[digest] = self._latest = changes
        self._answered.move_to_end(digest)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)

    def _refuse_if_changed(self, digest: int, changes: int) -> None:
        """A recomputation in backward must see what the forward saw, or gradients are of another function."""
        seen = self._answered.get(digest, self._latest)
        if seen is not None and seen != changes:
            raise AESGMemoryError(
                "The memory has changed between the forward pass and its recomputation in backward; put forward and "
                "backward into one `with memory.step():`, so that lessons are taken after both"
            )


def learns(mode: Mode, asked: Asked) -> bool:
    """Whether a call learns: as it says, or as the mode and ``module.training`` say (INFERENCE never does)."""
    if asked.learn != LEARN_BY_MODE:
        return bool(asked.learn)
    return mode is Mode.ONLINE or asked.training


def learn(engine: MemoryEngine, question: Query, recalled: Recall, steps: int, sources: Texts | None) -> None:
    """Take the lesson of a batch of R rows, which are R / ``steps`` sequences where ``steps`` is not 0."""
    if steps == 0:
        engine.learn(question, recalled, engine.steps.tags(len(question.vectors)), sources)
        return
    tags = engine.steps.fresh(len(question.vectors) // steps)
    engine.learn(question, recalled, tags.repeat(steps), sources)
    engine.steps.end(tags)
