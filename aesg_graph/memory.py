"""AESGMemory, the torch face of the engine: a module that recalls, and learns while it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

from aesg_graph.answering import Answerer
from aesg_graph.concepts import Concept, Edge
from aesg_graph.config import AESGConfig
from aesg_graph.context import RetrievedContext
from aesg_graph.engine import inputs
from aesg_graph.engine.health import Health
from aesg_graph.engine.moving import BackedUp, backup_open
from aesg_graph.engine.naming import Named, name_concepts
from aesg_graph.engine.recall import Recall
from aesg_graph.engine.reorganisation import Reorganisation
from aesg_graph.engine.steps import StepHandle
from aesg_graph.errors import AESGMemoryError
from aesg_graph.heritage import CognitiveEngineView, LoggerView, StorageView
from aesg_graph.holding import EngineHolder
from aesg_graph.learning import Mode
from aesg_graph.packs import Filters, MemoryPack, Packed, PackManager
from aesg_graph.retrieval_op import LEARN_BY_MODE, Asked, register, retrieve_op
from aesg_graph.settings import StoreSettings
from aesg_graph.tensors import as_array, as_tensor, check_query, check_value, numpy_encoder

Encoder = Callable[[Sequence[str]], Any]
"""Makes keys [N, D] of N sources."""


class AESGMemory(EngineHolder):
    """External memory for a model: a graph of concepts that is found by key, spreads energy along edges, and learns.

    Parameters
    ----------
    directory: where the memory lives; made if absent. Opened twice in one process it is one memory.
    config: what the memory is; None takes what the directory says, or the defaults for a new one.
    stores: where concepts and vectors live; None reads the environment (``AESG_*``), which by default means embedded.

    Raises AESGConfigError for a bad configuration, AESGMemoryError for a directory that is open in this process with
    another one, and AESGStorageError for a directory that another process holds, that has other dimensions, or that is
    damaged. TRAIN and FINETUNE learn only while ``module.training`` is true, ONLINE always, INFERENCE never; ``learn=``
    overrides that for one call.
    """

    _own = (*EngineHolder._own, "_answerer", "_handle", "_encode")

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        config: AESGConfig | None = None,
        *,
        stores: StoreSettings | None = None,
    ) -> None:
        super().__init__(directory, config, stores)

    def _prepare(self) -> None:
        super()._prepare()
        self._answerer = Answerer()
        self._encode: Encoder | None = None
        self._handle = register(self)

    @property
    def config(self) -> AESGConfig:
        """What this memory is."""
        return self.engine.config

    @property
    def vector_dim(self) -> int:
        """The width of keys and queries."""
        return self.engine.config.vector_dim

    # -- recall -----------------------------------------------------------------------------------------------------

    def forward(
        self,
        query: Any,
        value: Any = None,
        learn: bool | None = None,
        kind: str | None = None,
        region: int | None = None,
        sources: Sequence[str | None] | None = None,
    ) -> RetrievedContext:
        """As :meth:`retrieve`."""
        return self.retrieve(query, value, learn, kind, region, sources)

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
            What is born of a query for a kind is of that kind.
        sources: where each row's key comes from, one string a row, kept by what is born of it, for :meth:`rekey`.

        Raises AESGMemoryError for wrong shapes, complex or non-finite numbers, an empty batch; nothing is learned then.
        """
        config = self.engine.config
        asked = as_tensor(query, "query")
        check_query(asked, config)
        flat = asked.detach().reshape(-1, config.vector_dim)
        meant = None if value is None else as_tensor(value, "value")
        if meant is not None:
            check_value(meant, asked, config)
            meant = meant.detach().reshape(-1, config.value_dim)
        found = retrieve_op(
            flat,
            meant,
            # Shapes are all that is wanted of a tensor without numbers; the real clock does not tick for it.
            flat.new_zeros(1, dtype=torch.int64) if isinstance(flat, FakeTensor) else self._clock,
            self._handle,
            LEARN_BY_MODE if learn is None else int(bool(learn)),
            self.training,
            asked.shape[1] if asked.dim() == 3 else 0,
            None if kind is None else inputs.kind_name(kind),
            inputs.region_filter(region),
            None if sources is None else json.dumps(inputs.texts_for(sources, flat.shape[0], "sources", "row")),
        )
        return RetrievedContext.of(asked, found, config)

    def answer(self, query: Tensor, value: Tensor | None, asked: Asked) -> Recall:
        """What the retrieval operator runs, for a flat batch [R, D]."""
        return self._answerer.answer(self.engine, query, value, asked)

    # -- when lessons are taken -------------------------------------------------------------------------------------

    def step(self) -> AbstractContextManager[StepHandle]:
        """A training step: calls inside are answered from the memory as it was on entry, lessons are taken at the exit.

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
        """Give birth to N concepts at once: keys [N, D], values [N, V].

        Returns their ids [N] int64; none where the mode forbids births, or (ONLINE, FINETUNE) has no room for them all.
        """
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

    def name_concepts(self, limit: int | None = None, again: bool = False) -> Named:
        """Derive names for concepts that nobody named, marked by ``~`` (see :mod:`aesg_graph.engine.naming`)."""
        return name_concepts(self.engine, limit, again)

    def remove(self, ids: Any) -> None:
        """Remove concepts with their edges and vectors."""
        self.engine.remove(as_array(ids, "ids"))

    def rekey(
        self,
        encode: Encoder,
        ids: Any = None,
        encoder: str = "",
        progress: Callable[[int, int], None] | None = None,
        batch: int = 1024,
    ) -> int:
        """The encoder changed: ``encode`` makes keys [N, D] of N sources again; how many concepts were rekeyed."""
        chosen = None if ids is None else as_array(ids, "ids")
        with torch.no_grad():
            rekeyed = self.engine.rekey(numpy_encoder(encode), chosen, encoder, progress, batch)
        self.__dict__["_encode"] = encode  # an encoder that is a module does not become a part of this one
        return rekeyed

    def update_topology(self) -> None:
        """Call once a batch: keeps the capacity and consolidates every ``consolidation_epoch_interval``-th time."""
        self.engine.update_topology()

    def reorganise(self, dry_run: bool = False) -> Reorganisation | None:
        """Merge what is near, split hubs, find regions, sum dense ones up; what was done, or with ``dry_run`` would be.

        TRAIN does it by itself on every ``region_detection_interval``-th consolidation. None in the other modes, and
        inside a step, at whose exit it is done. AESGStorageError while another process looks after the memory.
        """
        return self.engine.reorganise(dry_run)

    # -- looking ----------------------------------------------------------------------------------------------------

    def concept(self, id: int) -> Concept:
        """One concept, of the memory or else of an attached pack; AESGMemoryError if it does not exist."""
        return self.engine.inspector.concept(inputs.one_id(id))

    def neighbors(self, id: int) -> list[Edge]:
        """The edges of a concept, strongest first, found as :meth:`concept` is; AESGMemoryError if none has it."""
        return self.engine.inspector.neighbors(inputs.one_id(id))

    def explain(self, query: Any, concept_id: int, limit: int = 10) -> list[dict[str, Any]]:
        """The strongest paths by which a query's energy reaches a concept, with the share that each carries."""
        asked = as_tensor(query, "query")
        check_query(asked, self.config, rows=1)
        flat = asked.detach().reshape(-1).cpu().float().numpy()
        return self.engine.inspector.explain(flat, inputs.one_id(concept_id), limit)

    def stats(self, encode: Encoder | None = None) -> dict[str, Any]:
        """Counts, lag, warnings; with the encoder (given here or to the last rekey) also how far keys have drifted."""
        known = encode if encode is not None else self._encode
        with torch.no_grad():
            return self.engine.inspector.stats(None if known is None else numpy_encoder(known))

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """What happened: CREATE, LINK, REMOVE, MERGE, SPLIT, PRUNE, CONSOLIDATE, RESTRUCTURE, REKEY, oldest first."""
        return self.engine.inspector.history(limit)

    # -- packs ------------------------------------------------------------------------------------------------------

    @property
    def packs(self) -> PackManager:
        """The packs that are attached: iterate for ``name`` and ``priority``, in the order of attaching."""
        return PackManager(self.engine)

    def export_pack(
        self,
        path: str | os.PathLike[str],
        min_relevance: float | None = None,
        region_id: int | None = None,
        kind: str | None = None,
        where: str | None = None,
        name: str | None = None,
        overwrite: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Packed:
        """Write concepts that pass all filters, and the edges between them, to a new pack at ``path``.

        ``min_relevance`` is compared with today's relevance; ``where`` is a Cypher predicate over ``c``, for a memory
        in Neo4j; ``name`` is the pack's own (by default the file's). Lessons so far are flushed first.

        AESGMemoryError where nothing passes, AESGStorageError if there is something at ``path`` (unless ``overwrite``)
        or a store or the disk fails; no file is left then.
        """
        return self.packs.export(path, Filters(min_relevance, region_id, kind, where), name, overwrite, progress)

    def load_pack(self, path: str | os.PathLike[str]) -> MemoryPack:
        """Read a pack into memory, verified; AESGStorageError if it is damaged or its dimensions are not these."""
        return self.packs.load(path)

    def attach_pack(self, pack: MemoryPack, priority: int = 50) -> None:
        """Let a loaded pack take part in every answer from now on, while this process has the memory open.

        Its energies count ``priority`` over the sum of all attached priorities, the memory's own count whole. Nothing
        is learned of a pack, and nothing written to it. AESGMemoryError for a priority outside 0 to 100, a seventeenth
        pack, and one whose name is attached.
        """
        self.packs.attach(pack, priority)

    def detach_pack(self, name: str) -> None:
        """Answer without a pack again; it stays loaded. AESGMemoryError if none of that name is attached."""
        self.packs.detach(name)

    def import_pack(
        self, pack: MemoryPack | str | os.PathLike[str], progress: Callable[[str, int, int], None] | None = None
    ) -> dict[int, int]:
        """Take a pack's concepts and edges into this memory for good; the new id of each of its ids.

        Kept are keys, values, kinds, names, texts, sources, encoders, uses, contradictions, and edges with weights and
        uses; not regions, relevance and ages. As :meth:`create`, it does nothing where the mode has no room for all.

        AESGStorageError for a damaged file or other dimensions, AESGMemoryError for types of edges that are not
        declared here, before anything is written.
        """
        arrived = self.packs.take_in(pack, progress)
        return dict(zip(arrived.old_ids.tolist(), arrived.new_ids.tolist(), strict=True))

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

    def refresh(self, timeout: float | None = None) -> None:
        """Take over what other processes wrote, now; by itself it happens every ``refresh_interval`` seconds."""
        self.engine.refresh(timeout)

    def health(self) -> Health:
        """How servers and journal are: reachable or why not, what waits, whether answers may lack something."""
        return self.engine.health()

    def backup(self, path: str | os.PathLike[str]) -> BackedUp:
        """Write what the stores hold to a new folder at ``path``, from which ``aesg restore`` writes a memory anew.

        Lessons so far are flushed first; those that come meanwhile go on. AESGStorageError if a store or the disk
        fails; no backup is left then.
        """
        return backup_open(self.engine, path)

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
