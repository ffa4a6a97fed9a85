"""Migrations: what a database must have before a memory lives in it, in numbered files, applied once each.

Neo4j does not let constraints and records be written in one transaction, so every statement of a migration can be
carried out again: whoever dies half-way, or is not alone, does no harm. What was applied is recorded last, when every
constraint and index of it has been seen to stand.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version as package_version
from typing import Literal

from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.neo4j.migration_files import Migration, available
from aesg_graph.stores.neo4j.schema_rules import Rule, expect_online, made_by, promised, standing
from aesg_graph.stores.neo4j.statements import cypher

APPLY = "run 'aesg migrate apply'"
BUILD_SECONDS = 3600.0
"""How long a server may take to make one constraint or index of what is already there."""
LOOK_SECONDS = 0.05
"""The first pause between two looks at indexes that are being filled; then twice as long, up to 2 s."""

THERE = frozenset(
    f"Neo.ClientError.Schema.{code}"
    for code in (
        "EquivalentSchemaRuleAlreadyExists",
        "ConstraintAlreadyExists",
        "ConstraintWithNameAlreadyExists",
        "IndexAlreadyExists",
        "IndexWithNameAlreadyExists",
    )
)

State = Literal["applied", "pending", "edited", "incomplete", "unknown"]


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
    """How one migration stands, and what is wrong with it.

    "edited" after it was applied, "incomplete" where a constraint or index of it was dropped, or "unknown" to this
    version of the package. ``applied_at``: seconds since 1970; ``package``: the version that applied it.
    """

    version: int
    name: str
    state: State
    applied_at: float | None = None
    package: str | None = None
    fault: str | None = None


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
        standings, missing = self._compared(), self._missing()
        for i, migration in enumerate(self.migrations):
            lacking = [str(rule) for rule in map(made_by, migration.statements) if rule in missing]
            if lacking and standings[i].state == "applied":
                fault = f"{migration.file} was applied, but {', '.join(lacking)} is gone: {APPLY}, which makes it again"
                standings[i] = replace(standings[i], state="incomplete", fault=fault)
        return standings

    def validate(self) -> None:
        """AESGStorageError where a migration was edited after it was applied, a constraint or index of one is gone, or
        the database is newer than this package.
        """
        _expect_sound(self.status())

    def require_applied(self) -> None:
        """AESGStorageError where a migration was edited or is pending, or the database is newer than this package.

        One look at what was recorded, which a user who may only read can take.
        """
        standings = self._compared()
        _expect_sound(standings)
        pending = [str(s.version) for s in standings if s.state == "pending"]
        if pending:
            self._connection.expect_version()
            raise AESGStorageError(
                f"The database at {self._connection.settings.graph} lacks migration {', '.join(pending)}: {APPLY}"
            )

    def pending(self) -> list[Migration]:
        """What :meth:`apply` would apply: of a migration of which something is gone, the statements that make it again.

        AESGStorageError as :meth:`require_applied`, or for a server that is too old.
        """
        self._connection.expect_version()
        standings = self._compared()
        _expect_sound(standings)
        missing = self._missing()
        waiting = []
        for migration, found in zip(self.migrations, standings, strict=False):
            if found.state == "pending":
                waiting.append(migration)
            elif again := tuple(s for s in migration.statements if made_by(s) in missing):
                waiting.append(replace(migration, statements=again))
        return waiting

    def apply(self, told: Callable[[Migration, str], None] | None = None) -> list[Migration]:
        """Apply what is pending, in order; which that was. ``told`` hears of each statement before it is carried out.

        Any number of processes may do so at once. AESGStorageError as :meth:`require_applied`, and where the server
        refuses a statement; what was applied before stays.
        """
        pending = self.pending()
        if pending:
            self._carry_out(cypher("migrations_constraint"))
        for migration in pending:
            for statement in migration.statements:
                if told is not None:
                    told(migration, statement)
                self._carry_out(statement)
            self._await(promised(migration.statements))
            self._record(migration)
        return pending

    def _compared(self) -> list[Standing]:
        recorded = {record.version: record for record in self.recorded()}
        compared = [self._standing(m, recorded.pop(m.version, None)) for m in self.migrations]
        return compared + [self._unknown(record) for record in recorded.values()]

    def _standing(self, migration: Migration, record: Recorded | None) -> Standing:
        if record is None:
            return Standing(migration.version, migration.name, "pending")
        found = Standing(migration.version, migration.name, "applied", record.applied_at, record.package)
        if record.checksum == migration.checksum:
            return found
        fault = (
            f"{migration.file} is not as aesg-graph {record.package} applied it to {self._connection.settings.graph}: "
            f"its checksum is {migration.checksum[:12]}, recorded was {record.checksum[:12]}; expected the file as "
            "released, and changes in a migration of their own"
        )
        return replace(found, state="edited", fault=fault)

    def _unknown(self, record: Recorded) -> Standing:
        fault = (
            f"The database at {self._connection.settings.graph} has migration {record.version} ({record.name}), "
            f"applied by aesg-graph {record.package}; this is {package_version('aesg-graph')}, which knows "
            f"{len(self.migrations)}: expected a version of the package as new as the database"
        )
        return Standing(record.version, record.name, "unknown", record.applied_at, record.package, fault)

    def _missing(self) -> set[Rule]:
        """What the migrations promise and the database has not."""
        there = standing(self._connection)
        return promised(s for m in self.migrations for s in m.statements) - there.keys()

    def _carry_out(self, statement: str) -> None:
        # Of its own: no transaction changes both schema and data.
        try:
            self._connection.write("migrate", lambda t: t.send(statement).done(), silence=BUILD_SECONDS)
        except AESGStorageError as error:
            # IF NOT EXISTS does not see what another process makes at this moment. Whether that is what we wanted, and
            # not something in its way, is seen afterwards.
            if getattr(error.__cause__, "code", None) not in THERE:
                raise

    def _await(self, rules: set[Rule]) -> None:
        pause = LOOK_SECONDS
        while not expect_online(self._connection, rules):
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _record(self, migration: Migration) -> None:
        values = {"version": migration.version, "name": migration.name, "checksum": migration.checksum}
        values["package"] = package_version("aesg-graph")
        statement = cypher("migration_record")
        rows = self._connection.write("record a migration in", lambda t: t.rows(statement, **values))
        if rows[0][0] != migration.checksum:  # another process was quicker, with another file
            _expect_sound(self._compared())


def _expect_sound(standings: Sequence[Standing]) -> None:
    for found in standings:
        if found.fault is not None:
            raise AESGStorageError(found.fault)


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
