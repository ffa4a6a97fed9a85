"""Where and how a memory lives: :class:`StoreSettings`, from arguments or from the environment."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from aesg_graph.validation import validated

Engine = Literal["embedded"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

GIB = 2**30
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


def _url(given: object) -> object:
    if given is None or given in ENGINES:
        return given
    # An address may carry a password, so no more of it is shown than its scheme.
    scheme = _SCHEME.match(given) if isinstance(given, str) else None
    what = f"{scheme.group()}..." if scheme else f"{type(given).__name__} that is no address"
    raise ValueError(
        f"got {what}, expected {' or '.join(map(repr, ENGINES))} or None: this version knows no other engine"
    )


Bytes = Annotated[int, Field(strict=True, le=2**50), BeforeValidator(_bytes)]
Seconds = Annotated[float, Field(strict=True, le=86400, allow_inf_nan=False), BeforeValidator(_seconds)]
Url = Annotated[str | None, BeforeValidator(_url)]


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
    graph: Url = None
    """Where concepts and edges live; None or "embedded": in the memory's directory. This version knows no other."""
    vectors: Url = None
    """Where vectors live; None or "embedded": in the memory's directory. This version knows no other."""

    user: str | None = None
    """Kept for servers, which come in the next version; the embedded engine needs none."""
    password: SecretStr | None = None
    """Kept for servers, as ``user`` is."""
    api_key: SecretStr | None = None
    """Kept for servers, as ``user`` is."""
    database: str | None = None
    """Kept for servers, as ``user`` is."""

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
    """Kept for servers: how long, in seconds, a connection may take. (0, 86400]"""
    request_timeout: Annotated[Seconds, Field(gt=0)] = 30.0
    """Kept for servers: how long, in seconds, an answer may take. (0, 86400]"""

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, given: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        settings: Self = validated(cls.model_fields, given, validate)
        return settings

    @property
    def engine(self) -> Engine:
        """Which engine the addresses choose. An address that chooses none is refused when the settings are made."""
        return "embedded"
