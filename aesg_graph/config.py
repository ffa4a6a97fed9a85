"""What a memory is, and how it learns: :class:`AESGConfig`. Where and how it lives: :class:`StoreSettings`.

What each parameter does exactly is in ``docs/concepts.md``, in the same words.
"""

from __future__ import annotations

import dataclasses
import json
from functools import cached_property
from typing import Annotated, Any, Literal, Self, cast

import numpy as np
from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, PlainValidator, field_validator, model_validator
from pydantic.dataclasses import dataclass

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import Relations, RelationType
from aesg_graph.errors import AESGConfigError
from aesg_graph.relations import declared
from aesg_graph.settings import StoreSettings
from aesg_graph.validation import HEADING, shown, validated

__all__ = ["AESGConfig", "MemoryMode", "StoreSettings"]

MemoryMode = Literal["TRAIN", "FINETUNE", "INFERENCE", "ONLINE"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

MANY = 1_000_000_000
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=MANY)]
Positive = Annotated[int, Field(ge=1, le=MANY)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class AESGConfig:
    """What a memory is and how it learns. Frozen: make a changed copy with ``dataclasses.replace(config, fan=1.0)``.

    Ranges stand behind the descriptions. NaN, infinities, booleans for numbers and text for numbers are refused;
    integers and numpy numbers are welcome where a float is meant. Raises AESGConfigError, which names every bad or
    unknown parameter, what was given and what is expected.
    """

    # Dimensions and capacity.
    vector_dim: Annotated[int, Field(ge=1, le=8192)] = 256
    """Width D of keys and queries. [1, 8192]"""
    value_dim: Annotated[int, Field(ge=0, le=65536)] = 0
    """Width V of values; 0: concepts have no values, and what is read out is their keys. [0, 65536]"""
    max_concepts: Positive = 1_000_000
    """How many concepts a memory may hold; beyond, the weakest are pruned. [1, 10^9]"""
    max_edges_per_node: Positive = 1000
    """A concept with more edges is split by reorganisation (of fewer than 3, one with more than 3). [1, 10^9]"""

    # Seeds and spreading.
    seeds: Annotated[int, Field(ge=1, le=1024)] = 3
    """How many nearest concepts a query lights. [1, 1024]"""
    seed_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """A seed's cosine with the query lies above this. [0, 1)"""
    spreading_activation_steps: Annotated[int, Field(ge=0, le=100)] = 3
    """Pulses of spreading; 0 gives the seeds alone. [0, 100]"""
    spreading_activation_decay: Share = 0.8
    """The share of energy that survives each pulse. [0, 1]"""
    fan: Share = 0.5
    """How far a node divides its energy among its edges: 0 not at all, 1 wholly (Anderson 1983). [0, 1]"""
    min_energy: Annotated[float, Field(gt=0)] = 1e-3
    """A node that received less in a pulse passes nothing on. (0, inf)"""
    max_fanout: Positive | None = None
    """Only so many of a node's strongest edges count; None: all. [1, 10^9]"""
    top_k: Annotated[int, Field(ge=1, le=65536)] = 10
    """K, how many concepts a retrieval gives back. [1, 65536]"""
    region_facilitation_multiplier: Annotated[float, Field(ge=0, le=1000)] = 1.5
    """The factor on an edge between two concepts of one region. [0, 1000]"""
    scan_limit: Count = 200_000
    """Above so many concepts, seeds come from the vector index where one exists, not from an exact scan. [0, 10^9]"""
    relations: Annotated[tuple[RelationType, ...], PlainValidator(declared)] = ()
    """Types of edges beside the built-in ones, or other gains for those: a mapping from an upper-snake name to
    (forward, backward) or to a RelationType, or RelationTypes. Kept in order of name."""

    # Novelty, agreement and association.
    novelty_explanation_threshold: Share = 0.6
    """A query that memory explains less well than this is novel. [0, 1]"""
    novelty_birth_threshold: Positive = 3
    """How many times something novel must come before it becomes a concept. [1, 10^9]"""
    novelty_buffer: Annotated[int, Field(ge=1, le=65536)] = 256
    """How many novel things are held in mind before the oldest is dropped. [1, 65536]"""
    agreement: Annotated[float, Field(ge=-1, le=1)] = 0.5
    """A seed whose value has a lower cosine with the lesson's contradicts it. [-1, 1]"""
    coactivation_threshold_create: Positive = 50
    """Seeds retrieved together so often are joined by an ASSOCIATION edge. [1, 10^9]"""
    read_temperature: Annotated[float, Field(ge=1e-6, le=1e6)] = 0.05
    """The temperature of the attention with which values are read out. [1e-6, 1e6]"""

    # Aging, pruning and consolidation. Epochs count consolidations.
    relevance_boost: Annotated[float, Field(ge=0, le=1000)] = 0.1
    """What one use adds to a concept's relevance. [0, 1000]"""
    relevance_decay: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """The share of relevance that survives an epoch. (0, 1)"""
    survival_threshold_relevance: Share = 0.05
    """Concepts below this relevance may be pruned; 0: none ever is. [0, 1]"""
    survival_threshold_frequency: Count = 5
    """So many net uses (uses less contradictions) save a concept from pruning for good. [0, 10^9]"""
    survival_min_age: Count = 5
    """Concepts up to this age, in epochs, are not pruned. [0, 10^9]"""
    max_prune_fraction: Share = 0.1
    """The largest share of a memory that one consolidation prunes. [0, 1]"""
    consolidation_epoch_interval: Positive = 10
    """Every so-many-th ``update_topology()`` consolidates. [1, 10^9]"""
    region_detection_interval: Positive = 50
    """Every so-many-th consolidation reorganises, in TRAIN: merges, splits, finds regions. [1, 10^9]"""
    merge_similarity_threshold: Share = 0.95
    """Concepts of one kind with a higher cosine, and values that agree, merge in reorganisation; 1: none do. [0, 1]"""

    # Where and in which mode a memory opens, and parameters kept so that configurations of aesg load here.
    memory_mode: MemoryMode = "TRAIN"
    """The mode in which a memory opens: TRAIN, FINETUNE, INFERENCE or ONLINE."""
    storage_directory: Annotated[str | None, Field(min_length=1, description="a path as text, or None")] = None
    """Where a memory lives that is given no directory."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """The trainer's learning rate where it is given none; no memory uses it. (0, inf)"""
    batch_size: Positive = 32
    """The trainer's batch size where it is given none; no memory uses it. [1, 10^9]"""
    prune_confidence_threshold: Share = 0.1
    """Kept for configurations of aesg; does nothing: edges go with their concepts only. [0, 1]"""
    split_density_threshold: Positive = 800
    """Kept for configurations of aesg; does nothing: ``max_edges_per_node`` says when to split. [1, 10^9]"""
    abstraction_enabled: bool = True
    """Whether reorganisation gives a dense region a parent, of kind abstraction, that stands for its concepts."""
    log_level: LogLevel = "INFO"
    """Kept for configurations of aesg; does nothing: set the level of the ``aesg_graph`` logger with ``logging``."""

    @field_validator("*", mode="before")
    @classmethod
    def _from_numpy(cls, given: Any) -> Any:
        return given.item() if isinstance(given, np.generic) else given

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, given: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        config: Self = validated(cast(Any, cls).__pydantic_fields__, given, validate)
        return config

    @classmethod
    def for_text(cls, **overrides: Any) -> Self:
        """For text: 128 dimensions, 500,000 concepts, and whatever ``overrides`` say."""
        return cls(**{"vector_dim": 128, "max_concepts": 500_000} | overrides)

    @classmethod
    def for_image(cls, **overrides: Any) -> Self:
        """For images: 256 dimensions, 200,000 concepts, and whatever ``overrides`` say."""
        return cls(**{"vector_dim": 256, "max_concepts": 200_000} | overrides)

    @classmethod
    def for_classification(cls, **overrides: Any) -> Self:
        """For classification: 64 dimensions, 100,000 concepts, and whatever ``overrides`` say."""
        return cls(**{"vector_dim": 64, "max_concepts": 100_000} | overrides)

    def to_json(self) -> str:
        """The configuration as JSON text; ``from_json`` gives back an equal one, to the last bit."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The configuration in a JSON object; what is missing has its default. AESGConfigError for anything else."""
        try:
            fields = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise AESGConfigError(f"{HEADING} got {shown(text)}, expected JSON text ({error})") from error
        if not isinstance(fields, dict):
            raise AESGConfigError(f"{HEADING} got {shown(fields)}, expected a JSON object of parameters")
        return cls(**fields)

    def differences(self, other: AESGConfig) -> dict[str, tuple[Any, Any]]:
        """The parameters in which two configurations differ, each with its value here and there."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self))
        return {name: (mine, theirs) for name, mine, theirs in pairs if mine != theirs}

    @cached_property
    def thresholds(self) -> Thresholds:
        """What aging and pruning need to know."""
        return Thresholds(
            relevance_boost=self.relevance_boost,
            relevance_decay=self.relevance_decay,
            survival_threshold_relevance=self.survival_threshold_relevance,
            survival_threshold_frequency=self.survival_threshold_frequency,
            survival_min_age=self.survival_min_age,
        )

    @cached_property
    def vocabulary(self) -> Relations:
        """The types of edges that a memory of this configuration knows, and their codes."""
        return Relations(self.relations)
