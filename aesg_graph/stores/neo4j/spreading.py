"""Spreading activation in plain Cypher: one statement for a batch of queries, put together for a memory's relations.

Everything that a parameter can say is a parameter. The text depends on the number of pulses, on which types pass energy
in which direction, and on whether there is a limit to the fan-out, so that a server plans few different ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aesg_graph.concepts import Doubles, Ids
from aesg_graph.stores.neo4j.statements import cypher, quoted

if TYPE_CHECKING:
    from aesg_graph.activation import SpreadParams

SILENT = 1e308
"""As ``min_energy``: nothing is passed on."""
REGION = " * CASE WHEN region IS NOT NULL AND n.region_id = region THEN $region_multiplier ELSE 1.0 END"


def spread_statement(names: tuple[str, ...], gains: Doubles, params: SpreadParams) -> str:
    """The statement for relation types and their gains [types, 2]. AESGMemoryError for a name that is no type's."""
    passing = tuple(tuple(column) for column in (gains > 0).T.tolist())
    plain = tuple(bool((column[column > 0] == 1).all()) for column in gains.T)
    return _statement(
        names, passing, plain, max(1, params.steps), params.max_fanout is not None, params.region_multiplier != 1
    )


def spread_parameters(
    names: tuple[str, ...], gains: Doubles, params: SpreadParams, allowed: Ids | None
) -> dict[str, Any]:
    """The statement's parameters, but for memory and seeds."""
    return {
        "decay": params.decay,
        "fan": params.fan,
        "min_energy": params.min_energy if params.steps else SILENT,
        "max_fanout": params.max_fanout,
        "region_multiplier": params.region_multiplier,
        "top_k": params.top_k,
        "allowed": None if allowed is None else allowed.tolist(),
        "codes": {name: code for code, name in enumerate(names)},
        "forward": dict(zip(names, gains[:, 0].tolist(), strict=True)),
        "backward": dict(zip(names, gains[:, 1].tolist(), strict=True)),
    }


@lru_cache(maxsize=64)
def _statement(
    names: tuple[str, ...],
    passing: tuple[tuple[bool, ...], ...],
    plain: tuple[bool, ...],
    steps: int,
    limited: bool,
    regions: bool,
) -> str:
    lists = []
    for direction, gain in enumerate(("forward", "backward")):
        types = [quoted(name) for name, passes in zip(names, passing[direction], strict=True) if passes]
        if types:
            strength = "e.weight" + ("" if plain[direction] else f" * ${gain}[type(e)]") + (REGION if regions else "")
            order = f", n.id, $codes[type(e)], {direction}" if limited else ""
            edge = f"[e:{'|'.join(types)}]"
            way = f"(c)-{edge}->(n:Concept)" if gain == "forward" else f"(c)<-{edge}-(n:Concept)"
            lists.append(f"[{way} WHERE n.memory = $memory AND e.weight > 0 | [n, {strength}{order}]]")
    arcs = "\n    + ".join(lists) or "[]"
    strongest = cypher("spread_strongest") if limited else ""
    taken = cypher("spread_passing").replace("{arcs}", arcs).replace("{strongest}", strongest)
    pulse = cypher("spread_pulse").replace("{passing}", taken)
    return cypher("spread").replace("{pulses}", "\n".join([pulse] * (steps - 1))).replace("{passing}", taken)
