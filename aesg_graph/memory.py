"""AESGMemory, the torch face of the engine: a module that recalls, and learns while it is used."""

from __future__ import annotations

import copy
import json
import logging
import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from aesg_graph.answering import Answerer
from aesg_graph.concepts import Concept, Edge
from aesg_graph.config import AESGConfig
from aesg_graph.context import RetrievedContext
from aesg_graph.engine import MemoryEngine, acquire, release, retain
from aesg_graph.engine.recall import Recall
from aesg_graph.engine.steps import StepHandle
from aesg_graph.errors import AESGConfigError, AESGMemoryError
from aesg_graph.heritage import CognitiveEngineView, LoggerView, StorageView
from aesg_graph.learning import Mode
from aesg_graph.retrieval_op import LEARN_BY_MODE, Asked, register, retrieve_op
from aesg_graph.settings import StoreSettings
from aesg_graph.tensors import as_array, as_tensor, numpy_encoder

log = logging.getLogger("aesg_graph")


class AESGMemory(nn.Module):
    """External memory for a model: a graph of concepts that is found by key, spreads energy along edges, and learns.

    Parameters
    ----------
    directory: where the memory lives; made if absent. Opened twice in one process it is one memory.
    config: what the memory is; None takes what the directory says, or the defaults for a new one.
    stores: where concepts and vectors live; None reads the environment (``AESG_*``), which by default means embedded.

    Raises AESGConfigError for a bad configuration and AESGStorageError for a directory that another process holds, that
    has other dimensions, or that is damaged. TRAIN and FINETUNE learn only while ``module.training`` is true, ONLINE always,
    INFERENCE never; ``learn=`` overrides that for one call.
    """

    _clock: Tensor

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        config: AESGConfig | None = None,
        *,
        stores: StoreSettings | None = None,
    ) -> None:
        super().__init__()
        if config is not None and not isinstance(config, AESGConfig):
            raise AESGConfigError(f"config is a {type(config).__name__}, expected an AESGConfig or None")
        where = directory if directory is not None else (config.storage_directory if config else None)
        if where is None:
            raise AESGConfigError(
                "No directory was given, expected AESGMemory(directory) or AESGConfig.storage_directory"
            )
        self.directory = os.path.abspath(os.path.expanduser(os.fspath(where)))
        self._wanted = config
        self._stores = stores
        self._prepare()
        self._open()

    def _prepare(self) -> None:
        """What a new, copied or unpickled module has of its own."""
        self._engine: MemoryEngine | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._wanted_mode: str | None = None
        self._answerer = Answerer()
        self._handle = register(self)
        # Written by the retrieval op, so that a compiler neither drops nor reorders calls that learn.
        self.register_buffer("_clock", torch.zeros(1, dtype=torch.int64), persistent=False)

    def _open(self) -> MemoryEngine:
        if self._engine is None:
            settings = self._stores if self._stores is not None else StoreSettings()
            self._attach(acquire(self.directory, self._wanted, settings))
        assert self._engine is not None
        return self._engine

    def _attach(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self._finalizer = weakref.finalize(self, release, engine)
        self._finalizer.atexit = False
        if self._wanted_mode is not None:
            engine.set_mode(self._wanted_mode)

    @property
    def engine(self) -> MemoryEngine:
        """The engine below, opened if this module was unpickled and not used since."""
        return self._open()

    @property
    def config(self) -> AESGConfig:
        """What this memory is."""
        return self.engine.config

    @property
    def vector_dim(self) -> int:
        """The width of keys and queries."""
        return self.engine.config.vector_dim

    # -- recall -----------------------------------------------------------------------------------------------------

    def forward(self, query: Any, value: Any = None) -> RetrievedContext:
        """As :meth:`retrieve`."""
        return self.retrieve(query, value)

    def retrieve(
        self,
        query: Any,
        value: Any = None,
        learn: bool | None = None,
        kind: str | None = None,
        region: int | None = None,
        sources: Sequence[str | None] | None = None,
    ) -> RetrievedContext:
        """Recall what is associated with each query; then, if the mode allows, learn that query means value.

        Parameters
        ----------
        query: [D], [B, D] or [B, T, D]; a tensor on any device in any real dtype, an array or a list.
        value: what the queries mean: [V], [B, V] or [B, T, V].
        learn: True or False overrides what mode and ``training`` say (INFERENCE never learns).
        kind, region: only concepts of that kind or region are seeds and results; energy may flow through others.
        sources: where each row's key comes from, one string a row, kept by what is born of it, for :meth:`rekey`.

        Raises AESGMemoryError for wrong shapes, complex or non-finite numbers, an empty batch; nothing is learned then.
        """
        asked = as_tensor(query, "query")
        self._check_shape(asked)
        meant = None if value is None else self._check_value(as_tensor(value, "value"), asked)
        self._answerer.sources = None if sources is None else tuple(sources)
        learns = LEARN_BY_MODE if learn is None else int(learn)
        steps = asked.shape[1] if asked.dim() == 3 else 0
        flat = asked.detach().reshape(-1, asked.shape[-1])
        flat_value = None if meant is None else meant.detach().reshape(flat.shape[0], -1)
        found = retrieve_op(flat, flat_value, self._clock, self._handle, learns, self.training, steps, kind, region)
        return self._context(asked, found)

    def _context(self, asked: Tensor, found: Sequence[Tensor]) -> RetrievedContext:
        ids, energies, vectors, values, has_value, stability, explanation, novel = found
        config = self.config
        shape = asked.shape[:-1]
        count = config.top_k

        def lay(flat: Tensor, *rest: int) -> Tensor:
            return flat.reshape(*shape, *rest)

        context = RetrievedContext(
            query=asked,
            ids=lay(ids, count),
            energies=lay(energies, count),
            mask=lay(ids, count) >= 0,
            vectors=lay(vectors, count, config.vector_dim),
            values=lay(values, count, config.value_dim) if config.value_dim else None,
            has_value=lay(has_value, count),
            stability=lay(stability, count),
            explanation=lay(explanation),
            novel=lay(novel),
            read_temperature=config.read_temperature,
            seed_threshold=config.seed_threshold,
        )
        return context.trimmed() if asked.dim() == 1 else context

    def answer(self, query: Tensor, value: Tensor | None, asked: Asked) -> Recall:
        """What the retrieval operator runs, for a flat batch [R, D]."""
        return self._answerer.answer(self.engine, query, value, asked)

    def _check_shape(self, query: Tensor) -> None:
        if query.dim() not in (1, 2, 3) or query.shape[-1] != self.vector_dim:
            dim = self.vector_dim
            raise AESGMemoryError(
                f"query has shape {list(query.shape)}, expected [{dim}], [B, {dim}] or [B, T, {dim}] (vector_dim={dim})"
            )
        if query.numel() == 0:
            raise AESGMemoryError(f"query is an empty batch of shape {list(query.shape)}, expected at least one row")

    def _check_value(self, value: Tensor, query: Tensor) -> Tensor:
        width = self.engine.config.value_dim
        if width == 0:
            raise AESGMemoryError("A value was given, but this memory has value_dim=0: expected no value")
        expected = [*query.shape[:-1], width]
        if list(value.shape) != expected:
            raise AESGMemoryError(
                f"value has shape {list(value.shape)}, expected {expected} for a query of {list(query.shape)}"
            )
        return value

    # -- when lessons are taken -------------------------------------------------------------------------------------

    def step(self) -> AbstractContextManager[StepHandle]:
        """A training step: every call inside is answered from the memory as it was on entry; lessons are taken at the exit.

        An exception, or ``discard()``, drops them. An inner step joins the outer; other threads' lessons wait.
        """
        context: AbstractContextManager[StepHandle] = self.engine.step()
        return context

    def discard(self) -> None:
        """Learn nothing of the step that this thread is in."""
        if (step := self.engine.in_step) is None:
            raise AESGMemoryError("discard() was called outside of a step, expected it inside `with memory.step():`")
        step.discard()

    def sequence(self) -> AbstractContextManager[None]:
        """Row b of successive calls inside is one sequence, whose concepts are joined in time."""
        context: AbstractContextManager[None] = self.engine.sequence()
        return context

    def reset_state(self) -> None:
        """End open sequences. The novelty buffer stays."""
        self.engine.reset_state()

    # -- writing ----------------------------------------------------------------------------------------------------

    def create(
        self,
        keys: Any,
        values: Any = None,
        names: Sequence[str | None] | None = None,
        texts: Sequence[str | None] | None = None,
        sources: Sequence[str | None] | None = None,
        kind: str = "concept",
    ) -> Tensor:
        """Give birth to N concepts at once: keys [N, D], values [N, V]; their ids [N] int64 (none where the mode forbids)."""
        meant = None if values is None else as_array(values, "values")
        return torch.from_numpy(self.engine.create(as_array(keys, "keys"), meant, names, texts, sources, kind))

    def link(self, sources: Any, targets: Any, type: str = "ASSOCIATION", weights: Any = None) -> None:
        """Join concepts [M] to concepts [M] by edges of a type, weights [M] in [0, 1] (0.5)."""
        strengths = None if weights is None else as_array(weights, "weights")
        self.engine.link(as_array(sources, "sources"), as_array(targets, "targets"), type, strengths)

    def annotate(
        self, ids: Any, names: Sequence[str | None] | None = None, texts: Sequence[str | None] | None = None
    ) -> None:
        """Names and texts for people to read."""
        self.engine.annotate(as_array(ids, "ids"), names, texts)

    def remove(self, ids: Any) -> None:
        """Remove concepts with their edges and vectors."""
        self.engine.remove(as_array(ids, "ids"))

    def rekey(
        self,
        encode: Callable[[Sequence[str]], Any],
        ids: Any = None,
        encoder: str = "",
        progress: Callable[[int, int], None] | None = None,
        batch: int = 1024,
    ) -> int:
        """The encoder changed: ``encode`` makes keys [N, D] of N sources again; how many concepts were rekeyed."""
        self._encode = encode
        chosen = None if ids is None else as_array(ids, "ids")
        with torch.no_grad():
            return self.engine.rekey(numpy_encoder(encode), chosen, encoder, progress, batch)

    def update_topology(self) -> None:
        """Call once a batch: keeps the capacity and consolidates every ``consolidation_epoch_interval``-th time."""
        self.engine.update_topology()

    # -- looking ----------------------------------------------------------------------------------------------------

    def concept(self, id: int) -> Concept:
        """One concept; AESGMemoryError if it does not exist."""
        return self.engine.inspector.concept(int(id))

    def neighbors(self, id: int) -> list[Edge]:
        """The edges of a concept, strongest first."""
        return self.engine.inspector.neighbors(int(id))

    def explain(self, query: Any, concept_id: int, limit: int = 10) -> list[dict[str, Any]]:
        """The strongest paths by which a query's energy reaches a concept, with the share that each carries."""
        asked = as_tensor(query, "query").reshape(-1)
        self._check_shape(asked)
        return self.engine.inspector.explain(asked.detach().cpu().float().numpy(), int(concept_id), limit)

    def stats(self, encode: Callable[[Sequence[str]], Any] | None = None) -> dict[str, Any]:
        """Counts, lag, warnings; with the encoder (given here or to the last rekey) also how far keys have drifted."""
        known = encode if encode is not None else self.__dict__.get("_encode")
        with torch.no_grad():
            return self.engine.inspector.stats(None if known is None else numpy_encoder(known))

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """What happened: CREATE, LINK, REMOVE, MERGE, SPLIT, PRUNE, CONSOLIDATE, RESTRUCTURE, REKEY, oldest first."""
        return self.engine.inspector.history(limit)

    # -- life -------------------------------------------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        """What the memory may do: TRAIN, FINETUNE, ONLINE or INFERENCE."""
        return self.engine.mode

    def set_mode(self, mode: str | Mode) -> None:
        """Change what the memory may do; AESGMemoryError for an unknown mode."""
        self.engine.set_mode(mode)

    def save(self) -> None:
        """Keep the working memory (novelty buffer, counts) on disk as well; lessons are kept as they are learned."""
        self.engine.save()

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every lesson is in the stores."""
        self.engine.flush(timeout)

    def close(self) -> None:
        """Flush and release the directory; the last user of a directory in this process closes it."""
        if self._engine is not None and self._finalizer is not None:
            self._closed = True
            self._finalizer()

    def __enter__(self) -> AESGMemory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- names that AESG users know ---------------------------------------------------------------------------------

    @property
    def storage(self) -> StorageView:
        """``node_count``, ``edge_count`` and ``nodes``, a read-only structured array."""
        return StorageView(self.engine)

    @property
    def logger(self) -> LoggerView:
        """``get_history()``."""
        return LoggerView(self.engine)

    @property
    def cognitive_engine(self) -> CognitiveEngineView:
        """``create_sensory_concept(vector)`` and ``consolidate()``."""
        return CognitiveEngineView(self.engine)

    # -- torch's own protocols --------------------------------------------------------------------------------------

    def get_extra_state(self) -> Tensor:
        """Name and position of the memory as one uint8 tensor; the concepts stay where they are."""
        position = {
            "directory": os.path.basename(self.directory),
            "changes": self._engine.changes if self._engine else None,
        }
        return torch.frombuffer(bytearray(json.dumps(position).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Compare the position that was saved with the memory's; a memory that is behind is worth a word in the log."""
        saved = json.loads(bytes(state.to("cpu", torch.uint8).tolist()))
        here = self._engine.changes if self._engine else None
        if saved.get("changes") is not None and here is not None and here < saved["changes"]:
            log.warning(
                "the parameters were saved with a memory of %s changes, this one has %s", saved["changes"], here
            )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing: list[str], unexpected: list[str],
        errors: list[str],
    ) -> None:  # fmt: skip
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)
        optional = prefix + "_extra_state"
        if optional in missing:
            missing.remove(optional)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for own in ("_engine", "_finalizer", "_handle", "_answerer", "_encode"):
            state.pop(own, None)
        state["_buffers"] = {}
        state["_wanted_mode"] = self._engine.mode.value if self._engine is not None else self._wanted_mode
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        mode = self._wanted_mode
        self._prepare()
        self._wanted_mode = mode

    def __deepcopy__(self, memo: dict[int, Any]) -> AESGMemory:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        if self._engine is not None and not self._engine.closed:
            retain(self._engine)
            twin._attach(self._engine)
        return twin

    def extra_repr(self) -> str:
        """What ``print(model)`` says of the memory."""
        return repr(self.directory)
