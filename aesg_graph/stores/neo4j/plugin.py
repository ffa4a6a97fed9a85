"""The plugin with the procedures: its jar in this package, and what a server has of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j.connecting import Connection, Transaction
from aesg_graph.stores.neo4j.statements import cypher

FOLDER = Path(__file__).with_name("plugin")


@dataclass(frozen=True)
class Offered:
    """What a server offers: the names of procedures, and the plugin's version (None without the plugin)."""

    procedures: tuple[str, ...]
    version: str | None

    @property
    def suits(self) -> bool:
        """Whether it is of this package's version, as far as the first two numbers go."""
        return self.version is not None and _series(self.version) == _series(version("aesg-graph"))


def jar() -> Path | None:
    """The jar that was packed with this package, or built by ``make plugin``; None if there is none."""
    return next(iter(sorted(FOLDER.glob("aesg-procedures-*.jar"))), None)


def offered(connection: Connection) -> Offered:
    """What the server offers to the user who asks. AESGStorageError if it does not answer."""

    def work(transaction: Transaction) -> Offered:
        names = tuple(row[0] for row in transaction.rows(cypher("procedures_offered")))
        known = "aesg.version" in names
        return Offered(names, transaction.rows(cypher("plugin_version"))[0][0] if known else None)

    return connection.read("look for procedures in", work)


def offered_by(settings: StoreSettings) -> Offered:
    """The same, of the server that settings name."""
    connection = Connection(settings)
    try:
        return offered(connection)
    finally:
        connection.close()


def _series(version: str) -> list[str]:
    return version.split(".")[:2]
