"""Qdrant's filters as Qdrant Edge's. What Edge lacks, or this server does not know, is UNIMPLEMENTED."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from tests.servers.qdrant_translation import UnimplementedError, id_of, only


def filter_of(given: Any) -> edge.Filter | None:
    """A filter; None where there is none."""
    only(given, "must", "should", "must_not", "min_should")
    if not given.ListFields():
        return None
    parts = {name: conditions_of(getattr(given, name)) or None for name in ("must", "should", "must_not")}
    at_least = given.min_should
    if given.HasField("min_should"):
        parts["min_should"] = edge.MinShould(conditions_of(at_least.conditions), at_least.min_count)
    return edge.Filter(**parts)


def conditions_of(given: Any) -> list[Any]:
    """The conditions of one part of a filter."""
    return [condition_of(condition) for condition in given]


def condition_of(condition: Any) -> Any:
    """One condition of a filter."""
    kind = condition.WhichOneof("condition_one_of")
    match kind:
        case "field":
            return field_condition(condition.field)
        case "has_id":
            return edge.HasIdCondition({id_of(point) for point in condition.has_id.has_id})
        case "is_empty":
            return edge.IsEmptyCondition(condition.is_empty.key)
        case "is_null":
            return edge.IsNullCondition(condition.is_null.key)
        case "has_vector":
            return edge.HasVectorCondition(condition.has_vector.has_vector)
        case "filter":
            # An empty filter lets everything pass.
            return filter_of(condition.filter) or edge.Filter()
        case _:
            raise UnimplementedError(f"a condition of kind {kind}")


def field_condition(field: Any) -> edge.FieldCondition:
    """A condition on a payload field: equality, one of several, none of several, or a range."""
    only(field, "key", "match", "range")
    if field.HasField("range") and field.HasField("match"):
        raise UnimplementedError("a range and a match in one condition")
    if field.HasField("range"):
        bounds = {name.name: value for name, value in field.range.ListFields()}
        return edge.FieldCondition(field.key, range=edge.RangeFloat(**bounds))
    kind = field.match.WhichOneof("match_value")
    match kind:
        case "keyword" | "integer" | "boolean":
            return edge.FieldCondition(field.key, match=edge.MatchValue(getattr(field.match, kind)))
        case "keywords" | "integers":
            return edge.FieldCondition(field.key, match=edge.MatchAny(_values(field.match, kind)))
        case "except_keywords" | "except_integers":
            return edge.FieldCondition(field.key, match=edge.MatchExcept(_values(field.match, kind)))
        case _:
            raise UnimplementedError(f"a match of kind {kind}")


def _values(match: Any, kind: str) -> list[Any]:
    given = getattr(match, kind)
    return list(given.strings if kind.endswith("keywords") else given.integers)
