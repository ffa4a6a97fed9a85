"""What a server does where the data is: by the plugin's procedures if it has them, else by plain Cypher.

Both give the same. Which it is, is found out once for a connection, and one line of the log says so. Explaining is the
exception: without the plugin the engine does it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from neo4j.exceptions import Neo4jError

from aesg_graph.concepts import Doubles, Ids, Relations
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.stores.neo4j.connecting import Answer, Connection, Transaction
from aesg_graph.stores.neo4j.heads import expected_head
from aesg_graph.stores.neo4j.plugin import Offered, offered
from aesg_graph.stores.neo4j.spreading import spread_parameters, spread_statement
from aesg_graph.stores.neo4j.statements import cypher
from aesg_graph.stores.spreading import Activations, Route

if TYPE_CHECKING:
    from aesg_graph.activation import SpreadParams

log = logging.getLogger("aesg_graph")

NOTHING = Offered((), None)
REFUSED = "Neo.ClientError.Procedure.ProcedureCallFailed"
UNKNOWN = "Neo.ClientError.Procedure.ProcedureNotFound"
SEEDS = Sequence[Sequence[tuple[int, float]]]


@dataclass(frozen=True)
class Due:
    """A concept that may be pruned, when, and its relevance today, clipped to 1."""

    id: int
    name: str | None
    expires_epoch: int
    in_epochs: int
    relevance: float


@dataclass(frozen=True)
class Standing:
    """How much a memory holds and how it stands. ``consolidated_at``: when its epoch began, seconds since 1970.

    unswept: removed concepts whose vectors may still exist. due: what may be pruned now. holder: who has the lease.
    """

    concepts: int
    edges: int
    tombstones: int
    unswept: int
    epoch: int
    due: int
    writers: int
    incarnation: int
    consolidated_at: float | None
    holder: str | None


class Procedures:
    """One memory's spreading, explaining, due and stats, each in one round trip."""

    def __init__(self, connection: Connection, memory: str, relations: Relations) -> None:
        self.connection = connection
        self.memory = memory
        self.relations = relations
        self._offered: Offered | None = None

    def has(self, name: str) -> bool:
        """Whether ``aesg.<name>`` is the server's to do. The first call asks the server and logs what it offers."""
        if self._offered is None:
            self._offered = self._found()
        return self._offered.suits and f"aesg.{name}" in self._offered.procedures

    def _found(self) -> Offered:
        if self.connection.settings.procedures == "never":
            log.info("spreading and pruning in Neo4j: by plain Cypher, as the setting procedures says")
            return NOTHING
        found = offered(self.connection)
        if found.suits:
            log.info("spreading and pruning in Neo4j: by the plugin's procedures, version %s", found.version)
        elif found.version is None:
            log.info("spreading and pruning in Neo4j: by plain Cypher, as the server lacks the plugin")
        else:
            log.warning(
                "spreading and pruning in Neo4j: by plain Cypher, as the server's plugin is of version %s and this "
                "package of %s; 'aesg plugin' says which jar belongs to it",
                found.version,
                version("aesg-graph"),
            )
        return found

    def chosen(self, name: str, procedure: Callable[[], Answer], twin: Callable[[], Answer]) -> Answer:
        """Do it by the procedure, or by its twin: also where the procedure has gone since the server was asked."""
        if self.has(name):
            try:
                return procedure()
            except AESGStorageError as error:
                if _code(error) != UNKNOWN:
                    raise
                log.warning("the server no longer offers aesg.%s: plain Cypher does it", name)
                self._offered = NOTHING
        return twin()

    # -- spreading --------------------------------------------------------------------------------------------------

    def spread(
        self, seeds: SEEDS, gains: Doubles, params: SpreadParams, allowed: Ids | None = None
    ) -> Activations | None:
        """As :meth:`Spreading.spread`; AESGMemoryError for energies that are below 0 or not finite."""
        energies = np.array([energy for row in seeds for _, energy in row], np.float64)
        if not (np.isfinite(energies) & (energies >= 0)).all():
            raise AESGMemoryError("Seed energies must be finite and at least 0")
        try:
            rows = self.chosen(
                "spread",
                lambda: self._spread_by_procedure(seeds, gains, params, allowed),
                lambda: self._spread_in_cypher(seeds, gains, params, allowed),
            )
        except AESGStorageError as error:
            if _code(error) != REFUSED:
                raise
            log.info("Neo4j does not spread: %s", error.message)
            return None
        best = [(row, *pair) for row, pairs in rows for pair in pairs]
        found, ids, activations = zip(*best, strict=True) if best else ((), (), ())
        return Activations(np.array(found, np.int64), np.array(ids, np.int64), np.array(activations, np.float64))

    def _spread_by_procedure(self, seeds: SEEDS, gains: Doubles, params: SpreadParams, allowed: Ids | None) -> Any:
        given = self._params(gains, params, allowed)
        return self._read(cypher("spread_procedure"), seeds=_lists(seeds), params=given)

    def _spread_in_cypher(self, seeds: SEEDS, gains: Doubles, params: SpreadParams, allowed: Ids | None) -> Any:
        flat = [[row, int(id), float(energy)] for row, pairs in enumerate(seeds) for id, energy in pairs]
        names = self.relations.names
        statement = spread_statement(names, gains, params)
        return self._read(statement, seeds=flat, **spread_parameters(names, gains, params, allowed))

    def _params(self, gains: Doubles, params: SpreadParams, allowed: Ids | None) -> dict[str, Any]:
        known = {
            "steps": params.steps,
            "decay": params.decay,
            "fan": params.fan,
            "min_energy": params.min_energy,
            "max_fanout": params.max_fanout,
            "region_multiplier": params.region_multiplier,
            "top_k": params.top_k,
            "gains": dict(zip(self.relations.names, gains.tolist(), strict=True)),
            "missing": "skip",
        }
        return known if allowed is None else known | {"allowed": allowed.tolist()}

    def explain(
        self, seeds: Sequence[tuple[int, float]], target: int, gains: Doubles, params: SpreadParams, limit: int
    ) -> list[Route] | None:
        """As :meth:`Spreading.explain`."""
        if not self.has("explain"):
            return None
        given = self._params(gains, params, None) | {"limit": limit}
        del given["top_k"]
        try:
            rows = self._read(cypher("explain_procedure"), seeds=_lists([seeds])[0], target=target, params=given)
        except AESGStorageError as error:
            if _code(error) not in (UNKNOWN, REFUSED):
                raise
            log.info("Neo4j does not explain: %s", error.message)
            return None
        return [_route(*row) for row in rows]

    # -- looking ----------------------------------------------------------------------------------------------------

    def due(self, epochs: int, limit: int) -> list[Due]:
        """What may be pruned within so many epochs from now if it is not used, weakest first, ties by id."""
        for name, number in (("epochs", epochs), ("limit", limit)):
            if number < 0:
                raise AESGMemoryError(f"{name} is {number}, expected 0 or more")
        self.expect_memory()
        rows = self.chosen(
            "due",
            lambda: self._read(cypher("due_procedure"), epochs=epochs, limit=limit),
            lambda: [row[1:] for row in self._read(cypher("due"), epochs=epochs, limit=limit)],
        )
        return [Due(*row) for row in rows]

    def stats(self) -> Standing:
        """How much the memory holds and how it stands; nothing is counted one by one."""
        self.expect_memory()
        rows = self.chosen("stats", lambda: self._read(cypher("stats_procedure")), lambda: self._read(cypher("stats")))
        return Standing(*rows[0])

    def expect_memory(self) -> None:
        """AESGStorageError unless the memory is there and whole."""
        expected_head(self.connection)

    def _read(self, statement: str, **parameters: Any) -> list[list[Any]]:
        def work(transaction: Transaction) -> list[list[Any]]:
            return transaction.rows(statement, memory=self.memory, **parameters)

        return self.connection.read("read", work)


def _code(error: AESGStorageError) -> str | None:
    cause = error.__cause__
    return cause.code if isinstance(cause, Neo4jError) else None


def _lists(seeds: SEEDS) -> list[list[list[Any]]]:
    return [[[int(id), float(energy)] for id, energy in row] for row in seeds]


def _route(ids: list[int], types: list[str], starts: list[int], energy: float, part: float) -> Route:
    steps = (type if start == id else f"<{type}" for type, start, id in zip(types, starts, ids, strict=False))
    return Route(tuple(ids), tuple(steps), energy, part)
