"""A database without any schema of ours, for tests of what brings it there; the server's other users get it back."""

from contextlib import contextmanager

from aesg_graph.settings import GraphSettings
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.neo4j.migrating import migrator

OURS = "WHERE name STARTS WITH 'aesg_'"


def settings_of(server, **others):
    given = {"user": server.user, "password": server.password, "graph": server.url} | others
    return GraphSettings(**given)


def asked(settings, statement, **parameters):
    """The rows that a statement gives."""
    connection = Connection(settings)
    try:
        return connection.write("ask", lambda t: t.rows(statement, **parameters))
    finally:
        connection.close()


def strip(settings):
    """Take away our constraints and indexes, and that they were ever made."""
    for (name,) in asked(settings, f"SHOW CONSTRAINTS YIELD name {OURS} RETURN name"):
        asked(settings, f"DROP CONSTRAINT `{name}`")
    for (name,) in asked(settings, f"SHOW INDEXES YIELD name {OURS} RETURN name"):
        asked(settings, f"DROP INDEX `{name}`")
    asked(settings, "MATCH (m:AESGMigration) DELETE m")


@contextmanager
def lent(server):
    """The server, to be stripped at will; in the end it has the package's schema."""
    settings = settings_of(server)
    yield settings
    strip(settings)
    with migrator(settings) as found:
        found.apply()


def indexes_of(settings):
    """The state of each of our indexes."""
    return dict(asked(settings, f"SHOW INDEXES YIELD name, state {OURS} RETURN name, state"))


def records_of(settings):
    """How many migrations are recorded under each number."""
    return dict(asked(settings, "MATCH (m:AESGMigration) RETURN m.version, count(*)"))
