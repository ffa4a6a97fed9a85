"""What the driver and the server say, as errors of ours: what was tried, where, and which setting to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from aesg_graph.errors import AESGError, AESGStorageError
from aesg_graph.settings import StoreSettings

RETRIED = frozenset(
    {
        "Neo.ClientError.Statement.EntityNotFound",  # deleted by another between its match and its lock
        "Neo.ClientError.Schema.ConstraintValidationFailed",  # born by another between our look and our birth
    }
)

ADVICE = {
    "Neo.ClientError.Security.Unauthorized": "the server refuses the settings user and password (or password_file)",
    "Neo.ClientError.Security.AuthenticationRateLimit": (
        "too many logins failed; check the settings user and password (or password_file), and wait a few seconds"
    ),
    "Neo.ClientError.Security.CredentialsExpired": (
        "the password must be changed first (ALTER CURRENT USER SET PASSWORD), then given as the setting password"
    ),
    "Neo.ClientError.Security.Forbidden": "the setting user names somebody who may not do this",
    "Neo.ClientError.Database.DatabaseNotFound": "the setting database names one that the server does not have",
    "Neo.ClientError.Transaction.TransactionTimedOut": "it took longer than the setting request_timeout allows",
    "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration": (
        "it took longer than the setting request_timeout allows"
    ),
}
UNREACHED = "the server cannot be reached; check the settings graph and connect_timeout"


class ExpiredError(Exception):
    """The server did not answer in time, and the connection was cut."""


@contextmanager
def storage_errors(settings: StoreSettings, doing: str) -> Iterator[None]:
    """Turn what the driver raises into an AESGStorageError that names what was tried, the server and the setting."""
    try:
        yield
    except AESGError:
        raise
    except ExpiredError as error:
        raise AESGStorageError(f"Cannot {doing} {place(settings)}: {error}") from error
    except Neo4jError as error:
        code = error.code or "no code"
        advice = ADVICE.get(code)
        said = f"{code}: {error.message}" if advice is None else f"{advice} ({code})"
        raise AESGStorageError(f"Cannot {doing} {place(settings)}: {said}") from error
    except (DriverError, ConfigurationError, AuthError, OSError) as error:
        unreached = isinstance(error, ServiceUnavailable | SessionExpired | OSError)
        said = f"{UNREACHED} ({error})" if unreached else str(error)
        raise AESGStorageError(f"Cannot {doing} {place(settings)}: {said}") from error


def place(settings: StoreSettings) -> str:
    """The memory (if one is meant) and its server, for people. Addresses in settings never hold credentials."""
    where = f"{settings.graph}" if settings.database is None else f"{settings.graph}, database {settings.database}"
    return f"the database at {where}" if settings.memory is None else f"the memory {settings.memory!r} at {where}"
