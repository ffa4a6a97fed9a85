"""Where and how a memory lives: :class:`StoreSettings`, from arguments or from the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from aesg_graph.errors import AESGConfigError
from aesg_graph.validation import HEADING, validated

Engine = Literal["embedded", "served"]
EMBEDDED = "embedded"
GRAPH_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
VECTOR_SCHEMES = ("http", "https")

_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

GIB = 2**30
SECRETS = ("password", "api_key")
SIZE = "a whole number or text such as '512MiB'"
MEMORY_NAME = r"^[A-Za-z0-9_.-]{1,128}$"


def _bytes(given: object) -> object:
    """``"512MiB"``, ``"1.5 GB"`` or ``"4096"`` as a number of bytes; what is no such text as it is."""
    match_ = _SIZE.fullmatch(given.strip()) if isinstance(given, str) else None
    if match_ is None:
        return given
    number, prefix, binary = match_.groups()
    factor = (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
    return round(float(number) * factor) if "." in number else int(number) * factor


def _seconds(given: object) -> object:
    """Text as a number; what is no such text as it is."""
    try:
        return float(given) if isinstance(given, str) else given
    except ValueError:
        return given


def _address(schemes: tuple[str, ...]) -> Any:
    """A check of addresses: one of these schemes, a host, and nothing that belongs elsewhere."""

    def check(given: object) -> object:
        if given is None or given == EMBEDDED:
            return given
        fault = _fault_of(given, schemes)
        if fault is None:
            return given
        # An address may carry a password, so no more of it is shown than its scheme.
        scheme = _SCHEME.match(given) if isinstance(given, str) else None
        what = f"{scheme.group()}..." if scheme else f"{type(given).__name__} that is no address"
        raise ValueError(f"got {what}{fault}, expected {', '.join(schemes)} with ://host:port, 'embedded' or None")

    return check


def _fault_of(given: object, schemes: tuple[str, ...]) -> str | None:
    """What is wrong with an address, None if nothing is."""
    try:
        parts = urlsplit(given if isinstance(given, str) else "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return " with a host or port that is none"
    if parts.scheme not in schemes:
        return ""
    if parts.username is not None or parts.password is not None:
        return " with a user or password in it (these are settings of their own)"
    if not host:
        return " without a host"
    return None


Bytes = Annotated[int, Field(strict=True, le=2**50), BeforeValidator(_bytes)]
Seconds = Annotated[float, Field(strict=True, le=86400, allow_inf_nan=False), BeforeValidator(_seconds)]
GraphUrl = Annotated[str | None, BeforeValidator(_address(GRAPH_SCHEMES))]
VectorsUrl = Annotated[str | None, BeforeValidator(_address(VECTOR_SCHEMES))]
Few = Annotated[int, Field(ge=1, le=1024)]


class StoreSettings(BaseSettings):
    """Where a memory's concepts, edges and vectors are kept, and how carefully. Frozen.

    Each setting may be given as an argument or, under its name in capitals after ``AESG_``, in the environment
    (``AESG_CACHE_BYTES=512MiB``), which is read when this is made and never before. Sizes may be text with a unit.
    Raises AESGConfigError, which names every bad or unknown setting and shows no secret.
    """

    model_config = SettingsConfigDict(env_prefix="AESG_", env_ignore_empty=True, extra="forbid", frozen=True)

    memory: Annotated[
        str | None, Field(pattern=MEMORY_NAME, description="1 to 128 of A-Z, a-z, 0-9, _, . and -, or None")
    ] = None
    """The memory's name among others in the same stores; None: the embedded engine's only one."""
    graph: GraphUrl = None
    """Where concepts and edges live: the address of a Neo4j server (``neo4j://host:7687``; ``+s`` for TLS, ``+ssc`` for
    TLS with a certificate that nobody vouches for); None or "embedded": in the memory's directory."""
    vectors: VectorsUrl = None
    """Where vectors live: the address of a Qdrant server (``http://host:6333``, ``https``); None or "embedded": in the
    memory's directory. Graph and vectors are both served or both embedded."""

    user: str = "neo4j"
    """Who logs in to Neo4j."""
    password: SecretStr | None = None
    """The password of ``user``."""
    password_file: Path | None = None
    """A file that holds the password, read again whenever the server refuses the one known. Instead of ``password``."""
    api_key: SecretStr | None = None
    """Qdrant's API key."""
    api_key_file: Path | None = None
    """A file that holds Qdrant's API key. Instead of ``api_key``."""
    database: str | None = None
    """The Neo4j database (Enterprise); None: the user's home database."""
    grpc_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    """Qdrant's gRPC port; None: the one after the port of ``vectors`` (6334 after 6333)."""

    cache_bytes: Annotated[Bytes, Field(ge=4096, description=f"bytes in [4096, 2^50], {SIZE}")] = 4 * GIB
    """How large the cache of hot concepts may grow on disk. [4096, 2^50]"""
    durability: Literal["process", "power"] = "process"
    """What an acknowledged lesson survives: the death of the process, or a power cut too."""
    refresh_interval: Annotated[Seconds, Field(ge=0)] = 1.0
    """How often, in seconds, other writers' changes are looked for. [0, 86400]"""
    journal_bytes: Annotated[Bytes, Field(ge=65536, description=f"bytes in [65536, 2^50], {SIZE}")] = GIB
    """How much the journal may hold before writers are slowed. [65536, 2^50]"""
    write_timeout: Annotated[Seconds, Field(gt=0)] = 30.0
    """How long, in seconds, a lesson waits for room in the journal before it is refused. (0, 86400]"""
    flush_timeout: Annotated[Seconds, Field(gt=0)] = 60.0
    """How long, in seconds, ``flush()`` and ``close()`` wait for the stores. (0, 86400]"""
    connect_timeout: Annotated[Seconds, Field(gt=0)] = 5.0
    """How long, in seconds, a connection to a server may take. (0, 86400]"""
    request_timeout: Annotated[Seconds, Field(gt=0)] = 30.0
    """How long, in seconds, a server's answer may take. (0, 86400]"""
    retry_timeout: Annotated[Seconds, Field(ge=0)] = 10.0
    """How long, in seconds, a transaction that met a deadlock or a lost leader is tried again. [0, 86400]"""
    fetch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Rows that Neo4j sends at once. [1, 10^6]"""
    max_connections: Few = 16
    """Connections to Neo4j that are kept. [1, 1024]"""
    procedures: Literal["auto", "never"] = "auto"
    """Neo4j: whether the plugin's procedures are used where the server has them; else plain Cypher does the same."""
    lease_seconds: Annotated[Seconds, Field(ge=1)] = 30.0
    """How long, in the server's seconds, a consolidating process that says nothing keeps its lease. [1, 86400]"""
    tombstone_seconds: Annotated[float, Field(strict=True, ge=0, le=1e9, allow_inf_nan=False)] = 7 * 86400.0
    """How long, in seconds, it is remembered that a concept was removed; a cache that was away for longer is built
    anew. [0, 10^9]"""

    shard_number: Few = 1
    """Qdrant: into how many shards a new collection is divided. [1, 1024]"""
    replication_factor: Few = 1
    """Qdrant: how many copies of each shard a new collection has. [1, 1024]"""
    write_consistency_factor: Few = 1
    """Qdrant: how many copies must have a write before it is acknowledged. [1, 1024]"""
    write_ordering: Literal["weak", "medium", "strong"] = "weak"
    """Qdrant: how writes to copies are ordered; with more than one copy choose "strong"."""
    hnsw_m: Annotated[int, Field(ge=4, le=256)] = 16
    """Qdrant: edges of a node in a new collection's index (HNSW). [4, 256]"""
    hnsw_ef_construct: Annotated[int, Field(ge=4, le=4096)] = 100
    """Qdrant: candidates looked at while the index is built. [4, 4096]"""
    quantization: Literal["none", "scalar", "binary"] = "none"
    """Qdrant: how keys of a new collection are quantized for searching."""
    on_disk: bool = False
    """Qdrant: whether keys and values of a new collection stay on disk."""

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, given: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        settings: Self = validated(cls.model_fields, given, validate)
        settings._require_one_engine()
        return settings

    def _require_one_engine(self) -> None:
        """AESGConfigError unless graph and vectors are of one engine, and all is said that this engine needs."""
        errors: dict[str, str] = {}
        if (self.graph in (None, EMBEDDED)) != (self.vectors in (None, EMBEDDED)):
            missing, given = ("vectors", "graph") if self.vectors in (None, EMBEDDED) else ("graph", "vectors")
            errors[missing] = f"got {getattr(self, missing)!r}, expected the address of a server, as {given} is one"
        elif self.engine == "served" and self.memory is None:
            errors["memory"] = "got None, expected the memory's name: servers hold more than one"
        for secret in ("password", "api_key"):
            if getattr(self, secret) is not None and getattr(self, f"{secret}_file") is not None:
                errors[secret] = f"given as well as {secret}_file, expected one of them"
        if errors:
            raise AESGConfigError(HEADING, errors)

    def without_secrets(self) -> Self:
        """The same without password and API key, which are for memory and never for a file."""
        return self.model_copy(update=dict.fromkeys(SECRETS))

    def with_secrets(self) -> Self:
        """The same, with the password and API key that the environment has where it has none itself."""
        known = {name: getattr(self, name) for name in self.model_fields_set - {*SECRETS}}
        return type(self)(**known | {name: given for name in SECRETS if (given := getattr(self, name)) is not None})

    @property
    def engine(self) -> Engine:
        """Which engine the addresses choose."""
        return "embedded" if self.graph in (None, EMBEDDED) else "served"


class GraphSettings(StoreSettings):
    """Settings for what needs the graph server alone, whatever memory is on it: migrations, lists of memories.

    As StoreSettings, but only ``graph`` must be given. AESGConfigError where it is not.
    """

    def _require_one_engine(self) -> None:
        if self.graph in (None, EMBEDDED):
            expected = f"got {self.graph!r}, expected the address of a Neo4j server (AESG_GRAPH)"
            raise AESGConfigError(HEADING, {"graph": expected})
