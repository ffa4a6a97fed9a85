"""Constraints and indexes: which ones statements make, and which ones a database has.

``IF NOT EXISTS`` makes nothing, and says nothing, where an index of another kind or of the same name is in the way. So
what a migration promises is looked for afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.neo4j.connecting import Connection
from aesg_graph.stores.neo4j.statements import cypher

Kind = Literal["uniqueness constraint", "index", "full-text index"]
KINDS: dict[str, Kind] = {
    "CONSTRAINT": "uniqueness constraint",
    "INDEX": "index",
    "FULLTEXT INDEX": "full-text index",
}
FOUND: dict[str, Kind] = {"RANGE": "index", "FULLTEXT": "full-text index"}

CREATES = re.compile(
    r"CREATE (CONSTRAINT|INDEX|FULLTEXT INDEX) (\w+) IF NOT EXISTS FOR \(\w+:(\w+)\) (?:REQUIRE|ON EACH|ON) "
    r"[(\[]?([\w., ]+)"
)
DROPS = re.compile(r"DROP (?:CONSTRAINT|INDEX) (\w+) IF EXISTS")
PROPERTY = re.compile(r"\b\w+\.(\w+)")


@dataclass(frozen=True)
class Rule:
    """A constraint or an index on nodes. Two are equal whatever their names: a database has no two such."""

    kind: Kind
    label: str
    properties: tuple[str, ...]
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"the {self.kind} {self.name} on (:{self.label} {{{', '.join(self.properties)}}})"


def made_by(statement: str) -> Rule | None:
    """The rule that a statement makes; None where it makes none."""
    found = CREATES.match(" ".join(statement.split()))
    if found is None:
        return None
    return Rule(KINDS[found[1]], found[3], tuple(PROPERTY.findall(found[4])), found[2])


def promised(statements: Iterable[str]) -> set[Rule]:
    """The rules that stand after these statements, one after another."""
    rules: dict[str, Rule] = {}
    for statement in statements:
        rule, dropped = made_by(statement), DROPS.match(" ".join(statement.split()))
        if rule is not None:
            rules[rule.name] = rule
        elif dropped is not None:
            rules.pop(dropped[1], None)
    return set(rules.values())


def standing(connection: Connection) -> dict[Rule, str]:
    """The rules of a database, each with its state: "ONLINE", "POPULATING" or "FAILED"."""
    # Asked as a write: of the leader, which knows what another process made a moment ago.
    rows = connection.write("look at the indexes of", lambda t: t.rows(cypher("indexes_standing")))
    rules = {}
    for name, kind, label, properties, owned, state in rows:
        known = KINDS["CONSTRAINT"] if owned else FOUND.get(kind)
        if known is not None:
            rules[Rule(known, label, tuple(properties), name)] = str(state)
    return rules


def expect_online(connection: Connection, rules: Iterable[Rule]) -> bool:
    """Whether every rule can be used; False while one is being filled. AESGStorageError for one that cannot be had."""
    states = standing(connection)
    waiting = False
    for rule in rules:
        state = states.get(rule)
        if state is None:
            raise AESGStorageError(
                f"The database at {connection.settings.graph} refuses {rule}: an index or constraint that has its "
                "name or its properties is in the way (SHOW INDEXES names it); drop that one and run "
                "'aesg migrate apply' again"
            )
        if state == "FAILED":
            raise AESGStorageError(
                f"The database at {connection.settings.graph} could not fill {rule} (SHOW INDEXES YIELD name, "
                "failureMessage tells why); drop it and run 'aesg migrate apply' again"
            )
        waiting = waiting or state != "ONLINE"
    return not waiting
