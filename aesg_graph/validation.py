"""How a configuration says what is wrong with it: one error, every bad parameter, what was given and what is expected.

pydantic finds the faults; here they become one :class:`AESGConfigError`. What is expected is read from the declared
types, so a range is written once, where the parameter is.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from aesg_graph.errors import AESGConfigError

HEADING = "Configuration validation failed:"
SHOWN = 80
"""How many characters of a bad value are shown."""

_NOUNS: dict[Any, str] = {int: "integer", float: "float", str: "text", SecretStr: "text", bool: "True or False"}


def validated(fields: Mapping[str, FieldInfo], given: Any, validate: Callable[[Any], Any]) -> Any:
    """``validate(given)``, or an AESGConfigError that names every bad parameter and every one not among ``fields``."""
    try:
        return validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False)
    # Raised out here, so that no context hangs on it: pydantic's own error shows what was given, secrets included.
    raise AESGConfigError(HEADING, _explained(fields, found))


def _explained(fields: Mapping[str, FieldInfo], found: list[ErrorDetails]) -> dict[str, str]:
    explained: dict[str, str] = {}
    for error in found:
        name = str(error["loc"][0])
        explained.setdefault(name, _fault(fields[name], error) if name in fields else _unknown(name, fields))
    return explained


def _fault(field: FieldInfo, error: ErrorDetails) -> str:
    if error["type"] == "value_error":  # a validator of ours, which says itself what was given and expected
        return str(error["ctx"]["error"])
    return f"got {shown(error['input'], secret=_is_secret(field))}, expected {expected(field)}"


def _unknown(name: str, fields: Mapping[str, FieldInfo]) -> str:
    # What was given is not shown: it may be a secret under a mistyped name.
    close = difflib.get_close_matches(name, fields, n=1)
    return f"unknown, did you mean '{close[0]}'?" if close else "unknown, expected a documented parameter, by name"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def shown(value: object, secret: bool = False) -> str:
    """A value as an error may show it: not too long, and never a secret."""
    if secret:
        return "**********"
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python will print
        text = "a number too long to show"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def expected(field: FieldInfo) -> str:
    """What a field takes, in words: ``integer in [1, 8192]``, ``float >= 0.0 or None``, ``one of 'A', 'B'``."""
    return field.description or _expected(field.annotation, field.metadata)


def _expected(annotation: Any, metadata: list[Any]) -> str:
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        flat = [m for item in more for m in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return _expected(inner, [*metadata, *flat])
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(annotation))
    if annotation not in _NOUNS:  # a union: every parameter that has one is "this or None"
        return " or ".join("None" if a is type(None) else _expected(a, metadata) for a in get_args(annotation))
    return _NOUNS[annotation] + _range(annotation, metadata)


def _range(kind: type, metadata: list[Any]) -> str:
    limits = {name: getattr(m, name) for m in metadata for name in ("ge", "gt", "le", "lt") if hasattr(m, name)}
    if kind not in (int, float) or not limits:
        return ""
    shown_limits = {name: repr(kind(limit)) for name, limit in limits.items()}
    low = f"[{shown_limits['ge']}" if "ge" in limits else f"({shown_limits.get('gt', '-inf')}"
    high = f"{shown_limits['le']}]" if "le" in limits else f"{shown_limits.get('lt', 'inf')})"
    if high == "inf)":
        return f" {'>=' if 'ge' in limits else '>'} {low[1:]}"
    return f" in {low}, {high}"
