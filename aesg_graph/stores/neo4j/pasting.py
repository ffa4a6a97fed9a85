"""The twins of procedures as people paste them into Browser or cypher-shell: parameters first, then the statement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def pasted(statement: str, parameters: Mapping[str, Any]) -> str:
    """``:param {...}`` on a line of its own, and the statement with its semicolon."""
    return f":param {literal(parameters)}\n\n{statement};\n"


def literal(value: Any) -> str:
    """A value as Cypher writes it; maps, lists, texts, numbers, booleans and None."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value)


def _key(key: str) -> str:
    return key if key.isidentifier() else f"`{key.replace('`', '``')}`"
