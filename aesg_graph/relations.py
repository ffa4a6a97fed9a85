"""The types of edges that a configuration declares, in any of the forms in which people write them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from aesg_graph.concepts import BUILTIN_RELATIONS, SYMMETRIC_RELATIONS, RelationType
from aesg_graph.validation import shown

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
MAX_DECLARED = 1000
EXPECTED = "a mapping from name to (forward, backward), or RelationTypes"


def declared(given: object) -> tuple[RelationType, ...]:
    """The declared types by name, from a mapping of names to (forward, backward) or RelationType, or from an iterable
    of RelationTypes or their JSON form. ValueError says what was given and what is expected.
    """
    if isinstance(given, Mapping):
        types = [_from_item(name, gains) for name, gains in given.items()]
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes):
        types = [_from_entry(entry) for entry in given]
    else:
        raise ValueError(f"got {shown(given)}, expected {EXPECTED}")
    checked = sorted(map(_checked, types), key=lambda relation: relation.name)
    twice = [name for name, count in Counter(relation.name for relation in checked).items() if count > 1]
    if twice:
        raise ValueError(f"got {', '.join(twice)} more than once, expected each name once")
    if len(checked) > MAX_DECLARED:
        raise ValueError(f"got {len(checked)} types, expected at most {MAX_DECLARED}")
    return tuple(checked)


def _from_item(name: object, gains: object) -> RelationType:
    if isinstance(gains, RelationType):
        if gains.name != name:
            raise ValueError(f"got RelationType {gains.name!r} under the name {shown(name)}, expected the same name")
        return gains
    if not isinstance(name, str) or not isinstance(gains, tuple | list) or len(gains) != 2:
        raise ValueError(f"got {shown(gains)} for {shown(name)}, expected (forward, backward) or a RelationType")
    return RelationType(name, gains[0], gains[1], symmetric=name in SYMMETRIC_RELATIONS)


def _from_entry(entry: object) -> RelationType:
    if isinstance(entry, RelationType):
        return entry
    try:
        return RelationType(**entry)  # type: ignore[arg-type]  # anything that is not such a mapping is a TypeError
    except TypeError:
        raise ValueError(f"got {shown(entry)}, expected a RelationType") from None


def _checked(relation: RelationType) -> RelationType:
    name, symmetric = relation.name, relation.symmetric
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"got the name {shown(name)}, expected A-Z, 0-9 and _, beginning with a letter, at most 64")
    forward, backward = _gain(name, relation.forward), _gain(name, relation.backward)
    if not isinstance(symmetric, bool):
        raise ValueError(f"got symmetric={shown(symmetric)} for {name}, expected True or False")
    if name in BUILTIN_RELATIONS and symmetric != (name in SYMMETRIC_RELATIONS):
        raise ValueError(f"got {name} with symmetric={symmetric}, expected {not symmetric}: a built-in type keeps that")
    if symmetric and forward != backward:
        raise ValueError(f"got gains {forward} and {backward} for the symmetric type {name}, expected equal ones")
    return dataclasses.replace(relation, forward=forward, backward=backward)


def _gain(name: str, given: object) -> float:
    gain = given.item() if isinstance(given, np.generic) else given
    if isinstance(gain, bool) or not isinstance(gain, int | float) or not 0 <= gain < math.inf:
        raise ValueError(f"got gain {shown(gain)} for {name}, expected a finite number >= 0")
    try:
        return float(gain)
    except OverflowError:
        raise ValueError(f"got gain {shown(gain)} for {name}, expected a finite number >= 0") from None
