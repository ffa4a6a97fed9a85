"""A connection to the server: drivers, sessions, retries and deadlines."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import neo4j
from neo4j import (
    READ_ACCESS,
    WRITE_ACCESS,
    Auth,
    Driver,
    GraphDatabase,
    NotificationMinimumSeverity,
    basic_auth,
)
from neo4j.auth_management import AuthManager
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j.deadlines import Deadline, Watch
from aesg_graph.stores.neo4j.faults import RETRIED, ExpiredError, place, storage_errors
from aesg_graph.stores.neo4j.statements import cypher

OLDEST = (5, 26)
PAUSE = 0.02
"""Seconds before a transaction that met a deadlock or lost a concept is tried again; then twice as many."""

QUIET = logging.NullHandler()

Answer = TypeVar("Answer")


class Password(AuthManager):
    """The user's password, read again from its file when the server refuses the one known."""

    def __init__(self, settings: StoreSettings) -> None:
        self._user, self._file = settings.user, settings.password_file
        self._known = settings.password.get_secret_value() if settings.password else _read(self._file)

    def get_auth(self) -> Auth | None:
        """What to log in with; None where no password is set."""
        return None if self._known is None else basic_auth(self._user, self._known)

    def handle_security_exception(self, auth: Any, error: Neo4jError) -> bool:
        """Whether it is worth trying again: the file holds another password by now."""
        return self.read_again()

    def read_again(self) -> bool:
        """Read the file again; whether it holds another password by now."""
        if self._file is None:
            return False
        refused, self._known = self._known, _read(self._file)
        return self._known != refused


def _read(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise AESGStorageError(f"Cannot read password_file {file}: {error.strerror}") from error


class Transaction:
    """A transaction under way whose answers must each come in time."""

    def __init__(self, transaction: neo4j.Transaction, deadline: Deadline) -> None:
        self._transaction, self._deadline = transaction, deadline

    def send(self, statement: str, /, **parameters: Any) -> Pending:
        """Send a statement; what it answers can be asked for later, when others have been sent too."""
        result = self._transaction.run(statement, parameters)
        self._deadline.extend()
        return Pending(result, self._deadline)

    def rows(self, statement: str, /, **parameters: Any) -> list[list[Any]]:
        """Send a statement and wait for its rows."""
        return self.send(statement, **parameters).rows()


class Pending:
    """The answer to a statement that was sent."""

    def __init__(self, result: Any, deadline: Deadline) -> None:
        self._result, self._deadline = result, deadline

    def rows(self) -> list[list[Any]]:
        """All rows."""
        rows: list[list[Any]] = self._result.values()
        self._deadline.extend()
        return rows

    def collected(self) -> list[Any]:
        """What is in the lists that the rows consist of, one after another."""
        return [item for row in self.rows() for item in row[0]]

    def done(self) -> None:
        """Wait until it is carried out."""
        self._result.consume()
        self._deadline.extend()


class Connection:
    """The way to one server. The driver is made when first needed, and anew after a server that hung."""

    def __init__(self, settings: StoreSettings) -> None:
        if settings.graph is None:
            raise AESGStorageError("The setting graph names no server; expected the address of a Neo4j")
        self.settings = settings
        self._url: str = settings.graph
        self._lock = threading.Lock()
        self._driver: Driver | None = None
        self._bookmarks = GraphDatabase.bookmark_manager()
        # What a server's going does to connections is told by our errors; the driver's own log is for who asks for it.
        logging.getLogger("neo4j").addHandler(QUIET)
        self._password = Password(settings)
        self._watch = Watch()
        self._closed = False

    def read(self, doing: str, work: Callable[[Transaction], Answer]) -> Answer:
        """Carry out reading work in a transaction; it may be carried out more than once."""
        usual = self.settings.request_timeout
        return self._carry_out(doing, READ_ACCESS, work, usual, usual)

    def write(
        self, doing: str, work: Callable[[Transaction], Answer], patience: float = 1.0, silence: float = 0.0
    ) -> Answer:
        """Carry out writing work in a transaction; all of it happens or nothing.

        ``patience``: how many times the usual request timeout the server may hold the transaction's locks.
        ``silence``: seconds that a single answer may take, where that is longer than the usual request timeout.
        """
        usual = self.settings.request_timeout
        silence = max(silence, usual)
        return self._carry_out(doing, WRITE_ACCESS, work, max(usual * patience, silence), silence)

    def version(self) -> str:
        """The server's version."""

        def ask(transaction: Transaction) -> str:
            rows = transaction.rows(cypher("server_version"))
            return str(rows[0][0]) if rows else "0"

        return self.read("ask for the version of", ask)

    def expect_version(self) -> None:
        """AESGStorageError for a server that is too old."""
        found = self.version()
        if release(found) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise AESGStorageError(
                f"Cannot use {place(self.settings)}: the server is Neo4j {found}; expected {oldest} or later"
            )

    def expect_open(self) -> None:
        """AESGStorageError once it was closed."""
        if self._closed:
            raise AESGStorageError(f"The connection to {place(self.settings)} is closed")

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        with self._lock:
            driver, self._driver, self._closed = self._driver, None, True
        self._watch.close()
        if driver is not None:
            with storage_errors(self.settings, "close"):
                driver.close()

    def _carry_out(
        self, doing: str, access: str, work: Callable[[Transaction], Answer], seconds: float, silence: float
    ) -> Answer:
        """Try until it succeeds, fails for good, or has failed for as long as ``retry_timeout``."""
        give_up, pause = time.monotonic() + self.settings.retry_timeout, PAUSE
        with storage_errors(self.settings, doing):
            while True:
                try:
                    return self._try(access, work, seconds, silence)
                except AuthError:
                    # The driver asks for another password only once it is logged in.
                    if not self._password.read_again():
                        raise
                    self._let_go()
                    continue
                except (Neo4jError, DriverError) as error:
                    passing = error.is_retryable() or getattr(error, "code", None) in RETRIED
                    if not passing or time.monotonic() + pause > give_up:
                        raise
                time.sleep(pause * random.uniform(0.5, 1.5))
                pause *= 2

    def _try(self, access: str, work: Callable[[Transaction], Answer], seconds: float, silence: float) -> Answer:
        # Not execute_write, which does the same, but tries again with a server that hangs.
        driver = self._made()
        session = driver.session(
            database=self.settings.database,
            default_access_mode=access,
            fetch_size=self.settings.fetch_size,
            bookmark_manager=self._bookmarks,
        )
        with self._watch.limit(silence, lambda: self._drop(driver)) as deadline:
            try:
                with session, session.begin_transaction(timeout=seconds) as transaction:
                    deadline.extend()
                    answer = work(Transaction(transaction, deadline))
                    transaction.commit()
                    return answer
            except (Neo4jError, DriverError, OSError) as error:
                if deadline.passed:
                    raise ExpiredError(f"no answer within {silence:g} s (request_timeout)") from error
                raise

    def _made(self) -> Driver:
        with self._lock:
            self.expect_open()
            if self._driver is None:
                self._driver = GraphDatabase.driver(
                    self._url,
                    auth=self._password,
                    user_agent=f"aesg-graph/{version('aesg-graph')}",
                    connection_timeout=self.settings.connect_timeout,
                    connection_acquisition_timeout=self.settings.connect_timeout,
                    connection_write_timeout=self.settings.request_timeout,
                    max_connection_pool_size=self.settings.max_connections,
                    notifications_min_severity=NotificationMinimumSeverity.OFF,
                    telemetry_disabled=True,
                )
            return self._driver

    def _let_go(self) -> None:
        """The next transaction logs in anew."""
        with self._lock:
            driver, self._driver = self._driver, None
        if driver is not None:
            _cut(driver)

    def _drop(self, driver: Driver) -> None:
        """Cut the connections to a server that hangs: whoever waits for it gets an error; the next call dials anew."""
        with self._lock:
            if self._driver is driver:
                self._driver = None
        threading.Thread(target=_cut, args=(driver,), name="aesg-neo4j-cut", daemon=True).start()


def _cut(driver: Driver) -> None:
    with contextlib.suppress(DriverError, Neo4jError, OSError):
        driver.close()


def release(version: str) -> tuple[int, int]:
    """The first two numbers of a version; (0, 0) for a text that has none."""
    first = version.split("-")[0].split(".")
    try:
        return int(first[0]), int(first[1])
    except (ValueError, IndexError):
        return 0, 0
