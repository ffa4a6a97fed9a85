"""What gRPC and the server say, as errors of ours: what was tried, where, and which setting to change."""

from __future__ import annotations

from typing import Any

import grpc

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings

Code = grpc.StatusCode

UNREACHED = frozenset({Code.UNAVAILABLE, Code.CANCELLED})
REFUSED = frozenset({Code.UNAUTHENTICATED, Code.PERMISSION_DENIED})


def storage_error(settings: StoreSettings, doing: str, error: Any) -> AESGStorageError:
    """A gRPC error for people. What the server said comes last, where there is room for it."""
    said = _advice(settings, error.code())
    told = error.code() is not Code.DEADLINE_EXCEEDED and error.details()
    details = f" ({told})" if told else ""
    return AESGStorageError(f"Cannot {doing} {place(settings)}: {said}{details}")


def _advice(settings: StoreSettings, code: grpc.StatusCode) -> str:
    match code:
        case Code.UNAVAILABLE:
            return "the server cannot be reached; check the settings vectors, grpc_port and connect_timeout"
        case Code.DEADLINE_EXCEEDED:
            return f"no answer within {settings.request_timeout:g} s (request_timeout)"
        case Code.UNAUTHENTICATED | Code.PERMISSION_DENIED if settings.api_key_file is not None:
            return f"the server refuses the key in api_key_file {settings.api_key_file}"
        case Code.UNAUTHENTICATED | Code.PERMISSION_DENIED if settings.api_key is not None:
            return "the server refuses the setting api_key"
        case Code.UNAUTHENTICATED | Code.PERMISSION_DENIED:
            return "the server wants a key, expected in the setting api_key or api_key_file"
        case Code.NOT_FOUND:
            return "the server does not have it"
        case Code.RESOURCE_EXHAUSTED:
            return "it is too much for the server, or too much for now"
        case Code.UNIMPLEMENTED:
            return "the server cannot do this"
        case _:
            return str(code.name)


def place(settings: StoreSettings) -> str:
    """The collection and its server, for people. Addresses in settings never hold credentials."""
    return f"the collection {collection_name(settings)!r} at {settings.vectors}"


def collection_name(settings: StoreSettings) -> str:
    """The name of a memory's collection."""
    return f"aesg_{settings.memory}"
