"""Migrations: what a database must have before a memory lives in it, in numbered files, applied once each.

Files are named as neo4j-migrations names them (``V0001__Concepts.cypher``). Neo4j does not let constraints and records
be written in one transaction, so every statement of a migration can be carried out again: whoever dies half-way, or is
not alone, does no harm, and what was applied is recorded last.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Literal

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.neo4j.statements import COMMENT, cypher, migrations_folder

FILE = re.compile(r"V(\d{4})__(\w+)\.cypher")
INDEX_SECONDS = 300
APPLY = "run 'aesg migrate apply'"

THERE = frozenset(
    f"Neo.ClientError.Schema.{code}"
    for code in ("EquivalentSchemaRuleAlreadyExists", "ConstraintAlreadyExists", "IndexAlreadyExists")
)

State = Literal["applied", "pending", "edited", "unknown"]


@dataclass(frozen=True)
class Migration:
    """One file: its number, its name, and the statements in it. The checksum ignores comments and blank space."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]


@dataclass(frozen=True)
class Recorded:
    """What a database says of a migration: when it was applied (seconds since 1970), by which package version."""

    version: int
    name: str
    checksum: str
    applied_at: float
    package: str


@dataclass(frozen=True)
class Standing:
    """How one migration stands: "edited" after it was applied, or "unknown" to this version of the package."""

    version: int
    name: str
    state: State
    applied_at: float | None = None


def available(folder: Path | None = None) -> list[Migration]:
    """The migrations of this package, by number. AESGStorageError for a file that is not named as one, or a gap."""
    found = sorted((folder or migrations_folder()).glob("*.cypher"))
    migrations = [_parsed(path) for path in found]
    if [m.version for m in migrations] != list(range(1, len(migrations) + 1)):
        raise AESGStorageError(f"The migrations are {[p.name for p in found]}, expected V0001, V0002 and so on")
    return migrations


def _parsed(path: Path) -> Migration:
    named = FILE.fullmatch(path.name)
    if named is None:
        raise AESGStorageError(f"{path.name} is no name of a migration, expected V0001__Name.cypher")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith(COMMENT)]
    statements = tuple(" ".join(text.split()) for text in "\n".join(lines).split(";") if text.strip())
    checksum = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    return Migration(int(named[1]), named[2].replace("_", " "), checksum, statements)


class Migrator:
    """Looks at a database's migrations and applies what is pending."""

    def __init__(self, connection: Connection, migrations: Sequence[Migration] | None = None) -> None:
        """``migrations``: those of the package, unless others are given."""
        self._connection = connection
        self.migrations = list(available() if migrations is None else migrations)

    def recorded(self) -> list[Recorded]:
        """What was applied to the database, by number."""
        rows = self._connection.read("read the migrations of", lambda t: t.rows(cypher("migrations_recorded")))
        return [Recorded(*row) for row in rows]

    def status(self) -> list[Standing]:
        """How every migration stands, of the package or of the database, by number."""
        recorded = {record.version: record for record in self.recorded()}
        standings = []
        for migration in self.migrations:
            record = recorded.pop(migration.version, None)
            if record is None:
                standings.append(Standing(migration.version, migration.name, "pending"))
            else:
                same = record.checksum == migration.checksum
                state: State = "applied" if same else "edited"
                standings.append(Standing(migration.version, migration.name, state, record.applied_at))
        return standings + [Standing(r.version, r.name, "unknown", r.applied_at) for r in recorded.values()]

    def validate(self) -> None:
        """AESGStorageError where a migration was edited after it was applied, or the database is newer than this."""
        self._expect(self.status())

    def _expect(self, standings: Sequence[Standing]) -> None:
        server, ours = self._connection.settings.graph, package_version("aesg-graph")
        for standing in standings:
            if standing.state == "unknown":
                raise AESGStorageError(
                    f"The database at {server} has migration {standing.version} ({standing.name}), and aesg-graph "
                    f"{ours} knows {len(self.migrations)}: expected a version of the package as new as the database"
                )
            if standing.state == "edited":
                raise AESGStorageError(
                    f"Migration {standing.version} ({standing.name}) is not as it was applied to {server}: its "
                    "checksum differs; expected the file as released, and changes in a migration of their own"
                )

    def require_applied(self) -> None:
        """As :meth:`validate`, and AESGStorageError while a migration is pending."""
        standings = self.status()
        self._expect(standings)
        pending = [str(s.version) for s in standings if s.state == "pending"]
        if pending:
            raise AESGStorageError(
                f"The database at {self._connection.settings.graph} lacks migration {', '.join(pending)}: {APPLY}"
            )

    def pending(self) -> list[Migration]:
        """What :meth:`apply` would apply. AESGStorageError as :meth:`validate`, or for a server that is too old."""
        self._connection.expect_version()
        standings = self.status()
        self._expect(standings)
        waiting = {s.version for s in standings if s.state == "pending"}
        return [migration for migration in self.migrations if migration.version in waiting]

    def apply(self, told: Callable[[Migration, str], None] | None = None) -> list[Migration]:
        """Apply what is pending, in order; which that was. ``told`` hears of each statement before it is carried out.

        Any number of processes may do so at once. AESGStorageError as :meth:`validate`; what was applied before stays.
        """
        pending = self.pending()
        if pending:
            self._carry_out(cypher("migrations_constraint"))
        for migration in pending:
            for statement in migration.statements:
                if told is not None:
                    told(migration, statement)
                self._carry_out(statement)
            self._await_indexes()
            self._record(migration)
        return pending

    def _carry_out(self, statement: str) -> None:
        # Of its own: no transaction changes both schema and data.
        try:
            self._connection.write("migrate", lambda t: t.send(statement).done())
        except AESGStorageError as error:
            # IF NOT EXISTS does not see what another process makes at this moment.
            if getattr(error.__cause__, "code", None) not in THERE:
                raise

    def _await_indexes(self) -> None:
        statement = cypher("indexes_await")
        self._connection.write("index", lambda t: t.send(statement, seconds=INDEX_SECONDS).done())

    def _record(self, migration: Migration) -> None:
        values = {"version": migration.version, "name": migration.name, "checksum": migration.checksum}
        values["package"] = package_version("aesg-graph")
        statement = cypher("migration_record")
        rows = self._connection.write("record a migration in", lambda t: t.rows(statement, **values))
        if rows[0][0] != migration.checksum:
            self.validate()


@contextlib.contextmanager
def migrator(settings: StoreSettings, migrations: Sequence[Migration] | None = None) -> Iterator[Migrator]:
    """A migrator of the database that settings name."""
    connection = Connection(settings)
    try:
        yield Migrator(connection, migrations)
    finally:
        connection.close()


def apply(settings: StoreSettings) -> list[Migration]:
    """Apply what is pending to a database; which that was."""
    with migrator(settings) as found:
        return found.apply()
